package pipeline

import (
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
)

// cells returns the text of a column's cell, or false when it is null. The text is valid until the next call.
type cells func(row int) (normalize.Raw, bool)

// cellsOf reads a column as text. Columns of type string and integer cost no allocation per cell.
func cellsOf(column arrow.Array) cells {
	switch a := column.(type) {
	case *array.String:
		return func(i int) (normalize.Raw, bool) { return normalize.RawString(a.Value(i)), a.IsValid(i) }
	case *array.LargeString:
		return func(i int) (normalize.Raw, bool) { return normalize.RawString(a.Value(i)), a.IsValid(i) }
	case *array.Binary:
		return func(i int) (normalize.Raw, bool) { return normalize.RawBytes(a.Value(i)), a.IsValid(i) }
	case *array.Int64:
		return integers(a, func(i int) int64 { return a.Value(i) })
	case *array.Int32:
		return integers(a, func(i int) int64 { return int64(a.Value(i)) })
	case *array.Float64:
		// Other tools turn integer keys with nulls into floats: 12345678 must not become 1.2345678e+07.
		var text []byte
		return func(i int) (normalize.Raw, bool) {
			text = strconv.AppendFloat(text[:0], a.Value(i), 'f', -1, 64)
			return normalize.RawBytes(text), a.IsValid(i)
		}
	default:
		return func(i int) (normalize.Raw, bool) {
			if a.IsNull(i) {
				return normalize.Raw{}, false
			}
			return normalize.RawString(a.ValueStr(i)), true
		}
	}
}

func integers(a arrow.Array, value func(row int) int64) cells {
	var text []byte
	return func(i int) (normalize.Raw, bool) {
		text = strconv.AppendInt(text[:0], value(i), 10)
		return normalize.RawBytes(text), a.IsValid(i)
	}
}
