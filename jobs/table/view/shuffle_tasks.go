package view

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
)

// Tasks yields what is to be done, in the order of the run; see [Shuffle] and [pipeline.Merge]. It ends with the first
// error, or the context's. It reads the view in a goroutine, which ends with it.
func (s *Shuffle) Tasks(ctx context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) {
		err := s.tasks(ctx, func(t *pipeline.Tasks) error {
			if !yield(t, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

func (s *Shuffle) tasks(ctx context.Context, yield func(*pipeline.Tasks) error) error {
	if s.closed {
		return errShuffleClosed
	}
	s.kept, s.readers = nil, nil // the batch of the input that was read last
	if err := s.sorted.finish(); err != nil {
		return err
	}
	j := joiner{Shuffle: s, ctx: ctx, yield: yield, batch: newTaskBatch(s.opts.Kept, s.storage), ahead: readAhead(ctx, s.view)}
	defer j.ahead.stop()
	return j.run()
}

// joiner merges what was added with the rows of the view.
type joiner struct {
	*Shuffle
	ctx   context.Context
	yield func(*pipeline.Tasks) error
	batch *taskBatch
	ahead *viewAhead
	row   *viewRow // the next of the view; nil behind the last

	pair []byte // of the last identifier, as it stands in keys; empty before the first

	// What is known of its identity.
	identity   normalize.ID
	suppressed bool
	ask        bool
	answer     pipeline.Answer
	told       pipeline.Answer // the answer, with its texts among those of the batch
	isTold     bool

	malformed string // the last reason, which lines mostly share
}

func (j *joiner) run() (err error) {
	if j.row, err = j.ahead.advance(); err != nil {
		return err
	}
	if err := j.sorted.each(j.record); err != nil {
		return err
	}
	if err := j.passAll(); err != nil {
		return err
	}
	if err := j.blanks(); err != nil {
		return err
	}
	return j.flush()
}

// record takes the next of what was added.
func (j *joiner) record(rec record) error {
	if rec.key[0] == noIdentity {
		return j.unaskable(rec)
	}
	pair, place, err := pairKey(rec.key)
	if err != nil {
		return err
	}
	first, live := !bytes.Equal(pair, j.pair), false
	if first {
		if live, err = j.beginPair(pair); err != nil {
			return err
		}
	}
	t := j.batch.add(j.do(first, live))
	t.Live, t.Identity, t.Answer = live, j.identity, j.answerOfBatch()
	if t.ID, t.HasID, err = j.idOf(pair); err != nil {
		return err
	}
	return j.fill(t, place, decoder{rest: rec.value})
}

// do says what is to be done with a row of the pair at hand.
func (j *joiner) do(first, live bool) pipeline.Do {
	switch {
	case !first:
		return pipeline.Withhold
	case j.suppressed:
		return pipeline.Suppress
	case j.ask:
		return pipeline.Ask
	case live:
		return pipeline.Withhold
	}
	return pipeline.Tell
}

// beginPair goes to a pair that has not been met, and says whether it is live.
func (j *joiner) beginPair(pair []byte) (live bool, err error) {
	if len(j.pair) == 0 || !bytes.Equal(pair[:packedLen], j.pair[:packedLen]) {
		if err := j.beginIdentity(pair[:packedLen]); err != nil {
			return false, err
		}
	}
	j.pair = append(j.pair[:0], pair...)
	if err := j.pass(pair); err != nil {
		return false, err
	}
	if j.row == nil || !bytes.Equal(j.row.key, pair) {
		return false, nil
	}
	live = j.row.Live
	j.row, err = j.ahead.advance()
	return live, err
}

// beginIdentity notes what is known of an identity that has not been met. The view's first row of it tells all.
func (j *joiner) beginIdentity(packed []byte) error {
	if err := j.pass(packed); err != nil {
		return err
	}
	if err := unpack(&j.identity, packed); err != nil {
		return err
	}
	j.answer, j.isTold = pipeline.Answer{}, false
	if j.row != nil && bytes.HasPrefix(j.row.key, packed) {
		j.answer = j.row.Answer
	}
	j.ask = j.answer.Status == client.Unknown || j.opts.Due.Is(&j.answer)
	j.suppressed = j.opts.Suppressed != nil && j.opts.Suppressed(&j.identity)
	return nil
}

// pass goes past the rows of the view that are before a key. They are not in the input.
func (j *joiner) pass(key []byte) (err error) {
	for err == nil && j.row != nil && bytes.Compare(j.row.key, key) < 0 {
		if j.opts.FullBase && j.row.Live {
			if err := j.remove(j.row); err != nil {
				return err
			}
		}
		j.row, err = j.ahead.advance()
	}
	return err
}

// passAll goes past the last row of the view, if that is of any use.
func (j *joiner) passAll() error {
	if !j.opts.FullBase {
		return nil
	}
	return j.pass(noPair[:1])
}

func (j *joiner) remove(row *viewRow) (err error) {
	t := j.batch.add(pipeline.Remove)
	t.Input, t.Live = pipeline.NoInput, true
	t.Answer = keepAnswer(&j.batch.texts, &row.Answer)
	if err := unpack(&t.Identity, row.key[:packedLen]); err != nil {
		return err
	}
	if t.ID, t.HasID, err = j.idOf(row.key); err != nil {
		return err
	}
	return j.fillKept(&decoder{}, false)
}

// unaskable takes an identifier that cannot be asked, or a malformed line. It comes after all others.
func (j *joiner) unaskable(rec record) error {
	if err := j.passAll(); err != nil {
		return err
	}
	d := decoder{rest: rec.value}
	r := takeUnaskable(&d)
	t := j.batch.add(pipeline.Refuse)
	if r.isMalformed {
		if string(r.malformed) != j.malformed {
			j.malformed = string(r.malformed)
		}
		t.Do, t.Malformed = pipeline.Malformed, j.malformed
	}
	t.Identity.Kind, t.Refusal = r.kind, r.refusal
	t.ID, t.HasID = keep(&j.batch.texts, r.id), r.hasID
	return j.fill(t, rec.key[min(len(rec.key), len(noPair)):], d)
}

// fill goes on with where a task was read and the rest of its value.
func (j *joiner) fill(t *pipeline.Task, place []byte, d decoder) error {
	if err := takePlace(place, t); err != nil {
		return err
	}
	flags := d.byte()
	if flags&flagBegins != 0 {
		t.Lines = 1
	}
	t.Unnormalized = flags&flagUnnormalized != 0
	t.Note = normalize.Note(d.byte())
	return j.fillKept(&d, flags&flagKept != 0)
}

// fillKept ends a task.
func (j *joiner) fillKept(d *decoder, has bool) error {
	if err := j.batch.keep(d, has); err != nil {
		return err
	}
	if !j.batch.full() {
		return nil
	}
	return j.flush()
}

// idOf returns the id of a pair, among the texts of the batch.
func (j *joiner) idOf(pair []byte) (id []byte, hasID bool, err error) {
	from := len(j.batch.texts)
	j.batch.texts, hasID, err = decodeID(j.batch.texts, pair[packedLen:])
	if !hasID {
		return nil, false, err
	}
	return j.batch.texts[from:len(j.batch.texts):len(j.batch.texts)], true, err
}

// answerOfBatch returns the answer of the identity with texts that are those of the batch.
func (j *joiner) answerOfBatch() pipeline.Answer {
	if !j.isTold {
		j.told, j.isTold = keepAnswer(&j.batch.texts, &j.answer), true
	}
	return j.told
}

// blanks ends with the rows without an identifier.
func (j *joiner) blanks() error {
	for input, lines := range j.blank {
		if lines == 0 {
			continue
		}
		t := j.batch.add(pipeline.Blank)
		t.Input, t.Lines = input, lines
		if err := j.fillKept(&decoder{}, false); err != nil {
			return err
		}
	}
	return nil
}

// flush hands over the tasks that are there.
func (j *joiner) flush() error {
	if j.ctx.Err() != nil {
		return context.Cause(j.ctx)
	}
	if len(j.batch.list) == 0 {
		return nil
	}
	j.isTold = false
	if err := j.yield(j.batch.take()); err != nil {
		return err
	}
	if j.closed { // by whoever took the tasks
		return errShuffleClosed
	}
	return nil
}
