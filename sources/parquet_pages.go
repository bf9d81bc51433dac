package sources

import (
	"encoding/binary"
	"errors"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// openColumn begins to read a column of a row group off checked pages.
func openColumn(m *metadata.FileMetaData, g *file.RowGroupReader, meta *metadata.ColumnChunkMetaData, c parquetColumn) (chunk, error) {
	pages, err := g.GetColumnPageReader(c.leaf)
	if err != nil {
		return nil, err
	}
	pages = &checkedPages{PageReader: pages, nullable: c.nullable}
	if c.text && isPageText(meta) {
		return newPageTexts(pages, c), nil
	}
	// There is no pool: the library takes from it to skip rows, and none are skipped.
	return c.open(file.NewColumnReader(m.Schema.Column(c.leaf), pages, memory.DefaultAllocator, nil), c.nullable), nil
}

// checkedPages lets no page through over which the library would loop for ever: it asks a page for cells until it has
// as many as the page says to hold, and one that gives none and no error is asked again without end. A page of a
// nullable column does so when its definition levels run out, because levels are cells. Behind those, and in columns
// that are not nullable, values that run out are an error of the library's decoders, but for one of them.
type checkedPages struct {
	file.PageReader
	nullable bool
	damage   error
}

var errShortPage = errors.New("a page has fewer cells than it says")

// Next implements [file.PageReader].
func (p *checkedPages) Next() bool {
	if p.damage != nil || !p.PageReader.Next() {
		return false
	}
	if !p.isWhole(p.Page()) {
		p.damage = errShortPage
	}
	return p.damage == nil
}

// Err implements [file.PageReader].
func (p *checkedPages) Err() error {
	if p.damage != nil {
		return p.damage
	}
	return p.PageReader.Err()
}

func (p *checkedPages) isWhole(page file.Page) bool {
	if page.NumValues() == 0 {
		return true
	}
	switch d := page.(type) {
	case *file.DataPageV1:
		if p.nullable {
			return holdsLevelsV1(d)
		}
	case *file.DataPageV2:
		if p.nullable {
			return holdsLevelsV2(d)
		}
	default: // a dictionary
		return true
	}
	return parquet.Encoding(page.Encoding()) != parquet.Encodings.DeltaBinaryPacked || holdsDeltas(page)
}

// holdsLevelsV1 looks behind the length that comes before the levels. Levels of the old encoding are counted by the
// library itself.
func holdsLevelsV1(d *file.DataPageV1) bool {
	data := d.Data()
	if d.DefinitionLevelEncoding() != parquet.Encodings.RLE {
		return true
	}
	if len(data) < 4 {
		return false
	}
	size := int64(binary.LittleEndian.Uint32(data))
	return size <= int64(len(data)-4) && holdsLevels(data[4:4+size], int64(d.NumValues()))
}

func holdsLevelsV2(d *file.DataPageV2) bool {
	begin, size := int64(d.RepetitionLevelByteLen()), int64(d.DefinitionLevelByteLen())
	data := d.Data()
	return begin+size <= int64(len(data)) && holdsLevels(data[begin:begin+size], int64(d.NumValues()))
}

// holdsLevels says whether so many levels of one bit are there, in runs: a number that says how often the next byte
// comes, or how many bytes of eight levels come, by its lowest bit.
func holdsLevels(data []byte, levels int64) bool {
	for levels > 0 {
		head, size := binary.Uvarint(data)
		if size <= 0 || head>>1 == 0 || head > 1<<31 { // longer than any page
			return false
		}
		data = data[size:]
		run, bytes := int64(head>>1), int64(1)
		if head&1 != 0 {
			run, bytes = run*8, min(run, (levels+7)/8)
		}
		if bytes > int64(len(data)) {
			return false
		}
		data = data[bytes:]
		levels -= run
	}
	return true
}

// holdsDeltas reads what comes before the differences: the sizes of a block and of its parts, and how many numbers
// there are.
func holdsDeltas(page file.Page) bool {
	data := page.Data()
	if v2, ok := page.(*file.DataPageV2); ok {
		data = data[min(len(data), int(v2.RepetitionLevelByteLen())+int(v2.DefinitionLevelByteLen())):]
	}
	var numbers [3]uint64
	for i := range numbers {
		size := 0
		if numbers[i], size = binary.Uvarint(data); size <= 0 {
			return false
		}
		data = data[size:]
	}
	return numbers[2] >= uint64(page.NumValues())
}
