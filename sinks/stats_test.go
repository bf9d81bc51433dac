package sinks

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// TestStatistics compares the footer with the data: null counts of all columns, min and max of numbers, and
// no min and max of anything else. Readers skip row groups by them, so a wrong one hides rows.
func TestStatistics(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	fields := keptFields(keptTypes())
	record := keptRecord(random, fields, 100)
	defer record.Release()
	rows := randomRows(random, 1000)
	for i := range rows {
		rows[i].Kept, rows[i].KeptFirst, rows[i].KeptRow = record, 1, i%100
		if i/100 == 4 { // a row group without a refresh_from and a source_row
			rows[i].RefreshFrom, rows[i].SourceRow = 0, 0
		}
		rows[i].SourceRow -= 2 // null where it becomes 0
	}
	f := newFolder(t)
	w := newWriter(t, f, Options{Kept: fields, RowGroupRows: 100, RefreshGroupRows: 90})
	for dataset, written := range writePart(t, w, 0, partRows{rows, lacking(random, slices.Clone(rows))}) {
		data := f.read(t, written.Path)
		r, err := file.NewParquetReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		table := readArrow(t, data)
		from := int64(0)
		for g := range r.NumRowGroups() {
			group := r.MetaData().RowGroup(g)
			for i := range group.NumColumns() {
				chunk, err := group.ColumnChunk(i)
				if err != nil {
					t.Fatal(err)
				}
				values := array.NewColumnSlice(table.Column(i), from, from+group.NumRows())
				checkChunk(t, dataset, chunk, values)
			}
			from += group.NumRows()
		}
	}
}

func checkChunk(t *testing.T, dataset string, chunk *metadata.ColumnChunkMetaData, values *arrow.Column) {
	t.Helper()
	stats, err := chunk.Statistics()
	if err != nil || stats == nil {
		t.Fatalf("%s: %s: statistics: %v, %v", dataset, values.Name(), stats, err)
	}
	if got, want := stats.NullCount(), int64(values.NullN()); got != want || !stats.HasNullCount() {
		t.Errorf("%s: %s: null count is %d, want %d", dataset, values.Name(), got, want)
	}
	smallest, largest, ranged := extremes(values)
	if stats.HasMinMax() != ranged {
		t.Fatalf("%s: %s: has min and max: %t, want %t", dataset, values.Name(), stats.HasMinMax(), ranged)
	}
	if !ranged {
		return
	}
	gotMin, gotMax := int64(binary.LittleEndian.Uint64(stats.EncodeMin())), int64(binary.LittleEndian.Uint64(stats.EncodeMax()))
	if gotMin != smallest || gotMax != largest {
		t.Errorf("%s: %s: min and max are %d and %d, want %d and %d", dataset, values.Name(), gotMin, gotMax, smallest, largest)
	}
}

// extremes returns the smallest and largest value of a column that is to have statistics of them.
func extremes(values *arrow.Column) (smallest, largest int64, ranged bool) {
	switch values.Name() {
	case "refresh_from", "source_row", "mapped_at":
	default:
		return 0, 0, false
	}
	for _, chunk := range values.Data().Chunks() {
		for i := range chunk.Len() {
			v, ok := plain(chunk, i).(int64)
			if !ok {
				continue
			}
			if !ranged {
				smallest, largest, ranged = v, v, true
			}
			smallest, largest = min(smallest, v), max(largest, v)
		}
	}
	return smallest, largest, ranged
}

// TestFile checks what Seal says of the files, and the rest of the footer.
func TestFile(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	rows := randomRows(random, 300)
	rows[17].Identity.Hash = [32]byte{0, 0, 0, 1, 0xff}
	rows[18].Identity.Hash = [32]byte{0xff, 0xff, 0xff, 0xfe, 0xff}
	for i := range rows {
		rows[i].RefreshFrom = []int64{0, 1_790_000_000_000, 1_790_000_000_001}[random.IntN(3)]
	}
	f := newFolder(t)
	w := newWriter(t, f, Options{CreatedBy: "mapper version 1.2.3"})
	files := writePart(t, w, 3, partRows{mapped: rows, unmapped: []Row{{MappedAt: 1}}})
	for dataset, got := range files {
		data := f.read(t, got.Path)
		name, err := ParsePartName(got.Path)
		if err != nil || name.Dataset != dataset || name.Run != "r1" || name.Shard != 0 || name.Part != 3 {
			t.Errorf("%s: path %s is %+v, %v", dataset, got.Path, name, err)
		}
		if got.Bytes != int64(len(data)) || got.SHA256 != sha256Hex(data) {
			t.Errorf("%s: %d bytes, SHA-256 %s; want %d, %s", dataset, got.Bytes, got.SHA256, len(data), sha256Hex(data))
		}
		r, err := file.NewParquetReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if r.MetaData().GetCreatedBy() != "mapper version 1.2.3" {
			t.Errorf("%s: created by %q", dataset, r.MetaData().GetCreatedBy())
		}
		if r.NumRows() != got.Rows {
			t.Errorf("%s: footer says %d rows, Seal %d", dataset, r.NumRows(), got.Rows)
		}
		if dataset == DatasetUnmapped {
			if got.Rows != 1 || got.MinHash != "" || got.MaxHash != "" || got.MinRefreshFrom != nil || got.MaxRefreshFrom != nil {
				t.Errorf("%s: got %+v, want one row and no bounds", dataset, got)
			}
			continue
		}
		if got.Rows != 300 || got.MinHash != "00000001" || got.MaxHash != "fffffffe" ||
			*got.MinRefreshFrom != 1_790_000_000_000 || *got.MaxRefreshFrom != 1_790_000_000_001 {
			t.Errorf("%s: got %+v", dataset, got)
		}
	}
}

// TestFileOfNextPart: a part's bounds are its own, not those of the part before.
func TestFileOfNextPart(t *testing.T) {
	w := newWriter(t, newFolder(t), Options{})
	rows := randomRows(rand.New(rand.NewPCG(3, 5)), 100)
	writePart(t, w, 0, partRows{mapped: rows, unmapped: rows})
	rows[0].RefreshFrom = 7
	rows[0].Identity.Hash = [32]byte{1, 2, 3, 4}
	for dataset, got := range writePart(t, w, 1, partRows{mapped: rows[:1], unmapped: rows[:1]}) {
		if got.Rows != 1 || got.MinHash != "01020304" || got.MaxHash != "01020304" {
			t.Errorf("%s: got %+v", dataset, got)
		}
		if dataset != DatasetUnmapped && (*got.MinRefreshFrom != 7 || *got.MaxRefreshFrom != 7) {
			t.Errorf("%s: refresh_from of %d to %d, want 7", dataset, *got.MinRefreshFrom, *got.MaxRefreshFrom)
		}
	}
}

// TestPages: no page has more rows or bytes than it is to have, also when one text is as large as many rows.
func TestPages(t *testing.T) {
	f := newFolder(t)
	rows := benchRows(pageRows + 100)
	for i := range 100 {
		rows[i].UID = bytes.Repeat([]byte("u"), maxUID)
	}
	files := writePart(t, newWriter(t, f, Options{Compression: CompressionNone}), 0, partRows{mapped: rows})
	checkPages(t, f.read(t, files[DatasetMapped].Path), mapped, 0, 8)
	checkPages(t, f.read(t, files[DatasetRefreshFrom].Path), refresh, pieceBytes, 8)
}

// checkPages checks the pages of a file of TestPages. Its texts come in pieces of so many bytes and a row; uidPages is how
// many pages current_uid has.
func checkPages(t *testing.T, data []byte, in datasets, pieces, uidPages int) {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range contractColumns(NetworkUID2, in) {
		pages, err := r.RowGroup(0).GetColumnPageReader(i)
		if err != nil {
			t.Fatal(err)
		}
		n, rows := 0, 0
		for ; pages.Next(); n++ {
			p := pages.Page()
			if p.NumValues() > pageRows || len(p.Data()) > pageBytes+pieces+4+maxUID {
				t.Errorf("%s: page %d has %d rows and %d bytes", c.name, n, p.NumValues(), len(p.Data()))
			}
			if _, ok := p.(file.DataPage); ok {
				rows += int(p.NumValues())
			}
		}
		if want := map[bool]int{true: uidPages, false: 2}[c.name == "current_uid"]; c.form != word && n != want {
			t.Errorf("%s: has %d pages, want %d", c.name, n, want)
		}
		if rows != pageRows+100 || pages.Err() != nil {
			t.Errorf("%s: pages have %d rows, %v", c.name, rows, pages.Err())
		}
	}
}
