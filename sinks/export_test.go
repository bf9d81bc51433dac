package sinks

import (
	"bytes"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"

	"mapper/client/objects"
)

// TestExportOfLargeRows: a row group ends when it takes much memory, however few rows it has, and nothing is to be seen
// before all is there.
func TestExportOfLargeRows(t *testing.T) {
	b, err := new(objects.Store).Bucket(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	note := arrow.Field{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true}
	e, err := NewExport(b, Options{Kept: []arrow.Field{note}, Compression: CompressionNone})
	if err != nil {
		t.Fatal(err)
	}
	builder := array.NewStringBuilder(memory.DefaultAllocator)
	builder.Append(string(bytes.Repeat([]byte("n"), 128<<10)))
	kept := array.NewRecord(arrow.NewSchema([]arrow.Field{note}, nil), []arrow.Array{builder.NewArray()}, 1)
	const rows = 800 // 100 MB
	for i := range rows {
		r := Row{HasKind: true, HasHash: true, UID: []byte("uid"), MappedAt: 1, SourceRow: int64(i + 1), Kept: kept}
		if err := e.Add(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		if held := e.open.held(); held > 2*exportGroupBytes {
			t.Fatalf("row %d: %d bytes are in memory", i, held)
		}
	}
	if keys, err := b.List(t.Context(), ""); err != nil || len(keys) > 0 {
		t.Errorf("before it is published: %v, %v", keys, err)
	}
	files, err := e.Publish(t.Context())
	if err != nil || len(files) != 1 || files[0].Rows != rows {
		t.Fatalf("%+v, %v", files, err)
	}
	f, err := b.Open(t.Context(), files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() // and with it the object
	if r.NumRows() != rows || r.NumRowGroups() < 3 {
		t.Errorf("%d rows in %d row groups", r.NumRows(), r.NumRowGroups())
	}
}
