package sources_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/float16"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/client/objects"
	"mapper/sources"
	"mapper/sources/sourcestest"
)

func TestArrowFile(t *testing.T) {
	sourcestest.Run(t, "a.arrow", func(rows [][]string, header []string) []byte {
		return arrowFile(t, records(rows, header, 6000))
	}, sourcestest.Options{})
}

func TestArrowStream(t *testing.T) {
	sourcestest.Run(t, "a.arrows", func(rows [][]string, header []string) []byte {
		return arrowStream(t, records(rows, header, 3000))
	}, sourcestest.Options{})
}

// TestArrowCompressed: whatever the compression of the buffers, the same rows come out.
func TestArrowCompressed(t *testing.T) {
	rows, header := sourcestest.Numbered(7000), []string{"id", "email", "note"}
	for name, option := range map[string]ipc.Option{"lz4": ipc.WithLZ4(), "zstd": ipc.WithZstd()} {
		t.Run(name, func(t *testing.T) {
			o := sourcestest.Write(t, "a.arrow", arrowStream(t, records(rows, header, 3000), option))
			got := sourcestest.Collect(t, sourcestest.Inspect(t, o, sources.Options{}))
			if !slices.EqualFunc(got, rows, slices.Equal) {
				t.Errorf("%d rows differ from the %d written", len(got), len(rows))
			}
		})
	}
}

// records puts rows into record batches of a size, at least one.
func records(rows [][]string, header []string, size int) []arrow.Record {
	var all []arrow.Record
	for part := range slices.Chunk(rows, size) {
		all = append(all, stringRecord(part, header))
	}
	if len(all) == 0 {
		all = append(all, stringRecord(nil, header))
	}
	return all
}

func arrowStream(t testing.TB, records []arrow.Record, options ...ipc.Option) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ipc.NewWriter(&b, append(options, ipc.WithSchema(records[0].Schema()))...)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func arrowFile(t testing.TB, records []arrow.Record, options ...ipc.Option) []byte {
	t.Helper()
	var b seekBuffer
	w, err := ipc.NewFileWriter(&b, append(options, ipc.WithSchema(records[0].Schema()))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// seekBuffer is a buffer whose end can be asked for, which is all the seeking that the library does.
type seekBuffer struct{ bytes.Buffer }

func (b *seekBuffer) Seek(int64, int) (int64, error) { return int64(b.Len()), nil }

// arrowTypes are the columns that only Arrow has, and with what they come out.
func arrowTypes() (fields []arrow.Field, come []arrow.DataType) {
	dictionary := func(value arrow.DataType) arrow.DataType {
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: value}
	}
	for _, c := range []struct{ stored, comes arrow.DataType }{
		{arrow.BinaryTypes.StringView, arrow.BinaryTypes.String},
		{arrow.BinaryTypes.BinaryView, arrow.BinaryTypes.Binary},
		{dictionary(arrow.BinaryTypes.String), arrow.BinaryTypes.String},
		{dictionary(arrow.BinaryTypes.Binary), arrow.BinaryTypes.Binary},
		{arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32},
		{arrow.FixedWidthTypes.Date64, arrow.PrimitiveTypes.Date32},
		{&arrow.TimestampType{Unit: arrow.Second, TimeZone: "Europe/Berlin"}, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"}},
		{arrow.Null, arrow.BinaryTypes.String},
		{&arrow.FixedSizeBinaryType{ByteWidth: 32}, &arrow.FixedSizeBinaryType{ByteWidth: 32}},
	} {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("arrow", len(fields)), Type: c.stored, Nullable: true})
		come = append(come, c.comes)
	}
	return fields, come
}

// typedArrow is a record with every type that can be read, and some that cannot.
func typedArrow(t *testing.T, rows int) arrow.Record {
	t.Helper()
	plain := typed(t, rows)
	fields, _ := arrowTypes()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	random := rand.New(rand.NewPCG(2, 2))
	for i := range rows {
		for j := range fields {
			if random.IntN(4) == 0 {
				b.Field(j).AppendNull()
			} else {
				appendArrowValue(t, b.Field(j), i, random)
			}
		}
	}
	own := b.NewRecord()
	return array.NewRecord(arrow.NewSchema(append(plain.Schema().Fields(), fields...), nil), append(plain.Columns(), own.Columns()...), int64(rows))
}

func appendArrowValue(t *testing.T, b array.Builder, i int, random *rand.Rand) {
	t.Helper()
	text := strings.Repeat("\u00e9", random.IntN(20)) // in views, short ones are stored elsewhere than long ones
	switch b := b.(type) {
	case *array.StringViewBuilder:
		b.Append(text)
	case *array.BinaryViewBuilder:
		b.Append([]byte(text + "\xff"))
	case *array.Float16Builder:
		b.Append(float16.New(float32(i) / 4))
	case *array.Date64Builder:
		b.Append(arrow.Date64(int64(i-1000) * 86_400_000))
	case *array.NullBuilder:
		b.AppendNull()
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(fmt.Sprintf("%032d", i)))
	case *array.BinaryDictionaryBuilder:
		if err := b.Append([]byte(fmt.Sprint("word ", i%300))); err != nil {
			t.Fatal(err)
		}
	default:
		appendValue(t, b, i, random)
	}
}

// TestArrowTypes: every column comes out with its values and the type that is said, sliced anywhere.
func TestArrowTypes(t *testing.T) {
	const rows = 5000
	record := typedArrow(t, rows)
	fields, come := arrowTypes()
	var parts []arrow.Record
	for i := 0; i < rows; i += 1703 { // at no limit of a byte of bits
		parts = append(parts, record.NewSlice(int64(i), int64(min(rows, i+1703))))
	}
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.arrow", arrowStream(t, parts)), sources.Options{})
	if n := len(in.Layout.Columns); n != 24*2+1+len(fields) {
		t.Fatalf("%d columns", n)
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
		expected := record.Column(record.Schema().FieldIndices(c.Name)[0])
		if n := slices.IndexFunc(fields, func(f arrow.Field) bool { return f.Name == c.Name }); n < 0 {
			checkType(t, c.Type, expected.DataType())
		} else if !arrow.TypeEqual(c.Type, come[n]) {
			t.Errorf("%s comes out as %s, want %s", fields[n].Type, c.Type, come[n])
		}
		row := 0
		for _, b := range batches {
			got := b.Record.Column(i)
			if !arrow.TypeEqual(got.DataType(), c.Type) {
				t.Fatalf("%s is of type %s, the layout says %s", c.Name, got.DataType(), c.Type)
			}
			for r := range got.Len() {
				if g, w := got.ValueStr(r), arrowText(expected, row); g != w || got.IsNull(r) != (w == array.NullValueStr) {
					t.Fatalf("%s of type %s, row %d: %s, want %s", c.Name, expected.DataType(), row, g, w)
				}
				row++
			}
		}
	}
}

// arrowText is a cell as text, as it comes out.
func arrowText(a arrow.Array, row int) string {
	if d, ok := a.DataType().(*arrow.TimestampType); ok && d.Unit == arrow.Second && a.IsValid(row) {
		millis := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: d.TimeZone})
		millis.Append(a.(*array.Timestamp).Value(row) * 1000)
		return millis.NewArray().ValueStr(0)
	}
	return a.ValueStr(row)
}

// TestArrowNotRepresentable: what its type cannot hold is an error, not another value.
func TestArrowNotRepresentable(t *testing.T) {
	for name, append := range map[string]func(*array.RecordBuilder){
		"date": func(b *array.RecordBuilder) { b.Field(0).(*array.Date64Builder).Append(1 << 62) },
		"time": func(b *array.RecordBuilder) { b.Field(1).(*array.TimestampBuilder).Append(1 << 62) },
	} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
			{Name: "date", Type: arrow.FixedWidthTypes.Date64}, {Name: "time", Type: arrow.FixedWidthTypes.Timestamp_s}}, nil))
		append(b)
		for _, f := range b.Fields() {
			if f.Len() == 0 {
				f.AppendEmptyValue()
			}
		}
		_, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.arrow", arrowStream(t, []arrow.Record{b.NewRecord()})), sources.Options{})
		if err == nil || !strings.Contains(err.Error(), `column "`+name+`"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestArrowNotUTF8: text that is not UTF-8 costs its row, also where the bytes of two cells together would be.
func TestArrowNotUTF8(t *testing.T) {
	rows := [][]string{{"a", "x"}, {"b\xc3", "x"}, {"\xa9c", "x"}, {"d", "\xff"}, {"e", "x"}}
	for name, content := range map[string][]byte{
		"a.arrow":   arrowFile(t, records(rows, []string{"id", "note"}, 100)),
		"a.parquet": encodeParquet(t, rows, []string{"id", "note"}),
	} {
		batches, err := sourcestest.Batches(t, sourcestest.Inspect(t, sourcestest.Write(t, name, content), sources.Options{}), []int{0, 1}, sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		var lines []int64
		for _, m := range batches[0].Malformed {
			lines = append(lines, m.Line)
		}
		if want := []int64{2, 3, 4}; !slices.Equal(lines, want) {
			t.Errorf("%s: malformed rows %v, want %v", name, lines, want)
		}
	}
}

// TestArrowLargeValues: batches end by what they hold, wherever reading begins.
func TestArrowLargeValues(t *testing.T) {
	rows := make([][]string, 9000)
	large := strings.Repeat("x", 300_000)
	for i := range rows {
		rows[i] = []string{fmt.Sprint(i), "small"}
		if i >= 4700 && i < 4720 {
			rows[i][1] = large
		}
	}
	content := arrowFile(t, records(rows, []string{"id", "note"}, 10_000))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.arrow", content), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0, 1}, sources.Position{})
	if err != nil || len(sourcestest.Rows(batches)) != len(rows) {
		t.Fatalf("%d rows, %v", len(sourcestest.Rows(batches)), err)
	}
	for i, b := range batches {
		size := 0
		for row := range int(b.Record.NumRows()) {
			size += len(b.Record.Column(1).(*array.String).Value(row))
		}
		if most := 1<<20 + len(large); size > most {
			t.Errorf("batch %d holds %d bytes, more than %d", i, size, most)
		}
		again, err := sourcestest.Batches(t, in, []int{0, 1}, b.Start)
		if err != nil || len(again) != len(batches)-i || !array.RecordEqual(again[0].Record, b.Record) {
			t.Fatalf("from %+v: %d batches, %v; want those from number %d of %d on", b.Start, len(again), err, i, len(batches))
		}
	}
	if len(batches) < 7 {
		t.Errorf("%d batches", len(batches))
	}
}

// TestArrowResume: a position that was never handed out is refused where it can be told, and the end is one.
func TestArrowResume(t *testing.T) {
	rows, header := sourcestest.Numbered(10_000), []string{"id", "email", "note"}
	for name, content := range map[string][]byte{
		"file":   arrowFile(t, records(rows, header, 6000)),
		"stream": arrowStream(t, records(rows, header, 6000)),
	} {
		in := sourcestest.Inspect(t, sourcestest.Write(t, "a.arrow", content), sources.Options{})
		for _, from := range []sources.Position{{Row: 5999, Line: 5999}, {Row: 6000, Line: 6000}, {Offset: 1, Row: 6000}, {Offset: 1, Row: 9999, Line: 3999}, {Offset: 2, Row: 10_000}} {
			batches, err := sourcestest.Batches(t, in, []int{0}, from)
			got := sourcestest.Rows(batches)
			if err != nil || len(got) != int(10_000-from.Row) || len(got) > 0 && got[0][0] != fmt.Sprint("id-", from.Row) {
				t.Errorf("%s from %+v: %d rows, %v", name, from, len(got), err)
			}
		}
		for _, from := range []sources.Position{{Row: 6001, Line: 6001}, {Row: 5}, {Offset: 1, Row: 6000, Line: -1}, {Offset: 1, Row: 3, Line: 5}, {Offset: 3, Row: 10_000}, {Offset: 2, Row: 10_001, Line: 1}, {Offset: -1}} {
			if _, err := sourcestest.Batches(t, in, []int{0}, from); err == nil || !strings.Contains(err.Error(), "read it from the beginning") {
				t.Errorf("%s from %+v: %v", name, from, err)
			}
		}
	}
}

// TestArrowFromStandardInput: both formats can come through a pipe, once.
func TestArrowFromStandardInput(t *testing.T) {
	rows, header := sourcestest.Numbered(9000), []string{"id", "email", "note"}
	for name, content := range map[string][]byte{
		"file":   arrowFile(t, records(rows, header, 2500)),
		"stream": arrowStream(t, records(rows, header, 2500)),
	} {
		r := bytes.NewReader(content)
		in := sourcestest.Inspect(t, objects.Object{URI: "-", Size: -1}, sources.Options{Stdin: struct{ io.Reader }{r}})
		if got := sourcestest.Collect(t, in); !slices.EqualFunc(got, rows, slices.Equal) {
			t.Errorf("%s: %d rows differ from the %d written", name, len(got), len(rows))
		}
		if r.Len() > 0 {
			t.Errorf("%s: %d bytes are left in the pipe, whose writer would wait", name, r.Len())
		}
	}
}

// TestArrowDictionaries: dictionaries that are replaced or grow on the way.
func TestArrowDictionaries(t *testing.T) {
	typ := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{{Name: "word", Type: typ, Nullable: true}}, nil)
	for name, grow := range map[string]bool{"replaced": false, "grown": true} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		words := b.Field(0).(*array.BinaryDictionaryBuilder)
		var all []arrow.Record
		var want [][]string
		for i := range 100 {
			if !grow {
				words.ResetFull()
			}
			for _, word := range []string{fmt.Sprint("word ", i), "", fmt.Sprint("word ", i/2*2)} {
				want = append(want, []string{word})
				if word == "" {
					words.AppendNull()
				} else if err := words.AppendString(word); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, b.NewRecord())
		}
		in := sourcestest.Inspect(t, sourcestest.Write(t, "a.arrows", arrowStream(t, all, ipc.WithDictionaryDeltas(grow))), sources.Options{})
		if got := sourcestest.Collect(t, in); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestArrowRefused: what would cost rows in silence, or all memory, is an error that says what to do.
func TestArrowRefused(t *testing.T) {
	rows, header := sourcestest.Numbered(10), []string{"id", "email", "note"}
	stream, file := arrowStream(t, records(rows, header, 4)), arrowFile(t, records(rows, header, 4))
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"two streams":       {append(bytes.Clone(stream), stream...), "one stream to a file"},
		"stream cut off":    {stream[:len(stream)-20], "cut off"},
		"file cut off":      {file[:len(file)-1], "cut off"},
		"only magic":        {file[:8], "cut off"},
		"large metadata":    {[]byte("\xff\xff\xff\xff\xff\xff\xff\x7f"), "metadata"},
		"old feather":       {[]byte("FEA1\x00\x00\x00\x00"), "version 2"},
		"no schema":         {stream[bytes.Index(stream[4:], []byte("\xff\xff\xff\xff\x18"))+4:], "no schema"},
		"two of one name":   {arrowStream(t, records(rows, []string{"id", "email", "id"}, 4)), "rename one"},
		"large record body": {largeBody(t, stream), "write smaller ones"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.arrow", c.content), sources.Options{Format: sources.Arrow})
			if err == nil {
				_, err = sourcestest.Batches(t, in, []int{0}, sources.Position{})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.arrow", nil), sources.Options{Format: sources.Arrow}); !errors.Is(err, sources.ErrEmpty) {
		t.Errorf("%v, want %v", err, sources.ErrEmpty)
	}
}

// largeBody makes the first record batch of a stream say that it has 2 GiB.
func largeBody(t *testing.T, stream []byte) []byte {
	t.Helper()
	second := bytes.Index(stream[4:], []byte("\xff\xff\xff\xff")) + 4
	size := binary.LittleEndian.AppendUint64(nil, uint64(stringBody(t, stream, second)))
	at := bytes.Index(stream[second:], size) + second
	large := bytes.Clone(stream)
	binary.LittleEndian.PutUint64(large[at:], 1<<31)
	return large
}

// stringBody is the size of the body of the message at a place: up to the next one.
func stringBody(t *testing.T, stream []byte, place int) int {
	t.Helper()
	metadata := int(binary.LittleEndian.Uint32(stream[place+4:]))
	next := bytes.Index(stream[place+4:], []byte("\xff\xff\xff\xff"))
	if next < 0 {
		t.Fatal("no second record batch")
	}
	return next + 4 - 8 - metadata
}

// TestDamagedArrow: whatever byte of a file is wrong or wherever it is cut off, reading ends with rows or an error.
// Arrow has no checksums, so most damage to values cannot be told.
func TestDamagedArrow(t *testing.T) {
	record := typedArrow(t, 40)
	parts := []arrow.Record{record.NewSlice(0, 20), record.NewSlice(20, 40)}
	random := rand.New(rand.NewPCG(9, 9))
	for _, c := range []struct {
		name   string
		good   []byte
		rounds int
	}{
		{"stream", arrowStream(t, parts), 160}, {"file", arrowFile(t, parts[:1]), 160},
		{"zstd", arrowStream(t, parts, ipc.WithZstd()), 30}, {"lz4", arrowStream(t, parts, ipc.WithLZ4()), 30},
	} {
		failed := 0
		for round := range c.rounds {
			content := bytes.Clone(c.good)
			switch at := 8 + random.IntN(len(content)-12); round % 4 {
			case 0:
				content = content[:at]
			case 1: // a length or a reference that is far too large
				binary.LittleEndian.PutUint32(content[at/4*4:], random.Uint32()|1<<27)
			default:
				content[at] ^= byte(1 + random.IntN(255))
			}
			in, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.arrow", content), sources.Options{Format: sources.Arrow})
			if err == nil {
				_, err = sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
			}
			if err != nil {
				wantPlain(t, err)
				failed++
			}
		}
		if failed < c.rounds/4 {
			t.Errorf("%s: only %d of %d damaged files were found", c.name, failed, c.rounds)
		}
	}
}
