package sources

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/decimal256"
	"github.com/apache/arrow/go/v17/arrow/float16"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// parquetColumn is a column of a Parquet file that can be read.
type parquetColumn struct {
	Column
	leaf     int // its number among the columns of the file
	nullable bool
	text     bool // strings or binary, as they are
	open     opener
}

// flatColumns returns the columns of a file that can be read, in the file's order, and why the others cannot.
func flatColumns(m *metadata.FileMetaData) (flat []parquetColumn, unreadable map[string]string) {
	unreadable = map[string]string{}
	s := m.Schema
	for i := range s.Root().NumFields() {
		node := s.Root().Field(i)
		leaf, ok := node.(*schema.PrimitiveNode)
		if !ok || node.RepetitionType() == parquet.Repetitions.Repeated {
			unreadable[node.Name()] = "its values are nested"
			continue
		}
		c := parquetColumn{Column: Column{Name: node.Name()}, leaf: s.ColumnIndexByNode(node)}
		c.nullable = s.Column(c.leaf).MaxDefinitionLevel() > 0
		c.Type, c.open = readable(s.Column(c.leaf))
		c.text = leaf.PhysicalType() == parquet.Types.ByteArray && c.open != nil && arrow.IsBaseBinary(c.Type.ID())
		if c.open == nil {
			unreadable[node.Name()] = "values of type " + leaf.PhysicalType().String() + " as " + leaf.LogicalType().String() + " are not read"
			continue
		}
		if why := notDecoded(m, c.leaf); why != "" {
			unreadable[node.Name()] = why
			continue
		}
		flat = append(flat, c)
	}
	if len(unreadable) == 0 {
		unreadable = nil
	}
	return flat, unreadable
}

// notDecoded says why the library does not decode a column, or nothing. The first row group speaks for all: writers do
// not change their mind, and to look at all of them would take longer than to open the file.
func notDecoded(m *metadata.FileMetaData, leaf int) string {
	if len(m.RowGroups) == 0 {
		return ""
	}
	c, err := m.RowGroup(0).ColumnChunk(leaf)
	if err != nil {
		return "" // reading it will say why
	}
	if _, err := compress.GetCodec(c.Compression()); err != nil {
		return "its compression " + c.Compression().String() + " is not read; write it with zstd or snappy"
	}
	e := parquet.Encodings
	decoded := []parquet.Encoding{e.Plain, e.PlainDict, e.RLE, e.RLEDict, e.BitPacked, e.DeltaBinaryPacked, e.DeltaLengthByteArray, e.DeltaByteArray}
	for _, encoding := range c.Encodings() {
		if !slices.Contains(decoded, encoding) || encoding == e.DeltaByteArray && c.Type() == parquet.Types.FixedLenByteArray {
			return "its encoding " + encoding.String() + " is not read; write it with the plain one or a dictionary"
		}
	}
	return ""
}

// opener begins to read a column chunk. Nullable says that the chunk has definition levels.
type opener func(pages file.ColumnChunkReader, nullable bool) chunk

// readable returns the Arrow type of a column and how to read it; without an opener it cannot be read.
func readable(c *schema.Column) (arrow.DataType, opener) {
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		return arrow.FixedWidthTypes.Boolean, func(r file.ColumnChunkReader, nullable bool) chunk {
			return &flags{packed: newPacked[bool](r, nullable)}
		}
	case parquet.Types.Float:
		return number(arrow.PrimitiveTypes.Float32, same[float32])
	case parquet.Types.Double:
		return number(arrow.PrimitiveTypes.Float64, same[float64])
	case parquet.Types.Int32:
		return readableInt32(c.LogicalType())
	case parquet.Types.Int64:
		return readableInt64(c.LogicalType())
	case parquet.Types.Int96: // the timestamps of old Spark and Impala
		return number(arrow.FixedWidthTypes.Timestamp_ns, func(v parquet.Int96) (int64, error) {
			return v.ToTime().UnixNano(), nil
		})
	case parquet.Types.ByteArray:
		return readableBytes(c.LogicalType())
	case parquet.Types.FixedLenByteArray:
		return readableFixed(c.LogicalType(), c.TypeLength())
	}
	return nil, nil
}

func readableInt32(logical schema.LogicalType) (arrow.DataType, opener) {
	p := arrow.PrimitiveTypes
	switch l := logical.(type) {
	case schema.NoLogicalType:
		return number(p.Int32, same[int32])
	case schema.NullLogicalType: // what is known about a column of which no value was ever seen
		return arrow.BinaryTypes.String, func(r file.ColumnChunkReader, nullable bool) chunk {
			return &nulls{newPacked[int32](r, nullable)}
		}
	case schema.DateLogicalType:
		return number(p.Date32, same[int32])
	case *schema.DecimalLogicalType:
		return number(&arrow.Decimal128Type{Precision: l.Precision(), Scale: l.Scale()}, func(v int32) (decimal128.Num, error) {
			return decimal128.FromI64(int64(v)), nil
		})
	case *schema.IntLogicalType:
		switch {
		case l.BitWidth() == 8 && l.IsSigned():
			return number(p.Int8, cast[int32, int8])
		case l.BitWidth() == 8:
			return number(p.Uint8, cast[int32, uint8])
		case l.BitWidth() == 16 && l.IsSigned():
			return number(p.Int16, cast[int32, int16])
		case l.BitWidth() == 16:
			return number(p.Uint16, cast[int32, uint16])
		case l.BitWidth() == 32 && l.IsSigned():
			return number(p.Int32, same[int32])
		case l.BitWidth() == 32:
			return number(p.Uint32, cast[int32, uint32])
		}
	}
	return nil, nil
}

func readableInt64(logical schema.LogicalType) (arrow.DataType, opener) {
	switch l := logical.(type) {
	case schema.NoLogicalType:
		return number(arrow.PrimitiveTypes.Int64, same[int64])
	case *schema.DecimalLogicalType:
		return number(&arrow.Decimal128Type{Precision: l.Precision(), Scale: l.Scale()}, func(v int64) (decimal128.Num, error) {
			return decimal128.FromI64(v), nil
		})
	case *schema.IntLogicalType:
		if l.BitWidth() == 64 && l.IsSigned() {
			return number(arrow.PrimitiveTypes.Int64, same[int64])
		} else if l.BitWidth() == 64 {
			return number(arrow.PrimitiveTypes.Uint64, cast[int64, uint64])
		}
	case *schema.TimestampLogicalType:
		t := &arrow.TimestampType{}
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			t.Unit = arrow.Millisecond
		case schema.TimeUnitMicros:
			t.Unit = arrow.Microsecond
		case schema.TimeUnitNanos:
			t.Unit = arrow.Nanosecond
		default:
			return nil, nil
		}
		// Before there was a flag for it, timestamps were UTC by definition.
		if l.IsAdjustedToUTC() || l.IsFromConvertedType() {
			t.TimeZone = "UTC"
		}
		return number(t, same[int64])
	}
	return nil, nil
}

func readableBytes(logical schema.LogicalType) (arrow.DataType, opener) {
	var t arrow.DataType
	switch l := logical.(type) {
	case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
		t = arrow.BinaryTypes.String
	case schema.NoLogicalType, schema.BSONLogicalType:
		t = arrow.BinaryTypes.Binary
	case *schema.DecimalLogicalType:
		return decimal[parquet.ByteArray](l)
	default:
		return nil, nil
	}
	return t, func(r file.ColumnChunkReader, nullable bool) chunk {
		return &texts[parquet.ByteArray]{packed: newPacked[parquet.ByteArray](r, nullable), typ: t}
	}
}

func readableFixed(logical schema.LogicalType, width int) (arrow.DataType, opener) {
	switch l := logical.(type) {
	case *schema.DecimalLogicalType:
		return decimal[parquet.FixedLenByteArray](l)
	case schema.Float16LogicalType:
		return number(arrow.PrimitiveTypes.Float32, func(v parquet.FixedLenByteArray) (float32, error) {
			return float16.FromLEBytes(v).Float32(), nil
		})
	case schema.UUIDLogicalType:
		if width != uuidWidth {
			return nil, nil
		}
		return arrow.BinaryTypes.String, func(r file.ColumnChunkReader, nullable bool) chunk {
			return &uuids{packed: newPacked[parquet.FixedLenByteArray](r, nullable)}
		}
	case schema.NoLogicalType:
		t := &arrow.FixedSizeBinaryType{ByteWidth: width}
		return t, func(r file.ColumnChunkReader, nullable bool) chunk {
			return &binaries[parquet.FixedLenByteArray]{packed: newPacked[parquet.FixedLenByteArray](r, nullable), typ: t}
		}
	}
	return nil, nil
}

// decimal is for decimals written as bytes.
func decimal[T ~[]byte](l *schema.DecimalLogicalType) (arrow.DataType, opener) {
	if l.Precision() <= decimal128.MaxPrecision {
		return number(&arrow.Decimal128Type{Precision: l.Precision(), Scale: l.Scale()}, decimal128Of[T])
	}
	if l.Precision() <= decimal256.MaxPrecision {
		return number(&arrow.Decimal256Type{Precision: l.Precision(), Scale: l.Scale()}, decimal256Of[T])
	}
	return nil, nil
}

func number[T any, O arrow.FixedWidthType](t arrow.DataType, convert func(T) (O, error)) (arrow.DataType, opener) {
	return t, func(r file.ColumnChunkReader, nullable bool) chunk {
		return &numbers[T, O]{packed: newPacked[T](r, nullable), typ: t, convert: convert}
	}
}

func newPacked[T any](r file.ColumnChunkReader, nullable bool) packed[T] {
	// The library returns the reader that belongs to the physical type, by which T was chosen.
	return packed[T]{pages: r.(pages[T]), nullable: nullable}
}

func same[T any](v T) (T, error) { return v, nil }

// cast is for small and unsigned integers, which are stored in the bits of a larger signed one.
func cast[T int32 | int64, O int8 | int16 | uint8 | uint16 | uint32 | uint64](v T) (O, error) {
	return O(v), nil
}
