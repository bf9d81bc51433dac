package sources

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/float16"
)

// validOf copies which cells are not null.
func validOf(a arrow.Array, from, rows int) []byte {
	valid := newValidity(rows)
	bitmap := a.NullBitmapBytes()
	if len(bitmap) == 0 {
		bitutil.SetBitsTo(valid, 0, int64(rows), true)
		return valid
	}
	copyBits(valid, bitmap, a.Data().Offset()+from, rows)
	return valid
}

// copyBits copies bits to the beginning of to.
func copyBits(to, bits []byte, from, n int) {
	bits = bits[:(from+n+7)/8] // panics if there are too few, which what follows does not look at
	bitutil.CopyBitmap(bits, from, n, to, 0)
}

// bufferOf returns a buffer of an array; an empty one may be missing.
func bufferOf(a arrow.Array, i int) []byte {
	if b := a.Data().Buffers()[i]; b != nil {
		return b.Bytes()
	}
	return nil
}

func noBytes(arrow.Array, int, int) int { return 0 }

func copyNulls(_ arrow.Array, _, rows int) (column, error) {
	c := newCells(rows, 0)
	for range rows {
		c.append(nil)
	}
	return c.column(arrow.BinaryTypes.String), nil
}

// offsetsOf returns where the cells of rows begin in their data, and where the last of them ends.
func offsetsOf[O int32 | int64](a arrow.Array, from, rows int) []O {
	from += a.Data().Offset()
	return arrow.GetData[O](bufferOf(a, 1))[from : from+rows+1]
}

func offsetSize[O int32 | int64](a arrow.Array, from, rows int) int {
	offsets := offsetsOf[O](a, from, rows)
	return int(offsets[rows] - offsets[0])
}

// copyOffsets is for strings and binaries that stand one behind the other.
func copyOffsets[O int32 | int64](t arrow.DataType) func(a arrow.Array, from, rows int) (column, error) {
	return func(a arrow.Array, from, rows int) (column, error) {
		stored := offsetsOf[O](a, from, rows)
		if stored[0] < 0 {
			return column{}, errors.New("a cell begins before its data")
		}
		offsets := make([]int32, rows+1)
		for i := range rows {
			size := stored[i+1] - stored[i]
			if size < 0 || size > math.MaxInt32-O(offsets[i]) {
				return column{}, errors.New("its cells do not stand one behind the other")
			}
			offsets[i+1] = offsets[i] + int32(size)
		}
		data := make([]byte, offsets[rows])
		copy(data, bufferOf(a, 2)[stored[0]:stored[rows]])
		return column{typ: t, rows: rows, valid: validOf(a, from, rows), buffers: [][]byte{arrow.GetBytes(offsets), data}}, nil
	}
}

func flagSize(_ arrow.Array, _, rows int) int { return (rows + 7) / 8 }

func copyFlags(a arrow.Array, from, rows int) (column, error) {
	c := column{typ: arrow.FixedWidthTypes.Boolean, rows: rows, valid: validOf(a, from, rows), buffers: [][]byte{newValidity(rows)}}
	copyBits(c.buffers[0], bufferOf(a, 1), a.Data().Offset()+from, rows)
	return c, nil
}

// fixed is for cells that are taken as they are.
func fixed(t arrow.FixedWidthDataType) (arrow.DataType, arrowReading) {
	width := t.Bytes()
	return t, arrowReading{
		size: func(_ arrow.Array, _, rows int) int { return rows * width },
		copy: func(a arrow.Array, from, rows int) (column, error) {
			from += a.Data().Offset()
			data := make([]byte, rows*width)
			copy(data, bufferOf(a, 1)[from*width:(from+rows)*width])
			return column{typ: t, rows: rows, valid: validOf(a, from-a.Data().Offset(), rows), buffers: [][]byte{data}}, nil
		},
	}
}

// converted is for cells that become others.
func converted[T, O arrow.FixedWidthType](t arrow.FixedWidthDataType, convert func(T) (O, error)) (arrow.DataType, arrowReading) {
	return t, arrowReading{
		size: func(_ arrow.Array, _, rows int) int { return rows * t.Bytes() },
		copy: func(a arrow.Array, from, rows int) (column, error) {
			first := a.Data().Offset() + from
			stored := arrow.GetData[T](bufferOf(a, 1))[first : first+rows]
			valid, data := validOf(a, from, rows), make([]O, rows)
			for i, v := range stored {
				if !isValid(valid, i) {
					continue
				}
				var err error
				if data[i], err = convert(v); err != nil {
					return column{}, err
				}
			}
			return column{typ: t, rows: rows, valid: valid, buffers: [][]byte{arrow.GetBytes(data)}}, nil
		},
	}
}

func float32Of(v float16.Num) (float32, error) { return v.Float32(), nil }

// daysOf makes a date in milliseconds one in days.
func daysOf(millis arrow.Date64) (arrow.Date32, error) {
	const day = int64(24 * time.Hour / time.Millisecond)
	days := int64(millis) / day
	if int64(millis) < days*day {
		days-- // rounded down, also before 1970
	}
	if days != int64(int32(days)) {
		return 0, fmt.Errorf("a date is %d days from 1970, which does not fit into 32 bits", days)
	}
	return arrow.Date32(days), nil
}

// millisOf makes a timestamp in seconds one in milliseconds.
func millisOf(seconds arrow.Timestamp) (arrow.Timestamp, error) {
	if seconds > math.MaxInt64/1000 || seconds < math.MinInt64/1000 {
		return 0, errors.New("a time is too far from 1970 to be told in milliseconds")
	}
	return seconds * 1000, nil
}
