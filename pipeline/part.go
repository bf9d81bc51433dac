package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/axiomhq/hyperloglog"
	"golang.org/x/sync/semaphore"

	"mapper/sinks"
)

// writer is what of a [sinks.Writer] a part needs.
type writer interface {
	Begin(ctx context.Context, shard, n int) error
	Mapped([]sinks.Row) error
	Unmapped([]sinks.Row) error
	Rows() int64
	Memory() int64
	Seal() ([]sinks.File, error)
	Abort() error
}

// partWriter writes rows into parts and counts what they hold. Its first error is its last: nothing can be
// sealed after it.
type partWriter struct {
	opts    Options
	unsaved *semaphore.Weighted // of stages
	w       writer
	sealed  func(context.Context, Part) error
	ctx     context.Context // of the parts, which outlives that of reading

	n            int    // the open part, or the next one
	open         bool   // something has been read for part n
	cursor       Cursor // behind the last row
	since        time.Time
	inputs       []*inputCounter // of part n, in the order in which they came first
	byInput      map[int]*inputCounter
	in           *inputCounter // the one whose row is at hand
	live         int64         // tasks whose pair was live
	notes        [8]int64      // by bit of normalize.Note
	unnormalized int64         // hashes that were made without normalizing
	repeats      repeats
	asked        int64
	calendar     *calendar         // identities by day
	reasons      map[string]*int64 // unmapped rows by raw_reason
	usage        Usage             // at the last seal
	seen         int64             // identifiers and malformed lines of the whole run
	invalid      int64             // how many of them are invalid
	sketch       *hyperloglog.Sketch
	lines        int64 // that progress has not been told of

	block block // the rows that are mapped and not written yet

	err error
}

func newPartWriter(ctx context.Context, s *stages, last Part, w writer, sealed func(context.Context, Part) error) (*partWriter, error) {
	opts := s.opts
	p := &partWriter{ctx: ctx, opts: opts, unsaved: s.unsaved, w: w, sealed: sealed, n: last.N + 1, cursor: last.Cursor, usage: s.usage, sketch: hyperloglog.New()}
	if len(last.Sketch) > 0 {
		if err := p.sketch.UnmarshalBinary(last.Sketch); err != nil {
			return nil, err
		}
	}
	p.seen = opts.Before.Identifiers + opts.Before.Malformed
	p.invalid = opts.Before.Invalid()
	p.reset()
	return p, nil
}

func (p *partWriter) reset() {
	p.open = false
	p.inputs, p.byInput, p.in = nil, map[int]*inputCounter{}, nil
	p.live = 0
	p.notes = [8]int64{}
	p.unnormalized = 0
	p.asked = 0
	p.calendar = newCalendar()
	p.reasons = map[string]*int64{}
}

// sealIfLarge seals the open part when it holds more memory than it may.
func (p *partWriter) sealIfLarge() error {
	if p.open && p.w.Memory() >= p.opts.PartBytes {
		return p.seal(false)
	}
	return nil
}

// sealIfOld seals the open part when its time has come.
func (p *partWriter) sealIfOld() error {
	if p.open && time.Since(p.since) >= p.opts.PartInterval {
		return p.seal(false)
	}
	return nil
}

// finish seals what is there; done says that nothing comes after it. After an error it drops what is there.
func (p *partWriter) finish(done bool, inputs int) error {
	if p.err != nil {
		return errors.Join(p.err, p.w.Abort())
	}
	if done {
		p.cursor.Input, p.cursor.At.Offset, p.cursor.At.Row, p.cursor.Row = inputs, 0, 0, 0
	}
	if !p.open && !done {
		return nil
	}
	if err := p.seal(done); err != nil {
		return errors.Join(err, p.w.Abort())
	}
	return nil
}

// seal finishes the open part and hands it on.
func (p *partWriter) seal(done bool) error {
	if err := p.flush(); err != nil {
		return err
	}
	began := time.Now()
	part := Part{N: p.n, Cursor: p.cursor, Done: done}
	if p.open {
		var err error
		if part.Files, err = p.w.Seal(); err != nil {
			return p.fail(err)
		}
	}
	for _, in := range p.inputs {
		in.Unmapped = map[string]int64{}
		for reason, n := range in.unmapped {
			if n > 0 {
				in.Unmapped[sinks.Reason(reason).String()] = n
			}
		}
		part.Inputs = append(part.Inputs, in.InputCounts)
	}
	part.Totals = p.totals()
	var err error
	if part.Sketch, err = p.sketch.MarshalBinary(); err != nil {
		return p.fail(err)
	}
	part.Unique = int64(p.sketch.Estimate())
	part.Took = time.Since(began)
	if err := p.sealed(p.ctx, part); err != nil {
		return p.fail(err)
	}
	p.unsaved.Release(p.asked)
	p.opts.Progress.Parts.Add(1)
	p.n++
	p.reset()
	return nil
}

// fail remembers the first error.
func (p *partWriter) fail(err error) error {
	if p.err == nil {
		p.err = err
	}
	return err
}
