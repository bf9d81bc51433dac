package sinks

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/client/objects"
	"mapper/normalize"
)

// folder is a bucket of a test and the path it is at.
type folder struct {
	*objects.Bucket
	path string
}

func newFolder(t testing.TB) folder {
	t.Helper()
	path := tempDir(t)
	b, err := new(objects.Store).Bucket(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return folder{b, path}
}

// tempDir is t.TempDir in memory where there is a file system for that: a part syncs each of its files, which
// takes a disk longer than all else that the tests do.
func tempDir(t testing.TB) string {
	t.Helper()
	path, err := os.MkdirTemp("/dev/shm", "sinks-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	})
	return path
}

// files returns the paths of all files, hidden ones too.
func (f folder) files(t testing.TB) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(f.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, f.path+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (f folder) read(t testing.TB, key string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.path, key))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newWriter(t testing.TB, f folder, opts Options) *Writer {
	t.Helper()
	w, err := New(f.Bucket, "r1", opts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// partRows are the rows of a part.
type partRows struct{ mapped, unmapped []Row }

// writePart writes a part and returns its files by dataset.
func writePart(t testing.TB, w *Writer, n int, rows partRows) map[string]File {
	t.Helper()
	if err := w.Begin(context.Background(), 0, n); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(n), uint64(len(rows.mapped))))
	for len(rows.mapped)+len(rows.unmapped) > 0 {
		rows.mapped = lend(t, random, rows.mapped, w.Mapped)
		rows.unmapped = lend(t, random, rows.unmapped, w.Unmapped)
	}
	files, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	byDataset := make(map[string]File)
	for _, f := range files {
		byDataset[f.Dataset] = f
	}
	return byDataset
}

// lend hands over some of the rows, mostly about a block, and scribbles over their memory after the call. It returns the
// rows that are left.
func lend(t testing.TB, random *rand.Rand, rows []Row, add func([]Row) error) (left []Row) {
	n := min(len(rows), random.IntN(3*BlockRows))
	lent := slices.Clone(rows[:n])
	var texts []*[]byte
	for i := range lent {
		r := &lent[i]
		texts = append(texts, &r.ID, &r.UID, &r.Previous, &r.Former, &r.RawReason)
	}
	for _, text := range texts {
		*text = bytes.Clone(*text)
	}
	if err := add(lent); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		for i := range *text {
			(*text)[i] = '#'
		}
	}
	return rows[n:]
}

// randomRows makes rows in which everything varies: lengths, nulls, words, order.
func randomRows(random *rand.Rand, n int) []Row {
	text := func(upTo int) []byte {
		b := make([]byte, random.IntN(upTo))
		for i := range b {
			b[i] = "abcdefghijklmnop é"[random.IntN(17)]
		}
		return b
	}
	maybe := func(b []byte) []byte {
		if random.IntN(3) == 0 {
			return nil
		}
		return b
	}
	files := []string{"", "a.csv", "b.csv", "c.csv"}
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = Row{
			ID: text(20), HasID: random.IntN(4) > 0, HasKind: true, HasHash: true,
			SourceFile: files[random.IntN(len(files))], SourceColumn: files[random.IntN(2)],
			SourceRow: random.Int64N(5), MappedAt: random.Int64() - random.Int64(),
			UID: append(text(50), 'u'), Previous: maybe(text(50)), Former: maybe(text(50)),
			RefreshFrom: random.Int64N(4) * 86_400_000,
			Change:      Change(random.IntN(int(changes))), Reason: Reason(random.IntN(int(reasons))),
			RawReason: text(30), RejectedBy: RejectedBy(random.IntN(int(rejecters))),
		}
		rows[i].Identity.Kind = normalize.Kind(random.IntN(int(normalize.Kinds)))
		for j := 0; j < 32; j += 8 {
			binary.LittleEndian.PutUint64(rows[i].Identity.Hash[j:], random.Uint64())
		}
		if random.IntN(3) > 0 { // few distinct ones among many rows, all pairs among very many
			rows[i].Identity.Country = [2]byte{'A' + byte(random.IntN(26)), 'A' + byte(random.IntN(26))}
		}
		if !rows[i].HasID {
			rows[i].ID = nil
		}
	}
	return rows
}

// lacking takes away the identity from some rows, as unmapped rows may lack it.
func lacking(random *rand.Rand, rows []Row) []Row {
	for i := range rows {
		rows[i].HasHash = random.IntN(3) > 0
		rows[i].HasKind = rows[i].HasHash || random.IntN(2) > 0
	}
	return rows
}

// sortedForRefresh is the order that refresh_from promises, by the library's stable sort.
func sortedForRefresh(rows []Row) []Row {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b Row) int { return compareTimes(a.RefreshFrom, b.RefreshFrom) })
	return sorted
}

// expected makes the table that a dataset is to be, with Arrow's builders.
func expected(t testing.TB, network Network, dataset string, rows []Row, kept []arrow.Field) arrow.Table {
	t.Helper()
	schema := Schema(network, dataset, kept)
	if dataset == DatasetRefreshFrom {
		rows, kept = sortedForRefresh(rows), nil
	}
	own := schema.NumFields() - len(kept)
	columns := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		if i < own {
			columns[i] = expectedColumn(t, network, f, rows)
		} else {
			columns[i] = expectedKept(t, f, i-own, rows)
		}
	}
	return array.NewTableFromRecords(schema, []arrow.Record{array.NewRecord(schema, columns, int64(len(rows)))})
}

func expectedColumn(t testing.TB, network Network, f arrow.Field, rows []Row) arrow.Array {
	t.Helper()
	b := array.NewBuilder(memory.DefaultAllocator, f.Type)
	for i := range rows {
		text, number, null := expectedValue(t, network, f.Name, &rows[i])
		if null {
			b.AppendNull()
			continue
		}
		switch b := b.(type) {
		case *array.StringBuilder:
			b.Append(text)
		case *array.Int64Builder:
			b.Append(number)
		case *array.TimestampBuilder:
			b.Append(arrow.Timestamp(number))
		}
	}
	return b.NewArray()
}

func expectedValue(t testing.TB, network Network, column string, r *Row) (text string, number int64, null bool) {
	switch column {
	case "id":
		return string(r.ID), 0, !r.HasID
	case "identity_type":
		return []string{"email", "phone"}[r.Identity.Kind], 0, !r.HasKind
	case "identity_hash":
		return expectedHash(network, r), 0, !r.HasHash
	case "country":
		if r.HasHash {
			text = strings.Trim(string(r.Identity.Country[:]), "\x00")
		}
		return text, 0, false
	case "current_uid":
		return string(r.UID), 0, false
	case "previous_uid":
		return string(r.Previous), 0, len(r.Previous) == 0
	case "former_uid":
		return string(r.Former), 0, len(r.Former) == 0
	case "refresh_from":
		return "", r.RefreshFrom, r.RefreshFrom == 0
	case "change":
		return []string{"new", "same", "rotated", "opted_out", "restored", "removed"}[r.Change], 0, false
	case "reason":
		words := []string{"OPTOUT", "INVALID_IDENTIFIER", "UNKNOWN", "SUPPRESSED", "REMOVED", "INVALID_ROW"}
		return words[r.Reason], 0, false
	case "raw_reason":
		return string(r.RawReason), 0, false
	case "rejected_by":
		return []string{"service", "mapper"}[r.RejectedBy], 0, false
	case "source_file":
		return r.SourceFile, 0, r.SourceFile == ""
	case "source_column":
		return r.SourceColumn, 0, r.SourceColumn == ""
	case "source_row":
		return "", r.SourceRow, r.SourceRow == 0
	case "mapped_at":
		return "", r.MappedAt, false
	}
	t.Fatalf("column %s is not in the contract", column)
	return "", 0, false
}

func expectedHash(network Network, r *Row) string {
	if network == NetworkID5 {
		return hex.EncodeToString(r.Identity.Hash[:])
	}
	return base64.StdEncoding.EncodeToString(r.Identity.Hash[:])
}

func expectedKept(t testing.TB, f arrow.Field, n int, rows []Row) arrow.Array {
	t.Helper()
	pieces := []arrow.Array{array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, 0)}
	for _, r := range rows {
		if r.Kept == nil {
			pieces = append(pieces, array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, 1))
			continue
		}
		pieces = append(pieces, array.NewSlice(r.Kept.Column(r.KeptFirst+n), int64(r.KeptRow), int64(r.KeptRow+1)))
	}
	all, err := array.Concatenate(pieces, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// readArrow reads a Parquet file with Arrow's record reader.
func readArrow(t testing.TB, data []byte) arrow.Table {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	records, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := records.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// writeArrow writes a table with Arrow's record writer.
func writeArrow(t testing.TB, table arrow.Table, opts ...parquet.WriterProperty) []byte {
	t.Helper()
	var buf bytes.Buffer
	err := pqarrow.WriteTable(table, &buf, max(1, table.NumRows()/2), parquet.NewWriterProperties(opts...),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// sameTable fails when tables differ in a column's name, type or nullability, or in a value.
func sameTable(t testing.TB, got, want arrow.Table) {
	t.Helper()
	if got.NumRows() != want.NumRows() || got.NumCols() != want.NumCols() {
		t.Fatalf("got %d rows and %d columns, want %d and %d", got.NumRows(), got.NumCols(), want.NumRows(), want.NumCols())
	}
	for i := range int(want.NumCols()) {
		g, w := got.Column(i), want.Column(i)
		if g.Name() != w.Name() || !arrow.TypeEqual(g.DataType(), w.DataType()) || g.Field().Nullable != w.Field().Nullable {
			t.Fatalf("column %d: got %v, want %v", i, g.Field(), w.Field())
		}
		if !array.ChunkedEqual(g.Data(), w.Data()) {
			t.Fatalf("column %s: %s", w.Name(), firstDifference(t, g.Data(), w.Data()))
		}
	}
}

func firstDifference(t testing.TB, got, want *arrow.Chunked) string {
	t.Helper()
	join := func(c *arrow.Chunked) arrow.Array {
		all, err := array.Concatenate(c.Chunks(), memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	g, w := join(got), join(want)
	for i := range g.Len() {
		if g.IsNull(i) != w.IsNull(i) || g.ValueStr(i) != w.ValueStr(i) {
			return fmt.Sprintf("row %d: got %.100s, want %.100s", i, g.ValueStr(i), w.ValueStr(i))
		}
	}
	return fmt.Sprintf("%d nulls, want %d", got.NullN(), want.NullN())
}
