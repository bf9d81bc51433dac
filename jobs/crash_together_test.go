package jobs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"mapper/client/objects"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/sinks"
)

// runs returns the runs of the table.
func (c *keptCopy) runs(t *testing.T) []table.Run {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	tb, err := table.Open(t.Context(), store, c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := tb.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// unfinished returns the id of the one unfinished run that there has to be.
func (c *keptCopy) unfinished(t *testing.T) string {
	t.Helper()
	open := slices.DeleteFunc(c.runs(t), func(r table.Run) bool { return r.Manifest != nil })
	if len(open) != 1 {
		t.Fatalf("%d runs are unfinished, want 1", len(open))
	}
	return open[0].ID
}

// checkView expects that the table is sound and has a view.
func (c *keptCopy) checkView(t *testing.T, want []byte) {
	t.Helper()
	if got := exportOf(t, c.job.Out); !bytes.Equal(got, want) {
		t.Errorf("the view has %d rows and is not the one that is expected, of %d", len(rowsOfExport(t, got)), len(rowsOfExport(t, want)))
	}
	store := new(objects.Store)
	defer store.Close()
	if v, err := jobs.Verify(t.Context(), store, c.job.Out); err != nil {
		t.Errorf("%v\n%s", err, v)
	}
}

// TestCompactTogether starts two compactions at once, in two processes, with names of their own and without: one of them
// commits at most, and who does not says who is in the way.
func TestCompactTogether(t *testing.T) {
	kept := newKeptTable(t)
	for _, storage := range []string{"files", "gs"} {
		for _, named := range []bool{false, true} {
			name := storage + "/without names"
			if named {
				name = storage + "/with names"
			}
			t.Run(name, func(t *testing.T) {
				c := kept.copy(t, childCompact, storage)
				before := len(c.runs(t))
				ids := []string{"", ""}
				if named {
					ids = []string{"one", "two"}
				}
				outputs := make([]bytes.Buffer, len(ids))
				codes := make([]int, len(ids))
				var all sync.WaitGroup
				for i, id := range ids {
					job := c.job
					job.RunID = id
					cmd := job.command(t)
					cmd.Stderr = &outputs[i]
					all.Go(func() {
						_ = cmd.Run() // the exit code says it
						codes[i] = cmd.ProcessState.ExitCode()
					})
				}
				all.Wait()
				for i, code := range codes {
					said := outputs[i].String()
					other := ids[1-i] // empty is said by any text
					held := strings.Contains(said, table.ErrHeld.Error()) || strings.Contains(said, table.ErrFenced.Error())
					gave := (strings.Contains(said, table.ErrBusy.Error()) || strings.Contains(said, table.ErrYielded.Error())) && strings.Contains(said, "run "+other+" ")
					if code != 0 && (code != 1 || !held && !gave) {
						t.Errorf("process %d ends with code %d: %s", i, code, said)
					}
				}
				committed := 0
				for _, r := range c.runs(t) {
					if r.Committed() && r.Manifest.Kind == table.KindCompact {
						committed++
					}
				}
				if committed > 1 || slices.Contains(codes, 0) != (committed == 1) {
					t.Errorf("%d compactions are committed of %d runs, %d before; exit codes %v", committed, len(c.runs(t)), before, codes)
				}
				c.checkView(t, kept.view)
				c.again(t)
				c.checkView(t, kept.view)
			})
		}
	}
}

// TestCompactHeld starts a compaction in the middle of another one: it is refused, and the other one goes on.
func TestCompactHeld(t *testing.T) {
	kept := newKeptTable(t)
	for _, storage := range []string{"files", "gs"} {
		t.Run(storage, func(t *testing.T) {
			c := kept.copy(t, childCompact, storage)
			store := new(objects.Store)
			defer store.Close()
			var once sync.Once
			var refused error
			var said bytes.Buffer
			cmd := c.job.command(t)
			cmd.Stderr = &said
			first := jobs.Compact{From: c.job.Out, Store: store, PartRows: keptPartRows, Monitor: &jobs.Monitor{
				OnPart: func(jobs.SealedPart) { once.Do(func() { refused = cmd.Run() }) },
			}}
			done, err := first.Run(t.Context())
			if err != nil || done.Status != jobs.StatusCommitted {
				t.Fatalf("the first: %v, %v", err, done)
			}
			if refused == nil || !strings.Contains(said.String(), table.ErrHeld.Error()) || !strings.Contains(said.String(), done.RunID) {
				t.Errorf("the second: %v, %s", refused, said.String())
			}
			c.checkView(t, kept.view)
		})
	}
}

// refused runs a job of another kind, and expects that it is not begun because of a run.
func (c *keptCopy) refused(t *testing.T, kind childKind, run string) {
	t.Helper()
	job, before := c.job, len(c.runs(t))
	if job.Kind = kind; kind == childForget {
		job.Forget = "person1@example.com" // others than before
	}
	_, err := job.run(t.Context())
	if !errors.Is(err, table.ErrBusy) || !strings.Contains(err.Error(), "run "+run+" ") {
		t.Errorf("%s next to run %s: %v", kind, run, err)
	}
	if after := len(c.runs(t)); after != before {
		t.Errorf("%s next to run %s: %d runs, before %d", kind, run, after, before)
	}
}

// TestNextToUnfinished kills a job in its middle. Jobs that cannot be next to it are refused and name it, until it has
// been finished by the command that began it; then all work.
func TestNextToUnfinished(t *testing.T) {
	const inTheMiddle = 200
	kept := newKeptTable(t)
	on := []string{"files", "gs"}
	if os.Getenv("MAPPER_CRASH") == "" {
		on = on[:1] // the default suite has little time
	}
	for _, storage := range on {
		for killed, refused := range map[childKind][]childKind{
			childFullBase: {childCompact, childForget},
			childForget:   {childRemap, childFullBase, childCompact, childForget},
		} {
			t.Run(storage+"/"+string(killed), func(t *testing.T) {
				if storage == "files" && !canTrace {
					t.Skip("the system calls of a process can be seen on Linux alone, on amd64 and arm64")
				}
				c := kept.copy(t, killed, storage)
				if _, ok, _ := c.kill(t, inTheMiddle); !ok {
					t.Fatal("it was not killed")
				}
				run := c.unfinished(t)
				for _, kind := range refused {
					c.refused(t, kind, run)
				}
				c.again(t)
				c.checkView(t, kept.expect(t, killed, storage))
				for _, kind := range []childKind{childRemap, childFullBase, childCompact, childForget} {
					job := c.job
					job.Kind = kind
					if _, err := job.run(t.Context()); err != nil {
						t.Errorf("%s, after all: %v", kind, err)
					}
				}
				c.checkForgottenIn(t)
			})
		}
	}
}

// checkForgottenIn is checkForgotten with a store of its own.
func (c *keptCopy) checkForgottenIn(t *testing.T) {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	c.checkForgotten(t, store)
}

// expect returns the view that a job leaves that nobody kills.
func (k *keptTable) expect(t *testing.T, kind childKind, storage string) []byte {
	t.Helper()
	if whole, ok := k.whole[kind]; ok {
		return whole.view
	}
	var view []byte
	t.Run("whole", func(t *testing.T) {
		c := k.copy(t, kind, storage)
		c.again(t)
		view = exportOf(t, c.job.Out)
		k.whole[kind] = keptWhole{view, c.asked()}
	})
	return view
}

// TestReaderOfReplaced is a reader that has got the list of files and takes its time, while the table is compacted again
// and again: it can read them all for as long as the grace is, and not without.
func TestReaderOfReplaced(t *testing.T) {
	kept := newKeptTable(t)
	c := kept.copy(t, childCompact, "files")
	store := new(objects.Store)
	defer store.Close()
	rowsOf := func(files []string) (rows int) {
		for _, f := range files {
			for range partRows(t, f) {
				rows++
			}
		}
		return rows
	}
	var files []string
	for _, dataset := range sinks.Datasets() {
		live, err := jobs.LiveFiles(t.Context(), store, c.job.Out, dataset)
		if err != nil || len(live) == 0 {
			t.Fatalf("%s: %v, %d files", dataset, err, len(live))
		}
		files = append(files, live...)
	}
	rows := rowsOf(files)
	base := c.job
	base.Kind, base.MaxBatch, base.PartRows = childFullBase, 1000, 1000
	for range 10 {
		if _, err := base.run(t.Context()); err != nil { // so that there is something to compact
			t.Fatal(err)
		}
		done, err := jobs.Compact{From: c.job.Out, Store: store}.Run(t.Context())
		if err != nil || done.Status != jobs.StatusCommitted || len(done.Removed.Files) > 0 {
			t.Fatalf("%v, %v", err, done)
		}
		if got := rowsOf(files); got != rows {
			t.Fatalf("the reader sees %d rows, and %d before", got, rows)
		}
	}
	view := exportOf(t, c.job.Out)
	done, err := jobs.Compact{From: c.job.Out, Store: store, Grace: -1}.Run(t.Context())
	if err != nil || len(done.Removed.Files) < len(files) {
		t.Fatalf("%v, %v", err, done)
	}
	for _, f := range files {
		if _, err := os.Stat(f); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there, %v", f, err)
		}
	}
	c.checkView(t, view)
}
