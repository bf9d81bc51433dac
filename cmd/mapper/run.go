package main

import (
	"context"

	"github.com/spf13/cobra"

	"mapper/jobs"
	"mapper/jobs/table"
)

func (a *app) runCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Use:   "run JOB.yaml [--set key=value]...",
		Short: "Run a job that is written in a file",
		Long: "run does what map, remap or signals does, with its settings from a file: every flag is a key with _ for -, inputs are input, and the\n" +
			"flags that name columns stand under columns:\n\n" +
			"  kind: map\n" +
			"  input: [s3://crm/export/*.csv.gz]\n" +
			"  columns: {id: customer_id, email: [email, alt_email], phone: mobile}\n" +
			"  phone_region: US\n" +
			"  out: gs://ids/uid2\n" +
			"  api_key: ${UID2_API_KEY}\n" +
			"  secret_key: ${file:/run/secrets/uid2}\n\n" +
			"${VAR} is an environment variable and ${file:/path} the text of a file; $${ is a literal ${. Without api_key and\n" +
			"secret_key, credentials come from the environment, as for map. --set goes before what the file says; credentials\n" +
			"cannot be set there. Relative paths are relative to the current directory.",
		Example: "  mapper run nightly.yaml\n" +
			"  mapper run backfill.yaml --set out=ids/backfill --set columns.email=email,alt_email",
		Args: one("JOB.yaml"),
		RunE: a.measured(func(c *cobra.Command, args []string) error {
			job, err := a.readJob(args[0], sets)
			if err != nil {
				return err
			}
			if err := job.credentials(c.Context()); err != nil {
				return jobs.InKeys(err)
			}
			return jobs.InKeys(a.runJob(c.Context(), job.options, job.job))
		}),
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "`key=value` that goes before what the file says; a list is a,b")
	return c
}

// plannedJob is a job that can be run, or planned only.
type plannedJob interface {
	runner
	Plan(ctx context.Context) (*jobs.Estimate, error)
}

// fileJob is the job of a file.
type fileJob struct {
	job         plannedJob
	options     *jobs.Map // which it shares with others, whatever its kind
	credentials func(ctx context.Context) error
	baseURL     func(ctx context.Context) error // when nobody is asked
}

// readJob reads the job of a file.
func (a *app) readJob(path string, sets []string) (*fileJob, error) {
	file, err := jobs.ReadFile(path, jobs.FileOptions{Set: sets, Env: a.env, Log: a.log})
	if err != nil {
		return nil, err
	}
	job := new(fileJob)
	switch file.Kind {
	case table.KindRemap:
		remap := file.Remap()
		job.job, job.options = &remap, &remap.Map
		job.credentials = func(ctx context.Context) error { return a.remapCredentials(ctx, &remap) }
		job.baseURL = func(ctx context.Context) error {
			service, err := remap.TableService(ctx)
			if err != nil {
				return err
			}
			return a.baseURL(&remap.Map, service)
		}
	case table.KindSignals:
		signals := file.Signals()
		job.job, job.options = &signals, &signals.Map
		job.credentials = func(context.Context) error { return a.id5Credentials(&signals.Map, &signals.ID5) }
		job.baseURL = func(context.Context) error { return a.baseURL(&signals.Map, "id5") }
	default:
		mapping := file.Map()
		job.job, job.options = &mapping, &mapping
		job.credentials = func(context.Context) error { return a.credentials(&mapping) }
		job.baseURL = func(context.Context) error { return a.baseURL(&mapping, mapping.Service.String()) }
	}
	a.surround(job.options)
	return job, nil
}
