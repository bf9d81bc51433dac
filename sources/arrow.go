package sources

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// isArrow says whether a stream holds Arrow IPC, by its first bytes or because the user says so.
func (s *stream) isArrow(format Format) bool {
	return format == Arrow || format == "" && (s.startsWith(arrowMagic) || s.startsWith(arrowContinue))
}

// arrowReader turns the record batches of an input into batches. A batch never spans two of them.
type arrowReader struct {
	in       *Input
	stream   *stream
	messages *arrowMessages
	library  *ipc.Reader
	schema   *arrow.Schema
	wanted   []arrowColumn

	records []int64      // where in the file its record batches begin; none of a stream
	record  arrow.Record // the record batch at hand, which is the library's
	number  int64        // of the record batch at hand, from 0
	taken   int64        // rows of it before the next batch
	row     int64        // rows of the input before the next batch
}

// inspectArrow finds the layout in the schema.
func (in *Input) inspectArrow(s *stream) error {
	in.Layout = Layout{Format: Arrow, Stream: !s.startsWith(arrowMagic), Rows: -1}
	if in.Object.Size == 0 {
		return in.errorf("%w", ErrEmpty)
	}
	if s.startsWith("FEA1") {
		return in.errorf("is Feather of version 1; write it again as version 2")
	}
	r, err := in.openArrow(s)
	if err != nil {
		return err
	}
	flat, unreadable := arrowColumns(r.library.Schema())
	in.Layout.Unreadable = unreadable
	names := make([]string, len(flat))
	for i, c := range flat {
		in.Layout.Columns, names[i] = append(in.Layout.Columns, c.Column), c.Name
	}
	if err := uniqueNames(names); err != nil {
		return in.errorf("%w", err)
	}
	if err := r.want(all(in.Layout.Columns)); err != nil {
		return err
	}
	return in.sampleArrow(r)
}

// sampleArrow keeps the first rows. One that is malformed stands there all null.
func (in *Input) sampleArrow(r *arrowReader) error {
	const most = 16 // batches, which is memory
	parts := make([][]arrow.Array, len(r.wanted))
	rows := int64(0)
	for range most {
		b, err := r.next()
		if err != nil {
			return err
		}
		if b == nil || rows >= sampleRows {
			break
		}
		rows += b.Record.NumRows()
		for i, c := range b.Record.Columns() {
			parts[i] = append(parts[i], c)
		}
	}
	if rows == 0 {
		in.sample = array.NewRecordBuilder(memory.DefaultAllocator, r.schema).NewRecord()
		return nil
	}
	columns := make([]arrow.Array, len(parts))
	for i := range parts {
		var err error
		if columns[i], err = array.Concatenate(parts[i], memory.DefaultAllocator); err != nil {
			return r.broken(err)
		}
	}
	in.sample = array.NewRecord(r.schema, columns, rows).NewSlice(0, min(sampleRows, rows))
	return nil
}

// openArrow reads the schema. Nothing of the stream may have been read.
func (in *Input) openArrow(s *stream) (*arrowReader, error) {
	m := &arrowMessages{stream: s, limit: maxBody}
	r := &arrowReader{in: in, stream: s, messages: m, number: -1}
	var err error
	switch {
	case in.Layout.Stream:
	case in.isStdin():
		m.inFile = true
		_, err = io.CopyN(io.Discard, s, int64(len(arrowMagic)))
	default:
		var dictionaries []int64
		m.file, m.size = s.file, in.Object.Size
		if dictionaries, r.records, err = arrowFooter(m.file, m.size, m.size); err == nil {
			m.places = append(append([]int64{int64(len(arrowMagic))}, dictionaries...), r.records...)
		}
	}
	if err == nil {
		r.library, err = ipc.NewReaderFromMessageReader(m, ipc.WithAllocator(m))
	}
	if err != nil {
		return nil, r.broken(err)
	}
	return r, nil
}

// want sets the columns to read, given by their index in the layout.
func (r *arrowReader) want(columns []int) error {
	flat, _ := arrowColumns(r.library.Schema())
	for _, c := range columns {
		want := r.in.Layout.Columns[c]
		if c >= len(flat) || flat[c].Name != want.Name || !arrow.TypeEqual(flat[c].Type, want.Type) {
			return r.in.errorf("its columns are not those of its layout; inspect it again")
		}
		r.wanted = append(r.wanted, flat[c])
	}
	r.schema = newSchema(r.in.Layout.Columns, columns)
	return nil
}

// arrowReader reads from a position on: from somewhere in a record batch.
func (in *Input) arrowReader(s *stream, columns []int, from Position) (reader, error) {
	r, err := in.openArrow(s)
	if err != nil {
		return nil, err
	}
	if err := r.want(columns); err != nil {
		return nil, err
	}
	if err := r.seek(from); err != nil {
		return nil, err
	}
	return r, nil
}

// seek goes to a position. A file is entered where its footer says, a stream is read up to there.
func (r *arrowReader) seek(to Position) error {
	if to == (Position{}) {
		return nil
	}
	known := true // how many rows there are before
	if n := int64(len(r.records)); r.messages.file != nil && to.Offset > 0 && to.Offset < n {
		places := r.messages.places // of dictionaries, then of record batches
		r.messages.places = append(places[:int64(len(places))-n:int64(len(places))-n], r.records[to.Offset:]...)
		r.number, known = to.Offset-1, false
	}
	for r.number < to.Offset {
		if r.record != nil {
			r.row += r.record.NumRows()
		}
		more, err := r.nextRecord()
		if err != nil {
			return err
		}
		if !more {
			r.number++
			break
		}
	}
	rows := int64(0)
	if r.record != nil {
		rows = r.record.NumRows()
	}
	if r.number != to.Offset || to.Offset < 0 || to.Line < 0 || to.Line > rows || known && r.row+to.Line != to.Row || !known && to.Row < to.Line {
		return r.in.errorf("has no row %d in record batch %d; read it from the beginning", to.Row, to.Offset)
	}
	r.taken, r.row = to.Line, to.Row
	return nil
}

// nextRecord reads the next record batch, and says whether there is one.
func (r *arrowReader) nextRecord() (bool, error) {
	r.record, r.taken = nil, 0
	if r.library.Next() {
		r.record = r.library.Record()
		r.number++
		return true, nil
	}
	if err := r.library.Err(); err != nil {
		return false, r.broken(err)
	}
	if left := len(r.messages.places); left > 0 {
		return false, r.broken(fmt.Errorf("it ends before %d of its messages", left))
	}
	return false, nil
}

// next returns the next batch, or nil behind the last.
func (r *arrowReader) next() (*Batch, error) {
	for r.record == nil || r.taken == r.record.NumRows() {
		if more, err := r.nextRecord(); !more {
			return nil, err
		}
	}
	b := &Batch{Start: Position{Offset: r.number, Row: r.row, Line: r.taken}, Read: r.stream.taken}
	if r.messages.file != nil {
		b.Read = r.messages.place
	}
	var columns []column
	var rows int
	err := guarded(func() (err error) {
		rows = r.fit()
		columns, err = r.copy(rows)
		return err
	})
	if err != nil {
		return nil, r.broken(err)
	}
	b.Malformed = notText(columns, rows, b.Start.Row)
	b.Record = newRecord(r.schema, columns, rows)
	r.taken += int64(rows)
	r.row += int64(rows)
	return b, nil
}

// fit returns how many of the next rows make a batch: the last of them may make it larger than batchBytes.
func (r *arrowReader) fit() int {
	most := int(min(batchRows, r.record.NumRows()-r.taken))
	full := func(rows int) bool {
		size := 0
		for _, c := range r.wanted {
			size += c.size(r.record.Column(c.field), int(r.taken), rows)
		}
		return size >= batchBytes
	}
	if !full(most) { // which is nearly always so
		return most
	}
	return 1 + sort.Search(most-1, func(i int) bool { return full(i + 1) })
}

// copy returns the wanted columns of the next rows, in memory of their own: that of the library is that of the whole
// record batch.
func (r *arrowReader) copy(rows int) ([]column, error) {
	columns := make([]column, len(r.wanted))
	for i, c := range r.wanted {
		var err error
		if columns[i], err = c.copy(r.record.Column(c.field), int(r.taken), rows); err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return columns, nil
}

func (r *arrowReader) check() error { return r.stream.check() }

func (r *arrowReader) close() {
	if r.library != nil {
		r.library.Release()
	}
	r.stream.close()
}

func (r *arrowReader) broken(err error) error {
	if errors.Is(err, errManyStreams) {
		return r.in.errorf("cannot be read after %d rows: %w", r.row, err)
	}
	return r.in.damaged(r.row, fmt.Sprintf("record batch %d", max(0, r.number)), err)
}
