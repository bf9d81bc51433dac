package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) forget() *cobra.Command {
	var job jobs.Forget
	f := compactFlags{grace: jobs.DefaultGrace}
	c := &cobra.Command{
		Use:   "forget --from URI",
		Short: "Remove identifiers from every run of a table",
		Long: "forget reads identifiers from standard input, one a line: emails, phones in E.164, or hashes of them in base64 or hex.\n" +
			"It writes what the runs of the table say as one sorted run without them, as compact does, and then deletes at once\n" +
			"all files of the runs that were replaced or aborted, those of earlier compactions too: readers that have begun with\n" +
			"them fail. It begins only when no run of the table is unfinished, and no run is planned while it is unfinished.\n\n" +
			"At its end it says what it cannot reach: versions and backups that the storage keeps of deleted objects, exports,\n" +
			"and the inputs, from which the next run maps the same people again unless --suppress lists them.",
		Example: "  echo jane@example.com | mapper forget --from ids/uid2\n" +
			"  mapper forget --from gs://ids/uid2 < erasure-requests.txt",
		RunE: a.measured(func(c *cobra.Command, _ []string) error {
			if err := a.completeCompact(c, &job.Compact, &f); err != nil {
				return err
			}
			job.Identifiers = a.stdin
			stop := a.beginCompact(&job.Compact)
			done, err := job.Run(c.Context())
			stop()
			if done != nil {
				if printed := a.print(done); err == nil {
					err = printed
				}
			}
			if exitCode(err) == exitInterrupted {
				return interruption{err, "the same command with the same identifiers continues it; until then no other run of the table can begin"}
			}
			return err
		}),
	}
	addCompactFlags(c, &job.Compact, &f)
	return c
}
