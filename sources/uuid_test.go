package sources_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

var uuidTexts = []string{"432c9681-3a94-4ae4-8dcb-0f7526352cfb", "00000000-0000-0000-0000-000000000000", "ffffffff-0102-0304-0506-0708090a0b0c"}

func uuidBytes(t *testing.T, text string) []byte {
	t.Helper()
	id, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(text), []byte("-"), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wantUUIDs reads a file of one column: the ids, with a null behind the first.
func wantUUIDs(t *testing.T, in *sources.Input) {
	t.Helper()
	if c := in.Layout.Columns[0]; c.Name != "id" || !arrow.TypeEqual(c.Type, arrow.BinaryTypes.String) {
		t.Errorf("column %s of type %s", c.Name, c.Type)
	}
	batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	column := batches[0].Record.Column(0).(*array.String)
	var got []string
	for i := range column.Len() {
		if column.IsValid(i) {
			got = append(got, column.Value(i))
		}
	}
	if !slices.Equal(got, uuidTexts) || !column.IsNull(1) {
		t.Errorf("%q, row 1 null: %t", got, column.IsNull(1))
	}
}

func TestUUIDsOfParquet(t *testing.T) {
	id, err := schema.NewPrimitiveNodeLogical("id", parquet.Repetitions.Optional, schema.UUIDLogicalType{}, parquet.Types.FixedLenByteArray, 16, -1)
	if err != nil {
		t.Fatal(err)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{id}, -1)
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	w := file.NewParquetWriter(&content, root)
	column, err := w.AppendRowGroup().NextColumn()
	if err != nil {
		t.Fatal(err)
	}
	var values []parquet.FixedLenByteArray
	for _, text := range uuidTexts {
		values = append(values, uuidBytes(t, text))
	}
	if _, err := column.(*file.FixedLenByteArrayColumnChunkWriter).WriteBatch(values, []int16{1, 0, 1, 1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantUUIDs(t, sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", content.Bytes()), sources.Options{}))
}

func TestUUIDsOfArrow(t *testing.T) {
	width := &arrow.FixedSizeBinaryType{ByteWidth: 16}
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, width)
	for i, text := range uuidTexts {
		b.Append(uuidBytes(t, text))
		if i == 0 {
			b.AppendNull()
		}
	}
	marked := arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.uuid", ""})
	s := arrow.NewSchema([]arrow.Field{{Name: "id", Type: width, Nullable: true, Metadata: marked}}, nil)
	record := array.NewRecord(s, []arrow.Array{b.NewArray()}, 4)
	wantUUIDs(t, sourcestest.Inspect(t, sourcestest.Write(t, "a.arrow", arrowStream(t, []arrow.Record{record})), sources.Options{}))
}
