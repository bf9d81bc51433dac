package view_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
)

// BenchmarkShuffle compares a million rows with the view of a million, which knows 99 % of them and is opened before.
// It wants -benchtime 1x or more: the first time makes the table.
func BenchmarkShuffle(b *testing.B) {
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
			tab, runs := benchTable(b, rows, nil)
			v, err := view.Open(b.Context(), tab, runs, view.Options{Memory: c.memory, Spill: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := v.Close(); err != nil {
					b.Error(err)
				}
			}()
			ids := make([]normalize.ID, rows)
			for i := range ids {
				ids[i] = identity(i + rows/100)
			}
			b.ReportAllocs()
			var m shuffleMeter
			for b.Loop() {
				m.measure(b, v, ids, view.ShuffleOptions{
					Memory: c.memory, Kept: c.kept, Due: view.Due{AsOf: time.UnixMilli(1_780_000_000_000), Recheck: 720 * time.Hour},
				})
			}
			all := float64(b.N * rows)
			b.ReportMetric(float64(m.adding.Nanoseconds())/all, "ns/row-added")
			b.ReportMetric(float64(m.telling.Nanoseconds())/all, "ns/row-told")
			b.ReportMetric(float64(m.allocs)/all, "allocs/row")
			b.ReportMetric(float64(m.spilled)/all, "spill-B/row")
		})
	}
}

// shuffleMeter sums what shuffles took.
type shuffleMeter struct {
	adding, telling time.Duration
	allocs          uint64
	spilled         int64
}

func (m *shuffleMeter) measure(b *testing.B, v *view.View, ids []normalize.ID, o view.ShuffleOptions) {
	b.Helper()
	o.Spill = b.TempDir()
	s := shuffleOf(b, v, o)
	var kept arrow.Record
	if o.Kept != nil {
		kept = keptRecord(b, []madeRow{{kept: map[string]any{"note": "a note", "score": 0.5}}}, o.Kept)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	read := pipeline.Read{Begins: true, HasID: true, Kept: kept}
	for i := range ids {
		read.Row, read.Identity = int64(i+1), ids[i]
		read.ID = strconv.AppendInt(append(read.ID[:0], "customer-"...), int64(i+len(ids)/100), 10)
		if err := s.Add(&read); err != nil {
			b.Fatal(err)
		}
	}
	m.adding += time.Since(start)
	start = time.Now()
	withheld, asked := 0, 0
	for tasks, err := range s.Tasks(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		for i := range tasks.List {
			switch tasks.List[i].Do {
			case pipeline.Withhold:
				withheld++
			case pipeline.Ask:
				asked++
			}
		}
	}
	m.telling += time.Since(start)
	runtime.ReadMemStats(&after)
	if files, err := filepath.Glob(filepath.Join(o.Spill, "*", "sorted-*")); err == nil && len(files) == 1 {
		if info, err := os.Stat(files[0]); err == nil {
			m.spilled += info.Size()
		}
	}
	m.allocs += after.Mallocs - before.Mallocs
	if withheld+asked != len(ids) || asked != len(ids)/100 {
		b.Fatalf("%d withheld, %d asked", withheld, asked)
	}
}
