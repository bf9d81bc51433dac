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

// chunk reads one column of one row group.
type chunk interface {
	// next reads so many rows, no more than there are.
	next(rows int) (column, error)
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
}

// read returns which of the next rows are not null, and their values. These may be slices of the page.
func (p *packed[T]) read(rows int) (valid []byte, values []T, err error) {
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
		return nil, nil, err
	}
	valid = newValidity(rows)
	expected := 0
	for i := range rows {
		if !p.nullable || p.levels[i] > 0 {
			setValid(valid, i)
			expected++
		}
	}
	if present != expected {
		return nil, nil, errors.New("its nulls do not add up")
	}
	return valid, p.values[:present], nil
}

func isValid(valid []byte, row int) bool { return valid[row>>3]&(1<<(row&7)) != 0 }

// numbers reads cells of fixed width, as they are or converted.
type numbers[T any, O arrow.FixedWidthType] struct {
	packed[T]
	typ     arrow.DataType
	convert func(T) (O, error)
}

func (c *numbers[T, O]) next(rows int) (column, error) {
	valid, values, err := c.read(rows)
	if err != nil {
		return column{}, err
	}
	out := make([]O, rows)
	for i := range out {
		if !isValid(valid, i) {
			continue
		}
		if out[i], err = c.convert(values[0]); err != nil {
			return column{}, err
		}
		values = values[1:]
	}
	return column{typ: c.typ, rows: rows, valid: valid, buffers: [][]byte{arrow.GetBytes(out)}}, nil
}

// flags reads booleans.
type flags struct{ packed[bool] }

func (c *flags) next(rows int) (column, error) {
	valid, values, err := c.read(rows)
	if err != nil {
		return column{}, err
	}
	out := newValidity(rows)
	for i := range rows {
		if isValid(valid, i) {
			if values[0] {
				setValid(out, i)
			}
			values = values[1:]
		}
	}
	return column{typ: arrow.FixedWidthTypes.Boolean, rows: rows, valid: valid, buffers: [][]byte{out}}, nil
}

// texts reads strings and binary of any length.
type texts[T ~[]byte] struct {
	packed[T]
	typ arrow.DataType
}

func (c *texts[T]) next(rows int) (column, error) {
	valid, values, err := c.read(rows)
	if err != nil {
		return column{}, err
	}
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > math.MaxInt32 {
		return column{}, fmt.Errorf("%d rows in a row hold more than 2 GiB", rows)
	}
	out := newCells(rows, size)
	for i := range rows {
		var cell []byte
		if isValid(valid, i) {
			cell, values = values[0], values[1:]
		}
		out.append(cell)
	}
	out.valid = valid // an empty cell may come as nil, which append takes for null
	return out.column(c.typ), nil
}

// binaries reads binary of fixed width.
type binaries[T ~[]byte] struct {
	packed[T]
	typ *arrow.FixedSizeBinaryType
}

func (c *binaries[T]) next(rows int) (column, error) {
	valid, values, err := c.read(rows)
	if err != nil {
		return column{}, err
	}
	out := make([]byte, rows*c.typ.ByteWidth)
	for i := range rows {
		if isValid(valid, i) {
			copy(out[i*c.typ.ByteWidth:], values[0])
			values = values[1:]
		}
	}
	return column{typ: c.typ, rows: rows, valid: valid, buffers: [][]byte{out}}, nil
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
