package sinks

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// keptTypes are the types that can be kept.
func keptTypes() []arrow.DataType {
	types := []arrow.DataType{
		arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary,
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.FixedWidthTypes.Date32,
	}
	for _, unit := range []arrow.TimeUnit{arrow.Millisecond, arrow.Microsecond, arrow.Nanosecond} {
		for _, zone := range []string{"", "UTC", "Europe/Paris"} {
			types = append(types, &arrow.TimestampType{Unit: unit, TimeZone: zone})
		}
	}
	for precision := range int32(38) {
		types = append(types, &arrow.Decimal128Type{Precision: precision + 1, Scale: precision / 2})
	}
	return types
}

func keptFields(types []arrow.DataType) []arrow.Field {
	var fields []arrow.Field
	for i, t := range types {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("kept %d.%s", i, t), Type: t})
	}
	return fields
}

// keptRecord makes a record of random values of the types, a third of them null, behind a column that is
// not kept.
func keptRecord(random *rand.Rand, fields []arrow.Field, rows int) arrow.Record {
	all := append([]arrow.Field{{Name: "email", Type: arrow.BinaryTypes.String}}, fields...)
	for i := range all {
		all[i].Nullable = true
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(all, nil))
	for i := range all {
		for range rows {
			if random.IntN(3) == 0 {
				b.Field(i).AppendNull()
				continue
			}
			appendRandom(random, b.Field(i))
		}
	}
	return b.NewRecord()
}

func appendRandom(random *rand.Rand, b array.Builder) {
	n := random.Uint64() >> random.IntN(64)
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(strings.Repeat("é", random.IntN(4)))
	case *array.LargeStringBuilder:
		b.Append(strings.Repeat("é", random.IntN(4)))
	case *array.BinaryBuilder: // of both sizes
		b.Append([]byte(strings.Repeat("\x00\xff", random.IntN(4))))
	case *array.BooleanBuilder:
		b.Append(n&1 == 0)
	case *array.Float32Builder:
		b.Append(float32(random.NormFloat64()))
	case *array.Float64Builder:
		b.Append([]float64{random.NormFloat64(), math.Inf(-1), math.Copysign(0, -1)}[random.IntN(3)])
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Int64Builder:
		b.Append(int64(n))
	case *array.Uint8Builder:
		b.Append(uint8(n))
	case *array.Uint16Builder:
		b.Append(uint16(n))
	case *array.Uint32Builder:
		b.Append(uint32(n))
	case *array.Uint64Builder:
		b.Append(n)
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n % (1 << 50))) // DuckDB has no years beyond 294247
	case *array.Decimal128Builder:
		// The largest and smallest of the precision, and what lies about zero.
		largest := decimal128.GetMaxValue(b.Type().(*arrow.Decimal128Type).Precision)
		b.Append([]decimal128.Num{largest, largest.Negate(), decimal128.FromI64(-1), {}}[random.IntN(4)])
	default:
		panic(fmt.Sprintf("no value for %T", b))
	}
}

// TestKeptTypes keeps columns of all types: they come back with their type and values, and are null in rows
// without a record.
func TestKeptTypes(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	fields := keptFields(keptTypes())
	record := keptRecord(random, fields, 50)
	defer record.Release()
	rows := randomRows(random, 120)
	for i := range rows {
		if random.IntN(4) > 0 { // several rows of output come from one of input
			rows[i].Kept, rows[i].KeptFirst, rows[i].KeptRow = record, 1, random.IntN(50)
		}
	}
	checkPart(t, Options{Kept: fields, RowGroupRows: 50}, partRows{rows, rows})
}

// TestKeptAlone keeps each type in a file that tells readers about nothing else.
func TestKeptAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 3))
	for _, typ := range engineTypes() {
		fields := keptFields([]arrow.DataType{typ})
		record := keptRecord(random, fields, 20)
		rows := randomRows(random, 20)
		for i := range rows {
			rows[i].Kept, rows[i].KeptFirst, rows[i].KeptRow = record, 1, i
		}
		checkParts(t, 1, Options{Kept: fields}, partRows{mapped: rows})
	}
}

// TestKeptNotANumber: no comparison finds a NaN equal to itself, so its bits are compared.
func TestKeptNotANumber(t *testing.T) {
	want := math.Float64frombits(0x7ff8_dead_beef_0001)
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.Append(want)
	fields := []arrow.Field{{Name: "score", Type: arrow.PrimitiveTypes.Float64}}
	record := array.NewRecord(arrow.NewSchema(fields, nil), []arrow.Array{b.NewArray()}, 1)
	rows := randomRows(rand.New(rand.NewPCG(2, 4)), 1)
	rows[0].Kept = record
	f := newFolder(t)
	files := writePart(t, newWriter(t, f, Options{Kept: fields}), 0, partRows{mapped: rows})
	table := readArrow(t, f.read(t, files[DatasetMapped].Path))
	got := table.Column(int(table.NumCols()) - 1).Data().Chunk(0).(*array.Float64).Value(0)
	if math.Float64bits(got) != math.Float64bits(want) {
		t.Errorf("got %x, want %x", math.Float64bits(got), math.Float64bits(want))
	}
}

func TestKeptRefused(t *testing.T) {
	field := func(name string, typ arrow.DataType) []arrow.Field { return []arrow.Field{{Name: name, Type: typ}} }
	text := arrow.BinaryTypes.String
	tests := []struct {
		name string
		kept []arrow.Field
		want string
	}{
		{"name of the contract", field("id", text), "another column of that name"},
		{"name of another dataset", field("rejected_by", text), "another column of that name"},
		{"name in capitals", field("Current_UID", text), "another column of that name"},
		{"name of the folders", field("run", text), "another column of that name"},
		{"twice", append(field("a", text), field("A", text)...), "another column of that name"},
		{"no name", field("", text), "needs a name"},
		{"name of no text", field("\xff", text), "needs a name"},
		{"list", field("a", arrow.ListOf(text)), "cannot be written"},
		{"dictionary", field("a", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: text}), "cannot be written"},
		{"seconds", field("a", arrow.FixedWidthTypes.Timestamp_s), "no timestamps in seconds"},
		{"wide decimal", field("a", &arrow.Decimal256Type{Precision: 50}), "cannot be written"},
		{"negative scale", field("a", &arrow.Decimal128Type{Precision: 5, Scale: -1}), "only decimals"},
		{"no precision", field("a", &arrow.Decimal128Type{}), "only decimals"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(newFolder(t).Bucket, "r1", Options{Kept: tt.kept})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
	// A job file of the contract keeps a column country, which is a column of ID5's table only.
	if _, err := New(newFolder(t).Bucket, "r1", Options{Kept: field("country", text)}); err != nil {
		t.Errorf("country: %v", err)
	}
	_, err := New(newFolder(t).Bucket, "r1", Options{Network: NetworkID5, Kept: field("Country", text)})
	if err == nil || !strings.Contains(err.Error(), "another column of that name") {
		t.Errorf("country of ID5: got error %v", err)
	}
}

// TestKeptOfOtherType hands over records that are not what was planned.
func TestKeptOfOtherType(t *testing.T) {
	record := func(a array.Builder, values ...string) arrow.Record {
		for _, v := range values {
			if err := a.AppendValueFromString(v); err != nil {
				t.Fatal(err)
			}
		}
		return array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "a", Type: a.Type()}}, nil), []arrow.Array{a.NewArray()}, 1)
	}
	paris := &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Paris"}
	wide := &arrow.Decimal128Type{Precision: 30, Scale: 2}
	tests := []struct {
		name    string
		planned arrow.DataType
		row     Row
		want    string
	}{
		{"other type", arrow.PrimitiveTypes.Int32, Row{Kept: record(array.NewInt64Builder(memory.DefaultAllocator), "1")},
			"is of type int64 here"},
		{"other time zone", arrow.FixedWidthTypes.Timestamp_ms,
			Row{Kept: record(array.NewTimestampBuilder(memory.DefaultAllocator, paris), "2026-11-22")}, "when the run was planned"},
		{"other precision", &arrow.Decimal128Type{Precision: 31, Scale: 2},
			Row{Kept: record(array.NewDecimal128Builder(memory.DefaultAllocator, wide), "1.25")}, "when the run was planned"},
		{"too few columns", arrow.PrimitiveTypes.Int64,
			Row{Kept: record(array.NewInt64Builder(memory.DefaultAllocator), "1"), KeptFirst: 1}, "has 0 kept columns, not 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWriter(t, newFolder(t), Options{Kept: []arrow.Field{{Name: "a", Type: tt.planned}}})
			if err := w.Begin(context.Background(), 0, 0); err != nil {
				t.Fatal(err)
			}
			err := w.Unmapped([]Row{tt.row})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if err := w.Abort(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKeptDecimalTooLong: Arrow does not check that the digits of a decimal are as few as its type says.
// Stored in the bytes of the type, such a number would come back as another one.
func TestKeptDecimalTooLong(t *testing.T) {
	b := array.NewDecimal128Builder(memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 2})
	b.Append(decimal128.FromI64(1000))
	fields := []arrow.Field{{Name: "a", Type: b.Type()}}
	r := Row{Kept: array.NewRecord(arrow.NewSchema(fields, nil), []arrow.Array{b.NewArray()}, 1)}
	w := newWriter(t, newFolder(t), Options{Kept: fields})
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Unmapped([]Row{r}); err == nil || !strings.Contains(err.Error(), "more than 2 digits") || strings.Contains(err.Error(), "1000") {
		t.Errorf("got error %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
}
