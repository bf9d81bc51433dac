package view_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// rulesTable has a row for each thing that can be known of a pair, each of an identity of its own but for the last.
func rulesTable() history {
	mapped := func(n int, id string, refreshFrom int64) madeRow {
		return madeRow{isMapped: true, Row: sinks.Row{Identity: identity(n), HasKind: true, HasHash: true, ID: []byte(id), HasID: true,
			UID: fmt.Appendf(nil, "uid %d", n), RefreshFrom: refreshFrom, MappedAt: 500}}
	}
	unmapped := func(n int, id string, reason sinks.Reason, at int64) madeRow {
		return madeRow{Row: sinks.Row{Identity: identity(n), HasKind: true, HasHash: true, ID: []byte(id), HasID: true,
			Reason: reason, RawReason: []byte("word"), RejectedBy: sinks.ByService, MappedAt: at}}
	}
	return history{
		{id: "1", kind: "map", seq: 1, parts: []madePart{{
			mapped: []madeRow{mapped(0, "live", 2000), mapped(2, "live", 1000), mapped(4, "gone", 2000), mapped(4, "live", 2000), mapped(6, "live", 0)},
			unmapped: []madeRow{
				unmapped(8, "live", sinks.ReasonOptOut, 900), unmapped(10, "live", sinks.ReasonOptOut, 901),
				unmapped(12, "live", sinks.ReasonInvalidIdentifier, 900), unmapped(14, "live", sinks.ReasonUnknown, 999),
			},
		}}},
		{id: "2", kind: "map", seq: 2, parts: []madePart{{unmapped: []madeRow{unmapped(4, "gone", sinks.ReasonRemoved, 600)}}}},
	}
}

// What is done with one identifier, as of 1000 ms and with answers that are asked again after 100 ms.
func TestShuffleRules(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, rulesTable())
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	suppressed := func(id *normalize.ID) bool { return *id == identity(0) }
	for _, c := range []struct {
		name     string
		identity int
		id       string
		suppress bool
		want     pipeline.Do
		repeat   pipeline.Do
		live     bool
	}{
		{"known and live", 0, "live", false, pipeline.Withhold, pipeline.Withhold, true},
		{"known, another pair", 0, "other", false, pipeline.Tell, pipeline.Withhold, false},
		{"known, removed before", 4, "gone", false, pipeline.Tell, pipeline.Withhold, false},
		{"due", 2, "live", false, pipeline.Ask, pipeline.Withhold, true},
		{"due, another pair", 2, "other", false, pipeline.Ask, pipeline.Withhold, false},
		{"never due", 6, "live", false, pipeline.Withhold, pipeline.Withhold, true},
		{"opted out long ago", 8, "live", false, pipeline.Ask, pipeline.Withhold, true},
		{"opted out", 10, "live", false, pipeline.Withhold, pipeline.Withhold, true},
		{"invalid long ago", 12, "live", false, pipeline.Ask, pipeline.Withhold, true},
		{"never answered", 14, "live", false, pipeline.Ask, pipeline.Withhold, true},
		{"never met", 16, "live", false, pipeline.Ask, pipeline.Withhold, false},
		{"suppressed", 0, "live", true, pipeline.Suppress, pipeline.Withhold, true},
		{"not suppressed", 4, "live", true, pipeline.Withhold, pipeline.Withhold, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := view.ShuffleOptions{Due: view.Due{AsOf: time.UnixMilli(1000), Recheck: 100 * time.Millisecond}, Spill: t.TempDir()}
			if c.suppress {
				o.Suppressed = suppressed
			}
			s := shuffleOf(t, v, o)
			for row := range int64(2) {
				addOne(t, s, pipeline.Read{Row: row + 1, Begins: true, Identity: identity(c.identity), ID: []byte(c.id), HasID: true})
			}
			tasks, _ := tasksOf(t, s, nil)
			if len(tasks) != 2 || tasks[0].Do != c.want || tasks[1].Do != c.repeat || tasks[0].Live != c.live || tasks[1].Live {
				t.Fatalf("%+v", tasks)
			}
		})
	}
}

func shuffleOf(t testing.TB, v *view.View, o view.ShuffleOptions) *view.Shuffle {
	t.Helper()
	s, err := view.NewShuffle(v, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func addOne(t testing.TB, s *view.Shuffle, r pipeline.Read) {
	t.Helper()
	if err := s.Add(&r); err != nil {
		t.Fatal(err)
	}
}

// Without an input, a full base removes all that is live, and anything else does nothing.
func TestShuffleOfNothing(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, rulesTable())
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for full, want := range map[bool]int{false: 0, true: 8} {
		tasks, _ := tasksOf(t, shuffleOf(t, v, view.ShuffleOptions{FullBase: full, Spill: t.TempDir()}), nil)
		if len(tasks) != want || slices.ContainsFunc(tasks, func(t pipeline.Task) bool { return t.Do != pipeline.Remove || t.Input != pipeline.NoInput }) {
			t.Fatalf("full base %t: %d tasks", full, len(tasks))
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range shuffleOf(t, v, view.ShuffleOptions{Spill: t.TempDir()}).Tasks(t.Context()) {
		if err == nil {
			t.Fatal("tasks of a closed view")
		}
	}
}

// bigWorld has a table and inputs of which each gives some batches of tasks.
func bigWorld() (w world) {
	d := dice{rand.New(rand.NewPCG(4, 4))}
	w = world{h: smallHistory(2, 3000)}
	for row := range int64(3000) {
		w.reads = append(w.reads, d.line(0, row+1, 4000)...)
	}
	w.kept = []arrow.Field{keepable[0].Field}
	w.options = view.ShuffleOptions{FullBase: true, Kept: w.kept, Memory: 20_000}
	return w
}

// Whoever stops early, closes between tasks, or twice, leaves nothing behind.
func TestShuffleStops(t *testing.T) {
	t.Parallel()
	w := bigWorld()
	tab, runs := newTable(t, w.h)
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		memory int64
		added  int // of the reads; -1: all
		take   int // so many batches; -1: no Tasks
		within bool
	}{
		{"new", 20_000, 0, -1, false},
		{"in memory, added", 1 << 20, 100, -1, false},
		{"spilled, added", 20_000, -1, -1, false},
		{"spilled, one batch", 20_000, -1, 1, false},
		{"in memory, two batches", 64 << 20, -1, 2, false},
		{"spilled, closed within", 20_000, -1, 1, true},
		{"in memory, closed within", 64 << 20, -1, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			spill := t.TempDir()
			o := w.options
			o.Memory, o.Spill = c.memory, spill
			s, err := view.NewShuffle(v, o)
			if err != nil {
				t.Fatal(err)
			}
			reads := w.reads
			if c.added >= 0 {
				reads = reads[:c.added]
			}
			addAll(t, s, reads, w.kept)
			if c.take >= 0 {
				takeSome(t, s, c.take, c.within)
			}
			for range 2 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Add(&pipeline.Read{}); err == nil {
				t.Error("a closed shuffle takes more")
			}
			nothingLeft(t, spill)
		})
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// takeSome takes some batches of tasks, and then either no more or closes the shuffle, which ends them with an error.
func takeSome(t *testing.T, s *view.Shuffle, batches int, closes bool) {
	t.Helper()
	var last error
	for _, err := range s.Tasks(t.Context()) {
		if last = err; err != nil {
			break
		}
		if batches--; batches > 0 {
			continue
		}
		if !closes {
			break
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if closes != (last != nil) {
		t.Errorf("closes is %t, and the error %v", closes, last)
	}
}

// A context that is cancelled before, or between any two batches, ends the tasks with its cause.
func TestShuffleCancel(t *testing.T) {
	t.Parallel()
	w := bigWorld()
	tab, runs := newTable(t, w.h)
	v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 20_000, Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	for n, whole := 0, false; !whole; n++ {
		o := w.options
		o.Spill = t.TempDir()
		s := shuffleOf(t, v, o)
		addAll(t, s, w.reads, w.kept)
		ctx, cancel := context.WithCancelCause(t.Context())
		left := n
		if left == 0 {
			cancel(cause)
		}
		tasks, last := 0, error(nil)
		for some, err := range s.Tasks(ctx) {
			if last = err; err != nil {
				break
			}
			tasks += len(some.List)
			if left--; left == 0 {
				cancel(cause)
			}
		}
		cancel(nil)
		if whole = last == nil; whole && (n < 6 || tasks < len(w.reads)*9/10) {
			t.Fatalf("cancelled after %d batches: %d tasks, and no error", n, tasks)
		}
		if !whole && (left > 0 || !errors.Is(last, cause)) {
			t.Fatalf("cancelled after %d batches: %d left, %v", n, left, last)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

// A folder that cannot be written to is an error with advice.
func TestShuffleWithoutSpill(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, rulesTable())
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := view.NewShuffle(v, view.ShuffleOptions{Spill: filepath.Join(t.TempDir(), "missing")}); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("no folder: %v", err)
	}
	spill := t.TempDir()
	s := shuffleOf(t, v, view.ShuffleOptions{Memory: 600, Spill: spill})
	if err := os.RemoveAll(spill); err != nil {
		t.Fatal(err)
	}
	for row := int64(1); err == nil && row < 100; row++ {
		err = s.Add(&pipeline.Read{Row: row, Identity: identity(int(row))})
	}
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("the folder is gone: %v", err)
	}
}

// Kept columns that are not those of the options are an error that names them.
func TestShuffleKeptColumns(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, rulesTable())
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	list := arrow.Field{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)}
	if _, err := view.NewShuffle(v, view.ShuffleOptions{Kept: []arrow.Field{list}}); err == nil || !strings.Contains(err.Error(), `"tags"`) {
		t.Errorf("a list: %v", err)
	}
	note, age := keepable[0].Field, keepable[4].Field
	s := shuffleOf(t, v, view.ShuffleOptions{Kept: []arrow.Field{note}, Spill: t.TempDir()})
	for _, wrong := range [][]arrow.Field{{age}, {note, age}} {
		read := pipeline.Read{Row: 1, Kept: keptRecord(t, []madeRow{{}}, wrong)}
		if err := s.Add(&read); err == nil || !strings.Contains(err.Error(), "kept column") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
