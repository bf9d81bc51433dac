package jobs_test

import (
	"math"
	"os"
	"testing"

	"mapper/client/sandbox"
	"mapper/jobs"
)

// TestPlan: what a plan counts is what the run that follows counts, and it asks nobody and writes nothing.
func TestPlan(t *testing.T) {
	const rows = 5000
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, rows), t.TempDir()+"/out")
	m.MaxBatch = 700
	planned := m
	planned.Out, planned.APIKey, planned.ClientSecret = "", m.APIKey, m.ClientSecret
	e, err := planned.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if asked := s.Stats().Requests; asked != 0 {
		t.Errorf("the service got %d requests", asked)
	}
	if _, err := os.Stat(m.Out); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	run, err := m.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := run.Counts
	if e.Lines != c.Lines || e.Malformed != c.Malformed || e.EmptyRows != c.EmptyRows || e.Identifiers != c.Identifiers ||
		e.Asked != c.Asked || e.Unique != c.UniqueEstimate || e.Requests != c.Requests {
		t.Errorf("planned %+v\nrun     %+v", e, c)
	}
	var invalid int64
	for reason, n := range e.Invalid {
		if n != c.Reasons[reason] {
			t.Errorf("%s: planned %d, run %d", reason, n, c.Reasons[reason])
		}
		invalid += n
	}
	if valid := c.Identifiers + c.Malformed - invalid; e.Duplicates != valid-c.Asked || e.Duplicates == 0 {
		t.Errorf("%d duplicates among %d valid identifiers, of which %d are asked", e.Duplicates, valid, c.Asked)
	}
	if want := float64(c.Requests) * 0.1 / 20; math.Abs(e.Seconds["100"]-want) > 1e-9 {
		t.Errorf("%g s at 100 ms, want %g", e.Seconds["100"], want)
	}
	if len(e.Inputs) != 1 || len(e.Inputs[0].Columns) < 2 || e.Splits != 1 {
		t.Errorf("inputs %+v", e.Inputs)
	}
}

// TestPlanOfNothing: what map refuses to read is refused here too.
func TestPlanOfNothing(t *testing.T) {
	for _, inputs := range [][]string{nil, {"nosuch.csv"}} {
		if e, err := (jobs.Map{Inputs: inputs}).Plan(t.Context()); err == nil {
			t.Errorf("%v: %+v", inputs, e)
		}
	}
}
