package view_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/sinks"
)

// benchTable has rows of two map runs, of which each has half of the identities and repeats no pair.
func benchTable(b *testing.B, rows int, kept []arrow.Field) (*table.Table, []table.Run) {
	b.Helper()
	store := new(objects.Store)
	b.Cleanup(func() { _ = store.Close() })
	tab, err := table.Open(b.Context(), store, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for run := range 2 {
		id := fmt.Sprint("run-", run)
		w, err := sinks.New(tab.Bucket, id, sinks.Options{Kept: kept})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Begin(b.Context(), 0, 1); err != nil {
			b.Fatal(err)
		}
		for i := range rows / 2 {
			benchRow(b, w, run*rows/2+i, i, kept)
		}
		files, err := w.Seal()
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := tab.Commit(b.Context(), table.Manifest{RunID: id, Kind: "map", Seq: int64(run + 1), Parts: files}); err != nil {
			b.Fatal(err)
		}
	}
	runs, err := tab.Runs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return tab, table.Live(runs)
}

func benchRow(b *testing.B, w *sinks.Writer, n, row int, kept []arrow.Field) {
	r := madeRow{kept: map[string]any{"note": "a note", "score": float64(n)}}
	r.Identity, r.HasKind, r.HasHash = identity(n), true, true
	r.ID, r.HasID = fmt.Appendf(nil, "customer-%d", n), true
	r.SourceFile, r.SourceColumn, r.SourceRow = "gs://bucket/export/customers.csv", "email", int64(row+1)
	r.MappedAt = 1_780_000_000_000
	if kept != nil {
		r.Kept = keptRecord(b, []madeRow{r}, kept)
	}
	put := w.Mapped
	if n%20 == 0 {
		r.RawReason = []byte("OPTOUT")
		put = w.Unmapped
	} else {
		r.UID = fmt.Appendf(nil, "%044d", n)
		r.RefreshFrom = r.MappedAt + int64(n)
	}
	if err := put(&r.Row); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkView opens the view of a million rows and reads it. It wants -benchtime 1x or more: the first time makes
// the table.
func BenchmarkView(b *testing.B) {
	const rows = 1_000_000
	for _, c := range []struct {
		name   string
		memory int64
		kept   []arrow.Field
	}{
		{"spilled", 64 << 20, nil},
		{"in memory", 1 << 30, nil},
		{"spilled, 2 kept columns", 64 << 20, []arrow.Field{keepable[0].Field, keepable[5].Field}},
	} {
		b.Run(c.name, func(b *testing.B) {
			tab, runs := benchTable(b, rows, c.kept)
			b.ReportAllocs()
			for b.Loop() {
				v, err := view.Open(b.Context(), tab, runs, view.Options{Memory: c.memory})
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for _, err := range v.Rows(b.Context()) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != rows {
					b.Fatalf("%d rows", n)
				}
				if err := v.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
