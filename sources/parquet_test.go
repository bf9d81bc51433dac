package sources_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/decimal256"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/xitongsys/parquet-go-source/buffer"
	"github.com/xitongsys/parquet-go/writer"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// typed is a record with a column of every type that can be read, and some that cannot.
func typed(t *testing.T, rows int) arrow.Record {
	t.Helper()
	types := []arrow.DataType{
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.LargeBinary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5}, arrow.FixedWidthTypes.Boolean, arrow.FixedWidthTypes.Date32,
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		&arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, &arrow.TimestampType{Unit: arrow.Microsecond},
		&arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"},
		&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 38, Scale: 10},
		&arrow.Decimal256Type{Precision: 60, Scale: 3},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
	}
	var fields []arrow.Field
	for i, typ := range types {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: typ, Nullable: true},
			arrow.Field{Name: fmt.Sprint("required", i), Type: typ})
	}
	fields = append(fields,
		arrow.Field{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
		arrow.Field{Name: "struct", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32}), Nullable: true},
		arrow.Field{Name: "time", Type: arrow.FixedWidthTypes.Time32ms, Nullable: true},
		arrow.Field{Name: "last", Type: arrow.PrimitiveTypes.Int64})
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	random := rand.New(rand.NewPCG(1, 1))
	for i := range rows {
		for j, f := range fields {
			if f.Nullable && random.IntN(4) == 0 {
				b.Field(j).AppendNull()
			} else {
				appendValue(t, b.Field(j), i, random)
			}
		}
	}
	return b.NewRecord()
}

func appendValue(t *testing.T, b array.Builder, i int, random *rand.Rand) {
	t.Helper()
	text := strings.Repeat("é", random.IntN(4))
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(text)
	case *array.LargeStringBuilder:
		b.Append(text)
	case *array.BinaryBuilder: // also of large binary
		b.Append([]byte("\xff\x00" + text))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(fmt.Sprintf("%05d", i)))
	case *array.BooleanBuilder:
		b.Append(random.IntN(2) == 0)
	case *array.Date32Builder:
		b.Append(arrow.Date32(i - 100))
	case *array.Int8Builder:
		b.Append(int8(random.Uint32()))
	case *array.Int16Builder:
		b.Append(int16(random.Uint32()))
	case *array.Int32Builder:
		b.Append(int32(random.Uint32()))
	case *array.Int64Builder:
		b.Append(int64(random.Uint64()))
	case *array.Uint8Builder:
		b.Append(uint8(random.Uint32()))
	case *array.Uint16Builder:
		b.Append(uint16(random.Uint32()))
	case *array.Uint32Builder:
		b.Append(random.Uint32())
	case *array.Uint64Builder:
		b.Append(random.Uint64())
	case *array.Float32Builder:
		b.Append(random.Float32())
	case *array.Float64Builder:
		b.Append(random.Float64() - 0.5)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(random.Int64N(1 << 40)))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(random.Int64N(2_000_000) - 1_000_000))
	case *array.Decimal256Builder:
		b.Append(decimal256.FromI64(random.Int64N(math.MaxInt64) - math.MaxInt64/2))
	case *array.BinaryDictionaryBuilder:
		if err := b.AppendString(fmt.Sprint("word ", i%10)); err != nil {
			t.Fatal(err)
		}
	case *array.Time32Builder:
		b.Append(arrow.Time32(i))
	case *array.ListBuilder:
		b.Append(true)
		for k := range i % 3 {
			b.ValueBuilder().(*array.Int32Builder).Append(int32(k))
		}
	case *array.StructBuilder:
		b.Append(true)
		b.FieldBuilder(0).(*array.Int32Builder).Append(int32(i))
	default:
		t.Fatalf("no value for %T", b)
	}
}

// TestTypes: every column comes out with the type and the values that Arrow's own reader finds, large and
// dictionary ones as plain strings and binary.
func TestTypes(t *testing.T) {
	content := writeParquet(t, typed(t, 2000), parquet.WithMaxRowGroupLength(700), parquet.WithDataPageSize(2000))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", content), sources.Options{})
	want := readByArrow(t, content)
	if n := len(in.Layout.Columns); n != 24*2+1 || in.Layout.Rows != 2000 {
		t.Fatalf("%d columns and %d rows", n, in.Layout.Rows)
	}
	for _, name := range []string{"list", "struct", "time"} {
		if in.Layout.Unreadable[name] == "" {
			t.Errorf("%s is not said to be unreadable: %v", name, in.Layout.Unreadable)
		}
	}
	batches, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range in.Layout.Columns {
		expected := want.Schema().FieldIndices(c.Name)[0]
		row := 0
		for _, b := range batches {
			got := b.Record.Column(i)
			if !arrow.TypeEqual(got.DataType(), c.Type) {
				t.Fatalf("%s is of type %s, the layout says %s", c.Name, got.DataType(), c.Type)
			}
			for r := range got.Len() {
				if g, w := got.ValueStr(r), want.Column(expected).ValueStr(row); g != w || got.IsNull(r) != want.Column(expected).IsNull(row) {
					t.Fatalf("%s of type %s, row %d: %s, want %s", c.Name, c.Type, row, g, w)
				}
				row++
			}
		}
		checkType(t, c.Type, want.Schema().Field(expected).Type)
	}
}

func checkType(t *testing.T, got, want arrow.DataType) {
	t.Helper()
	switch want.ID() {
	case arrow.LARGE_STRING, arrow.DICTIONARY:
		want = arrow.BinaryTypes.String
	case arrow.LARGE_BINARY:
		want = arrow.BinaryTypes.Binary
	}
	if !arrow.TypeEqual(got, want) {
		t.Errorf("type %s, want %s", got, want)
	}
}

func readByArrow(t *testing.T, content []byte) arrow.Record {
	t.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	columns := make([]arrow.Array, table.NumCols())
	for i := range columns {
		if columns[i], err = array.Concatenate(table.Column(i).Data().Chunks(), memory.DefaultAllocator); err != nil {
			t.Fatal(err)
		}
	}
	return array.NewRecord(table.Schema(), columns, table.NumRows())
}

// TestOtherWriter reads what the other Parquet library wrote, in ways that Arrow does not write.
func TestOtherWriter(t *testing.T) {
	type row struct {
		Email   *string `parquet:"name=email, type=BYTE_ARRAY, convertedtype=UTF8"`
		Raw     string  `parquet:"name=raw, type=BYTE_ARRAY"`
		Kind    string  `parquet:"name=kind, type=BYTE_ARRAY, convertedtype=JSON"`
		Price   int32   `parquet:"name=price, type=INT32, convertedtype=DECIMAL, scale=2, precision=9"`
		Amount  int64   `parquet:"name=amount, type=INT64, convertedtype=DECIMAL, scale=2, precision=18"`
		Big     string  `parquet:"name=big, type=BYTE_ARRAY, convertedtype=DECIMAL, scale=2, precision=20"`
		Old     string  `parquet:"name=old, type=INT96"`
		Created int64   `parquet:"name=created, type=INT64, convertedtype=TIMESTAMP_MILLIS"`
		Tags    []int32 `parquet:"name=tags, type=INT32, repetitiontype=REPEATED"`
	}
	b := buffer.NewBufferFile()
	w, err := writer.NewParquetWriter(b, new(row), 1)
	if err != nil {
		t.Fatal(err)
	}
	email := "a@example.com"
	nanos := "\x00\xca\x9a\x3b\x00\x00\x00\x00\x8d\x3d\x25\x00" // one second into the day after 1970-01-01
	for _, r := range []row{
		{&email, "\xff", "x", -150, 12345, "\xff\x00", nanos, 86_400_000, []int32{1, 2}},
		{nil, "", "y", 7, -1, "\x01\x00\x00", nanos, -1, nil},
	} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteStop(); err != nil {
		t.Fatal(err)
	}
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", b.Bytes()), sources.Options{})
	want := [][]string{
		{email, "/w==", "x", "-1.5", "123.45", "-2.56", "1970-01-02 00:00:01Z", "1970-01-02 00:00:00Z"},
		{"", "", "y", "0.07", "-0.01", "655.36", "1970-01-02 00:00:01Z", "1969-12-31 23:59:59.999Z"},
	}
	if got := sourcestest.Collect(t, in); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if in.Layout.Unreadable["tags"] == "" {
		t.Errorf("unreadable: %v, want tags", in.Layout.Unreadable)
	}
}

// TestTextOfParquet: strings that are not UTF-8 make their row malformed and nothing else.
func TestTextOfParquet(t *testing.T) {
	rows := sourcestest.Numbered(10_000)
	rows[5000][1] = "caf\xe9"
	rows[5001][2] = "\xff"
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", encodeParquet(t, rows, []string{"id", "email", "note"})), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{1, 0, 2}, sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	want := []sources.Malformed{{Index: 5000 - 4096, Line: 5001, Reason: "row: not UTF-8"}, {Index: 5001 - 4096, Line: 5002, Reason: "row: not UTF-8"}}
	if !slices.Equal(batches[1].Malformed, want) || len(batches[0].Malformed)+len(batches[2].Malformed) > 0 {
		t.Errorf("malformed: %v, want %v", batches[1].Malformed, want)
	}
	if got := sourcestest.Rows(batches)[5002]; got[1] != "id-5002" {
		t.Errorf("row behind: %q", got)
	}
}

// TestResumeInRowGroup: reading starts at any row, whether or not a batch of ours would begin there.
func TestResumeInRowGroup(t *testing.T) {
	content := encodeParquet(t, sourcestest.Numbered(10_000), []string{"id", "email", "note"}, parquet.WithMaxRowGroupLength(6000))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", content), sources.Options{})
	for _, from := range []sources.Position{{Offset: 0, Row: 5999}, {Offset: 0, Row: 6000}, {Offset: 1, Row: 6000}, {Offset: 1, Row: 9999}, {Offset: 1, Row: 10_000}, {Offset: 2, Row: 10_000}} {
		batches, err := sourcestest.Batches(t, in, []int{0}, from)
		rows := sourcestest.Rows(batches)
		if err != nil || len(rows) != int(10_000-from.Row) || len(rows) > 0 && rows[0][0] != fmt.Sprint("id-", from.Row) {
			t.Errorf("from %+v: %d rows, %v", from, len(rows), err)
		}
	}
	for _, from := range []sources.Position{{Offset: 0, Row: 6001}, {Offset: 1, Row: 5999}, {Offset: 7, Row: 3}, {Row: -1}} {
		if _, err := sourcestest.Batches(t, in, []int{0}, from); err == nil {
			t.Errorf("from %+v: no error", from)
		}
	}
}

// TestLargeValues: rows of large values make small batches.
func TestLargeValues(t *testing.T) {
	rows := make([][]string, 1000)
	for i := range rows {
		rows[i] = []string{fmt.Sprint(i, strings.Repeat("x", 5000))}
	}
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", encodeParquet(t, rows, []string{"blob"}, parquet.WithDictionaryDefault(false))), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
	if err != nil || len(sourcestest.Rows(batches)) != 1000 || batches[0].Record.NumRows() > 210 {
		t.Errorf("%d rows in the first of %d batches, %v; want some 200", batches[0].Record.NumRows(), len(batches), err)
	}
}

// TestLargeValuesAmongSmall: what the row group is like on average, or what its pages take, says nothing about
// where its large values are. Batches end by what they hold, wherever reading begins.
func TestLargeValuesAmongSmall(t *testing.T) {
	rows := make([][]string, 12_000)
	large := strings.Repeat("x", 300_000)
	for i := range rows {
		rows[i] = []string{fmt.Sprint(i), "small"}
		if i >= 700 && i < 800 {
			rows[i][1] = large
		}
	}
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", encodeParquet(t, rows, []string{"id", "note"})), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0, 1}, sources.Position{})
	if err != nil || len(sourcestest.Rows(batches)) != len(rows) {
		t.Fatalf("%d rows, %v", len(sourcestest.Rows(batches)), err)
	}
	for i, b := range batches {
		size := 0
		for row := range int(b.Record.NumRows()) {
			size += len(b.Record.Column(1).(*array.String).Value(row))
		}
		if most := 1<<20 + 64*len(large); size > most {
			t.Errorf("batch %d holds %d bytes, more than %d", i, size, most)
		}
		if i%5 != 1 {
			continue // each reads all of the file
		}
		again, err := sourcestest.Batches(t, in, []int{0, 1}, b.Start)
		if err != nil || len(again) != len(batches)-i || !array.RecordEqual(again[0].Record, b.Record) {
			t.Fatalf("from %+v: %d batches, %v; want those from number %d of %d on", b.Start, len(again), err, i, len(batches))
		}
	}
	if n := batches[len(batches)-2].Record.NumRows(); n != 4096 {
		t.Errorf("%d small rows in a batch, want 4096", n)
	}
}

// TestDamagedParquet: whatever byte of a file is wrong or wherever it is cut off, reading ends with rows or an
// error, never with a panic, and not with too few rows.
func TestDamagedParquet(t *testing.T) {
	const rows = 300
	random := rand.New(rand.NewPCG(9, 9))
	var good [][]byte
	for _, version := range []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2} {
		for _, compression := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Zstd} {
			good = append(good, encodeParquet(t, sourcestest.Numbered(rows), []string{"id", "email", "note"}, parquet.WithMaxRowGroupLength(100),
				parquet.WithDataPageSize(1000), parquet.WithDataPageVersion(version), parquet.WithCompression(compression)))
		}
	}
	failed := 0
	for round := range 480 {
		content := bytes.Clone(good[round/4%len(good)])
		if round%4 == 0 {
			content = content[:4+random.IntN(len(content)-4)]
		} else {
			content[4+random.IntN(len(content)-4)] ^= byte(1 + random.IntN(255))
		}
		in, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.parquet", content), sources.Options{})
		if err != nil {
			wantPlain(t, err)
			failed++
			continue
		}
		batches, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
		if err != nil {
			wantPlain(t, err)
			failed++
		} else if n := int64(len(sourcestest.Rows(batches))); n != in.Layout.Rows {
			t.Fatalf("%d rows and no error, want %d", n, in.Layout.Rows)
		}
	}
	if failed < 180 {
		t.Errorf("only %d of 480 damaged files were found", failed)
	}
}

// wantPlain checks that an error says nothing of the inside of a program.
func wantPlain(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "runtime error") {
		t.Errorf("error %v", err)
	}
}

// TestRowCountOfFooter: a footer whose totals differ is damage, however well the rest can be read.
func TestRowCountOfFooter(t *testing.T) {
	content := encodeParquet(t, sourcestest.Numbered(10), []string{"id", "email", "note"})
	f, err := file.NewParquetReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	f.MetaData().NumRows = 11
	b := bytes.NewBuffer(content[:len(content)-f.MetaData().Size()-8])
	n, err := f.MetaData().WriteTo(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), "PAR1"...))
	_, err = sources.Inspect(context.Background(), sourcestest.Write(t, "a.parquet", b.Bytes()), sources.Options{})
	if err == nil || !strings.Contains(err.Error(), "do not add up to 11 rows") {
		t.Errorf("%v, want that the rows do not add up", err)
	}
}

// TestLayoutOfAnotherFile: a layout is checked against the file.
func TestLayoutOfAnotherFile(t *testing.T) {
	rows := sourcestest.Numbered(10)
	a := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", encodeParquet(t, rows, []string{"id", "email", "note"})), sources.Options{})
	o := sourcestest.Write(t, "b.parquet", encodeParquet(t, rows, []string{"id", "mail", "note"}))
	if _, err := sourcestest.Batches(t, sources.Reopen(o, a.Layout, sources.Options{}), []int{1}, sources.Position{}); err == nil {
		t.Error("no error")
	}
}

func TestColumnTypesInJSON(t *testing.T) {
	columns := []sources.Column{{Name: "old", Type: &arrow.TimestampType{Unit: arrow.Second, TimeZone: "Europe/Berlin"}}}
	for _, f := range typed(t, 1).Schema().Fields() {
		switch f.Type.ID() {
		case arrow.LIST, arrow.STRUCT, arrow.TIME32, arrow.LARGE_STRING, arrow.LARGE_BINARY, arrow.DICTIONARY:
		default:
			columns = append(columns, sources.Column{Name: f.Name, Type: f.Type})
		}
	}
	text, err := json.Marshal(columns)
	if err != nil {
		t.Fatal(err)
	}
	var again []sources.Column
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, columns) {
		t.Errorf("%v: got %v, want %v", err, again, columns)
	}
	got, err := json.Marshal(sources.Column{Name: "email", Type: arrow.BinaryTypes.String})
	if want := `{"name":"email","type":"utf8"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, unknown := range []string{"", "text", "timestamp[h]", "timestamp[ms", "decimal(10, 2", "decimal(10)", "decimal128(10, 2)", "fixed_size_binary[x]", "list<int32>"} {
		var c sources.Column
		if err := json.Unmarshal([]byte(`{"name":"x","type":"`+unknown+`"}`), &c); err == nil {
			t.Errorf("type %q is read as %v", unknown, c.Type)
		}
	}
}
