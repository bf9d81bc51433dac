package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
	"mapper/sources"
)

// read makes chunks of the inputs and hands them on, to be asked and, in order, to be joined. It normalizes as
// it goes: behind it nobody holds a raw identifier.
func (s *stages) read(reading, work context.Context, inputs []Input, last Part) {
	r := &reader{
		stages: s, reading: reading, work: work,
		normalizer: normalize.New(s.opts.Normalize),
		recent:     newRecent(s.opts.Recent),
	}
	r.chunk = r.newChunk()
	s.readErr = r.run(inputs, last)
	close(s.asks)
	close(s.ordered)
}

type reader struct {
	*stages
	reading, work context.Context
	normalizer    *normalize.Normalizer
	recent        *recent
	chunk         *chunk
	found         []found // the identifiers of the row at hand
	lines         int64   // rows read, those of earlier parts included
	unnormalized  unnormalized
}

// found is one identifier of a row.
type found struct {
	id     normalize.ID
	number uint64 // of the identity, if it is known
	known  bool   // asked recently, before this row
	column uint8
	note   normalize.Note
	reason normalize.Reason

	unnormalized bool // see row
}

func (r *reader) run(inputs []Input, last Part) error {
	from := last.Cursor
	r.lines = from.Lines
	feeds := newFeeds(r.reading, inputs, from)
	defer feeds.close()
	for i := from.Input; i < len(inputs); i++ {
		if err := r.input(&inputs[i], i, feeds.take(), from.Row); err != nil {
			if r.reading.Err() == nil { // what was read before it is good
				err = errors.Join(err, r.send())
			}
			return err
		}
		from.Row = 0
		if r.limited() {
			break
		}
	}
	return r.send()
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

// batch takes the rows of a batch that come after the first done rows of the input into chunks.
func (r *reader) batch(in *Input, index int, b *sources.Batch, done int64) error {
	kept, copiedBytes := keep(in, b)
	copied := copiedOf(in, b)
	values := make([]cells, 0, in.hashed())
	for i, id := range in.Identifiers {
		values = append(values, IdentifiersOf(b.Record.Column(i), id.Form))
	}
	if in.PhoneRegion != nil {
		values = append(values, cellsOf(b.Record.Column(len(values))))
	}
	bad := 0 // malformed rows before row i
	segment := r.segment(in, index, kept)
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
		fresh := 0
		if !isBad {
			fresh = r.identify(in, values, i)
		}
		if r.chunk.isFull(fresh, r.opts.MaxBatch) {
			if err := r.send(); err != nil {
				return err
			}
			segment = r.segment(in, index, kept)
		}
		if err := copied.check(i, number); err != nil {
			return err
		}
		rowsBefore := len(r.chunk.rows)
		if isBad {
			r.opts.Malformed(in.Source.Object.URI, b.Malformed[bad-1].Line, b.Malformed[bad-1].Reason)
			r.chunk.rows = append(r.chunk.rows, row{ref: uint64(bad - 1), index: int32(i), segment: segment, outcome: malformed, begins: true})
		} else {
			r.take(i, segment)
		}
		r.lines++
		r.chunk.rowBytes += copiedBytes + int64(len(r.chunk.rows)-rowsBefore)*rowBytes
	}
	return nil
}

// segment begins a stretch of the chunk for a batch.
func (r *reader) segment(in *Input, index int, b *batch) int32 {
	r.chunk.segments = append(r.chunk.segments, segment{input: in, index: index, batch: b})
	return int32(len(r.chunk.segments) - 1)
}

// identify finds the identifiers of a row, and says how many identities they would add to a request. values are
// the columns of the identifiers and, behind them, that of the country, if there is one.
func (r *reader) identify(in *Input, values []cells, i int) (fresh int) {
	r.found = r.found[:0]
	var country normalize.Raw
	if in.PhoneRegion != nil {
		if raw, ok := values[len(in.Identifiers)](i); ok {
			country = raw
		}
	}
	for column, identifier := range in.Identifiers {
		raw, ok := values[column](i)
		if !ok {
			continue
		}
		f := found{column: uint8(column)}
		f.id, f.note, f.reason = r.normalizer.IdentityIn(identifier.Form, raw, country)
		if f.reason == normalize.ReasonEmpty {
			continue
		}
		if f.reason == 0 {
			if f.number, f.known = r.recent.find(&f.id); !f.known {
				fresh++
			}
		}
		r.found = append(r.found, f)
	}
	if len(r.found) > 1 {
		r.unnormalized.mark(r.found, func(column uint8) normalize.Raw {
			raw, _ := values[column](i)
			return raw
		})
	}
	return fresh
}

// take puts the row that identify has looked at into the chunk.
func (r *reader) take(i int, segment int32) {
	c := r.chunk
	if len(r.found) == 0 {
		c.rows = append(c.rows, row{index: int32(i), segment: segment, outcome: empty, begins: true})
		return
	}
	for n := range r.found {
		f := &r.found[n]
		out := row{index: int32(i), segment: segment, column: f.column, outcome: refused, refusal: f.reason, note: f.note, begins: n == 0, unnormalized: f.unnormalized}
		if f.reason == 0 {
			out.outcome = asked
			out.ref = r.number(f, n)
		}
		c.rows = append(c.rows, out)
	}
}

// number returns the number of the n-th identity of a row, which is asked now if it has not been.
func (r *reader) number(f *found, n int) uint64 {
	if f.known {
		return f.number
	}
	if n > 0 { // the same identity may stand in a column before this one
		if number, known := r.recent.find(&f.id); known {
			return number
		}
	}
	r.chunk.asks = append(r.chunk.asks, f.id)
	return r.recent.add(&f.id)
}

// send hands the chunk on and begins the next one. It waits for room in the byte budget: back-pressure ends
// here, and a full reorder window only stops reading.
func (r *reader) send() error {
	c := r.chunk
	if len(c.rows) == 0 {
		return nil
	}
	// A chunk larger than the whole budget takes all of it.
	c.held = min(c.weight(), r.opts.Memory)
	if err := r.budget.Acquire(r.reading, c.held); err != nil {
		return context.Cause(r.reading)
	}
	if len(c.asks) == 0 {
		close(c.done)
	} else {
		select {
		case r.asks <- c:
		case <-r.reading.Done():
			return context.Cause(r.reading)
		}
	}
	select {
	case r.ordered <- c:
	case <-r.work.Done():
		return context.Cause(r.work)
	}
	r.chunk = r.newChunk()
	return nil
}

func (r *reader) newChunk() *chunk {
	c, ok := r.spare.Get().(*chunk)
	if !ok {
		c = new(chunk)
	}
	c.reset(r.recent.next)
	return c
}

// keep returns what outlives the normalizing of a batch, the caller's keys and the kept columns, and what a row
// of it costs.
func keep(in *Input, b *sources.Batch) (k *batch, bytesPerRow int64) {
	k = &batch{start: b.Start}
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
	return k, int64(bytes) / max(1, b.Record.NumRows())
}
