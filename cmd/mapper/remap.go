package main

import (
	"context"

	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) remap() *cobra.Command {
	var job jobs.Remap
	var f mapFlags
	var asOf string
	c := &cobra.Command{
		Use:   "remap --from URI",
		Short: "Ask again for every identity of a table that is due",
		Long: "remap reads a table and asks its service, UID2, EUID or ID5, again for the identities whose raw UIDs are due to be refreshed, because\n" +
			"refresh_from has come, and for those that were opted out or called invalid long enough ago (--optout-recheck). Only\n" +
			"identities with a live pair are asked. It writes a run into the same table: change says what has become of each raw\n" +
			"UID, and former_uid holds the one before. What has been answered is not due any more, so it can run at any time,\n" +
			"and the same command continues an interrupted run.\n\n" +
			"What is due is sorted on local disk, in the folder for temporary files (TMPDIR).",
		Example: "  mapper remap --from ids/uid2\n" +
			"  mapper remap --from gs://ids/uid2 --as-of 2026-12-01 --max-rows 1000000",
		RunE: a.measured(func(c *cobra.Command, _ []string) (err error) {
			if job.Out == "" {
				return usagef("no table; name it with --from")
			}
			if c.Flags().Changed("service") {
				if job.Of, err = jobs.ParseServiceName(f.service); err != nil {
					return usagef("--service %w", err)
				}
			}
			f.service = "uid2" // the job takes that of the table
			if err := a.complete(c, &job.Map, &f); err != nil {
				return err
			}
			if asOf != "" {
				if job.AsOf, err = jobs.ParseTime(asOf); err != nil {
					return usagef("--as-of %w", err)
				}
			}
			if err := a.remapCredentials(c.Context(), &job); err != nil {
				return err
			}
			return a.runJob(c.Context(), &job.Map, &job)
		}),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&job.Out, "from", "", "folder or URL of the table (required)")
	flags.StringVar(&asOf, "as-of", "", "ask for what is due at this `time`, as 2026-12-01 or 2026-12-01T06:00:00Z (default: now)")
	flags.Int64Var(&job.MaxRows, "max-rows", 0, "take up no further identity once so many rows are (default: all)")
	flags.StringVar(&f.service, "service", "", "uid2, euid or id5: refuse a table of another one (default: ask that of the table)")
	addOperatorFlags(c, &job.Map)
	flags.DurationVar(&job.RefreshAfter, "refresh-after", 0, "of ID5: the age from which on a uid is due (default: as the latest run of the table that has one)")
	addAskFlags(c, &job.Map)
	addKnownFlags(c, &job.Map)
	addPartFlags(c, &job.Map, &f)
	addRunFlags(c, &job.Map)
	return c
}

// remapCredentials reads the credentials of the table's service from the environment, where the job lacks them.
func (a *app) remapCredentials(ctx context.Context, job *jobs.Remap) error {
	service, err := job.TableService(ctx)
	if err != nil {
		return err
	}
	if service == "id5" {
		return a.id5Credentials(&job.Map, &job.ID5)
	}
	if job.Service, err = jobs.ParseService(service); err != nil {
		return err
	}
	return a.credentials(&job.Map)
}
