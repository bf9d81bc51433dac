package view

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// In a record, a kept value is a zero byte if it is null; otherwise a one, and then the value: texts with their length
// before them, truth values as a byte, and all others as Arrow has them in memory.

// storage is how Arrow has the values of a type in memory.
type storage struct {
	width   int // bytes of a value; 0: bits; of an offset, if texts
	isTexts bool
}

func storageOf(t arrow.DataType) (storage, error) {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return storage{4, true}, nil
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		return storage{8, true}, nil
	case *arrow.DictionaryType: // of fixed width, but not in memory
	case arrow.FixedWidthDataType:
		return storage{t.BitWidth() / 8, false}, nil
	}
	return storage{}, fmt.Errorf("is of type %s, which no run of this version keeps", t)
}

// keptReader reads a kept column of a batch of rows.
type keptReader struct {
	storage
	array   arrow.Array
	offset  int
	offsets []byte
	values  []byte
}

func newKeptReader(s storage, a arrow.Array) keptReader {
	r := keptReader{storage: s, array: a, offset: a.Data().Offset()}
	buffers := a.Data().Buffers()
	if r.isTexts {
		r.offsets, buffers = bytesOf(buffers[1]), buffers[1:]
	}
	r.values = bytesOf(buffers[1])
	return r
}

func bytesOf(b *memory.Buffer) []byte {
	if b == nil { // of an array without values
		return nil
	}
	return b.Bytes()
}

// append appends the value of a row.
func (r *keptReader) append(dst []byte, row int) []byte {
	if r.array.IsNull(row) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	i := r.offset + row
	switch {
	case r.isTexts:
		from, to := r.textAt(i), r.textAt(i+1)
		return append(binary.AppendUvarint(dst, uint64(to-from)), r.values[from:to]...)
	case r.width == 0:
		bit := byte(0)
		if bitutil.BitIsSet(r.values, i) {
			bit = 1
		}
		return append(dst, bit)
	}
	return append(dst, r.values[i*r.width:(i+1)*r.width]...)
}

func (r *keptReader) textAt(i int) int64 {
	if r.width == 4 {
		return int64(binary.LittleEndian.Uint32(r.offsets[i*4:]))
	}
	return int64(binary.LittleEndian.Uint64(r.offsets[i*8:]))
}

// keptColumn builds a kept column of a batch of rows of the view.
type keptColumn struct {
	storage
	typ     arrow.DataType
	rows    int
	nulls   int
	valid   []byte
	offsets []byte // one more than rows
	values  []byte
}

func newKeptColumn(s storage, t arrow.DataType) *keptColumn {
	c := &keptColumn{storage: s, typ: t}
	c.reset()
	return c
}

func (c *keptColumn) reset() {
	c.rows, c.nulls = 0, 0
	c.valid, c.offsets, c.values = c.valid[:0], c.offsets[:0], c.values[:0]
	if c.isTexts {
		c.endText()
	}
}

// renew forgets all rows and leaves their memory to the array that was made of them. There is room for as much again.
func (c *keptColumn) renew() {
	roomy := func(b []byte) []byte { return make([]byte, 0, len(b)+len(b)/8) }
	c.valid, c.offsets, c.values = roomy(c.valid), roomy(c.offsets), roomy(c.values)
	c.reset()
}

// take takes the next value off a record and appends it as the next row.
func (c *keptColumn) take(d *decoder) {
	if d.byte() == 0 {
		c.null()
		return
	}
	c.grow()
	c.valid[c.rows>>3] |= 1 << (c.rows & 7)
	switch {
	case c.isTexts:
		c.values = append(c.values, d.text()...)
		c.endText()
	case c.width == 0:
		c.bit(d.byte() != 0)
	default:
		c.values = append(c.values, d.bytes(c.width)...)
	}
	c.rows++
}

// null appends a row without a value.
func (c *keptColumn) null() {
	c.grow()
	c.nulls++
	switch {
	case c.isTexts:
		c.endText()
	case c.width == 0:
		c.bit(false)
	default:
		c.values = append(c.values, make([]byte, c.width)...)
	}
	c.rows++
}

func (c *keptColumn) grow() {
	if c.rows&7 == 0 {
		c.valid = append(c.valid, 0)
	}
}

func (c *keptColumn) bit(set bool) {
	if c.rows&7 == 0 {
		c.values = append(c.values, 0)
	}
	if set {
		c.values[c.rows>>3] |= 1 << (c.rows & 7)
	}
}

func (c *keptColumn) endText() {
	if c.width == 4 {
		c.offsets = binary.LittleEndian.AppendUint32(c.offsets, uint32(len(c.values)))
	} else {
		c.offsets = binary.LittleEndian.AppendUint64(c.offsets, uint64(len(c.values)))
	}
}

// array returns the rows, which stay valid until the next reset, and after a renew for good.
func (c *keptColumn) array() arrow.Array {
	buffers := []*memory.Buffer{memory.NewBufferBytes(c.valid)}
	if c.isTexts {
		buffers = append(buffers, memory.NewBufferBytes(c.offsets))
	}
	buffers = append(buffers, memory.NewBufferBytes(c.values))
	return array.MakeFromData(array.NewData(c.typ, c.rows, buffers, nil, c.nulls, 0))
}

// skip takes a value off a record.
func (s storage) skip(d *decoder) {
	switch {
	case d.byte() == 0:
	case s.isTexts:
		d.text()
	default:
		d.bytes(max(s.width, 1))
	}
}
