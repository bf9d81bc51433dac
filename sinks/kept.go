package sinks

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// checkKept refuses kept columns that cannot be written. Names are compared without their case, as most
// engines do; "run" is how they name the folders run=<id>.
func checkKept(network Network, kept []arrow.Field) error {
	taken := map[string]bool{"run": true}
	for _, c := range allColumns(network) {
		taken[c.name] = true
	}
	for _, f := range kept {
		name := strings.ToLower(f.Name)
		switch _, err := storageOf(f.Type); {
		case f.Name == "" || !utf8.ValidString(f.Name):
			return fmt.Errorf("column to keep %q: it needs a name in UTF-8", f.Name)
		case taken[name]:
			return fmt.Errorf("column to keep %q: the output has another column of that name; rename it in the input or leave it out", f.Name)
		case err != nil:
			return fmt.Errorf("column to keep %q: %w or leave it out", f.Name, err)
		}
		taken[name] = true
	}
	return nil
}

// keptColumn copies a column of the input.
type keptColumn struct {
	*column
	field arrow.Field
}

// copy appends the value of a row of values, which must be of the type of the column.
func (k keptColumn) copy(values arrow.Array, row int) error {
	if !sameType(values.DataType(), k.field.Type) {
		return fmt.Errorf("kept column %q: is of type %s here and was %s when the run was planned; "+
			"give all input files the same type or leave it out", k.field.Name, values.DataType(), k.field.Type)
	}
	if values.IsNull(row) {
		k.null()
		return nil
	}
	switch v := values.(type) {
	case *array.String:
		k.string(v.Value(row))
	case *array.LargeString:
		k.string(v.Value(row))
	case *array.Binary:
		k.text(v.Value(row))
	case *array.LargeBinary:
		k.text(v.Value(row))
	case *array.Boolean:
		k.bit(v.Value(row))
	case *array.Int8:
		k.fixed32(uint32(v.Value(row)))
	case *array.Int16:
		k.fixed32(uint32(v.Value(row)))
	case *array.Int32:
		k.fixed32(uint32(v.Value(row)))
	case *array.Int64:
		k.fixed64(uint64(v.Value(row)))
	case *array.Uint8:
		k.fixed32(uint32(v.Value(row)))
	case *array.Uint16:
		k.fixed32(uint32(v.Value(row)))
	case *array.Uint32:
		k.fixed32(v.Value(row))
	case *array.Uint64:
		k.fixed64(v.Value(row))
	case *array.Float32:
		k.fixed32(math.Float32bits(v.Value(row)))
	case *array.Float64:
		k.fixed64(math.Float64bits(v.Value(row)))
	case *array.Date32:
		k.fixed32(uint32(v.Value(row)))
	case *array.Timestamp:
		k.fixed64(uint64(v.Value(row)))
	case *array.Decimal128:
		return k.decimal(v.Value(row))
	}
	return nil
}

// sameType is arrow.TypeEqual without its reflection: it is asked once for every value.
func sameType(a, b arrow.DataType) bool {
	if a == b || a.ID() != b.ID() {
		return a == b
	}
	switch a := a.(type) {
	case *arrow.TimestampType:
		b := b.(*arrow.TimestampType)
		return a.Unit == b.Unit && a.TimeZone == b.TimeZone
	case *arrow.Decimal128Type:
		return *a == *b.(*arrow.Decimal128Type)
	}
	return true // the other types have no parameters
}

// decimal appends a number in big-endian two's complement, in as few bytes as the column's precision needs.
func (k keptColumn) decimal(v decimal128.Num) error {
	precision := k.field.Type.(*arrow.Decimal128Type).Precision
	if !v.FitsInPrecision(precision) {
		return fmt.Errorf("kept column %q: has a number of more than %d digits, which %s does not allow; "+
			"repair the input or leave it out", k.field.Name, precision, k.field.Type)
	}
	var wide [16]byte
	binary.BigEndian.PutUint64(wide[:], uint64(v.HighBits()))
	binary.BigEndian.PutUint64(wide[8:], v.LowBits())
	k.open = append(k.open, wide[len(wide)-decimalBytes(precision):]...)
	k.value()
	return nil
}
