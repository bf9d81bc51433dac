package view_test

import (
	"fmt"
	"slices"
	"testing"

	"mapper/jobs/table/view"
)

// Batches stay what they were when more of them are made, and hold as much as they say.
func TestBatchesAreOwned(t *testing.T) {
	t.Parallel()
	h := smallHistory(2, 3000)
	tab, runs := newTable(t, h)
	v, err := view.Open(t.Context(), tab, runs, view.Options{Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var batches []*view.Batch
	for b, err := range v.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for n, b := range batches {
		if len(b.Rows) > 1024 || n < len(batches)-1 && len(b.Rows) < 1024 || b.Kept.NumRows() != int64(len(b.Rows)) {
			t.Fatalf("batch %d has %d rows and %d of kept columns", n, len(b.Rows), b.Kept.NumRows())
		}
		for i := range b.Rows {
			lines = append(lines, lineOf(v, &b.Rows[i]))
		}
	}
	if _, want := model(h); len(batches) < 3 || !slices.Equal(lines, want) {
		t.Fatal(fmt.Sprint(len(batches), " batches are not what the model says"))
	}
}
