package jobs_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/sinks"
)

// TestClean makes waste of every kind on every storage, and has it listed and removed.
func TestClean(t *testing.T) {
	for storage, open := range storages {
		t.Run(storage, func(t *testing.T) {
			store := new(objects.Store)
			defer store.Close()
			out := open(t).URI + "/table"
			s, url := operator(t, sandbox.Options{})
			job := func(run string) jobs.Map {
				m := job(s, url, writePeople(t, 1000), out)
				m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight, m.Store = "id", run, 125, 50, 2, store
				return m
			}
			for _, run := range []string{"whole", "replaced"} {
				if _, err := job(run).Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, run := range []string{"begun", "aborted", "worked-on"} {
				m := job(run)
				m.Limit = int64(800 + len(run))
				interruptAfter(t, m, 2)
			}
			tb, err := table.Open(t.Context(), store, out)
			if err != nil {
				t.Fatal(err)
			}
			if err := tb.Abort(t.Context(), "aborted"); err != nil {
				t.Fatal(err)
			}
			stray := sinks.PartName{Dataset: sinks.DatasetMapped, Run: "whole", Part: 1, Random: "stray"}.String()
			late := sinks.PartName{Dataset: sinks.DatasetMapped, Run: "aborted", Part: 9, Random: "late"}.String()
			for _, key := range []string{stray, late} {
				if err := tb.Bucket.CreateIfAbsent(t.Context(), key, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			replace(t, tb, "replaced")
			lease, err := tb.Lease(t.Context(), "worked-on", 0)
			if err != nil {
				t.Fatal(err)
			}
			files := everything(t, tb)

			clean := jobs.Clean{Table: out, Store: store}
			young, err := clean.Do(t.Context())
			if err != nil || len(young.Abandoned) > 0 || !slices.Equal(wasted(young), []string{late, stray}) {
				t.Errorf("before the grace is over: %v, %v", young, err)
			}
			clean.Grace = -1
			found, err := clean.Do(t.Context())
			if err != nil || found.Done || len(found.Abandoned) != 1 || found.Abandoned[0].RunID != "begun" || found.Abandoned[0].Files < 4 {
				t.Errorf("found: %v, %v", found, err)
			}
			if text := found.String(); !strings.Contains(text, "run begun: unfinished") || !strings.Contains(text, "add --yes") {
				t.Errorf("found: %s", text)
			}
			if now := everything(t, tb); !slices.Equal(now, files) {
				t.Errorf("a list changed something: %d files, now %d", len(files), len(now))
			}
			if err := lease.Release(); err != nil {
				t.Fatal(err)
			}
			clean.Yes = true
			done, err := clean.Do(t.Context())
			if err != nil || !done.Done || len(done.Abandoned) != 2 || len(wasted(done)) < 30 {
				t.Errorf("done: %v, %v", done, err)
			}
			// While somebody works on a run that is built on it, a replaced one stays.
			if !slices.Equal(wasted(found), []string{late, stray}) {
				t.Errorf("found: %v", found)
			}
			for _, key := range everything(t, tb) {
				if strings.Contains(key, "run=begun") || strings.Contains(key, "run=aborted") || strings.Contains(key, "run=replaced") || key == stray {
					t.Errorf("left: %s", key)
				}
			}
			if again, err := clean.Do(t.Context()); err != nil || again.String() != "nothing to remove" {
				t.Errorf("again: %v, %v", again, err)
			}
			if _, err := job("begun").Run(t.Context()); !errors.Is(err, table.ErrAborted) {
				t.Errorf("the id of an aborted run is used again: %v", err)
			}
			if v, err := jobs.Verify(t.Context(), store, out); err != nil {
				t.Errorf("%v\n%s", err, v)
			}
		})
	}
}

// replace makes a run that takes the place of another.
func replace(t *testing.T, tb *table.Table, run string) {
	t.Helper()
	m, err := tb.Manifest(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	m.RunID, m.Replaces, m.Parts, m.FinishedAt = "replacing", []string{run}, nil, time.Now()
	m.Counts, m.Calendar, m.Inputs = table.ManifestCounts{}, nil, nil
	if _, err := tb.CreatePlan(t.Context(), table.Plan{RunID: m.RunID}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tb.Commit(t.Context(), *m); err != nil {
		t.Fatal(err)
	}
}

// everything returns all keys of a table, but for those of leases.
func everything(t *testing.T, tb *table.Table) []string {
	t.Helper()
	keys, err := tb.Bucket.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(keys, func(key string) bool { return strings.Contains(key, "/.") })
}

func wasted(c *jobs.Cleaning) (keys []string) {
	for _, f := range c.Files {
		keys = append(keys, f.Key)
	}
	slices.Sort(keys)
	return keys
}

// TestCleanRun aborts a run that is worked on: its process notices and says so.
func TestCleanRun(t *testing.T) {
	out := t.TempDir()
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 4000), out)
	m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight = "r", 500, 100, 2
	clean := jobs.Clean{Table: out, Store: new(objects.Store), Run: "r"}
	m.Monitor = &jobs.Monitor{OnPart: func(p jobs.SealedPart) {
		if p.N != 2 {
			return
		}
		for _, yes := range []bool{false, true} {
			clean.Yes = yes
			if c, err := clean.Do(t.Context()); err != nil || len(c.Abandoned) != 1 || c.Done != yes {
				t.Errorf("%v, %v", c, err)
			}
		}
	}}
	if _, err := m.Run(t.Context()); !errors.Is(err, table.ErrAborted) {
		t.Errorf("the run goes on: %v", err)
	}
	// What its process left after it was aborted goes with the next clean.
	if c, err := clean.Do(t.Context()); err != nil || len(c.Abandoned) > 0 {
		t.Errorf("%v, %v", c, err)
	}
	tb, err := table.Open(t.Context(), new(objects.Store), out)
	if err != nil {
		t.Fatal(err)
	}
	if left := everything(t, tb); !slices.Equal(left, []string{"_runs/r/manifest.json", "_runs/table.json"}) {
		t.Errorf("left: %v", left)
	}
	for run, want := range map[string]string{"": "", "none": "has no run", "a b": "no run id", "whole": "cannot be aborted"} {
		if run == "whole" {
			m.RunID, m.Monitor = run, nil
			if _, err := m.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		clean.Run = run
		_, err := clean.Do(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("run %q: %v", run, err)
		}
	}
	if _, err := (jobs.Clean{Table: t.TempDir(), Store: new(objects.Store)}).Do(t.Context()); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no table: %v", err)
	}
}

// TestCleanUploads drops what killed writers have left, where the storage shows it.
func TestCleanUploads(t *testing.T) {
	for _, storage := range []string{"files", "s3"} {
		t.Run(storage, func(t *testing.T) {
			store := new(objects.Store)
			defer store.Close()
			out := storages[storage](t).URI + "/table"
			s, url := operator(t, sandbox.Options{})
			m := job(s, url, writePeople(t, 100), out)
			m.RunID, m.Store = "r", store
			if _, err := m.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			b, err := store.Bucket(t.Context(), out)
			if err != nil {
				t.Fatal(err)
			}
			w, err := b.Create(t.Context(), "mapped/run=r/part-0-7-late.parquet")
			if err == nil {
				_, err = w.Write(make([]byte, 12<<20))
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := jobs.Clean{Table: out, Store: store, Yes: true}.Do(t.Context())
			if err != nil || len(c.Uploads) != 1 {
				t.Errorf("%v, %v", c, err)
			}
			if err := w.Close(); err == nil {
				t.Error("an upload was finished after it was dropped")
			}
			text, err := json.Marshal(c)
			if err != nil || !strings.Contains(string(text), `"uploads":[{"key":"mapped/run=r/`) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}
