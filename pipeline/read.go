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
	found        []found // the identifiers of the row at hand
	lines        int64   // rows read, those of earlier parts included
	unnormalized unnormalized
}

// taker is what becomes of the rows that are read: the packer makes chunks of them, the adder hands them to a merge.
type taker interface {
	// begin says which batch the rows to come are of.
	begin(*batch)
	// row takes row i of the batch and the identifiers that it holds, if any.
	row(i int, found []found) error
	// malformed takes row i of the batch, which is the n-th malformed one.
	malformed(i, n int) error
}

// found is one identifier of a row.
type found struct {
	id     normalize.ID
	number uint64 // of the identity, if it is known; for the packer
	known  bool   // asked recently, before this row; for the packer
	column uint8
	note   normalize.Note
	reason normalize.Reason

	unnormalized bool // see row
	suppressed   bool // never to be asked; for the packer

	knownUIDs []byte // of the row; valid until the next one
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

// batch takes the rows of a batch that come after the first done rows of the input.
func (r *reader) batch(in *Input, index int, b *sources.Batch, done int64) error {
	copied := copiedOf(in, b)
	values := make([]cells, 0, in.hashed())
	for i, id := range in.Identifiers {
		values = append(values, IdentifiersOf(b.Record.Column(i), id.Form))
	}
	for len(values) < in.hashed() {
		values = append(values, cellsOf(b.Record.Column(len(values))))
	}
	r.to.begin(keep(in, index, b))
	bad := 0 // malformed rows before row i
	for i := range int(b.Record.NumRows()) {
		isBad := bad < len(b.Malformed) && b.Malformed[bad].Index == i
		if isBad {
			bad++
		}
		number := b.Start.Row + int64(i) + 1
		if number <= done {
			continue
		}
		if r.limited() {
			break
		}
		err := copied.check(i, number)
		switch {
		case err != nil:
		case isBad:
			r.opts.Malformed(in.Source.Object.URI, b.Malformed[bad-1].Line, b.Malformed[bad-1].Reason)
			err = r.to.malformed(i, bad-1)
		default:
			r.identify(in, values, i)
			err = r.to.row(i, r.found)
		}
		if err != nil {
			return err
		}
		r.lines++
	}
	return nil
}

// about is what a row says beside its identifiers.
type about struct {
	region    normalize.Raw // of phones
	country   [2]byte
	refusal   normalize.Reason // why the country is none
	knownUIDs []byte
}

// about reads what row i says beside its identifiers. values are the columns that are for it.
func (r *reader) about(in *Input, values []cells, i int) (a about) {
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
	a.knownUIDs = bytes.TrimSpace(next(in.KnownUIDs).Reveal())
	return a
}

// identify finds the identifiers of a row. values are the columns of the identifiers and, behind them, those of what the
// row says beside.
func (r *reader) identify(in *Input, values []cells, i int) {
	r.found = r.found[:0]
	about := about{country: in.Everywhere}
	if len(values) > len(in.Identifiers) {
		about = r.about(in, values[len(in.Identifiers):], i)
	}
	for column, identifier := range in.Identifiers {
		raw, ok := values[column](i)
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
	if len(r.found) > 1 {
		r.unnormalized.mark(r.found, func(column uint8) normalize.Raw {
			raw, _ := values[column](i)
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
