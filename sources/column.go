package sources

import (
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// column is one column of a batch in the making, in Arrow's layout: the buffers behind the validity bitmap
// are the type's own. Nothing is ever taken back from a record, so the memory is plain garbage-collected Go.
type column struct {
	typ     arrow.DataType
	rows    int
	valid   []byte // one bit a row, set when the cell is not null
	buffers [][]byte
}

func newValidity(rows int) []byte { return make([]byte, (rows+7)/8) }

func setValid(valid []byte, row int) { valid[row>>3] |= 1 << (row & 7) }

// clear makes a cell null. Its bytes stay behind, where nobody looks for them.
func (c *column) clear(row int) { c.valid[row>>3] &^= 1 << (row & 7) }

func (c *column) array() arrow.Array {
	nulls := c.rows
	for _, b := range c.valid {
		nulls -= bits.OnesCount8(b)
	}
	buffers := make([]*memory.Buffer, 1, 3)
	if nulls > 0 {
		buffers[0] = memory.NewBufferBytes(c.valid)
	}
	for _, b := range c.buffers {
		buffers = append(buffers, memory.NewBufferBytes(b))
	}
	return array.MakeFromData(array.NewData(c.typ, c.rows, buffers, nil, nulls, 0))
}

// newRecord puts columns of the same length together.
func newRecord(schema *arrow.Schema, columns []column, rows int) arrow.Record {
	arrays := make([]arrow.Array, len(columns))
	for i := range columns {
		arrays[i] = columns[i].array()
	}
	return array.NewRecord(schema, arrays, int64(rows))
}

// newSchema is the schema of records with the wanted columns of an input.
func newSchema(columns []Column, wanted []int) *arrow.Schema {
	fields := make([]arrow.Field, len(wanted))
	for i, c := range wanted {
		fields[i] = arrow.Field{Name: columns[c].Name, Type: columns[c].Type, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// cells gathers cells of variable length.
type cells struct {
	valid   []byte
	offsets []int32 // one more than there are cells
	data    []byte
}

// newCells makes room for rows cells with bytes of text. More text is taken, more cells are not.
func newCells(rows, bytes int) cells {
	s := cells{valid: newValidity(rows), offsets: make([]int32, 1, rows+1)}
	s.data = make([]byte, 0, bytes)
	return s
}

// append adds a cell; nil is null. The text is copied. The caller sees to it that all text of a column fits
// into 2 GiB.
func (s *cells) append(cell []byte) {
	if cell != nil {
		setValid(s.valid, len(s.offsets)-1)
		s.data = append(s.data, cell...)
	}
	s.offsets = append(s.offsets, int32(len(s.data)))
}

// column ends the gathering.
func (s *cells) column(t arrow.DataType) column {
	return column{typ: t, rows: len(s.offsets) - 1, valid: s.valid,
		buffers: [][]byte{arrow.GetBytes(s.offsets), s.data}}
}
