package sources

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// isParquet says whether a stream holds Parquet, by its first bytes or because the user says so.
func (s *stream) isParquet(format Format) bool {
	return format == Parquet || format == "" && s.startsWith("PAR1")
}

// inspectParquet finds the layout in the footer.
func (in *Input) inspectParquet(s *stream) error {
	f, err := in.openParquet(s)
	if err != nil {
		return err
	}
	l := Layout{Format: Parquet, Rows: f.NumRows()}
	flat, unreadable := flatColumns(f.MetaData())
	l.Unreadable = unreadable
	for i := range f.NumRowGroups() {
		l.Groups = append(l.Groups, f.RowGroup(i).NumRows())
	}
	l.Columns = make([]Column, len(flat))
	names := make([]string, len(flat))
	for i, c := range flat {
		l.Columns[i], names[i] = c.Column, c.Name
	}
	if err := uniqueNames(names); err != nil {
		return in.errorf("%w", err)
	}
	in.Layout = l
	r, err := in.newParquetReader(s, f, all(l.Columns))
	if err != nil {
		return err
	}
	return in.sampleParquet(r)
}

// sampleParquet keeps the first rows. One that is malformed stands there all null.
func (in *Input) sampleParquet(r *parquetReader) error {
	b, err := r.next()
	if err != nil {
		return err
	}
	if b == nil {
		in.sample = array.NewRecordBuilder(memory.DefaultAllocator, r.schema).NewRecord()
		return nil
	}
	in.sample = b.Record.NewSlice(0, min(sampleRows, b.Record.NumRows()))
	return nil
}

// openParquet reads the footer and checks that it adds up.
func (in *Input) openParquet(s *stream) (f *file.Reader, err error) {
	if in.isStdin() {
		return nil, in.errorf("Parquet is read from its end, so not from here; save it to a file")
	}
	if in.Object.Size == 0 {
		return nil, in.errorf("%w", ErrEmpty)
	}
	properties := parquet.NewReaderProperties(nil)
	// Pages are read one by one. Otherwise a whole column of a row group is in memory at once.
	properties.BufferedStreamEnabled = true
	err = guarded(func() (err error) {
		f, err = file.NewParquetReader(s.file, file.WithReadProps(properties))
		return err
	})
	if err != nil {
		return nil, in.errorf("its Parquet footer cannot be read: %w; is the file complete?", err)
	}
	rows := int64(0)
	for i := range f.NumRowGroups() {
		n := f.RowGroup(i).NumRows()
		if n < 0 {
			rows = math.MinInt64
		}
		rows += n
	}
	if rows != f.NumRows() {
		return nil, in.errorf("its Parquet footer is damaged: the row groups do not add up to %d rows", f.NumRows())
	}
	return f, nil
}

// errDamaged stands for what only those who write programs understand.
var errDamaged = errors.New("it is damaged")

// plainError replaces errors of the run time, such as an index out of range: the libraries run into them over some
// kinds of damage to a file, and recover from some of them themselves.
func plainError(err error) error {
	var internal runtime.Error
	if errors.As(err, &internal) {
		return errDamaged
	}
	return err
}

// guarded turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = plainError(p)
		default:
			err = fmt.Errorf("%v", p)
		}
	}()
	return plainError(f())
}

// damaged says how far an input could be read: so many rows, and up to which part of it.
func (in *Input) damaged(rows int64, part string, err error) error {
	if err = plainError(err); errors.Is(err, errDamaged) {
		return in.errorf("cannot be read after %d rows (%s): %w; get the file again", rows, part, err)
	}
	return in.errorf("cannot be read after %d rows (%s): %w; is the file damaged?", rows, part, err)
}

// stepRows is how many rows are read at once. It bounds by how much a batch may exceed batchBytes: how large the
// next rows are shows only when they have been read.
const stepRows = 64

// parquetReader turns the row groups of a file into batches. A batch never spans two of them.
type parquetReader struct {
	in     *Input
	stream *stream
	file   *file.Reader
	wanted []parquetColumn
	schema *arrow.Schema

	end    int     // row group at which to stop
	group  int     // the open row group
	row    int64   // rows of the file before the next batch
	left   int64   // rows of the open group that are still to be read
	step   int64   // most rows to read at once
	chunks []chunk // the wanted columns of the open group
}

// newParquetReader stands before the first row group, none of which is open.
func (in *Input) newParquetReader(s *stream, f *file.Reader, columns []int) (*parquetReader, error) {
	r := &parquetReader{in: in, stream: s, file: f, group: -1, end: f.NumRowGroups(), schema: newSchema(in.Layout.Columns, columns)}
	flat, _ := flatColumns(f.MetaData())
	for _, c := range columns {
		want := in.Layout.Columns[c]
		if c >= len(flat) || flat[c].Name != want.Name || !arrow.TypeEqual(flat[c].Type, want.Type) {
			return nil, in.errorf("its columns are not those of its layout; inspect it again")
		}
		r.wanted = append(r.wanted, flat[c])
	}
	return r, nil
}

// parquetReader reads from a position on: from somewhere in a row group.
func (in *Input) parquetReader(s *stream, columns []int, from Position) (reader, error) {
	f, err := in.openParquet(s)
	if err != nil {
		return nil, err
	}
	r, err := in.newParquetReader(s, f, columns)
	if err != nil {
		return nil, err
	}
	if in.split.Last > 0 {
		r.end = min(r.end, in.split.Last)
		if from == (Position{}) {
			from = in.splitStart()
		}
		if from.Offset < int64(in.split.First) {
			return nil, in.errorf("is read from row group %d, which is before its split; read the split from its beginning", from.Offset)
		}
	}
	for r.group+1 < min(int(from.Offset), r.end) {
		r.group++
		r.row += f.RowGroup(r.group).NumRows()
	}
	skip := from.Row - r.row
	if err := r.nextGroup(); err != nil {
		return nil, err
	}
	if skip < 0 || skip > r.left {
		return nil, in.errorf("has no row %d in row group %d; read it from the beginning", from.Row, from.Offset)
	}
	for skip > 0 {
		n := min(skip, r.step)
		if _, err := r.read(int(n)); err != nil {
			return nil, err
		}
		r.take()
		skip -= n
	}
	return r, nil
}

// nextGroup opens the next row group, if there is one.
func (r *parquetReader) nextGroup() error {
	r.group++
	r.left, r.chunks = 0, nil
	if r.group >= r.end {
		return nil
	}
	size := int64(0)
	err := guarded(func() error {
		g := r.file.RowGroup(r.group)
		r.left = g.NumRows()
		for _, c := range r.wanted {
			meta, err := g.MetaData().ColumnChunk(c.leaf)
			if err != nil {
				return err
			}
			size += meta.TotalUncompressedSize()
			chunk, err := openColumn(r.file.MetaData(), g, meta, c)
			if err != nil {
				return err
			}
			r.chunks = append(r.chunks, chunk)
		}
		return nil
	})
	if err != nil {
		return r.broken(err)
	}
	r.step = stepRows
	if size > 0 { // one row at once where all rows are large
		r.step = max(1, min(stepRows, batchBytes*r.left/size))
	}
	return nil
}

// next returns the next batch, or nil behind the last.
func (r *parquetReader) next() (*Batch, error) {
	for r.left == 0 {
		if r.group >= r.end {
			return nil, nil
		}
		if err := r.nextGroup(); err != nil {
			return nil, err
		}
	}
	b := &Batch{Start: Position{Offset: int64(r.group), Row: r.row}}
	rows, size := 0, 0
	for r.left > 0 && rows < batchRows && size < batchBytes {
		n := int(min(r.left, r.step, int64(batchRows-rows)))
		if size > 0 { // no more than it takes, if the rows to come are like those of the batch
			n = min(n, (batchBytes-size)*rows/size+1)
		}
		read, err := r.read(n)
		if err != nil {
			return nil, err
		}
		rows += n
		size += read
	}
	columns := r.take()
	b.Malformed = notText(columns, rows, b.Start.Row)
	b.Record = newRecord(r.schema, columns, rows)
	b.Read = share(r.in.Object.Size, r.row, r.file.NumRows())
	return b, nil
}

// read reads so many rows of the open row group, which the chunks then hold, and returns how many bytes they have.
func (r *parquetReader) read(rows int) (size int, err error) {
	for i, c := range r.chunks {
		err := guarded(func() error {
			n, err := c.read(rows)
			size += n
			return err
		})
		if err != nil {
			return 0, r.broken(fmt.Errorf("column %q: %w", r.wanted[i].Name, err))
		}
	}
	r.row += int64(rows)
	r.left -= int64(rows)
	return size, nil
}

// take returns the columns of the rows read since the last time.
func (r *parquetReader) take() []column {
	columns := make([]column, len(r.chunks))
	for i, c := range r.chunks {
		columns[i] = c.take()
	}
	return columns
}

func (r *parquetReader) check() error { return r.stream.check() }

func (r *parquetReader) close() { r.stream.close() }

func (r *parquetReader) broken(err error) error {
	return r.in.damaged(r.row, fmt.Sprintf("row group %d", r.group), err)
}

// notText finds rows with text that is not UTF-8 and makes all their cells null: Arrow promises that a string
// is UTF-8, and those who read on rely on it.
func notText(columns []column, rows int, before int64) []Malformed {
	bad := make(map[int]bool)
	for _, c := range columns {
		if c.typ.ID() != arrow.STRING {
			continue
		}
		offsets, text := arrow.GetData[int32](c.buffers[0]), c.buffers[1]
		if wholeTexts(offsets, text) {
			continue
		}
		for i := range rows {
			if isValid(c.valid, i) && !utf8.Valid(text[offsets[i]:offsets[i+1]]) {
				bad[i] = true
			}
		}
	}
	var malformed []Malformed
	for _, i := range slices.Sorted(maps.Keys(bad)) {
		malformed = append(malformed, Malformed{Index: i, Line: before + int64(i) + 1, Reason: "row: not UTF-8"})
		for _, c := range columns {
			c.clear(i)
		}
	}
	return malformed
}

// wholeTexts says whether cells that stand one behind the other are UTF-8, each of them.
func wholeTexts(offsets []int32, text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	for _, begin := range offsets {
		if int(begin) < len(text) && !utf8.RuneStart(text[begin]) {
			return false // a character goes on in the next cell
		}
	}
	return true
}
