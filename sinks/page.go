package sinks

import (
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
)

// A page is closed when it has so many rows or so many bytes, whatever comes first. Readers that look for one
// row decode a page; each page costs a header of about 30 bytes. The rows divide both sizes of row groups, so
// that no page buffer is left half empty.
const (
	pageRows  = 16384
	pageBytes = 1 << 20
)

// page is a closed page as it will stand in the file, but for its header.
type page struct {
	buf      []byte // data is buf[start:]
	start    int
	raw      int // bytes before compression
	rows     int
	encoding parquet.Encoding
}

// room is how many bytes of the open page are kept free for its definition levels.
func (c *column) room() int {
	if c.nullable {
		return levelsRoom(pageRows)
	}
	return 0
}

// closePage makes what has been appended a page and begins the next one.
func (c *column) closePage() {
	if c.rows == 0 {
		return
	}
	p := c.nextPage()
	p.rows, p.encoding = c.rows, parquet.Encodings.Plain
	if c.dict != nil && c.nulls < c.rows { // without a value there may be no dictionary to refer to
		c.open, p.encoding = c.dict.appendPage(c.open), parquet.Encodings.RLEDict
	}
	p.start = 0
	if c.nullable {
		p.start = putLevels(c.open[:c.room()], c.present, c.rows, c.nulls)
	}
	p.raw = len(c.open) - p.start
	if c.codec == compress.Codecs.Uncompressed {
		c.open, p.buf = p.buf, c.open
	} else {
		p.buf = c.press.append(p.buf[:0], c.open[p.start:], c.codec)
		p.start = 0
	}
	c.pagesBytes += int64(len(p.buf))
	c.chunkNulls += int64(c.nulls)
	c.clearPage(len(p.buf))
}

// nextPage adds a page to the closed ones, with a buffer of an earlier row group if there is one.
func (c *column) nextPage() *page {
	if len(c.pages) < cap(c.pages) {
		c.pages = c.pages[:len(c.pages)+1]
	} else {
		c.pages = append(c.pages, page{})
	}
	return &c.pages[len(c.pages)-1]
}

// clearPage begins a page. The pages of a column are about the same size, so the size of the last one, when
// it is known, spares a new buffer from growing step by step.
func (c *column) clearPage(last int) {
	if cap(c.open) < c.room() || c.open == nil {
		c.open = make([]byte, 0, max(c.room(), last+last/32))
	}
	c.open = c.open[:c.room()]
	clear(c.present)
	c.rows, c.nulls = 0, 0
}
