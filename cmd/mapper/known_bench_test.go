package main

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// BenchmarkKnown measures what a night does with a table that has been compacted: an incremental run's comparing of as
// many rows as the table has, of which it knows 99 % ("merge"; the input is added in an order that has nothing to do with
// the table's, and adding is measured apart), and the search for the thirtieth of the table that is due ("due"). Set
// MAPPER_BENCH_ROWS for other sizes than a million, and MAPPER_BENCH_TABLE to a folder that keeps the tables. CPU is that
// of the process, peak-MB its resident memory at most, both while it is measured.
func BenchmarkKnown(b *testing.B) {
	rows, err := strconv.Atoi(cmp.Or(os.Getenv("MAPPER_BENCH_ROWS"), "1000000"))
	if err != nil {
		b.Fatal(err)
	}
	t, runs := knownTable(b, rows)
	b.Run(fmt.Sprintf("merge/rows=%d", rows), func(b *testing.B) { benchMerge(b, t, runs, rows) })
	b.Run(fmt.Sprintf("due/rows=%d", rows), func(b *testing.B) { benchDue(b, t, runs, rows) })
}

// What the tables of this benchmark have: every refresh_from within 30 days of knownFrom.
const (
	knownFrom     = 1_780_000_000_000
	knownPartRows = 1_000_000
	dayMillis     = 24 * 60 * 60 * 1000
)

// knownTable opens a compacted table of so many rows. It makes it if there is none.
func knownTable(b *testing.B, rows int) (*table.Table, []table.Run) {
	b.Helper()
	folder := filepath.Join(cmp.Or(os.Getenv("MAPPER_BENCH_TABLE"), b.TempDir()), fmt.Sprint("known-", rows))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		b.Fatal(err)
	}
	store := new(objects.Store)
	b.Cleanup(func() { _ = store.Close() })
	t, err := table.Open(b.Context(), store, folder)
	if err != nil {
		b.Fatal(err)
	}
	runs, err := t.Runs(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if len(runs) == 0 {
		makeKnown(b, t, rows)
		if runs, err = t.Runs(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return t, table.Live(runs)
}

// makeKnown writes the one run of a table.
func makeKnown(b *testing.B, t *table.Table, rows int) {
	b.Helper()
	m := table.Manifest{RunID: "compacted", Kind: "compact", Seq: 1}
	w, err := sinks.New(t.Bucket, m.RunID, sinks.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < rows; from += knownPartRows {
		if err := w.Begin(b.Context(), 0, from/knownPartRows+1); err != nil {
			b.Fatal(err)
		}
		for i := from; i < min(rows, from+knownPartRows); i++ {
			writeKnown(b, w, i, rows)
		}
		files, err := w.Seal()
		if err != nil {
			b.Fatal(err)
		}
		m.Parts = append(m.Parts, files...)
	}
	if _, _, err := t.Commit(b.Context(), m); err != nil {
		b.Fatal(err)
	}
}

// writeKnown writes a row. One in twenty has opted out.
func writeKnown(b *testing.B, w *sinks.Writer, i, rows int) {
	row := sinks.Row{
		ID: knownCaller(nil, i), HasID: true, HasKind: true, HasHash: true, Identity: knownIdentity(b, i, rows, 0), MappedAt: knownFrom,
		SourceFile: "gs://bucket/export/customers.csv", SourceColumn: "email", SourceRow: int64(i + 1),
	}
	put := w.Mapped
	if mixed := mix(uint64(i)); mixed%20 == 0 {
		row.Reason, row.RejectedBy, row.RawReason = sinks.ReasonOptOut, sinks.ByService, []byte("OPTOUT")
		put = w.Unmapped
	} else {
		row.UID = fmt.Appendf(nil, "%020d%020d%04d", mixed, mix(mixed), i%10_000)
		row.RefreshFrom = knownFrom + 1 + int64(mix(mixed)%(30*dayMillis))
	}
	if err := put([]sinks.Row{row}); err != nil {
		b.Fatal(err)
	}
}

func knownCaller(dst []byte, i int) []byte {
	return strconv.AppendInt(append(dst, "customer-"...), int64(i), 10)
}

// inOrder are the characters of base64 in the order of their bytes, which is that of a table.
const inOrder = "+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// knownIdentity returns an identity of a table of so many rows. They rise with their number; those of other salts are
// others, between them.
func knownIdentity(b *testing.B, i, rows int, salt uint64) (id normalize.ID) {
	var random [36]byte
	for at, x := 0, mix(uint64(i))+salt; at < 32; at += 8 {
		x = mix(x)
		binary.LittleEndian.PutUint64(random[at:], x)
	}
	step := uint64(1) << 48 / uint64(rows)
	first := uint64(i)*step + binary.LittleEndian.Uint64(random[24:])%step
	var text [normalize.Base64Len]byte
	base64.StdEncoding.Encode(text[:], random[:32])
	for at := range 8 {
		text[at] = inOrder[first>>(42-6*at)&63]
	}
	var hash [33]byte
	if n, err := base64.StdEncoding.Decode(hash[:], text[:]); err != nil || n != 32 {
		b.Fatal(n, err)
	}
	copy(id.Hash[:], hash[:])
	return id
}

// mix scatters numbers; it is the step of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func benchMerge(b *testing.B, t *table.Table, runs []table.Run, rows int) {
	var adding, telling spent
	spilled := int64(0)
	for b.Loop() {
		resetPeak(b)
		v, err := view.Open(b.Context(), t, runs, view.Options{Memory: jobs.DefaultMemory / 6, Spill: b.TempDir(), AnswersOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		spill := b.TempDir()
		s, err := view.NewShuffle(v, view.ShuffleOptions{Spill: spill, Due: view.Due{AsOf: time.UnixMilli(knownFrom), Recheck: 720 * time.Hour}})
		if err != nil {
			b.Fatal(err)
		}
		adding.measure(b, func() { addKnown(b, s, rows) })
		spilled += sizeBelow(b, spill)
		asked := 0
		telling.measure(b, func() { asked = tellKnown(b, s) })
		if asked < rows/100 || asked > rows/100+1 {
			b.Fatalf("%d of %d rows are asked", asked, rows)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
	all := float64(b.N * rows)
	b.ReportMetric(float64(adding.cpu)/all, "cpu-ns/row-added")
	b.ReportMetric(float64(telling.cpu)/all, "cpu-ns/row-told")
	b.ReportMetric(float64(telling.wall)/all, "ns/row-told")
	b.ReportMetric(all/telling.wall.Seconds(), "rows-told/s")
	b.ReportMetric(float64(spilled)/all, "spill-B/row")
	b.ReportMetric(peakMB(b), "peak-MB")
}

// addKnown adds all rows of the table in another order, but for one in a hundred, which becomes a new one.
func addKnown(b *testing.B, s *view.Shuffle, rows int) {
	read := pipeline.Read{Begins: true, HasID: true}
	const prime = 1_000_000_007
	for n := range rows {
		i := n * prime % rows
		read.Row, read.ID, read.Identity = int64(n+1), knownCaller(read.ID[:0], i), knownIdentity(b, i, rows, 0)
		if n%100 == 0 {
			read.Identity = knownIdentity(b, i, rows, 1)
		}
		if err := s.Add(&read); err != nil {
			b.Fatal(err)
		}
	}
}

func tellKnown(b *testing.B, s *view.Shuffle) (asked int) {
	for tasks, err := range s.Tasks(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		for i := range tasks.List {
			if tasks.List[i].Do == pipeline.Ask {
				asked++
			}
		}
	}
	return asked
}

func benchDue(b *testing.B, t *table.Table, runs []table.Run, rows int) {
	var scanning spent
	due := view.Due{AsOf: time.UnixMilli(knownFrom + dayMillis), Recheck: 720 * time.Hour}
	for b.Loop() {
		resetPeak(b)
		found := 0
		scanning.measure(b, func() { found = findDue(b, t, runs, due) })
		if share := float64(found) / float64(rows); share < 0.95/31 || share > 0.95/29 {
			b.Fatalf("%d of %d rows are due", found, rows)
		}
	}
	all := float64(b.N * rows)
	b.ReportMetric(float64(scanning.cpu)/all, "cpu-ns/row")
	b.ReportMetric(float64(scanning.wall)/all, "ns/row")
	b.ReportMetric(peakMB(b), "peak-MB")
}

func findDue(b *testing.B, t *table.Table, runs []table.Run, due view.Due) (found int) {
	v, err := view.OpenDue(b.Context(), t, runs, due, view.Options{Memory: jobs.DefaultMemory / 6, Spill: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	for row, err := range v.Rows(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		if due.Is(&row.Answer) {
			found++
		}
	}
	if err := v.Close(); err != nil {
		b.Fatal(err)
	}
	return found
}

// spent is CPU and time that passed.
type spent struct{ cpu, wall time.Duration }

func (s *spent) measure(b *testing.B, f func()) {
	b.Helper()
	began, used := time.Now(), ownCPU(b)
	f()
	s.cpu += ownCPU(b) - used
	s.wall += time.Since(began)
}

func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func sizeBelow(b *testing.B, folder string) (size int64) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	return size
}

// resetPeak makes the kernel forget how much memory the process has had. Where it cannot, peakMB is that of the process
// since it began.
func resetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log(err)
	}
}

// peakMB is the resident memory at most. There is none to tell where there is no /proc.
func peakMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kB, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB / 1000
}
