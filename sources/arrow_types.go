package sources

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// arrowColumn is a column of Arrow IPC that can be read.
type arrowColumn struct {
	Column
	arrowReading
	field int // its number among the fields of the schema
}

// arrowReading is how rows of a column of a record batch are read.
type arrowReading struct {
	// size returns how many bytes the cells of some rows have, or anything if the column is damaged.
	size func(a arrow.Array, from, rows int) int
	// copy returns them. It may panic if the column is damaged.
	copy func(a arrow.Array, from, rows int) (column, error)
}

// arrowColumns returns the columns that can be read, in the order of the schema, and why the others cannot.
func arrowColumns(s *arrow.Schema) (flat []arrowColumn, unreadable map[string]string) {
	for i, f := range s.Fields() {
		c := arrowColumn{Column: Column{Name: f.Name}, field: i}
		if c.Type, c.arrowReading = arrowReadable(f.Type); isUUID(f) {
			c.Type, c.arrowReading = arrowUUID()
		}
		if c.Type != nil {
			flat = append(flat, c)
			continue
		}
		if unreadable == nil {
			unreadable = map[string]string{}
		}
		unreadable[f.Name] = "values of type " + f.Type.String() + " are not read"
		if _, ok := f.Type.(arrow.NestedType); ok {
			unreadable[f.Name] = "its values are nested"
		}
	}
	return flat, unreadable
}

// arrowReadable returns the type in which a column comes out and how to read it; without a type it cannot be read.
func arrowReadable(t arrow.DataType) (arrow.DataType, arrowReading) {
	switch t := t.(type) {
	case *arrow.NullType: // what is known about a column of which no value was ever seen
		return arrow.BinaryTypes.String, arrowReading{noBytes, copyNulls}
	case *arrow.StringType:
		return t, arrowReading{offsetSize[int32], copyOffsets[int32](t)}
	case *arrow.BinaryType:
		return t, arrowReading{offsetSize[int32], copyOffsets[int32](t)}
	case *arrow.LargeStringType:
		return arrow.BinaryTypes.String, arrowReading{offsetSize[int64], copyOffsets[int64](arrow.BinaryTypes.String)}
	case *arrow.LargeBinaryType:
		return arrow.BinaryTypes.Binary, arrowReading{offsetSize[int64], copyOffsets[int64](arrow.BinaryTypes.Binary)}
	case *arrow.StringViewType:
		return values(arrow.BinaryTypes.String, plainValues[string])
	case *arrow.BinaryViewType:
		return values(arrow.BinaryTypes.Binary, plainValues[[]byte])
	case *arrow.DictionaryType:
		return arrowDictionary(t)
	case *arrow.BooleanType:
		return t, arrowReading{flagSize, copyFlags}
	}
	return arrowNumber(t)
}

func arrowDictionary(t *arrow.DictionaryType) (arrow.DataType, arrowReading) {
	switch t.ValueType.ID() {
	case arrow.STRING, arrow.LARGE_STRING:
		return values(arrow.BinaryTypes.String, dictionaryValues[string])
	case arrow.BINARY, arrow.LARGE_BINARY:
		return values(arrow.BinaryTypes.Binary, dictionaryValues[[]byte])
	}
	return nil, arrowReading{}
}

// arrowNumber is for cells of fixed width.
func arrowNumber(t arrow.DataType) (arrow.DataType, arrowReading) {
	switch t := t.(type) {
	case *arrow.FixedSizeBinaryType:
		if t.ByteWidth < 1 {
			return nil, arrowReading{}
		}
		return fixed(t)
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type,
		*arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type,
		*arrow.Float32Type, *arrow.Float64Type, *arrow.Date32Type, *arrow.Decimal128Type, *arrow.Decimal256Type:
		return fixed(t.(arrow.FixedWidthDataType))
	case *arrow.Float16Type:
		return converted(&arrow.Float32Type{}, float32Of)
	case *arrow.Date64Type:
		return converted(&arrow.Date32Type{}, daysOf)
	case *arrow.TimestampType:
		if t.Unit == arrow.Second { // Parquet has no timestamps in seconds, so the sinks could not write it
			return converted(&arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: t.TimeZone}, millisOf)
		}
		return fixed(t)
	}
	return nil, arrowReading{}
}

// values reads cells that do not stand one behind the other.
func values[T string | []byte](t arrow.DataType, of func(arrow.Array) func(row int) (T, bool)) (arrow.DataType, arrowReading) {
	size := func(a arrow.Array, from, rows int) (size int) {
		value := of(a)
		for i := from; i < from+rows; i++ {
			cell, _ := value(i)
			size += len(cell)
		}
		return size
	}
	return t, arrowReading{size, func(a arrow.Array, from, rows int) (column, error) {
		value := of(a)
		c := newCells(rows, size(a, from, rows))
		for i := from; i < from+rows; i++ {
			cell, ok := value(i)
			if ok {
				setValid(c.valid, i-from)
				c.data = append(c.data, cell...)
			}
			c.offsets = append(c.offsets, int32(len(c.data)))
		}
		return c.column(t), nil
	}}
}

// valued are the library's arrays of strings or binaries.
type valued[T any] interface {
	arrow.Array
	Value(row int) T
}

func plainValues[T string | []byte](a arrow.Array) func(row int) (value T, ok bool) {
	all := a.(valued[T])
	return func(i int) (value T, ok bool) {
		if a.IsNull(i) {
			return value, false
		}
		return all.Value(i), true
	}
}

func dictionaryValues[T string | []byte](a arrow.Array) func(row int) (value T, ok bool) {
	indexes := a.(*array.Dictionary)
	words := indexes.Dictionary()
	word, length := plainValues[T](words), words.Len()
	return func(i int) (value T, ok bool) {
		if a.IsNull(i) {
			return value, false
		}
		n := indexes.GetValueIndex(i)
		if n >= length { // behind the end there may be more memory
			panic("an index is not in its dictionary")
		}
		return word(n)
	}
}
