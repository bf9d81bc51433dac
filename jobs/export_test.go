package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/sinks"
)

// pair is what an export has one row of.
type pair struct{ id, kind, hash string }

// TestExport exports tables of one and of two runs on every storage, and compares with what the parts of the runs say:
// the latest answer of each identity, once for each pair.
func TestExport(t *testing.T) {
	for storage, open := range storages {
		t.Run(storage, func(t *testing.T) {
			store := new(objects.Store)
			defer store.Close()
			root := open(t).URI
			from := root + "/table"
			s, url := operator(t, sandbox.Options{OptOutShare: 0.1, RotationDays: 270})
			for run, rows := range []int{1500, 900} {
				m := job(s, url, writePeople(t, rows), from)
				m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.Store = "id", fmt.Sprint("r", run), 400, 200, store
				if _, err := m.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := latest(t, from)
				out := fmt.Sprint(root, "/export-", run)
				e := jobs.Export{From: from, Out: out, Store: store}
				got, err := e.Do(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if got.Rows != int64(len(want)) || len(got.Files) != 1 || len(got.Runs) != run+1 {
					t.Errorf("%v, want %d rows", got, len(want))
				}
				compareExport(t, out+"/part-00001.parquet", want, got)
				var usage *jobs.UsageError
				if _, err := e.Do(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), "needs a folder of its own") {
					t.Errorf("the same folder again: %v", err)
				}
			}
		})
	}
}

// latest returns what the parts of a table say of each pair.
func latest(t *testing.T, from string) map[pair]output {
	t.Helper()
	answers, pairs := map[pair]output{}, map[pair]bool{}
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		for o := range outputs(t, from, dataset) {
			if o.hash == "" {
				continue
			}
			pairs[pair{o.id, o.kind, o.hash}] = true
			identity := pair{"", o.kind, o.hash}
			if have, ok := answers[identity]; !ok || o.at > have.at {
				answers[identity] = o
			}
		}
	}
	all := map[pair]output{}
	for p := range pairs {
		all[p] = answers[pair{"", p.kind, p.hash}]
	}
	return all
}

func compareExport(t *testing.T, file string, want map[pair]output, e *jobs.Exported) {
	t.Helper()
	var last pair
	mapped, seen := int64(0), map[pair]bool{}
	for o := range partRows(t, file) {
		p := pair{o.id, o.kind, o.hash}
		w, ok := want[p]
		if !ok || seen[p] {
			t.Fatalf("%+v: expected %v, seen before %v", o, ok, seen[p])
		}
		seen[p] = true
		if o.uid != w.uid || o.previous != w.previous || o.reason != w.reason || o.raw != w.raw || o.refresh != w.refresh || o.at != w.at || o.column != w.column {
			t.Fatalf("%+v\nwant %+v", o, w)
		}
		if compare := slices.Compare([]string{p.kind, p.hash, p.id}, []string{last.kind, last.hash, last.id}); compare <= 0 {
			t.Fatalf("%+v stands behind %+v", p, last)
		}
		last = p
		if o.uid != "" {
			mapped++
		}
	}
	if len(seen) != len(want) || e.Mapped != mapped {
		t.Errorf("%d rows, %d mapped, want %d rows; the summary says %v", len(seen), mapped, len(want), e)
	}
}

// TestExportOfNothing: a table without a committed run has an empty export; what is no table has none.
func TestExportOfNothing(t *testing.T) {
	s, url := operator(t, sandbox.Options{Latency: time.Millisecond})
	m := job(s, url, writePeople(t, 1000), t.TempDir())
	m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight = "r", 100, 50, 1
	interruptAfter(t, m, 2)
	out := filepath.Join(t.TempDir(), "out")
	got, err := jobs.Export{From: m.Out, Out: out, Store: new(objects.Store)}.Do(t.Context())
	if err != nil || got.Rows != 0 || len(got.Files) != 1 { // whose columns a reader may want to know
		t.Errorf("%v, %v", got, err)
	}
	for row := range partRows(t, filepath.Join(out, "part-00001.parquet")) {
		t.Errorf("a row of nothing: %+v", row)
	}
	if _, err := os.Stat(filepath.Join(out, "_SUCCESS")); err != nil {
		t.Error(err)
	}
	if _, err := (jobs.Export{From: t.TempDir(), Out: t.TempDir(), Store: new(objects.Store)}).Do(t.Context()); err == nil || !strings.Contains(err.Error(), "is no table") {
		t.Errorf("no table: %v", err)
	}
}

// TestExportAsksForMore: what an export cannot do well is refused before anything is read.
func TestExportAsksForMore(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 100), t.TempDir())
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for want, e := range map[string]jobs.Export{
		"is too little": {From: m.Out, Out: t.TempDir(), Memory: 1000},
		"lies inside":   {From: m.Out, Out: filepath.Join(m.Out, "mapped", "run=x")},
	} {
		e.Store = new(objects.Store)
		var usage *jobs.UsageError
		if _, err := e.Do(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestExportAfterAKill: what a killed export has left in the folder goes with the one that succeeds.
func TestExportAfterAKill(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 100), t.TempDir())
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, ".tmp-LEFT"), []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (jobs.Export{From: m.Out, Out: out, Store: new(objects.Store), Memory: 1 << 50}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(out)
	if err != nil || len(left) != 2 {
		t.Errorf("there is %v, %v", left, err)
	}
}

// TestExportStops leaves nothing behind: no file in the output, none in the folder for temporary ones.
func TestExportStops(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 2000), t.TempDir())
	m.Columns.ID = "id"
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	stopped := 0
	for after := range 40 {
		out := filepath.Join(t.TempDir(), "out")
		_, err := jobs.Export{From: m.Out, Out: out, Store: new(objects.Store)}.Do(&endsAfter{Context: t.Context(), left: after})
		if err == nil {
			continue
		}
		stopped++
		for _, folder := range []string{temporary, out} {
			left, err := os.ReadDir(folder)
			if err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
				t.Errorf("after %d looks at the context: %v, %v", after, left, err)
			}
		}
	}
	if stopped == 0 {
		t.Error("it was never stopped")
	}
}
