package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) diff() *cobra.Command {
	job := jobs.Diff{Version: version}
	var compression, memory string
	c := &cobra.Command{
		Use:   "diff --from FOLDER --since RUN --out FOLDER",
		Short: "Write which raw UIDs to add, replace and remove downstream since a run",
		Long: "diff compares what a table said at a run (the run and those it built on) with what it says now, and writes one row for\n" +
			"each identity whose raw UID to hold downstream has changed. The column action says what to do: add current_uid, replace\n" +
			"former_uid by current_uid, or remove former_uid, for the reason OPTOUT, INVALID_IDENTIFIER, UNKNOWN, or REMOVED when\n" +
			"no row of the customer base has the identity any more. It is one row for each identity and not for each id, as an\n" +
			"audience is made of raw UIDs: one that two ids had, of which one has left, stays.\n\n" +
			"ID5 uids change from answer to answer, so that another one is no difference: of a table of ID5 only add and remove are\n" +
			"reported, never replace. The latest uids are those of mapper export.\n\n" +
			"Changes are reported at least once and never missed. What a run brought that was in progress when RUN began counts as\n" +
			"new, even if an earlier diff has told it. The summary names the run for the next --since. When the files of RUN are\n" +
			"gone, as those of runs that compact has replaced are after a while, write all there is with mapper export instead.\n\n" +
			"As with export, --out has to be empty, files become visible at the end, and _SUCCESS after them. Rows are sorted on\n" +
			"local disk first (TMPDIR): about 200 bytes for each row of the runs, twice.",
		Example: "  mapper diff --from ids/uid2 --since 20261121T040000Z-k3q9 --out changes/2026-11-22\n" +
			"  mapper diff --from gs://ids/uid2 --since nightly-21 --out s3://audiences/changes/22 --json",
		RunE: func(c *cobra.Command, _ []string) (err error) {
			switch {
			case job.From == "":
				return usagef("no table; name it with --from")
			case job.Since == "":
				return usagef("no run to compare with; name it with --since (mapper inspect lists the runs)")
			case job.Out == "":
				return usagef("no output; name an empty folder with --out")
			}
			if job.Compression, err = jobs.ParseCompression(compression); err != nil {
				return usagef("--compression %w", err)
			}
			if job.Memory, err = jobs.ParseSize(memory); err != nil {
				return usagef("--memory %w", err)
			}
			limitMemory(job.Memory)
			job.Store, job.Log = &a.store, a.log
			done, err := job.Do(c.Context())
			if err != nil {
				return err
			}
			return a.print(done)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&job.From, "from", "", "folder or URL of the table (required)")
	flags.StringVar(&job.Since, "since", "", "the `RUN` to compare with (required)")
	flags.StringVar(&job.Out, "out", "", "empty folder or URL to write into (required)")
	flags.StringVar(&compression, "compression", "snappy", "of the files: none, snappy or zstd")
	flags.StringVar(&memory, "memory", "192MB", "byte budget of the process")
	return c
}
