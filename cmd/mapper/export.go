package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) export() *cobra.Command {
	job := jobs.Export{Version: version}
	var compression, memory string
	c := &cobra.Command{
		Use:   "export --from FOLDER --out FOLDER",
		Short: "Write the current state of a table as plain Parquet",
		Long: "export reads all committed runs of a table and writes what they say together, one row for each live pair of id and\n" +
			"identity: the latest answer of the identity, and the kept columns of the pair's latest row. The files are for readers\n" +
			"that know nothing of runs: all of a folder is the table. They become visible at the end, and _SUCCESS after them.\n\n" +
			"Rows are sorted on local disk first, in the folder for temporary files (TMPDIR): about 200 bytes for each row of the\n" +
			"runs. What is there holds no email or phone, and is removed at the end.",
		Example: "  mapper export --from ids/uid2 --out exports/2026-11-22\n" +
			"  mapper export --from gs://ids/uid2 --out s3://audiences/uid2/2026-11-22 --compression zstd",
		RunE: func(c *cobra.Command, _ []string) (err error) {
			switch {
			case job.From == "":
				return usagef("no table; name it with --from")
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
			job.Store = &a.store
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
	flags.StringVar(&job.Out, "out", "", "empty folder or URL to write into (required)")
	flags.StringVar(&compression, "compression", "snappy", "of the files: none, snappy or zstd")
	flags.StringVar(&memory, "memory", "192MB", "byte budget of the process")
	return c
}
