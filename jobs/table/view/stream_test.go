package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/client"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/sinks"
)

// compacted returns the live rows of the view of a history as the one sorted run that stands for it, with so many rows
// of a part.
func compacted(t *testing.T, h history, id string, partRows int) *madeRun {
	t.Helper()
	tab, runs := newTable(t, h)
	v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 1 << 20, Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	r := &madeRun{id: id, kind: "compact", service: h[0].service, kept: v.Kept()}
	for _, other := range h {
		r.replaces, r.seq = append(r.replaces, other.id), max(r.seq, other.seq)
	}
	var part madePart
	for row, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !row.Live {
			continue
		}
		if made := madeOf(v, row); made.isMapped {
			part.mapped = append(part.mapped, made)
		} else {
			part.unmapped = append(part.unmapped, made)
		}
		if len(part.mapped)+len(part.unmapped) == partRows {
			r.parts, part = append(r.parts, part), madePart{}
		}
	}
	r.parts = append(r.parts, part)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func madeOf(v *view.View, row *view.Row) madeRow {
	made := madeRow{Row: sinks.Row{
		ID: row.ID, HasID: row.HasID, Identity: row.Identity, HasKind: true, HasHash: true,
		SourceFile: row.SourceFile, SourceColumn: row.SourceColumn, SourceRow: row.SourceRow, MappedAt: row.Answer.MappedAt,
		UID: row.Answer.UID, Previous: row.Answer.Previous, RefreshFrom: row.Answer.RefreshFrom, RawReason: row.Answer.RawReason,
	}, isMapped: row.Answer.Status == client.Mapped, kept: map[string]any{}}
	switch row.Answer.Status {
	case client.OptOut:
		made.Reason = sinks.ReasonOptOut
	case client.Invalid:
		made.Reason = sinks.ReasonInvalidIdentifier
	default:
		made.Reason = sinks.ReasonUnknown
	}
	made.RejectedBy = sinks.ByService
	for i, f := range v.Kept() {
		if c := row.Kept.Column(i); c.IsValid(row.KeptRow) {
			made.kept[f.Name] = goValue(c, row.KeptRow)
		}
	}
	return made
}

// goValue returns a value as appendValue takes it.
func goValue(a arrow.Array, i int) any {
	switch a := a.(type) {
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Decimal128:
		return int64(a.Value(i).LowBits())
	}
	panic(fmt.Sprintf("no values of %T", a))
}

// A compaction changes nothing of what is live, and with runs after it the view is what the model says.
func TestCompacted(t *testing.T) {
	t.Parallel()
	for service, of := range services {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(service, " seed ", seed), func(t *testing.T) {
				t.Parallel()
				d := dice{rand.New(rand.NewPCG(seed, 2))}
				old := of(d, d.history(60))
				r := compacted(t, old, "compacted", 1+d.IntN(60))
				_, before := model(old)
				before = slices.DeleteFunc(before, func(line string) bool { return !strings.Contains(line, " live=true ") })
				_, after := linesOf(t, history{r}, view.Options{Memory: 1 << 20, Spill: t.TempDir()})
				if !slices.Equal(after, before) {
					t.Fatalf("the compacted table has\n%s\nand not\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
				}
				r.replaces = nil
				h := history{r}
				for _, later := range of(d, d.history(60)) {
					later.seq += r.seq
					later.replaces = nil
					h = append(h, later)
				}
				compare(t, h, pick(d, int64(600), 20000, 1<<20))
			})
		}
	}
}

// sortedHistory is a run of several sorted parts and one that is not sorted.
func sortedHistory(t *testing.T) history {
	t.Helper()
	h := smallHistory(2, 1200)
	r := compacted(t, h, "compacted", 350)
	h[1].id, h[1].seq = "later", r.seq+1
	return history{r, h[1]}
}

// Several may read a view with sorted runs at once, stop in the middle, and give up; nothing of them is left.
func TestSortedRunsSideBySide(t *testing.T) {
	t.Parallel()
	h := sortedHistory(t)
	h[0].replaces = nil
	tab, runs := newTable(t, h)
	_, want := model(h)
	spill := t.TempDir()
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: spill, Memory: 20000})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 3 {
		go func() {
			n := 0
			for r, err := range v.Rows(t.Context()) {
				if err != nil {
					done <- err
					return
				}
				if line := lineOf(v, r); line != want[n] {
					done <- fmt.Errorf("row %d is\n%s\nand not\n%s", n, line, want[n])
					return
				}
				n++
			}
			if n != len(want) {
				done <- fmt.Errorf("%d rows, not %d", n, len(want))
				return
			}
			done <- nil
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	err, n := error(nil), 0
	for _, err = range v.Rows(ctx) {
		if n++; n == 10 {
			cancel()
		}
	}
	cancel()
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(spill, "*", "part-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, spill)
}

// What is wrong with a part of a sorted run shows when it is read, and names it.
func TestDamagedSortedRun(t *testing.T) {
	t.Parallel()
	swap := func(rows []madeRow, i, k int) { rows[i], rows[k] = rows[k], rows[i] }
	for _, c := range []struct {
		name   string
		change func(h history)
		damage func(path string) error
		want   string
	}{
		{"identities not in order", func(h history) { swap(h[0].parts[1].mapped, 5, 90) }, nil, "is not sorted"},
		{"parts not in order", func(h history) { swapMapped(h[0].parts) }, nil, "is not sorted"},
		{"ids not in order", func(h history) {
			rows := h[0].parts[1].mapped
			rows[6] = rows[5]
			rows[5].ID, rows[5].HasID, rows[6].HasID = []byte("x"), true, false
		}, nil, "is not sorted"},
		{"damaged", nil, func(path string) error {
			good, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, flipped(good, 300), 0o600)
		}, "checksum"},
		{"missing", nil, os.Remove, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := sortedHistory(t)
			if c.change != nil {
				c.change(h)
			}
			tab, runs := newTable(t, h[:1])
			path := tab.Bucket.URI(secondMapped(runs[0]))
			spill := t.TempDir()
			v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 1 << 20, Spill: spill})
			if err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				if err := c.damage(path); err != nil {
					t.Fatal(err)
				}
			}
			for _, err = range v.Rows(t.Context()) {
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "run compacted") {
				t.Errorf("%v", err)
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, spill)
		})
	}
}

func swapMapped(parts []madePart) {
	parts[0].mapped, parts[1].mapped = parts[1].mapped, parts[0].mapped
}

func secondMapped(r table.Run) string {
	n := 0
	for _, p := range r.Manifest.Parts {
		if p.Dataset == sinks.DatasetMapped {
			if n++; n == 2 {
				return p.Path
			}
		}
	}
	panic("there is one part")
}

// A first part whose footer cannot be read is found when the view is opened.
func TestDamagedFooterOfSortedRun(t *testing.T) {
	t.Parallel()
	tab, runs := newTable(t, sortedHistory(t)[:1])
	path := tab.Bucket.URI(runs[0].Manifest.Parts[0].Path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.TrimSuffix(good, []byte("PAR1")), 0o600); err != nil {
		t.Fatal(err)
	}
	expectError(t, "footer", tab, runs, "run compacted", path)
}
