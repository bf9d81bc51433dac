package sources

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/decimal256"
)

// chunk reads one column of one row group, and holds what it read until it is taken.
type chunk interface {
	// read reads so many rows, no more than there are, and returns how many bytes their cells have.
	read(rows int) (size int, err error)
	// take returns the rows read since the last time.
	take() column
}

// pages is what the library's readers of column chunks have in common.
type pages[T any] interface {
	// ReadBatch reads cells: those that are not null into values, without gaps, and for each whether it is.
	ReadBatch(rows int64, values []T, definition, repetition []int16) (read int64, present int, err error)
	// Err is why a chunk ended early.
	Err() error
}

// packed reads the cells of a column chunk as they are stored: without gaps for nulls.
type packed[T any] struct {
	pages    pages[T]
	nullable bool
	values   []T
	levels   []int16

	rows  int    // that are held
	valid []byte // of the rows held
	room  int    // rows to expect in a batch: those of the last
}

// next returns the values of the next rows, which may be slices of the page, and the number of the first of these
// rows among those held. Which of them are not null is in valid.
func (p *packed[T]) next(rows int) (values []T, first int, err error) {
	p.values = slices.Grow(p.values[:0], rows)[:rows]
	if p.nullable {
		p.levels = slices.Grow(p.levels[:0], rows)[:rows]
	}
	read, present, err := p.pages.ReadBatch(int64(rows), p.values, p.levels, nil)
	if err == nil {
		err = p.pages.Err()
	}
	if err == nil && read != int64(rows) {
		err = fmt.Errorf("ends %d rows early", int64(rows)-read)
	}
	if err != nil {
		return nil, 0, err
	}
	first = p.rows
	p.rows += rows
	p.valid = extended(p.valid, (p.rows+7)/8, (p.room+7)/8)
	expected := 0
	for i := range rows {
		if !p.nullable || p.levels[i] > 0 {
			setValid(p.valid, first+i)
			expected++
		}
	}
	if present != expected {
		return nil, 0, errors.New("its nulls do not add up")
	}
	return p.values[:present], first, nil
}

// end forgets the rows held and returns their column, without the buffers of the type.
func (p *packed[T]) end(t arrow.DataType) column {
	c := column{typ: t, rows: p.rows, valid: p.valid}
	p.room, p.rows, p.valid = p.rows, 0, nil
	return c
}

func isValid(valid []byte, row int) bool { return valid[row>>3]&(1<<(row&7)) != 0 }

// extended returns s with zeros behind it up to a length, in memory for as many as are expected in the end.
func extended[T any](s []T, length, expected int) []T {
	if s == nil {
		s = make([]T, 0, max(length, expected))
	}
	return append(s, make([]T, length-len(s))...)
}

// numbers reads cells of fixed width, as they are or converted.
type numbers[T any, O arrow.FixedWidthType] struct {
	packed[T]
	typ     arrow.DataType
	convert func(T) (O, error)
	out     []O
}

func (c *numbers[T, O]) read(rows int) (size int, err error) {
	values, first, err := c.next(rows)
	if err != nil {
		return 0, err
	}
	c.out = extended(c.out, c.rows, c.room)
	for i := first; i < c.rows; i++ {
		if !isValid(c.valid, i) {
			continue
		}
		if c.out[i], err = c.convert(values[0]); err != nil {
			return 0, err
		}
		values = values[1:]
	}
	return len(arrow.GetBytes(c.out[first:])), nil
}

func (c *numbers[T, O]) take() column {
	taken := c.end(c.typ)
	taken.buffers = [][]byte{arrow.GetBytes(c.out)}
	c.out = nil
	return taken
}

// nulls reads a column without values.
type nulls struct{ packed[int32] }

func (c *nulls) read(rows int) (size int, err error) {
	values, _, err := c.next(rows)
	if err == nil && len(values) > 0 {
		err = errors.New("it has values, which its type does not allow")
	}
	return 0, err
}

func (c *nulls) take() column {
	taken := c.end(arrow.BinaryTypes.String)
	taken.buffers = [][]byte{arrow.GetBytes(make([]int32, taken.rows+1)), nil}
	return taken
}

// flags reads booleans.
type flags struct {
	packed[bool]
	out []byte // one bit a row
}

func (c *flags) read(rows int) (size int, err error) {
	values, first, err := c.next(rows)
	if err != nil {
		return 0, err
	}
	c.out = extended(c.out, len(c.valid), cap(c.valid))
	for i := first; i < c.rows; i++ {
		if isValid(c.valid, i) {
			if values[0] {
				setValid(c.out, i)
			}
			values = values[1:]
		}
	}
	return (rows + 7) / 8, nil
}

func (c *flags) take() column {
	taken := c.end(arrow.FixedWidthTypes.Boolean)
	taken.buffers = [][]byte{c.out}
	c.out = nil
	return taken
}

// texts reads strings and binary of any length.
type texts[T ~[]byte] struct {
	packed[T]
	typ     arrow.DataType
	offsets []int32 // one more than there are rows
	data    []byte
	bytes   int // to expect in a batch
}

func (c *texts[T]) read(rows int) (size int, err error) {
	values, first, err := c.next(rows)
	if err != nil {
		return 0, err
	}
	for _, v := range values {
		size += len(v)
	}
	if len(c.data)+size > math.MaxInt32 {
		return 0, fmt.Errorf("%d rows in a row hold more than 2 GiB", c.rows)
	}
	c.offsets = extended(c.offsets, c.rows+1, c.room+1)
	if c.data == nil {
		c.data = make([]byte, 0, max(size, c.bytes))
	}
	for i := first; i < c.rows; i++ {
		if isValid(c.valid, i) {
			c.data = append(c.data, values[0]...)
			values = values[1:]
		}
		c.offsets[i+1] = int32(len(c.data))
	}
	return size, nil
}

func (c *texts[T]) take() column {
	taken := c.end(c.typ)
	taken.buffers = [][]byte{arrow.GetBytes(c.offsets), c.data}
	// An eighth more, so that a batch that is a little larger than the last does not have to grow.
	c.bytes = min(len(c.data)+len(c.data)/8, 2*batchBytes)
	c.offsets, c.data = nil, nil
	return taken
}

// binaries reads binary of fixed width.
type binaries[T ~[]byte] struct {
	packed[T]
	typ *arrow.FixedSizeBinaryType
	out []byte
}

func (c *binaries[T]) read(rows int) (size int, err error) {
	values, first, err := c.next(rows)
	if err != nil {
		return 0, err
	}
	width := c.typ.ByteWidth
	c.out = extended(c.out, c.rows*width, c.room*width)
	for i := first; i < c.rows; i++ {
		if isValid(c.valid, i) {
			copy(c.out[i*width:], values[0])
			values = values[1:]
		}
	}
	return rows * width, nil
}

func (c *binaries[T]) take() column {
	taken := c.end(c.typ)
	taken.buffers = [][]byte{c.out}
	c.out = nil
	return taken
}

// words reads a big-endian two's complement number of up to 32 bytes into four words, the lowest first.
func words[T ~[]byte](number T) (w [4]uint64, err error) {
	var full [32]byte
	if len(number) == 0 || len(number) > len(full) {
		return w, fmt.Errorf("decimal of %d bytes", len(number))
	}
	if number[0]&0x80 != 0 {
		for i := range full {
			full[i] = 0xff
		}
	}
	copy(full[len(full)-len(number):], number)
	for i := range w {
		w[i] = binary.BigEndian.Uint64(full[24-8*i:])
	}
	return w, nil
}

func decimal128Of[T ~[]byte](number T) (decimal128.Num, error) {
	w, err := words(number)
	return decimal128.New(int64(w[1]), w[0]), err
}

func decimal256Of[T ~[]byte](number T) (decimal256.Num, error) {
	w, err := words(number)
	return decimal256.New(w[3], w[2], w[1], w[0]), err
}
