package main

import (
	"time"

	"github.com/spf13/cobra"

	"mapper/jobs"
)

// compactFlags are the flags of compact and forget that need parsing.
type compactFlags struct {
	compression, memory string
	grace               time.Duration
}

func (a *app) compact() *cobra.Command {
	var job jobs.Compact
	f := compactFlags{grace: jobs.DefaultGrace}
	c := &cobra.Command{
		Use:   "compact --from URI",
		Short: "Fold the committed runs of a table into one sorted run",
		Long: "compact writes what the committed runs of a table say together as one sorted run, which replaces them: all live pairs\n" +
			"of id and identity, with the latest answer of each identity. The table says the same as before and is read faster,\n" +
			"by remap and incremental runs above all. Nothing is asked. It begins only when no run of the table is unfinished.\n\n" +
			"The files of replaced runs stay for readers that have begun with them; compact and clean remove them once they have\n" +
			"been replaced for as long as --grace.",
		Example: "  mapper compact --from ids/uid2\n" +
			"  mapper compact --from gs://ids/uid2 --grace 24h",
		RunE: a.measured(func(c *cobra.Command, _ []string) error {
			if err := a.completeCompact(c, &job, &f); err != nil {
				return err
			}
			stop := a.beginCompact(&job)
			done, err := job.Run(c.Context())
			stop()
			if done != nil {
				if printed := a.print(done); err == nil {
					err = printed
				}
			}
			return interruptedJob(err, new(jobs.Map), nil)
		}),
	}
	addCompactFlags(c, &job, &f)
	c.Flags().DurationVar(&f.grace, "grace", jobs.DefaultGrace, "how long files of replaced runs stay")
	return c
}

func addCompactFlags(c *cobra.Command, job *jobs.Compact, f *compactFlags) {
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&job.From, "from", "", "folder or URL of the table (required)")
	flags.StringVar(&job.RunID, "run-id", "", "name of the run (default: the time and 4 random characters)")
	flags.StringVar(&f.compression, "compression", "snappy", "of the parts: none, snappy or zstd")
	flags.Int64Var(&job.PartRows, "part-rows", 1_000_000, "rows in a part")
	flags.StringVar(&f.memory, "memory", "192MB", "byte budget of the process")
}

// completeCompact fills the job from flags that need parsing, and with what it needs of the program.
func (a *app) completeCompact(c *cobra.Command, job *jobs.Compact, f *compactFlags) (err error) {
	if job.From == "" {
		return usagef("no table; name it with --from")
	}
	if err := checkGiven(c); err != nil {
		return err
	}
	if job.Compression, err = jobs.ParseCompression(f.compression); err != nil {
		return usagef("--compression %w", err)
	}
	if job.Memory, err = jobs.ParseSize(f.memory); err != nil {
		return usagef("--memory %w", err)
	}
	if job.Grace, err = graceOf(f.grace); err != nil {
		return err
	}
	job.Store, job.Version, job.Log = &a.store, version, a.log
	return nil
}

// beginCompact gives the job its memory and shows its progress until stop is called.
func (a *app) beginCompact(job *jobs.Compact) (stop func()) {
	limitMemory(job.Memory)
	job.Monitor = &a.monitor
	return a.watch(job.Monitor)
}
