package pipeline

import (
	"bytes"
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
	"mapper/sources"
)

// read makes chunks of the inputs, or of what a merge says is to be done, and hands them on, to be asked and, in order,
// to be joined. It normalizes as it goes: behind it nobody holds a raw identifier.
func (s *stages) read(reading, work context.Context, inputs []Input, last Part) {
	p := s.newPacker(reading, work)
	if s.opts.Merge == nil {
		s.readErr = p.finish(s.newReader(reading, p).run(inputs, last.Cursor))
	} else {
		s.readErr = s.merge(p, inputs, last.Cursor)
	}
	close(s.asks)
	close(s.ordered)
}

// merge adds all inputs to the merge, from their beginning, and then packs what it says is to be done.
func (s *stages) merge(p *packer, inputs []Input, done Cursor) error {
	a := &adder{stages: s}
	if err := s.newReader(p.reading, a).run(inputs, Cursor{}); err != nil {
		return err
	}
	if err := a.checkInvalid(); err != nil {
		return err
	}
	return p.finish(p.tasks(done))
}

// reader normalizes the rows of the inputs and hands them to its taker.
type reader struct {
	*stages
	reading      context.Context
	to           taker
	normalizer   *normalize.Normalizer
	found        []found // the identifiers of the rows at hand, see take
	ends         []int   // where in found those of each of the rows end
	known        []byte  // the known uids of the rows at hand
	lines        int64   // rows read, those of earlier parts included
	unnormalized unnormalized
}

// taker is what becomes of the rows that are read: the packer makes chunks of them, the adder hands them to a merge.
type taker interface {
	// begin says which batch the rows to come are of.
	begin(*batch)
	// expect says which identifiers the next rows hold, before each is handed over by itself.
	expect(found []found)
	// row takes row i of the batch and the identifiers that it holds, if any.
	row(i int, found []found) error
	// malformed takes row i of the batch, which is the n-th malformed one.
	malformed(i, n int) error
}

// found is one identifier of a row.
type found struct {
	id     normalize.ID
	hash   uint64 // what recent makes of it; for the packer
	number uint64 // of the identity, if it is known; for the packer
	known  bool   // asked recently, before this row; for the packer
	column uint8
	note   normalize.Note
	reason normalize.Reason

	unnormalized bool // see row
	suppressed   bool // never to be asked; for the packer

	knownUIDs []byte // of the row; valid as long as the rows at hand
}

func (s *stages) newReader(reading context.Context, to taker) *reader {
	return &reader{stages: s, reading: reading, to: to, normalizer: normalize.New(s.opts.Normalize)}
}

// run takes all rows from a place on.
func (r *reader) run(inputs []Input, from Cursor) error {
	r.lines = from.Lines
	feeds := newFeeds(r.reading, inputs, from)
	defer feeds.close()
	for i := from.Input; i < len(inputs); i++ {
		if err := r.input(&inputs[i], i, feeds.take(), from.Row); err != nil {
			return err
		}
		from.Row = 0
		if r.limited() {
			break
		}
	}
	return nil
}

func (r *reader) limited() bool { return r.opts.Limit > 0 && r.lines >= r.opts.Limit }

// input takes what is left of an input; its first done rows have been taken before.
func (r *reader) input(in *Input, index int, feed <-chan delivery, done int64) error {
	for d := range feed {
		if d.err != nil {
			return d.err
		}
		if err := r.batch(in, index, d.batch, done); err != nil {
			return err
		}
		r.opts.Progress.readTo(index, d.batch.Read)
		if r.limited() {
			return nil
		}
	}
	return context.Cause(r.reading) // which ends a feed before its end
}

// rowsAtOnce is how many rows are normalized before the first of them is handed on. What is asked of the memory for one of
// them need not be waited for one by one, and they still fit into the fastest cache.
const rowsAtOnce = 64

// batch takes the rows of a batch that come after the first done rows of the input.
func (r *reader) batch(in *Input, index int, b *sources.Batch, done int64) error {
	rows := batchRows{in: in, Batch: b, copied: copiedOf(in, b)}
	for i, id := range in.Identifiers {
		rows.values = append(rows.values, IdentifiersOf(b.Record.Column(i), id.Form))
	}
	for len(rows.values) < in.hashed() {
		rows.values = append(rows.values, cellsOf(b.Record.Column(len(rows.values))))
	}
	r.to.begin(keep(in, index, b))
	n := b.Record.NumRows()
	for first := max(0, done-b.Start.Row); first < n && !r.limited(); first += rowsAtOnce {
		if err := r.take(&rows, int(first), int(min(first+rowsAtOnce, n))); err != nil {
			return err
		}
	}
	return nil
}

// batchRows are the rows of a batch.
type batchRows struct {
	*sources.Batch
	in     *Input
	values []cells // the columns of the identifiers and, behind them, those of what the row says beside
	copied copied
	bad    int // malformed rows before the row at hand
}

// take takes rows from first up to before end.
func (r *reader) take(rows *batchRows, first, end int) error {
	r.found, r.ends, r.known = r.found[:0], r.ends[:0], r.known[:0]
	for i := first; i < end; i++ {
		r.identify(rows, i)
		r.ends = append(r.ends, len(r.found))
	}
	r.to.expect(r.found)
	from := 0
	for i := first; i < end && !r.limited(); i++ {
		to := r.ends[i-first]
		if err := r.hand(rows, i, r.found[from:to]); err != nil {
			return err
		}
		from = to
		r.lines++
	}
	return nil
}

// hand hands over a row, with the identifiers that were found in it.
func (r *reader) hand(rows *batchRows, i int, found []found) error {
	if err := rows.copied.check(i, rows.Start.Row+int64(i)+1); err != nil {
		return err
	}
	for rows.bad < len(rows.Malformed) && rows.Malformed[rows.bad].Index < i {
		rows.bad++
	}
	if rows.bad < len(rows.Malformed) && rows.Malformed[rows.bad].Index == i {
		bad := &rows.Malformed[rows.bad]
		r.opts.Malformed(rows.in.Source.Object.URI, bad.Line, bad.Reason)
		return r.to.malformed(i, rows.bad)
	}
	return r.to.row(i, found)
}

// about is what a row says beside its identifiers.
type about struct {
	region    normalize.Raw // of phones
	country   [2]byte
	refusal   normalize.Reason // why the country is none
	knownUIDs []byte
}

// about reads what row i says beside its identifiers.
func (r *reader) about(rows *batchRows, i int) (a about) {
	in, values := rows.in, rows.values[len(rows.in.Identifiers):]
	next := func(column *int) (raw normalize.Raw) {
		if column == nil {
			return raw
		}
		cell := values[0]
		values = values[1:]
		if text, ok := cell(i); ok {
			raw = text
		}
		return raw
	}
	a.region = next(in.PhoneRegion)
	a.country = in.Everywhere
	if in.Country != nil {
		a.country, a.refusal = normalize.ParseCountry(next(in.Country))
	}
	from := len(r.known)
	r.known = append(r.known, bytes.TrimSpace(next(in.KnownUIDs).Reveal())...)
	a.knownUIDs = r.known[from:]
	return a
}

// identify finds the identifiers of a row.
func (r *reader) identify(rows *batchRows, i int) {
	from, in := len(r.found), rows.in
	about := about{country: in.Everywhere}
	if len(rows.values) > len(in.Identifiers) {
		about = r.about(rows, i)
	}
	for column, identifier := range in.Identifiers {
		raw, ok := rows.values[column](i)
		if !ok {
			continue
		}
		f := found{column: uint8(column)}
		f.id, f.note, f.reason = r.normalizer.IdentityIn(identifier.Form, raw, about.region)
		if f.reason == normalize.ReasonNone {
			f.id.Country, f.reason, f.knownUIDs = about.country, about.refusal, about.knownUIDs
		}
		if f.reason != normalize.ReasonEmpty {
			r.found = append(r.found, f)
		}
	}
	if row := r.found[from:]; len(row) > 1 {
		r.unnormalized.mark(row, func(column uint8) normalize.Raw {
			raw, _ := rows.values[column](i)
			return raw
		})
	}
}

// keep returns what outlives the normalizing of a batch: the caller's keys and the kept columns.
func keep(in *Input, index int, b *sources.Batch) *batch {
	k := &batch{input: in, index: index, start: b.Start}
	for _, m := range b.Malformed {
		k.malformed = append(k.malformed, m.Reason)
	}
	var bytes uint64
	columns, fields := b.Record.Columns(), b.Record.Schema().Fields()
	next := in.hashed()
	if in.ID != NoColumn {
		k.ids = cellsOf(columns[next])
		bytes += columns[next].Data().SizeInBytes()
		next++
	}
	if len(in.Keep) > 0 {
		k.kept = array.NewRecord(arrow.NewSchema(slices.Clone(fields[next:]), nil), columns[next:], b.Record.NumRows())
		for _, column := range columns[next:] {
			bytes += column.Data().SizeInBytes()
		}
	}
	k.bytesPerRow = int64(bytes) / max(1, b.Record.NumRows())
	return k
}
