package main

import (
	"time"

	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) clean() *cobra.Command {
	var job jobs.Clean
	c := &cobra.Command{
		Use:   "clean FOLDER [--run ID] [--yes]",
		Short: "List, and with --yes remove, what a table holds for nothing",
		Long: "clean aborts unfinished runs that got nothing new for --grace and that no live process works on, and removes their\n" +
			"files; it removes the files of aborted runs and of runs that another has replaced for --grace, files that no manifest\n" +
			"names, and uploads that nobody will finish. Without --yes it only lists all this. An aborted run's id is used up.\n\n" +
			"With --run it aborts that unfinished run now, whoever works on it, and looks at nothing else: a process that still\n" +
			"works on it notices at its next part, and cannot commit it.",
		Example: "  mapper clean ids/uid2\n" +
			"  mapper clean gs://ids/uid2 --grace 72h --yes\n" +
			"  mapper clean ids/uid2 --run 20261122T040000Z-k3q9 --yes",
		Args: one("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("run") && job.Run == "" {
				return usagef("--run is empty; name the run, or leave it out")
			}
			var err error
			if job.Grace, err = graceOf(job.Grace); err != nil {
				return err
			}
			job.Table, job.Store = args[0], &a.store
			found, err := job.Do(c.Context())
			if found != nil {
				if printed := a.print(found); err == nil {
					err = printed
				}
			}
			return err
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.DurationVar(&job.Grace, "grace", jobs.DefaultGrace, "for how long a run must have got nothing new, or have been replaced; 0s is not at all")
	flags.StringVar(&job.Run, "run", "", "abort this unfinished run now")
	flags.BoolVar(&job.Yes, "yes", false, "do it")
	return c
}

// graceOf returns the grace of a job for which one was given: the zero value is the default there, and a negative one none.
func graceOf(given time.Duration) (time.Duration, error) {
	switch {
	case given < 0:
		return 0, usagef("--grace %s is negative; 0s is no grace at all", given)
	case given == 0:
		return -1, nil
	}
	return given, nil
}
