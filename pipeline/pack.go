package pipeline

import (
	"context"
	"errors"

	"mapper/normalize"
)

// packer packs rows, or what a merge says is to be done, into chunks and hands them on.
type packer struct {
	*stages
	reading, work context.Context
	recent        *recent
	chunk         *chunk
	from          segment // what the rows at hand come from; the last segment of the chunk
}

func (s *stages) newPacker(reading, work context.Context) *packer {
	p := &packer{stages: s, reading: reading, work: work, recent: newRecent(s.opts.Recent)}
	p.chunk = p.newChunk()
	return p
}

// finish hands on what is left. cause is why no more comes: what was packed before it is good.
func (p *packer) finish(cause error) error {
	if cause != nil && p.reading.Err() != nil {
		return cause
	}
	return errors.Join(cause, p.send())
}

func (p *packer) begin(b *batch) { p.continueWith(segment{batch: b}) }

// continueWith begins a segment of the chunk.
func (p *packer) continueWith(from segment) {
	p.from = from
	p.chunk.segments = append(p.chunk.segments, from)
}

// segment is the number of the segment at hand.
func (p *packer) segment() int32 { return int32(len(p.chunk.segments) - 1) }

// makeRoom sends the chunk when it has no room for fresh identities more.
func (p *packer) makeRoom(fresh int) error {
	if !p.chunk.isFull(fresh, p.opts.MaxBatch) {
		return nil
	}
	if err := p.send(); err != nil {
		return err
	}
	p.continueWith(p.from)
	return nil
}

func (p *packer) malformed(i, n int) error {
	if err := p.makeRoom(0); err != nil {
		return err
	}
	p.add(row{ref: uint64(n), index: int32(i), outcome: malformed, begins: true}, p.from.batch.bytesPerRow)
	return nil
}

// expect asks the memory for what the rows to come will want of it.
func (p *packer) expect(found []found) {
	for n := range found {
		f := &found[n]
		f.hash = p.recent.hash(&f.id)
		p.recent.touch(f.hash)
	}
}

func (p *packer) row(i int, found []found) error {
	fresh := 0
	for n := range found {
		f := &found[n]
		f.suppressed = f.reason == normalize.ReasonNone && p.opts.Suppressed != nil && p.opts.Suppressed(&f.id)
		if f.reason == normalize.ReasonNone && !f.suppressed {
			if f.number, f.known = p.recent.find(&f.id, f.knownUIDs, f.hash); !f.known {
				fresh++
			}
		}
	}
	if err := p.makeRoom(fresh); err != nil {
		return err
	}
	bytes := p.from.batch.bytesPerRow
	if len(found) == 0 {
		p.add(row{index: int32(i), outcome: empty, begins: true}, bytes)
		return nil
	}
	for n := range found {
		f := &found[n]
		out := row{index: int32(i), column: f.column, outcome: refused, refusal: f.reason, note: f.note, begins: n == 0, unnormalized: f.unnormalized}
		switch {
		case f.suppressed:
			out.outcome, out.ref = suppressed, p.suppress(&f.id)
		case f.reason == normalize.ReasonNone:
			out.outcome, out.ref = asked, p.number(f, n)
		}
		p.add(out, bytes)
		bytes = 0
	}
	return nil
}

// add puts a row into the chunk that costs bytes besides itself.
func (p *packer) add(r row, bytes int64) {
	r.segment = p.segment()
	p.chunk.rows = append(p.chunk.rows, r)
	p.chunk.rowBytes += rowBytes + bytes
}

// number returns the number of the n-th identity of a row, which is asked now if it has not been.
func (p *packer) number(f *found, n int) uint64 {
	if f.known {
		return f.number
	}
	if n > 0 { // the same identity may stand in a column before this one
		if number, known := p.recent.find(&f.id, f.knownUIDs, f.hash); known {
			return number
		}
	}
	return p.ask(&f.id, f.knownUIDs, f.hash)
}

// suppress notes an identity that is never to be asked.
func (p *packer) suppress(id *normalize.ID) (index uint64) {
	p.chunk.suppressed = append(p.chunk.suppressed, *id)
	return uint64(len(p.chunk.suppressed) - 1)
}

// ask adds an identity to the request of the chunk. hash is what recent makes of it.
func (p *packer) ask(id *normalize.ID, knownUIDs []byte, hash uint64) (number uint64) {
	p.chunk.asks.add(id, knownUIDs)
	return p.recent.add(id, knownUIDs, hash)
}

// send hands the chunk on and begins the next one. It waits for room in the byte budget, and until
// few enough identities are in no sealed part: back-pressure ends here, and a full reorder window only stops reading.
func (p *packer) send() error {
	c := p.chunk
	if len(c.rows) == 0 {
		return nil
	}
	// A chunk larger than the whole budget takes all of it.
	c.held = min(c.weight(), p.opts.Memory)
	if err := p.budget.Acquire(p.reading, c.held); err != nil {
		return context.Cause(p.reading)
	}
	if len(c.asks.IDs) == 0 {
		close(c.done)
	} else {
		if err := p.unsaved.Acquire(p.reading, int64(len(c.asks.IDs))); err != nil {
			return context.Cause(p.reading)
		}
		select {
		case p.asks <- c:
		case <-p.reading.Done():
			return context.Cause(p.reading)
		}
	}
	select {
	case p.ordered <- c:
	case <-p.work.Done():
		return context.Cause(p.work)
	}
	p.chunk = p.newChunk()
	return nil
}

func (p *packer) newChunk() *chunk {
	c, ok := p.spare.Get().(*chunk)
	if !ok {
		c = new(chunk)
	}
	c.reset(p.recent.next)
	return c
}
