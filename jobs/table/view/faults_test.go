package view_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/sinks"
)

// countdown is a context that is cancelled when it has been asked so often whether it is.
type countdown struct {
	context.Context
	left int
	done chan struct{}
}

func newCountdown(n int) *countdown {
	return &countdown{Context: context.Background(), left: n, done: make(chan struct{})}
}

func (c *countdown) Err() error {
	if c.left > 0 {
		c.left--
		return nil
	}
	if c.left == 0 {
		c.left = -1
		close(c.done)
	}
	return context.Canceled
}

func (c *countdown) Done() <-chan struct{} { return c.done }

// Whenever a view is cancelled, it says so and leaves nothing behind.
func TestCancel(t *testing.T) {
	t.Parallel()
	h := smallHistory(2, 100)
	tab, runs := newTable(t, h)
	_, want := model(h)
	for n, whole := 0, false; !whole; n++ {
		spill := t.TempDir()
		read, err := count(newCountdown(n), tab, runs, view.Options{Memory: 2500, Spill: spill})
		if whole = err == nil; whole && read != len(want) {
			t.Fatalf("%d rows of %d, and no error", read, len(want))
		}
		if !whole && !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at the %d. question: %v", n+1, err)
		}
		if n < 3 && whole {
			t.Fatal("nobody asks whether the context is cancelled")
		}
		nothingLeft(t, spill)
	}
}

// count opens a view, reads and closes it.
func count(ctx context.Context, tab *table.Table, runs []table.Run, o view.Options) (n int, err error) {
	v, err := view.Open(ctx, tab, runs, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	for _, err := range v.Rows(ctx) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func nothingLeft(t *testing.T, folder string) {
	t.Helper()
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Fatalf("left in the spill: %v %v", left, err)
	}
}

// smallHistory has map runs of one part each.
func smallHistory(runs, rows int) history {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	var h history
	for n := range runs {
		r := &madeRun{id: string(rune('a' + n)), kind: "map", seq: int64(n + 1), kept: []arrow.Field{keepable[0].Field}}
		var p madePart
		for range rows {
			if row := d.row(r, rows); row.isMapped {
				p.mapped = append(p.mapped, row)
			} else {
				p.unmapped = append(p.unmapped, row)
			}
		}
		r.parts = append(r.parts, p)
		h = append(h, r)
	}
	return h
}

// A part that is not what its run wrote is an error that names it, whatever is wrong with it.
func TestDamagedPart(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, smallHistory(1, 30))
	folder := tab.Bucket.URI("")
	for _, part := range runs[0].Manifest.Parts {
		if part.Dataset == sinks.DatasetRefreshFrom {
			continue
		}
		path := filepath.Join(folder, part.Path)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range map[string][]byte{
			"empty": nil, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 0),
			"first byte": flipped(good, 0), "in a page": flipped(good, 300), "in the footer": flipped(good, len(good)-100),
		} {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			expectError(t, name, tab, runs, path)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expectError(t, "missing", tab, runs, path)
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := count(t.Context(), tab, runs, view.Options{}); err != nil {
		t.Fatal(err)
	}
}

func flipped(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

// expectError sees that no view of the runs can be opened and that the error has all of the texts.
func expectError(t *testing.T, name string, tab *table.Table, runs []table.Run, texts ...string) {
	t.Helper()
	spill := t.TempDir()
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: spill})
	if err == nil {
		t.Fatalf("%s: no error, but %v", name, v.Close())
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Fatalf("%s: %q is not in: %v", name, text, err)
		}
	}
	nothingLeft(t, spill)
}

func TestRefusedRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(h history, runs []table.Run)
		want   []string
	}{
		{"unknown kind", func(_ history, runs []table.Run) { runs[0].Manifest.Kind = "guess" }, []string{"run a", `"guess"`}},
		{"aborted", func(_ history, runs []table.Run) { runs[1].Manifest.Aborted = true }, []string{"run b", "not committed"}},
		{"unfinished", func(_ history, runs []table.Run) { runs[1].Manifest = nil }, []string{"run b", "not committed"}},
		{"unknown dataset", func(_ history, runs []table.Run) { runs[0].Manifest.Parts[0].Dataset = "maybe" }, []string{"run a", `"maybe"`}},
		{"wrong dataset", func(_ history, runs []table.Run) { runs[0].Manifest.Parts[0].Dataset = sinks.DatasetUnmapped }, []string{"run a", "no column"}},
		{"too few rows", func(_ history, runs []table.Run) { runs[0].Manifest.Parts[0].Rows++ }, []string{"run a", "rows can be read"}},
		{"two services", func(_ history, runs []table.Run) { runs[1].Manifest.Service = "id5" }, []string{"run b", `"id5"`}},
		{"wrong service", func(_ history, runs []table.Run) {
			runs[0].Manifest.Service, runs[1].Manifest.Service = "id5", "id5"
		}, []string{"run a", "no column country"}},
		{"types differ", func(h history, _ []table.Run) {
			h[1].kept = []arrow.Field{{Name: "Note", Type: arrow.PrimitiveTypes.Int8}}
		}, []string{`"Note"`, "utf8 in run a", "int8 in run b"}},
	} {
		h := smallHistory(2, 5)
		if c.name == "types differ" {
			c.change(h, nil)
		}
		tab, runs := newTable(t, h)
		c.change(h, runs)
		expectError(t, c.name, tab, runs, c.want...)
	}
}

func TestSpillFolderMissing(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, smallHistory(1, 5))
	_, err := view.Open(t.Context(), tab, runs, view.Options{Spill: filepath.Join(t.TempDir(), "none")})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Fatal(err)
	}
}

// What is in the spill is for its owner only.
func TestSpillIsPrivate(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, smallHistory(1, 500))
	spill := t.TempDir()
	v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 5000, Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(spill, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == spill {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != 2 { // the spill and the lock
		t.Errorf("%d files, %v", files, err)
	}
	if err := errors.Join(v.Close(), v.Close()); err != nil {
		t.Fatal(err)
	}
	last := error(nil)
	for _, err := range v.Rows(t.Context()) {
		last = err
	}
	if last == nil {
		t.Fatal("a closed view can be read")
	}
}

// What killed processes have left goes with the next view; what others work on stays.
func TestLeftFolders(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, smallHistory(1, 10))
	spill := t.TempDir()
	held, err := view.Open(t.Context(), tab, runs, view.Options{Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mapper-view-left", "mapper-view-young", "of-others"} {
		if err := os.MkdirAll(filepath.Join(spill, name, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	all, err := os.ReadDir(spill)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		old := time.Now().Add(-time.Hour)
		if e.Name() != "mapper-view-young" {
			err = errors.Join(err, os.Chtimes(filepath.Join(spill, e.Name()), old, old))
		}
	}
	next, opened := view.Open(t.Context(), tab, runs, view.Options{Spill: spill})
	if err := errors.Join(err, opened); err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(spill, "mapper-view-left")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
	left, err := os.ReadDir(spill)
	if err != nil || len(left) != 3 {
		t.Errorf("there is %v, %v", left, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
}

// One identity with more pairs than fit into memory, read twice at once, and left early.
func TestManyPairsOfOneIdentity(t *testing.T) {
	t.Parallel()
	h := smallHistory(2, 800)
	for _, r := range h {
		for _, p := range r.parts {
			for n, rows := range [][]madeRow{p.mapped, p.unmapped} {
				for i := range rows {
					rows[i].Identity = identity(0)
					rows[i].ID, rows[i].HasID = []byte{'0' + byte(n), 'a' + byte(i%26), 'a' + byte(i/26%26), 'a' + byte(i/676)}, true
				}
			}
		}
	}
	tab, runs := newTable(t, h)
	_, want := model(h)
	spill := t.TempDir()
	v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 20000, Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	n := 0
	for r, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if line := lineOf(v, r); line != want[n] {
			t.Fatalf("row %d is\n%s\nand not\n%s", n, line, want[n])
		}
		if n++; n == 300 {
			other, err := 0, error(nil)
			for _, err = range v.Rows(t.Context()) {
				other++
			}
			if err != nil || other != len(want) {
				t.Fatalf("%d rows of %d, %v", other, len(want), err)
			}
		}
	}
	if n != len(want) {
		t.Fatalf("%d rows of %d", n, len(want))
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, spill)
}

func TestEmptyTable(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, nil)
	if n, err := count(t.Context(), tab, runs, view.Options{}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}
