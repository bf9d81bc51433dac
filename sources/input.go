package sources

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
)

// ErrEmpty means that there is nothing in an input, not even a header.
var ErrEmpty = errors.New("is empty; leave it out, or allow empty inputs")

// Options tunes how inputs are opened. A zero field means its default.
type Options struct {
	Store  *objects.Store // how to reach objects in clouds; default: a new one
	Format Format         // default: found out
	Stdin  io.Reader      // what the input "-" reads; read once, never closed
	MaxRow int            // text formats: longest row in bytes, a longer one is malformed; default 1 MiB, at most 1 GiB

	Encoding  Encoding // text formats; default: UTF-8, or UTF-16 if a byte order mark says so
	Delimiter string   // CSV, TSV: an ASCII character, or tab, comma, semicolon, pipe; default: found out
	Quote     string   // CSV, TSV: an ASCII character, or none; default: "
	NoHeader  bool     // CSV, TSV: the first line is data, and columns are named 1, 2, 3; default: found out
}

const (
	defaultMaxRow = 1 << 20
	limitMaxRow   = 1 << 30 // so that the text of a batch can be addressed with Arrow's 32 bits
)

// Input is one thing to read. It holds no open file: each use of Batches opens its own, and any number of
// them may go on at once, except for standard input, which can be read once.
type Input struct {
	Object objects.Object
	Layout Layout

	store  *objects.Store
	split  Split // the row groups to read
	stdin  io.Reader
	sample arrow.Record
}

// Batch is some consecutive rows of an input. It is the receiver's for as long as it likes: no memory is used
// again, and releasing the record is not needed.
type Batch struct {
	Record    arrow.Record // the wanted columns in the order wanted; never without rows
	Start     Position     // reading from here yields this batch again; row i is data row Start.Row+i+1
	Malformed []Malformed  // the rows that could not be read, ascending; all their cells are null
	Read      int64        // bytes of the stored object read up to here; for Parquet the share of its rows

	jumps []jump // rows that do not stand on the line below the row before, ascending; text formats only
}

// jump says in which line a row begins.
type jump struct {
	row  int
	line int64
}

// Line returns in which line of the decoded text row i begins, from 1. It is for text formats.
func (b *Batch) Line(i int) int64 {
	n := sort.Search(len(b.jumps), func(n int) bool { return b.jumps[n].row > i })
	return b.after(n, i)
}

// after returns the line of row i, if none but the first n jumps are before it.
func (b *Batch) after(n, i int) int64 {
	if n == 0 {
		return b.Start.Line + int64(i) + 1
	}
	j := b.jumps[n-1]
	return j.line + int64(i-j.row)
}

// begins notes in which line the next row begins.
func (b *Batch) begins(row int, line int64) {
	if b.after(len(b.jumps), row) != line {
		b.jumps = append(b.jumps, jump{row, line})
	}
}

// Malformed is a row that could not be read.
type Malformed struct {
	Index  int    // into Batch.Record
	Line   int64  // where the row begins in the decoded text, from 1; Parquet, Arrow: the data row
	Reason string // such as "row: 3 fields, header has 5"; never a value
}

// Inspect finds out how to read an object from its first megabyte of text. The object with the URI "-" is
// standard input; what was looked at is kept for Batches.
//
// An input that cannot be read as a whole is an error, which names the object and says what to do:
// [ErrEmpty], an encoding other than the one given or marked, a binary file, a JSON array, two columns of one name, and all that
// opening a file may end with, as [objects.ErrChanged].
func Inspect(ctx context.Context, o objects.Object, opts Options) (*Input, error) {
	in := Reopen(o, Layout{}, opts)
	var head bytes.Buffer
	if in.isStdin() && in.stdin != nil {
		in.stdin = io.TeeReader(opts.Stdin, &head)
	}
	opts, err := opts.Resolve()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	switch {
	case s.isParquet(opts.Format):
		err = in.inspectColumnar(s, Parquet, opts, in.inspectParquet)
	case s.isArrow(opts.Format):
		err = in.inspectColumnar(s, Arrow, opts, in.inspectArrow)
	default:
		err = in.inspectText(s, opts)
	}
	if err != nil {
		return nil, err
	}
	if in.isStdin() {
		in.stdin = io.MultiReader(&head, opts.Stdin)
	}
	return in, nil
}

// inspectColumnar refuses options that are about text.
func (in *Input) inspectColumnar(s *stream, format Format, opts Options, inspect func(*stream) error) error {
	if err := opts.fit(format); err != nil {
		return in.errorf("%w", err)
	}
	return inspect(s)
}

// Reopen returns an input whose layout is known. It reads nothing yet.
func Reopen(o objects.Object, l Layout, opts Options) *Input {
	return &Input{Object: o, Layout: l, store: cmp.Or(opts.Store, new(objects.Store)), stdin: opts.Stdin}
}

// Sample returns all columns of up to 1000 of the first good rows, for finding out what the columns hold.
// (Malformed rows of Parquet and Arrow, which are rare, stand among them as nulls.) It is nil after Reopen.
func (in *Input) Sample() arrow.Record { return in.sample }

const sampleRows = 1000

// reader is an open input of any format.
type reader interface {
	// next returns the next batch, or nil behind the last.
	next() (*Batch, error)
	// check fails with objects.ErrChanged when what was read is not the object that was found.
	check() error
	close()
}

// Batches reads the wanted columns, given by their index in Layout.Columns, from a position on. Nothing is
// opened before the range loop begins, and all is closed when it ends, however it does. An error is the last
// thing yielded; all rows before the place where reading failed come first. A batch has at most 4096 rows and,
// its last row aside, 1 MiB of text. Where it ends depends on where it starts and on nothing else.
//
// When the object changed while it was read, the last thing is [objects.ErrChanged].
func (in *Input) Batches(ctx context.Context, columns []int, from Position) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		r, err := in.reader(ctx, columns, from)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.close()
		for {
			b, err := r.next()
			if ctx.Err() != nil {
				b, err = nil, ctx.Err()
			} else if b == nil {
				if changed := r.check(); changed != nil { // which explains whatever went wrong
					err = changed
				}
			}
			if b == nil && err == nil || !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (in *Input) reader(ctx context.Context, columns []int, from Position) (reader, error) {
	for _, c := range columns {
		if c < 0 || c >= len(in.Layout.Columns) {
			return nil, in.errorf("column number %d is wanted, it has %d columns", c, len(in.Layout.Columns))
		}
	}
	if err := in.checkSplit(); err != nil {
		return nil, err
	}
	s, err := in.open(ctx)
	if err != nil {
		return nil, err
	}
	var r reader
	switch in.Layout.Format {
	case Parquet:
		r, err = in.parquetReader(s, columns, from)
	case Arrow:
		r, err = in.arrowReader(s, columns, from)
	default:
		r, err = in.textReader(s, columns, from)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return r, nil
}

func (in *Input) isStdin() bool { return in.Object.URI == "-" }

func (in *Input) errorf(format string, args ...any) error {
	name := in.Object.URI
	if in.isStdin() {
		name = "standard input"
	}
	return fmt.Errorf("%s: "+format, append([]any{name}, args...)...)
}
