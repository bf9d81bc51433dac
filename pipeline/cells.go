package pipeline

import (
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
)

// cells returns the text of a column's cell, or false when it is null. The text is valid until the next call.
type cells func(row int) (normalize.Raw, bool)

// IdentifiersOf reads a column of identifiers as the text that the normalizer is given, or false when a cell is null.
// The text is valid until the next call. It costs no allocation per cell where the column is of strings, integers or
// binary.
//
// In a column of binary of 32 bytes, and in one of any binary whose form is that of hashes, a value of 32 bytes is the
// digest itself and comes as its base64; any other binary is the text that its bytes spell. A value of 32 printable
// characters is text there too, so that it is refused with a reason and never sent as if it were a digest: of all
// digests, one in 10^13 is printable.
func IdentifiersOf(column arrow.Array, form normalize.Form) func(row int) (normalize.Raw, bool) {
	switch a := column.(type) {
	case *array.FixedSizeBinary:
		return digests(a, a.Value)
	case *array.Binary:
		if form == normalize.FormEmailHash || form == normalize.FormPhoneHash {
			return digests(a, a.Value)
		}
	}
	return cellsOf(column)
}

// digests reads values that may be digests.
func digests(a arrow.Array, value func(row int) []byte) cells {
	var text []byte
	return func(i int) (normalize.Raw, bool) {
		if a.IsNull(i) {
			return normalize.Raw{}, false
		}
		v := value(i)
		if len(v) != len(normalize.ID{}.Hash) || isPrintable(v) {
			return normalize.RawBytes(v), true
		}
		id := normalize.ID{Hash: [32]byte(v)}
		text = id.AppendBase64(text[:0])
		return normalize.RawBytes(text), true
	}
}

// isPrintable says whether all bytes are printable ASCII.
func isPrintable(v []byte) bool {
	for _, c := range v {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

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
