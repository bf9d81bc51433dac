package pipeline

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
	"mapper/sources"
)

// CopiedError is a value that must not be copied into the output, or not be sent as a known uid.
type CopiedError struct {
	URI    string
	Row    int64 // data row, from 1
	Column string
	What   string // what the value is
	Sent   bool   // it would be sent to the service
}

// Error names the place and what to do, and not the value.
func (e *CopiedError) Error() string {
	if e.Sent {
		return fmt.Sprintf("%s: row %d: column %q holds %s, and --known-uids sends it to the service as it is; name a column with uids alone, or mend the row",
			e.URI, e.Row, e.Column, e.What)
	}
	return fmt.Sprintf("%s: row %d: column %q holds %s, and --id and --keep copy it into the output; name another column, mend the row, or add --allow-raw if it is an email or phone that you mean to copy",
		e.URI, e.Row, e.Column, e.What)
}

// copied are the columns of a batch that go into the output as they are. A raw email or phone among them would
// leave the program, so every value is looked at.
type copied struct {
	in      *Input
	columns []copiedColumn
}

type copiedColumn struct {
	name       string
	value      cells
	isBinary   bool // bytes that are no text hold no identifier that could be told from chance
	mustText   bool // the column id is text; kept binary columns may hold anything
	namedPhone bool
	sent       bool // to the service
}

// copiedOf returns the copied columns of a batch that can hold an identifier.
func copiedOf(in *Input, b *sources.Batch) copied {
	c := copied{in: in}
	columns := in.columns()
	if in.KnownUIDs != nil { // the last of those that are not copied
		i := in.hashed() - 1
		c.columns = append(c.columns, copiedColumn{name: b.Record.ColumnName(i), value: cellsOf(b.Record.Column(i)), sent: true, mustText: true})
	}
	for i := in.hashed(); i < int(b.Record.NumCols()); i++ {
		column := copiedColumn{name: b.Record.ColumnName(i), namedPhone: slices.Contains(in.NamedPhone, columns[i])}
		switch a := b.Record.Column(i).(type) {
		case *array.String, *array.LargeString:
			column.value = cellsOf(a)
		case *array.Binary:
			column.value, column.isBinary, column.mustText = cellsOf(a), true, in.ID != NoColumn && i == in.hashed()
		case *array.FixedSizeBinary:
			column.value, column.isBinary = func(i int) (normalize.Raw, bool) { return normalize.RawBytes(a.Value(i)), a.IsValid(i) }, true
		case *array.Int64, *array.Int32:
			if !column.namedPhone {
				continue
			}
			column.value = cellsOf(a)
		default:
			continue
		}
		c.columns = append(c.columns, column)
	}
	return c
}

// check fails when row i of the batch, data row number of the file, holds what must not be copied.
func (c *copied) check(i int, number int64) error {
	for n := range c.columns {
		column := &c.columns[n]
		raw, ok := column.value(i)
		if !ok {
			continue
		}
		what := ""
		if (!c.in.AllowRaw || column.sent) && (!column.isBinary || utf8.Valid(raw.Reveal())) {
			what = Identifies(raw, column.namedPhone)
		}
		if column.sent && isHash(raw.Reveal()) {
			what = "a hash"
		}
		if column.mustText && !utf8.Valid(raw.Reveal()) {
			what = "bytes that are not UTF-8 text"
		}
		if what != "" {
			return &CopiedError{URI: c.in.Source.Object.URI, Row: number, Column: column.name, What: what, Sent: column.sent}
		}
	}
	return nil
}

// isHash says whether a value looks like a SHA-256 in hex or base64: it is no uid.
func isHash(v []byte) bool {
	switch len(v) {
	case 64:
		_, err := hex.Decode(make([]byte, 32), v)
		return err == nil
	case normalize.Base64Len:
		_, err := base64.StdEncoding.Decode(make([]byte, 33), v)
		return err == nil
	}
	return false
}
