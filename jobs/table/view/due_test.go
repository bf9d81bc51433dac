package view_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/sinks"
)

// dueHistory is a history without sorted runs in which no part gives two answers with the same mapped_at.
func (d dice) dueHistory(identities int) history {
	h := d.history(identities)
	for _, r := range h {
		if r.replaces = nil; r.kind == "compact" || r.kind == "forget" {
			r.kind = "signals"
		}
		for _, p := range r.parts {
			first := map[string]madeRow{}
			for i := range p.mapped {
				row := &p.mapped[i]
				key := fmt.Sprint(row.Identity, row.MappedAt)
				if f, ok := first[key]; ok {
					row.UID, row.RefreshFrom = f.UID, f.RefreshFrom
				}
				first[key] = *row
			}
		}
	}
	return h
}

// takenUp returns the rows of a view that are live and taken up.
func takenUp(t *testing.T, v *view.View, d view.Due) (lines []string) {
	t.Helper()
	for r, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if a := r.Answer; r.Live && (d.Is(&a) || d.Also != nil && d.Also(&r.Identity)) {
			lines = append(lines, fmt.Sprintf("%x %q %t status=%d %q %d %d", r.Identity, r.ID, r.HasID, a.Status, a.UID, a.RefreshFrom, a.MappedAt))
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// What is taken up of the view of due identities is what is taken up of the view of all.
func TestDueIsAllThatIsDue(t *testing.T) {
	t.Parallel()
	found := make(chan int, 1000)
	t.Run("all", func(t *testing.T) {
		for service, of := range services {
			for seed := range uint64(8) {
				t.Run(fmt.Sprint(service, " seed ", seed), func(t *testing.T) {
					t.Parallel()
					d := dice{rand.New(rand.NewPCG(seed, 3))}
					h := of(d, d.dueHistory(30))
					if seed%2 == 0 {
						first := compacted(t, h, "compacted", 10+d.IntN(60))
						h = history{first}
						first.replaces = nil
						for _, later := range of(d, d.dueHistory(30))[:d.IntN(2)] { // or none, which is what most is left out for
							later.seq += first.seq
							h = append(h, later)
						}
					}
					tab, runs := newTable(t, h)
					for range 3 {
						found <- compareDue(t, d, tab, runs)
					}
				})
			}
		}
	})
	close(found)
	some := 0
	for n := range found {
		if n > 0 {
			some++
		}
	}
	if some < 24 {
		t.Errorf("only %d of the scans had something to find", some)
	}
}

func compareDue(t *testing.T, d dice, tab *table.Table, runs []table.Run) int {
	t.Helper()
	due := view.Due{AsOf: time.UnixMilli(pick(d, int64(0), 1, 1, 2, 999, 1001, 1010)), Recheck: pick(d, 0, time.Millisecond, 10*time.Millisecond, time.Second)}
	if d.IntN(4) == 0 {
		due.Also = func(id *normalize.ID) bool { return id.Hash[3]%8 == 0 }
	}
	spill := t.TempDir()
	some, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{Memory: pick(d, int64(600), 20000, 1<<20), Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	got := takenUp(t, some, due)
	nothingLeft(t, spill)
	all, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 1 << 20, Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	if want := takenUp(t, all, due); !slices.Equal(got, want) {
		t.Fatalf("%v %v: taken up are\n%s\nand not\n%s", due.AsOf.UnixMilli(), due.Recheck, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return len(got)
}

func TestDueIs(t *testing.T) {
	now := time.UnixMilli(1000)
	for _, c := range []struct {
		name   string
		due    view.Due
		answer view.Answer
		want   bool
	}{
		{"to be refreshed now", view.Due{AsOf: now}, view.Answer{Status: client.Mapped, RefreshFrom: 1000}, true},
		{"to be refreshed later", view.Due{AsOf: now}, view.Answer{Status: client.Mapped, RefreshFrom: 1001}, false},
		{"never to be refreshed", view.Due{AsOf: now}, view.Answer{Status: client.Mapped}, false},
		{"opted out long ago", view.Due{AsOf: now, Recheck: time.Second}, view.Answer{Status: client.OptOut}, true},
		{"invalid long ago", view.Due{AsOf: now, Recheck: time.Second}, view.Answer{Status: client.Invalid}, true},
		{"opted out lately", view.Due{AsOf: now, Recheck: time.Second}, view.Answer{Status: client.OptOut, MappedAt: 1}, false},
		{"never rechecked", view.Due{AsOf: now}, view.Answer{Status: client.OptOut}, false},
		{"no answer", view.Due{AsOf: now, Recheck: 1}, view.Answer{Status: client.Unknown}, false},
	} {
		if got := c.due.Is(&c.answer); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// Of a sorted run the rows behind the prefix are left out: a scan does not see what is wrong with their pages.
func TestDueLeavesOut(t *testing.T) {
	t.Parallel()
	h := smallHistory(1, 3000)
	for i := range h[0].parts[0].mapped {
		row := &h[0].parts[0].mapped[i]
		if row.RefreshFrom = 1000; i%50 == 0 {
			row.RefreshFrom = 1
		}
		row.Identity = identity(i)
	}
	due := view.Due{AsOf: time.UnixMilli(10)}
	for _, kind := range []string{"compact", "map"} {
		r := compacted(t, h, "compacted", 10000)
		r.kind, r.replaces = kind, nil
		tab, runs := newTable(t, history{r})
		if kind == "compact" { // a run with no candidate
			tab, runs = newTable(t, history{r, {id: "later", kind: "map", seq: 9, parts: []madePart{{mapped: h[0].parts[0].mapped[1:2]}}}})
		}
		i := slices.IndexFunc(runs[0].Manifest.Parts, func(p sinks.File) bool { return p.Dataset == sinks.DatasetRefreshFrom })
		path := tab.Bucket.URI(runs[0].Manifest.Parts[i].Path)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(good[len(good)/4 : len(good)/2])
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{Memory: 1 << 20, Spill: t.TempDir()})
		if (err == nil) != (kind == "compact") || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", kind, err)
		}
		if err == nil {
			if got := takenUp(t, v, due); len(got) == 0 || len(got) > 100 {
				t.Errorf("%d rows", len(got))
			}
		}
	}
}

// Whatever is wrong with a part, the scan says which it is, or does not notice; it leaves nothing behind and ends.
func TestDueOfDamagedParts(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(5, 5))}
	tab, runs := newTable(t, smallHistory(2, 300))
	due := view.Due{AsOf: time.UnixMilli(1), Recheck: time.Millisecond}
	for _, part := range runs[0].Manifest.Parts {
		if part.Dataset == sinks.DatasetMapped {
			continue
		}
		path := tab.Bucket.URI(part.Path)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20 {
			bad := slices.Clone(good)
			for range 1 + d.IntN(3) {
				bad[d.IntN(len(bad))] ^= byte(1 + d.IntN(255))
			}
			if n%10 == 0 {
				bad = bad[:d.IntN(len(bad))]
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			spill := t.TempDir()
			v, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{Memory: 1 << 20, Spill: spill})
			if err == nil {
				err = v.Close()
			} else if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "run a") {
				t.Errorf("the error does not name the part: %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Error(err)
			}
			nothingLeft(t, spill)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{Memory: 1 << 20, Spill: t.TempDir()}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("missing: %v", err)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDueRefused(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, smallHistory(1, 30))
	due := view.Due{AsOf: time.UnixMilli(1)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := view.OpenDue(ctx, tab, runs, due, view.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	parts := runs[0].Manifest.Parts
	runs[0].Manifest.Parts = slices.DeleteFunc(slices.Clone(parts), func(p sinks.File) bool { return p.Dataset == sinks.DatasetRefreshFrom })
	if _, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{}); err == nil || !strings.Contains(err.Error(), "has no refresh_from/") {
		t.Error(err)
	}
	runs[0].Manifest.Parts = slices.Clone(parts)
	for i := range parts {
		runs[0].Manifest.Parts[i].Rows++
	}
	if _, err := view.OpenDue(t.Context(), tab, runs, due, view.Options{}); err == nil || !strings.Contains(err.Error(), "rows can be read") {
		t.Error(err)
	}
}
