package view_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	if err := put([]sinks.Row{r.Row}); err != nil {
		b.Fatal(err)
	}
}

// benchCompacted has a sorted run of so many rows in parts of a quarter million, and small map runs after it with a
// hundredth as many each, of which half have been there before.
func benchCompacted(b *testing.B, rows, small int) (*table.Table, []table.Run) {
	b.Helper()
	store := new(objects.Store)
	b.Cleanup(func() { _ = store.Close() })
	tab, err := table.Open(b.Context(), store, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	numbers, keys := make([]int, rows), make([]string, rows)
	for i := range numbers {
		id := identity(i)
		numbers[i], keys[i] = i, string(rune(id.Kind))+base64.StdEncoding.EncodeToString(id.Hash[:])
	}
	slices.SortFunc(numbers, func(x, y int) int { return strings.Compare(keys[x], keys[y]) })
	benchRun(b, tab, table.Manifest{RunID: "compacted", Kind: "compact", Seq: 1}, numbers)
	for n := range small {
		later := make([]int, rows/100)
		for i := range later {
			later[i] = rows - len(later)/2 + i + n*len(later)
		}
		benchRun(b, tab, table.Manifest{RunID: fmt.Sprint("small-", n), Kind: "map", Seq: int64(n + 2)}, later)
	}
	runs, err := tab.Runs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return tab, table.Live(runs)
}

func benchRun(b *testing.B, tab *table.Table, m table.Manifest, numbers []int) {
	b.Helper()
	w, err := sinks.New(tab.Bucket, m.RunID, sinks.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for part := range (len(numbers) + 249_999) / 250_000 {
		if err := w.Begin(b.Context(), 0, part+1); err != nil {
			b.Fatal(err)
		}
		for i, n := range numbers[part*250_000 : min(len(numbers), (part+1)*250_000)] {
			benchRow(b, w, n, i, nil)
		}
		files, err := w.Seal()
		if err != nil {
			b.Fatal(err)
		}
		m.Parts = append(m.Parts, files...)
	}
	if _, _, err := tab.Commit(b.Context(), m); err != nil {
		b.Fatal(err)
	}
}

// benchRows is how many rows the tables of benchmarks have: a million, or MAPPER_BENCH_ROWS.
func benchRows(b *testing.B) int {
	b.Helper()
	text := cmp.Or(os.Getenv("MAPPER_BENCH_ROWS"), "1000000")
	rows, err := strconv.Atoi(text)
	if err != nil || rows < 1000 {
		b.Fatalf("MAPPER_BENCH_ROWS is %q, and not a number of rows from 1000 on", text)
	}
	return rows
}

// BenchmarkSorted opens and reads the view of a table that has been compacted.
func BenchmarkSorted(b *testing.B) {
	rows := benchRows(b)
	for _, c := range []struct {
		name  string
		small int
		o     view.Options
	}{{"0 small runs", 0, view.Options{}}, {"5 small runs", 5, view.Options{}}, {"answers only", 0, view.Options{AnswersOnly: true}}} {
		b.Run(c.name, func(b *testing.B) {
			tab, runs := benchCompacted(b, rows, c.small)
			b.ReportAllocs()
			b.ResetTimer()
			began, n := cpuTime(b), 0
			for b.Loop() {
				n += benchRead(b, tab, runs, c.o)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
			b.ReportMetric(float64(cpuTime(b)-began)/float64(n), "cpu-ns/row")
		})
	}
}

// BenchmarkDue finds the thirtieth of the rows that is due.
func BenchmarkDue(b *testing.B) {
	rows := benchRows(b)
	due := view.Due{AsOf: time.UnixMilli(1_780_000_000_000 + int64(rows)/30), Recheck: 720 * time.Hour}
	for _, c := range []struct {
		name string
		make func() (*table.Table, []table.Run)
	}{
		{"compacted", func() (*table.Table, []table.Run) { return benchCompacted(b, rows, 0) }},
		{"not compacted", func() (*table.Table, []table.Run) { return benchTable(b, rows, nil) }},
	} {
		tab, runs := c.make()
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began, n := cpuTime(b), 0
			for b.Loop() {
				v, err := view.OpenDue(b.Context(), tab, runs, due, view.Options{})
				if err != nil {
					b.Fatal(err)
				}
				for r, err := range v.Rows(b.Context()) {
					if err != nil {
						b.Fatal(err)
					}
					if due.Is(&r.Answer) {
						n++
					}
				}
				if err := v.Close(); err != nil {
					b.Fatal(err)
				}
			}
			if n < b.N*(rows/30-rows/600-10) {
				b.Fatalf("%d are due in %d scans", n, b.N)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N*rows), "cpu-ns/row")
		})
	}
}

// benchRead returns how many rows the view of some runs has.
func benchRead(b *testing.B, tab *table.Table, runs []table.Run, o view.Options) (n int) {
	b.Helper()
	v, err := view.Open(b.Context(), tab, runs, o)
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range v.Rows(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
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
