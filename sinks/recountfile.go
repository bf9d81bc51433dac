package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/reader"
)

// batchRows is how many rows are read back at once.
const batchRows = 8192

// values are values of a column: strings, int64s or nil for null. A dataset without the column has none.
type values []any

func (v values) text(i int) (string, bool) {
	if v == nil || v[i] == nil {
		return "", false
	}
	return v[i].(string), true
}

func (v values) number(i int) (int64, bool) {
	if v == nil || v[i] == nil {
		return 0, false
	}
	return v[i].(int64), true
}

// batch is some rows of a part, in those columns that are recounted.
type batch struct {
	rows int

	kind, hash, country, uid, refreshFrom, change, reason, rejectedBy, sourceFile values
}

func (b *batch) column(name string) *values {
	switch name {
	case "identity_type":
		return &b.kind
	case "identity_hash":
		return &b.hash
	case "country":
		return &b.country
	case "current_uid":
		return &b.uid
	case "refresh_from":
		return &b.refreshFrom
	case "change":
		return &b.change
	case "reason":
		return &b.reason
	case "rejected_by":
		return &b.rejectedBy
	case "source_file":
		return &b.sourceFile
	}
	return nil
}

// partReader reads a file of a part.
type partReader struct {
	*reader.ParquetReader
	file    *sectionFile
	columns []columnSpec // of the contract, which are the first of the file
}

// openPart reads the footer and checks what it says about columns, row groups and chunks.
func openPart(r io.ReaderAt, size int64, network Network, in datasets) (*partReader, error) {
	if err := checkEnds(r, size); err != nil {
		return nil, err
	}
	file := newSectionFile(r, size)
	parquetReader, err := reader.NewParquetColumnReader(file, 1)
	if err != nil {
		return nil, fmt.Errorf("footer: %w", errors.Join(err, *file.failed))
	}
	p := &partReader{parquetReader, file, contractColumns(network, in)}
	for i, c := range p.columns {
		if err := p.checkColumn(i, c, c.nullable&in != 0); err != nil {
			return nil, err
		}
	}
	return p, p.checkGroups()
}

// checkEnds looks for the magic bytes and a footer that is inside the file.
func checkEnds(r io.ReaderAt, size int64) error {
	if size < int64(2*len(magic)+4) {
		return fmt.Errorf("has %d bytes, which is too short for a Parquet file", size)
	}
	var head, tail [8]byte
	for at, b := range map[int64]*[8]byte{0: &head, size - 8: &tail} {
		if _, err := r.ReadAt(b[:], at); err != nil {
			return err
		}
	}
	if string(head[:4]) != magic || string(tail[4:]) != magic {
		return errors.New("does not begin and end as a Parquet file does")
	}
	if footer := int64(binary.LittleEndian.Uint32(tail[:])); footer > size-8-int64(len(magic)) {
		return fmt.Errorf("its footer should be %d bytes long, more than there are", footer)
	}
	return nil
}

func (p *partReader) checkColumn(i int, c columnSpec, nullable bool) error {
	if i+1 >= len(p.Footer.Schema) { // the first element is the root
		return fmt.Errorf("column %s is missing", c.name)
	}
	element := p.Footer.Schema[i+1]
	physical := parquet.Type_BYTE_ARRAY
	if c.form.arrow().ID() != arrow.STRING {
		physical = parquet.Type_INT64
	}
	repetition := parquet.FieldRepetitionType_REQUIRED
	if nullable {
		repetition = parquet.FieldRepetitionType_OPTIONAL
	}
	name := p.SchemaHandler.GetExName(i + 1) // the library has renamed the elements
	if name != c.name || element.GetType() != physical || element.GetRepetitionType() != repetition {
		return fmt.Errorf("column %d is %s %s %s, not %s %s %s", i+1,
			element.GetRepetitionType(), element.GetType(), name, repetition, physical, c.name)
	}
	return nil
}

// checkGroups compares the counts in the footer with each other, and where the chunks are with the size of
// the file: the library takes the sizes at their word and makes buffers for them.
func (p *partReader) checkGroups() error {
	var rows int64
	for g, group := range p.Footer.RowGroups {
		rows += group.NumRows
		if len(group.Columns) != len(p.Footer.Schema)-1 {
			return fmt.Errorf("row group %d has %d columns, not %d", g, len(group.Columns), len(p.Footer.Schema)-1)
		}
		for _, chunk := range group.Columns {
			meta := chunk.MetaData
			from := meta.DataPageOffset
			if meta.DictionaryPageOffset != nil {
				from = *meta.DictionaryPageOffset
			}
			if meta.NumValues != group.NumRows {
				return fmt.Errorf("row group %d has %d rows, but %d values in a column", g, group.NumRows, meta.NumValues)
			}
			if from < 0 || meta.TotalCompressedSize < 0 || from > p.file.size || meta.TotalCompressedSize > p.file.size-from {
				return fmt.Errorf("row group %d has a column outside the file", g)
			}
		}
	}
	if rows != p.Footer.NumRows {
		return fmt.Errorf("its row groups have %d rows, its footer says %d", rows, p.Footer.NumRows)
	}
	return nil
}

// each hands over all rows, batch by batch. A batch is only valid during the call.
func (p *partReader) each(f func(*batch) error) error {
	for g, group := range p.Footer.RowGroups {
		if group.NumRows == 0 {
			continue // other writers than ours make such, and leave them without statistics
		}
		stats := groupStats{nulls: make(map[string]int64)}
		for left := group.NumRows; left > 0; {
			b, err := p.read(int(min(left, batchRows)))
			if err != nil {
				return fmt.Errorf("row group %d: %w", g, err)
			}
			stats.note(b, p.columns)
			if err := f(b); err != nil {
				return err
			}
			left -= int64(b.rows)
		}
		for i, c := range p.columns {
			if new(batch).column(c.name) == nil {
				continue
			}
			if err := stats.check(c.name, group.Columns[i].MetaData.Statistics); err != nil {
				return fmt.Errorf("row group %d: %w", g, err)
			}
		}
	}
	return nil
}

// read returns the next rows. Asking the library for more than there are left confuses it.
func (p *partReader) read(rows int) (*batch, error) {
	b := &batch{rows: rows}
	for i, c := range p.columns {
		at := b.column(c.name)
		if at == nil {
			continue
		}
		read, _, _, err := p.ReadColumnByIndex(int64(i), int64(rows))
		if err = errors.Join(err, *p.file.failed); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		if len(read) != rows { // the library drops most errors and returns what it has
			return nil, fmt.Errorf("column %s: only %d of the next %d values can be read", c.name, len(read), rows)
		}
		*at = read
	}
	return b, nil
}
