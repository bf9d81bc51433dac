package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mapper/client"
	"mapper/normalize"
	"mapper/sinks"
)

// join takes the chunks in source order, joins their answers to every row that asked, and writes parts. It is
// the only user of w.
func (s *stages) join(ctx context.Context, inputs []Input, last Part, w *sinks.Writer, sealed func(context.Context, Part) error) error {
	j := &joiner{stages: s, inputs: inputs, known: newKnown(s.opts.Recent)}
	var err error
	if j.part, err = newPartWriter(ctx, s, last, w, sealed); err != nil {
		return err
	}
	cause := j.chunks(ctx)
	if cause != nil {
		s.stop(cause) // before the last part is sealed, which takes its time: nothing more is to be asked in vain
	} else {
		cause = s.readErr
	}
	if cause == nil {
		cause = j.part.checkInvalid(true)
	}
	err = j.part.finish(cause == nil, len(inputs))
	switch {
	case cause == nil, errors.Is(err, cause):
		return err
	case err == nil:
		return cause
	}
	return errors.Join(cause, err)
}

type joiner struct {
	*stages
	inputs []Input
	part   *partWriter
	known  []known    // the answers to the identities asked last, by number modulo its length
	answer Answer     // the one at hand
	out    *sinks.Row // the one at hand, which the part lends
}

// known is an answer that rows of later chunks may wait for. It has memory of its own, so that a chunk can be
// used again as soon as it is written.
type known struct {
	id       normalize.ID
	answer   client.Answer
	text     []byte // raw UID and previous one, or the service's word
	previous int    // where in text the previous raw UID begins
}

// newKnown returns room for n answers. Their texts lie one behind the other, as they are written one after the other;
// longer ones get memory of their own.
func newKnown(n int) []known {
	const room = 96 // for two raw UIDs
	all, texts := make([]known, n), make([]byte, n*room)
	for i := range all {
		all[i].text = texts[i*room : i*room : (i+1)*room]
	}
	return all
}

// chunks writes chunk after chunk until there is no more, or one has failed: then what comes before it is good.
func (j *joiner) chunks(ctx context.Context) error {
	tick := time.NewTicker(max(j.opts.PartInterval/4, time.Millisecond))
	defer tick.Stop()
	for {
		c, err := j.next(ctx, tick.C)
		if c == nil || err != nil {
			return err
		}
		if err := j.chunk(c); err != nil {
			return err
		}
		j.remember(c)
		c.letGo()
		j.budget.Release(c.held)
		if c.memory() <= 2*c.weight() {
			j.spare.Put(c)
		}
	}
}

// next returns the next chunk with its answers, or nil at the end. While it waits, an old part is sealed.
func (j *joiner) next(ctx context.Context, tick <-chan time.Time) (*chunk, error) {
	var c *chunk
	ordered, done := (<-chan *chunk)(j.ordered), (<-chan struct{})(nil)
	for {
		select {
		case got, ok := <-ordered:
			if !ok {
				return nil, nil
			}
			c, ordered, done = got, nil, got.done
		case <-done:
			return c, c.err
		case <-tick:
			if err := j.part.sealIfOld(); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (j *joiner) chunk(c *chunk) error {
	if len(c.asks.IDs) > 0 && len(c.answers.Items) != len(c.asks.IDs) {
		return fmt.Errorf("%d answers to %d identities", len(c.answers.Items), len(c.asks.IDs)) // a bug of the client
	}
	for i := range c.rows {
		var err error
		r := &c.rows[i]
		if from := &c.segments[r.segment]; from.tasks != nil {
			err = j.task(c, r, from.tasks)
		} else {
			err = j.row(c, r, from.batch)
		}
		if err != nil {
			return err
		}
	}
	// What rows refer to belongs to the chunk.
	if err := j.part.flush(); err != nil {
		return err
	}
	if err := j.part.checkInvalid(false); err != nil {
		return err
	}
	return j.part.sealIfLarge()
}

// row counts and writes one row.
func (j *joiner) row(c *chunk, r *row, b *batch) error {
	if r.begins {
		if err := j.part.begin(b, r); err != nil {
			return err
		}
	}
	if r.outcome == empty {
		return nil
	}
	j.out = j.part.block.room()
	out := j.out
	out.SourceFile = b.input.Source.Object.URI
	out.SourceRow = b.rowNumber(int(r.index))
	out.Kept, out.KeptRow = b.kept, int(r.index)
	j.part.block.setID(b.id(int(r.index)))
	if r.outcome == malformed {
		return j.writeMalformed(b.malformed[r.ref])
	}
	id := b.input.Identifiers[r.column]
	out.SourceColumn = b.input.Source.Layout.Columns[id.Column].Name
	out.Identity, out.HasKind = normalize.ID{Kind: id.Form.Kind()}, true
	j.part.note(r)
	switch r.outcome {
	case refused:
		return j.writeRefused(r)
	case suppressed:
		out.Identity, out.HasHash = c.suppressed[r.ref], true
		return j.writeUnasked(sinks.ReasonSuppressed, OnSuppression)
	}
	if !j.take(c, r) {
		j.part.repeat(r, &out.Identity, b.index, out.SourceRow)
	}
	return j.write(r.column, &j.answer)
}

// take takes the answer that a row waits for, and its identity. It says whether the row is the first to use it.
func (j *joiner) take(c *chunk, r *row) (first bool) {
	a := &j.answer
	if r.ref < c.first {
		k := &j.known[r.ref&uint64(len(j.known)-1)]
		j.out.Identity = k.id
		a.set(&k.answer, k.text[:k.previous], k.text[k.previous:], k.text)
		return false
	}
	i := int(r.ref - c.first)
	j.out.Identity = c.asks.IDs[i]
	a.set(&c.answers.Items[i], c.answers.UID(i), c.answers.Previous(i), c.answers.Word(i))
	if i != c.booked {
		return false
	}
	// Identities are numbered in the order of the rows that ask them, so this is the first to use it.
	c.booked++
	j.part.book(&c.asks.IDs[i], a)
	return true
}

// set makes a the answer of a client, with its texts.
func (a *Answer) set(from *client.Answer, uid, previous, word []byte) {
	a.Status, a.MappedAt = from.Status, from.At
	if from.Status == client.Mapped {
		a.UID, a.Previous, a.RefreshFrom, a.RawReason = uid, previous, from.RefreshFrom, nil
	} else {
		a.UID, a.Previous, a.RefreshFrom, a.RawReason = nil, nil, 0, word
	}
}

// writeMalformed writes a line that could not be read.
func (j *joiner) writeMalformed(why string) error {
	j.out.SourceColumn, j.out.HasKind, j.out.HasHash = "", false, false
	return j.writeUnasked(sinks.ReasonInvalidRow, why)
}

// writeRefused writes an identifier that cannot be asked.
func (j *joiner) writeRefused(r *row) error {
	j.part.invalidIn(r.column, r.refusal)
	j.out.HasHash = false
	return j.writeUnasked(sinks.ReasonInvalidIdentifier, r.refusal.String())
}

// writeUnasked writes a row that was never asked.
func (j *joiner) writeUnasked(reason sinks.Reason, why string) error {
	out := j.out
	out.MappedAt = time.Now().UnixMilli()
	out.Reason, out.RejectedBy = reason, sinks.ByMapper
	out.RawReason = append(out.RawReason[:0], why...)
	return j.part.unmapped()
}

// write writes a row with what the service says, or has said, of its identity.
func (j *joiner) write(column uint8, a *Answer) error {
	out := j.out
	out.HasHash = true
	out.MappedAt = a.MappedAt
	if a.Status == client.Mapped {
		out.UID, out.Previous, out.RefreshFrom = a.UID, a.Previous, a.RefreshFrom
		return j.part.mapped()
	}
	out.RejectedBy = sinks.ByService
	word := a.RawReason
	if len(word) == 0 {
		word = noAnswer
	}
	out.RawReason = append(out.RawReason[:0], word...)
	switch a.Status {
	case client.OptOut:
		out.Reason = sinks.ReasonOptOut
	case client.Invalid:
		j.part.invalidIn(column, normalize.ReasonNone)
		out.Reason = sinks.ReasonInvalidIdentifier
	default:
		out.Reason = sinks.ReasonUnknown
	}
	return j.part.unmapped()
}

// NoAnswer is the raw_reason where the service gave neither a raw UID nor a word.
const NoAnswer = "no answer"

var noAnswer = []byte(NoAnswer)

// remember keeps the answers of a chunk for the rows to come.
func (j *joiner) remember(c *chunk) {
	for i := range c.asks.IDs {
		k := &j.known[(c.first+uint64(i))&uint64(len(j.known)-1)]
		k.id, k.answer = c.asks.IDs[i], c.answers.Items[i]
		k.text = append(k.text[:0], c.answers.UID(i)...)
		k.previous = len(k.text)
		if k.answer.Status == client.Mapped {
			k.text = append(k.text, c.answers.Previous(i)...)
		} else {
			k.text = append(k.text, c.answers.Word(i)...)
		}
	}
}
