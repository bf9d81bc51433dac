package main

import (
	"errors"
	"fmt"
	"slices"

	"mapper/jobs"
)

// interruption is the end of a command that was told to stop, and says what is next.
type interruption struct {
	cause error
	next  string
}

// Error returns what is next. What the cause says does not matter any more.
func (i interruption) Error() string { return "interrupted; " + i.next }

// Unwrap returns the cause.
func (i interruption) Unwrap() error { return i.cause }

// interruptionOf returns what there is to say of an interrupted command. One that has no run left nothing to continue.
func interruptionOf(err error) error {
	var i interruption
	if errors.As(err, &i) {
		return i
	}
	return interruption{err, "run the command again"}
}

// interruptedJob says what is next after an error with which a job ended, if it was interrupted: its run can be
// continued, but not one of standard input. The summary is nil when it is not known whether there is a run.
func interruptedJob(err error, job *jobs.Map, summary *jobs.Summary) error {
	switch {
	case exitCode(err) != exitInterrupted:
		return err
	case !slices.Contains(job.Inputs, "-"):
		return interruption{err, "the same command continues an unfinished run"}
	case summary == nil:
		return interruption{err, "standard input cannot be read again, so start over"}
	}
	return interruption{err, fmt.Sprintf("standard input cannot be read again, so start over; mapper clean %s --run %s --yes removes what is left of this run",
		job.Out, summary.RunID)}
}
