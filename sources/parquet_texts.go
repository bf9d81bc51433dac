package sources

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// pageTexts reads strings and binary off their pages, where the library's reader first makes a slice for each of them:
// 24 bytes with a pointer, which costs the garbage collector as much as all the rest. It knows the two encodings that
// nearly all files have, plain and with a dictionary.
type pageTexts struct {
	texts[parquet.ByteArray] // without the library's pages
	source                   file.PageReader

	left    int    // cells of the page that are still to be read
	levels  hybrid // 1 for each that is not null
	plain   []byte // values of a plain page
	dict    [][]byte
	indexes hybrid // into dict, if the page has them
	hasDict bool
}

// isPageText says whether pageTexts knows all encodings of a column chunk, those of levels included.
func isPageText(c *metadata.ColumnChunkMetaData) bool {
	e := parquet.Encodings
	known := []parquet.Encoding{e.Plain, e.PlainDict, e.RLE, e.RLEDict}
	return !slices.ContainsFunc(c.Encodings(), func(encoding parquet.Encoding) bool { return !slices.Contains(known, encoding) })
}

func newPageTexts(source file.PageReader, c parquetColumn) *pageTexts {
	t := &pageTexts{source: source}
	t.typ, t.nullable = c.Type, c.nullable
	return t
}

func (c *pageTexts) read(rows int) (size int, err error) {
	before := len(c.data)
	if c.data == nil {
		c.data = make([]byte, 0, c.bytes)
	}
	for rows > 0 {
		for c.left == 0 {
			if err := c.nextPage(rows); err != nil {
				return 0, err
			}
		}
		n := min(rows, c.left)
		c.valid = extended(c.valid, (c.rows+n+7)/8, (c.room+7)/8)
		c.offsets = extended(c.offsets, c.rows+n+1, c.room+1)
		if err := c.cells(n); err != nil {
			return 0, err
		}
		c.left -= n
		rows -= n
	}
	return len(c.data) - before, nil
}

// nextPage goes to the next page. So many rows are still wanted.
func (c *pageTexts) nextPage(rows int) error {
	if !c.source.Next() {
		if err := c.source.Err(); err != nil {
			return err
		}
		return fmt.Errorf("ends %d rows early", rows)
	}
	switch page := c.source.Page().(type) {
	case *file.DictionaryPage:
		return c.setDictionary(page)
	case *file.DataPageV1:
		values := page.Data()
		if c.nullable { // checkedPages has seen that the levels are there
			if page.DefinitionLevelEncoding() != parquet.Encodings.RLE {
				return errDamaged
			}
			end := 4 + int(binary.LittleEndian.Uint32(values))
			c.levels, values = hybrid{data: values[4:end], width: 1}, values[end:]
		}
		return c.setPage(page, values)
	case *file.DataPageV2:
		begin := int(page.RepetitionLevelByteLen())
		end := begin + int(page.DefinitionLevelByteLen())
		values := page.Data()
		if end > len(values) {
			return errShortPage
		}
		c.levels = hybrid{data: values[begin:end], width: 1}
		return c.setPage(page, values[end:])
	}
	return nil
}

func (c *pageTexts) setDictionary(page *file.DictionaryPage) error {
	if c.dict != nil {
		return errDamaged
	}
	c.dict = [][]byte{}
	for rest := bytes.Clone(page.Data()); len(c.dict) < int(page.NumValues()); {
		value, after, err := plainText(rest)
		if err != nil {
			return err
		}
		c.dict, rest = append(c.dict, value), after
	}
	return nil
}

// setPage begins a page. One without cells may have anything behind its levels.
func (c *pageTexts) setPage(page file.Page, values []byte) error {
	if c.left = int(page.NumValues()); c.left == 0 {
		return nil
	}
	c.plain, c.indexes, c.hasDict = nil, hybrid{}, false
	switch parquet.Encoding(page.Encoding()) {
	case parquet.Encodings.Plain:
		c.plain = values
		return nil
	case parquet.Encodings.PlainDict, parquet.Encodings.RLEDict:
		if c.hasDict = true; len(values) == 0 { // as where all cells are null
			return nil
		}
		if values[0] > 32 {
			return errDamaged
		}
		c.indexes = hybrid{data: values[1:], width: int(values[0])}
		return nil
	}
	return errDamaged
}

// plainText returns the text that stands behind its length, and what follows.
func plainText(b []byte) (text, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errShortPage
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	if size > uint64(len(b)-4) {
		return nil, nil, errShortPage
	}
	return b[4 : 4+size], b[4+size:], nil
}

// cells reads so many cells of the page.
func (c *pageTexts) cells(n int) error {
	for n > 0 {
		level, run := uint32(1), n
		if c.nullable {
			var err error
			if level, run, err = c.levels.run(n); err != nil {
				return err
			}
		}
		n -= run
		if level == 0 {
			for range run {
				c.rows++
				c.offsets[c.rows] = int32(len(c.data))
			}
			continue
		}
		if err := c.present(run); err != nil {
			return err
		}
	}
	return nil
}

// present reads so many cells that are not null.
func (c *pageTexts) present(n int) error {
	if c.hasDict {
		return c.words(n)
	}
	for range n {
		text, rest, err := plainText(c.plain)
		if err == nil {
			c.plain = rest
			err = c.append(text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// words reads so many cells that are of the dictionary.
func (c *pageTexts) words(n int) error {
	for n > 0 {
		index, run, err := c.indexes.run(n)
		if err != nil {
			return err
		}
		if uint64(index) >= uint64(len(c.dict)) {
			return errDamaged
		}
		for range run {
			if err := c.append(c.dict[index]); err != nil {
				return err
			}
		}
		n -= run
	}
	return nil
}

func (c *pageTexts) append(text []byte) error {
	if len(c.data)+len(text) > math.MaxInt32 {
		return fmt.Errorf("%d rows in a row hold more than 2 GiB", c.rows)
	}
	c.data = append(c.data, text...)
	setValid(c.valid, c.rows)
	c.rows++
	c.offsets[c.rows] = int32(len(c.data))
	return nil
}

// hybrid decodes numbers of so many bits, 32 at most: runs of one number and of packed ones, eight of which take width
// bytes. A run begins with a number whose lowest bit says which it is, and whose others how often or how many eights.
type hybrid struct {
	data  []byte
	width int

	same   int    // how often value still comes
	value  uint32 //
	packed int    // how many are still packed in data
	bit    int    // of data, at which the next one begins
}

// run returns the next number, and how often it comes, up to n times.
func (h *hybrid) run(n int) (value uint32, times int, err error) {
	for h.same == 0 && h.packed == 0 {
		if err := h.next(); err != nil {
			return 0, 0, err
		}
	}
	if h.same > 0 {
		times = min(n, h.same)
		h.same -= times
		return h.value, times, nil
	}
	if h.bit+h.width > 8*len(h.data) {
		return 0, 0, errShortPage
	}
	value = uint32(littleEndian(h.data[h.bit>>3:]) >> (h.bit & 7) & (1<<h.width - 1))
	h.bit += h.width
	if h.packed--; h.packed == 0 {
		h.data, h.bit = h.data[min(len(h.data), (h.bit+7)>>3):], 0
	}
	return value, 1, nil
}

// next begins a run.
func (h *hybrid) next() error {
	if h.width == 0 { // there is one number, and nothing need say how often
		h.same = math.MaxInt32
		return nil
	}
	head, size := binary.Uvarint(h.data)
	if size <= 0 || head>>1 == 0 || head > 1<<31 {
		return errShortPage
	}
	h.data = h.data[size:]
	if head&1 != 0 {
		h.packed = int(head>>1) * 8
		return nil
	}
	bytes := (h.width + 7) / 8
	if bytes > len(h.data) {
		return errShortPage
	}
	h.value, h.same = uint32(littleEndian(h.data[:bytes])), int(head>>1)
	h.data = h.data[bytes:]
	return nil
}

// littleEndian returns up to 8 bytes as a number.
func littleEndian(b []byte) (n uint64) {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	return n
}
