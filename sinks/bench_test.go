package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mapper/client/objects"
	"mapper/normalize"
)

// benchRows makes rows as the pipeline hands them over: unique ids and hashes, raw UIDs of 44 characters, a
// third with a previous one, and one of 30 days to ask again. A page of them compresses as real ones do only
// if no row is twice in it.
func benchRows(n int) []Row {
	random := rand.New(rand.NewPCG(1, 2))
	uid := func() []byte {
		var raw [32]byte
		for i := 0; i < len(raw); i += 8 {
			binary.LittleEndian.PutUint64(raw[i:], random.Uint64())
		}
		return base64.StdEncoding.AppendEncode(nil, raw[:])
	}
	rows := make([]Row, n)
	for i := range rows {
		r := &rows[i]
		*r = Row{
			ID: fmt.Appendf(nil, "user-%07d", i), HasID: true,
			Identity: normalize.ID{Hash: sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})},
			HasKind:  true, HasHash: true,
			SourceFile: "crm/export/users.csv", SourceColumn: "email", SourceRow: int64(i + 1),
			MappedAt: 1_790_000_000_000 + int64(i/5000)*37,
			UID:      uid(), RefreshFrom: 1_790_000_000_000 + int64(random.IntN(30))*86_400_000,
			RawReason: []byte("unsubscribed"),
		}
		if random.IntN(3) == 0 {
			r.Previous = uid()
		}
	}
	return rows
}

// benchBlock are rows as the pipeline hands them over: a few at a time, in memory that is used for all, with raw UIDs that
// lie in a reply. In a part all hashes differ, and are as random as real ones.
type benchBlock struct {
	rows []Row
	uids []byte // of a page
}

func newBenchBlock() *benchBlock {
	random := rand.New(rand.NewPCG(8, 8))
	raw := make([]byte, pageRows*33)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	return &benchBlock{benchRows(BlockRows), base64.StdEncoding.AppendEncode(nil, raw)}
}

func (b *benchBlock) uid(i uint64) []byte { return b.uids[i%pageRows*44:][:44] }

// fill returns row i and those behind it, n at most.
func (b *benchBlock) fill(i, n int) []Row {
	rows := b.rows[:min(n, BlockRows)]
	answered := 1_790_000_000_000 + int64(i/5000*37)
	for at := range rows {
		r := &rows[at]
		random := uint64(i+at) * 0x9e3779b97f4a7c15
		binary.LittleEndian.PutUint64(r.Identity.Hash[:], random)
		r.Identity.Country = [2]byte{'A', 'A' + byte((i+at)*7&15)} // another one than in the row before; UID2 does not look
		r.UID, r.Previous = b.uid(uint64(i+at)), nil
		if random&0xffff < 0xffff/3 {
			r.Previous = b.uid(random >> 50)
		}
		r.RefreshFrom = 1_790_000_000_000 + int64(random>>32*30>>32)*86_400_000
		r.SourceRow, r.MappedAt = int64(i+at+1), answered
	}
	return rows
}

const benchPart = 1 << 19

func benchmark(b *testing.B, opts Options, add func(w *Writer, rows []Row) error) {
	bucket, err := new(objects.Store).Bucket(context.Background(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w, err := New(bucket, "bench", opts)
	if err != nil {
		b.Fatal(err)
	}
	block := newBenchBlock()
	var cpu int64
	seal := func() {
		files, err := w.Seal()
		if err != nil {
			b.Fatal(err)
		}
		cpu -= uncounted(b, func() error {
			var errs []error
			for _, f := range files {
				errs = append(errs, bucket.Delete(context.Background(), f.Path))
			}
			return errors.Join(errs...)
		})
	}
	part := func(n int) {
		if err := w.Begin(context.Background(), 0, 0); err != nil {
			b.Fatal(err)
		}
		for i := 0; i < n; i += BlockRows {
			if err := add(w, block.fill(i, n-i)); err != nil {
				b.Fatal(err)
			}
		}
		seal()
	}
	part(benchPart) // fills the buffers
	b.ReportAllocs()
	b.ResetTimer()
	cpu = -cpuTime(b)
	for left := b.N; left > 0; left -= benchPart {
		part(min(left, benchPart))
	}
	b.ReportMetric(float64(cpu+cpuTime(b))/float64(b.N), "cpu-ns/op")
}

// uncounted drops output, which no run does, with the timer stopped, and returns the CPU time that took.
func uncounted(b *testing.B, drop func() error) int64 {
	b.StopTimer()
	defer b.StartTimer()
	before := cpuTime(b)
	if err := drop(); err != nil {
		b.Fatal(err)
	}
	return cpuTime(b) - before
}

// cpuTime returns the CPU time this process has taken, user and system, in nanoseconds: what a row costs,
// whatever the disk is like.
func cpuTime(b *testing.B) int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func eachCompression(b *testing.B, add func(w *Writer, rows []Row) error) {
	for c := range compressions {
		b.Run(c.String(), func(b *testing.B) { benchmark(b, Options{Compression: c}, add) })
	}
}

func BenchmarkMappedAndRefresh(b *testing.B) { eachCompression(b, (*Writer).Mapped) }

func writeMapped(w *Writer, rows []Row) error { return w.write(w.mapped, rows, (*Row).checkMapped) }

func addRefresh(w *Writer, rows []Row) error {
	for i := range rows {
		w.refresh.add(&rows[i])
	}
	return nil
}

func BenchmarkMappedOnly(b *testing.B) { eachCompression(b, writeMapped) }

func BenchmarkRefreshOnly(b *testing.B) { eachCompression(b, addRefresh) }

func BenchmarkUnmapped(b *testing.B) { eachCompression(b, (*Writer).Unmapped) }

// BenchmarkID5 is BenchmarkMappedAndRefresh for a table of ID5.
func BenchmarkID5(b *testing.B) {
	for c := range compressions {
		b.Run(c.String(), func(b *testing.B) { benchmark(b, Options{Network: NetworkID5, Compression: c}, (*Writer).Mapped) })
	}
}

// BenchmarkStage are the stages of a run that write the two large datasets, of rows without a key, and their floors: the
// texts and numbers of a row are copied once, and what has been gathered is hashed and written to a file.
func BenchmarkStage(b *testing.B) {
	stage := func(name string, add func(w *Writer, rows []Row) error, floor func(dst []byte, r *Row) []byte) {
		rows := newBenchBlock().fill(0, BlockRows)
		bytes := 0
		for i := range rows {
			bytes += len(floor(nil, &rows[i]))
		}
		b.Run(name+"/own", func(b *testing.B) {
			b.SetBytes(int64(bytes / len(rows)))
			benchmark(b, Options{}, withoutID(add))
		})
		b.Run(name+"/floor", func(b *testing.B) {
			b.SetBytes(int64(bytes / len(rows)))
			benchmarkFloor(b, floor)
		})
	}
	var hash [normalize.Base64Len]byte
	both := func(dst []byte, r *Row) []byte {
		dst = append(append(dst, hash[:]...), r.UID...)
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, uint64(r.RefreshFrom)), uint64(r.MappedAt))
	}
	stage("write_mapped", writeMapped, func(dst []byte, r *Row) []byte {
		return binary.LittleEndian.AppendUint64(append(both(dst, r), r.Previous...), uint64(r.SourceRow))
	})
	stage("write_refresh_from", addRefresh, both)
}

func withoutID(add func(w *Writer, rows []Row) error) func(w *Writer, rows []Row) error {
	return func(w *Writer, rows []Row) error {
		for i := range rows {
			rows[i].HasID = false
		}
		return add(w, rows)
	}
}

func benchmarkFloor(b *testing.B, add func(dst []byte, r *Row) []byte) {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block, digest := newBenchBlock(), sha256.New()
	buf := make([]byte, 0, pageBytes)
	flush := func() {
		digest.Write(buf)
		if _, err := f.Write(buf); err != nil {
			b.Fatal(err)
		}
		buf = buf[:0]
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := -cpuTime(b)
	for i := range b.N {
		if i%benchPart == 0 { // a part is a new file
			cpu -= uncounted(b, func() error { return errors.Join(f.Truncate(0), seekStart(f)) })
		}
		if i%BlockRows == 0 {
			block.fill(i, BlockRows)
		}
		if buf = add(buf, &block.rows[i%BlockRows]); len(buf) > pageBytes-1000 {
			flush()
		}
	}
	flush()
	b.ReportMetric(float64(cpu+cpuTime(b))/float64(b.N), "cpu-ns/op")
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}
