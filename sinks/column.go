package sinks

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// column builds the pages of one column of the open row group. Values are encoded as they come, behind room
// for the definition levels of the page, so that a plain page is never copied before it is written. All
// buffers are kept for the row groups to come.
type column struct {
	codec    compress.Compression
	nullable bool
	dict     *dictionary // nil unless the column is dictionary encoded
	ranged   bool        // the column has 64-bit integers, of which min and max are kept

	press *compressor

	open    []byte // the open page: room for levels, then values
	present []byte // bit i: row i of the open page has a value; only if nullable
	rows    int    // rows of the open page
	nulls   int    // nulls of the open page

	pages      []page // closed pages of the open row group; those beyond len are buffers to be used again
	pagesBytes int64  // their bytes
	chunkNulls int64  // nulls in the closed pages
	min, max   int64  // of the values of the row group, closed pages or not
}

func newColumn(f form, nullable bool, codec compress.Compression, press *compressor) *column {
	c := &column{codec: codec, nullable: nullable, ranged: f == number || f == instant, press: press}
	if f == word {
		c.dict = newDictionary()
	}
	if nullable {
		c.present = make([]byte, (pageRows+7)/8)
	}
	c.reset()
	return c
}

// text appends a text.
func (c *column) text(v []byte) {
	c.open = append(binary.LittleEndian.AppendUint32(c.open, uint32(len(v))), v...)
	c.endText()
}

// endText ends a row whose text has been appended, and the page if that has filled it with bytes, as texts may be of any
// size. Values of other kinds are too short for that.
func (c *column) endText() {
	c.value()
	c.closeIfFull()
}

// closeIfFull ends the page if texts have filled it with bytes.
func (c *column) closeIfFull() {
	if len(c.open) >= pageBytes {
		c.closePage()
	}
}

// string is text for a string.
func (c *column) string(v string) {
	c.open = append(binary.LittleEndian.AppendUint32(c.open, uint32(len(v))), v...)
	c.endText()
}

// texts appends n texts that stand in b as they do in a page, each behind its length.
func (c *column) texts(b []byte, n int) {
	c.open = append(c.open, b...)
	c.values(n)
	c.closeIfFull()
}

// textOrNull appends a text, or a null when it is empty.
func (c *column) textOrNull(v []byte) {
	if len(v) == 0 {
		c.null()
		return
	}
	c.text(v)
}

// words appends a text n times to a column that is dictionary encoded.
func (c *column) words(v string, n int) {
	c.dict.add(v, n)
	c.values(n)
}

// integer appends a number to a column of which min and max are kept.
func (c *column) integer(v int64) {
	c.min, c.max = min(c.min, v), max(c.max, v)
	c.fixed64(uint64(v))
}

// integers appends numbers of 8 bytes each, of which min and max are kept.
func (c *column) integers(b []byte) {
	c.open = append(c.open, b...)
	c.values(len(b) / 8)
	for ; len(b) > 0; b = b[8:] {
		v := int64(binary.LittleEndian.Uint64(b))
		c.min, c.max = min(c.min, v), max(c.max, v)
	}
}

// integerOrNull appends a number, or a null when it is 0.
func (c *column) integerOrNull(v int64) {
	if v == 0 {
		c.null()
		return
	}
	c.integer(v)
}

func (c *column) fixed64(v uint64) {
	c.open = binary.LittleEndian.AppendUint64(c.open, v)
	c.value()
}

func (c *column) fixed32(v uint32) {
	c.open = binary.LittleEndian.AppendUint32(c.open, v)
	c.value()
}

// bit appends a truth value: they are packed from the lowest bit up.
func (c *column) bit(v bool) {
	i := (c.rows - c.nulls) & 7
	if i == 0 {
		c.open = append(c.open, 0)
	}
	if v {
		c.open[len(c.open)-1] |= 1 << i
	}
	c.value()
}

// value ends a row whose value has been appended.
func (c *column) value() {
	if c.nullable {
		c.present[c.rows>>3] |= 1 << (c.rows & 7)
	}
	c.rows++
}

// values ends n rows whose values have been appended.
func (c *column) values(n int) {
	if c.nullable {
		setBits(c.present, c.rows, n)
	}
	c.rows += n
}

// null ends a row that has no value.
func (c *column) null() { c.noValues(1) }

// noValues ends n rows that have no value.
func (c *column) noValues(n int) {
	c.nulls += n
	c.rows += n
}

// reset begins a row group.
func (c *column) reset() {
	c.clearPage(0)
	c.pages, c.pagesBytes, c.chunkNulls = c.pages[:0], 0, 0
	c.min, c.max = math.MaxInt64, math.MinInt64
	if c.dict != nil {
		c.dict.reset()
	}
}

// statistics returns what the footer says about the values of the row group, all pages closed. There are
// min and max of numbers only: those of long texts prune little, and those of random texts nothing.
func (c *column) statistics() metadata.EncodedStatistics {
	s := metadata.EncodedStatistics{HasNullCount: true, NullCount: c.chunkNulls}
	if c.ranged && c.min <= c.max {
		s.Signed = true // readers older than the order of columns take it from other fields
		s.SetMin(binary.LittleEndian.AppendUint64(nil, uint64(c.min)))
		s.SetMax(binary.LittleEndian.AppendUint64(nil, uint64(c.max)))
	}
	return s
}

// held returns how many bytes of the open row group are in memory.
func (c *column) held() int64 {
	n := c.pagesBytes + int64(len(c.open)-c.room())
	if c.dict != nil {
		n += c.dict.held()
	}
	return n
}
