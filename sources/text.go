package sources

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
)

const (
	batchRows  = 4096    // most rows of a batch
	batchBytes = 1 << 20 // a batch ends when it has this much text, or values of Parquet or Arrow
)

// textReader turns a text into batches.
type textReader struct {
	split  splitter
	cells  [][]byte // of the row just read, by column of the layout; nil is null
	window *window
	row    int64 // data rows read
	line   int64 // line feeds read
	began  int64 // the line in which the row just read begins, from 1

	foreign string // what is wrong with a row that has undecodable bytes

	wanted []int
	schema *arrow.Schema
	room   []int // by wanted column: bytes of text to expect in a batch
}

// newTextReader reads the columns of a layout from a window that stands at a row.
func newTextReader(l *Layout, wanted []int, w *window) *textReader {
	t := &textReader{window: w, wanted: wanted, room: make([]int, len(wanted)), foreign: "row: not " + l.Encoding.family()}
	t.cells = make([][]byte, len(l.Columns))
	if l.Format == NDJSON {
		t.split = newObjectLines(l, wanted, t.cells)
	} else {
		t.split = newDelimited(l, wanted, t.cells)
	}
	t.schema = newSchema(l.Columns, wanted)
	return t
}

func newDelimited(l *Layout, wanted []int, cells [][]byte) *delimited {
	d := &delimited{maxRow: l.MaxRow, fields: len(cells), says: "first row", last: -1, cells: cells}
	if l.Header {
		d.says = "header"
	}
	if len(wanted) > 0 {
		d.last = slices.Max(wanted)
	}
	if l.Delimiter != "" {
		d.delimiter = l.Delimiter[0]
	}
	if l.Quote != "" {
		d.quote = l.Quote[0]
	}
	return d
}

// next returns the next batch, or nil at the end of the text.
func (t *textReader) next() (*Batch, error) {
	b := &Batch{Start: t.position()}
	columns := t.newColumns()
	rows := 0
	size := func() int { return int(t.window.offset - b.Start.Offset) }
	for rows < batchRows && size() < batchBytes {
		line := t.line
		if n := t.plain(columns, batchRows-rows, batchBytes-size()); n > 0 {
			b.begins(rows, line+1)
			rows += n
			continue
		}
		problem, ok := t.read()
		if !ok && rows > 0 {
			break // what there is comes first; the next call ends here again
		}
		if !ok {
			return nil, t.window.err
		}
		b.begins(rows, t.began)
		if problem != "" {
			clear(t.cells)
			b.Malformed = append(b.Malformed, Malformed{Index: rows, Line: t.began, Reason: problem})
		}
		t.append(columns)
		rows++
	}
	b.Record = t.record(columns, rows)
	b.Read = t.window.offset
	return b, nil
}

// plain takes the rows that need no second look. Where it stops may depend on what is in sight: read goes on
// from there and comes to the same result.
func (t *textReader) plain(columns []cells, mostRows, mostBytes int) int {
	d, ok := t.split.(*delimited)
	if !ok || !t.window.clean {
		return 0
	}
	rows, size := d.plain(t.window.rest(), t.wanted, columns, mostRows, mostBytes)
	t.window.advance(size)
	t.row += int64(rows)
	t.line += int64(rows)
	return rows
}

// sample returns the first good rows.
func (t *textReader) sample(limit int) arrow.Record {
	columns := t.newColumns()
	rows := 0
	for rows < limit {
		problem, ok := t.read()
		if !ok {
			break
		}
		if problem == "" {
			t.append(columns)
			rows++
		}
	}
	return t.record(columns, rows)
}

// read reads the next row into cells, or returns why that row cannot be read. It is not ok when there is no
// further row: the text ended, or the window's err is why not.
func (t *textReader) read() (problem string, ok bool) {
	w := t.window
	for {
		text := w.rest()
		r := t.split.next(text, w.final)
		switch {
		case r.size == 0 && r.problem == "":
			if w.stopped() {
				return "", false
			}
			w.fill()
			continue
		case r.blank:
			w.advance(r.size)
			t.line++
			continue
		}
		t.row++
		t.began = t.line + 1
		if r.size == 0 {
			w.skipLine()
			t.line++
			return r.problem, true
		}
		w.advance(r.size)
		t.line += int64(r.lines)
		if r.problem == "" && !w.clean {
			return t.unclean(text[:r.size]), true
		}
		return r.problem, true
	}
}

// unclean says what is wrong with the bytes of a row, or nothing.
func (t *textReader) unclean(row []byte) string {
	switch {
	case bytes.IndexByte(row, 0) >= 0:
		return "row: NUL byte"
	case !utf8.Valid(row):
		return t.foreign
	}
	return ""
}

func (t *textReader) position() Position {
	return Position{Offset: t.window.offset, Row: t.row, Line: t.line}
}

// newColumns makes room for a batch like the last one.
func (t *textReader) newColumns() []cells {
	columns := make([]cells, len(t.wanted))
	for i := range columns {
		columns[i] = newCells(batchRows, t.room[i])
	}
	return columns
}

func (t *textReader) append(columns []cells) {
	for i, c := range t.wanted {
		columns[i].append(t.cells[c])
	}
}

func (t *textReader) record(gathered []cells, rows int) arrow.Record {
	columns := make([]column, len(gathered))
	for i := range gathered {
		// An eighth more, so that a batch that is a little larger than the last does not have to grow.
		t.room[i] = len(gathered[i].data) + len(gathered[i].data)/8
		columns[i] = gathered[i].column(arrow.BinaryTypes.String)
	}
	return newRecord(t.schema, columns, rows)
}
