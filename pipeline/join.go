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
	j := &joiner{stages: s, known: make([]known, s.opts.Recent)}
	var err error
	if j.part, err = newPartWriter(ctx, s, last, w, sealed); err != nil {
		return err
	}
	cause := j.chunks(ctx)
	if cause == nil {
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
	part  *partWriter
	known []known // the answers to the identities asked last, by number modulo its length
	out   sinks.Row
}

// known is an answer that rows of later chunks may wait for. It has memory of its own, so that a chunk can be
// used again as soon as it is written.
type known struct {
	id       normalize.ID
	answer   client.Answer
	text     []byte // raw UID and previous one, or the service's word
	previous int    // where in text the previous raw UID begins
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
		j.spare.Put(c)
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
	if len(c.asks) > 0 && len(c.answers.Items) != len(c.asks) {
		return fmt.Errorf("%d answers to %d identities", len(c.answers.Items), len(c.asks)) // a bug of the client
	}
	for i := range c.rows {
		r := &c.rows[i]
		seg := &c.segments[r.segment]
		if r.begins {
			if err := j.part.begin(seg, r); err != nil {
				return err
			}
		}
		if r.outcome == empty {
			continue
		}
		if err := j.row(c, seg, r); err != nil {
			return err
		}
	}
	if err := j.part.checkInvalid(false); err != nil {
		return err
	}
	return j.part.sealIfLarge()
}

// row writes one row.
func (j *joiner) row(c *chunk, seg *segment, r *row) error {
	out := &j.out
	out.SourceFile = seg.input.Source.Object.URI
	out.SourceRow = seg.batch.start.Row + int64(r.index) + 1
	out.Kept, out.KeptRow = seg.batch.kept, int(r.index)
	out.ID, out.HasID = nil, false
	if seg.batch.ids != nil {
		if raw, ok := seg.batch.ids(int(r.index)); ok {
			out.ID, out.HasID = raw.Reveal(), true
		}
	}
	if r.outcome == malformed {
		out.SourceColumn, out.HasKind = "", false
		return j.refuse(sinks.ReasonInvalidRow, seg.batch.malformed[r.ref])
	}
	id := seg.input.Identifiers[r.column]
	out.SourceColumn = seg.input.Source.Layout.Columns[id.Column].Name
	out.Identity.Kind, out.HasKind = id.Form.Kind(), true
	j.part.note(r)
	if r.outcome == refused {
		j.part.invalidIn(r.column, r.refusal)
		return j.refuse(sinks.ReasonInvalidIdentifier, r.refusal.String())
	}
	out.HasHash = true
	if r.ref >= c.first {
		i := int(r.ref - c.first)
		if out.Identity = c.asks[i]; i == c.booked {
			// Identities are numbered in the order of the rows that ask them, so this is the first to use it.
			c.booked++
			j.part.book(&c.asks[i], &c.answers.Items[i])
		} else {
			j.part.repeat(seg, r, &out.Identity)
		}
		return j.answer(r.column, &c.answers.Items[i], c.answers.UID(i), c.answers.Previous(i), c.answers.Word(i))
	}
	k := &j.known[r.ref&uint64(len(j.known)-1)]
	out.Identity = k.id
	j.part.repeat(seg, r, &out.Identity)
	return j.answer(r.column, &k.answer, k.text[:k.previous], k.text[k.previous:], k.text)
}

// refuse writes a row that was never asked.
func (j *joiner) refuse(reason sinks.Reason, why string) error {
	out := &j.out
	out.HasHash = false
	out.MappedAt = time.Now().UnixMilli()
	out.Reason, out.RejectedBy = reason, sinks.ByMapper
	out.RawReason = append(out.RawReason[:0], why...)
	return j.part.unmapped(out)
}

// answer writes a row with what the service said of its identity.
func (j *joiner) answer(column uint8, a *client.Answer, uid, previous, word []byte) error {
	out := &j.out
	out.MappedAt = a.At
	if a.Status == client.Mapped {
		out.UID, out.Previous, out.RefreshFrom = uid, previous, a.RefreshFrom
		return j.part.mapped(out)
	}
	out.RejectedBy = sinks.ByService
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
	return j.part.unmapped(out)
}

// NoAnswer is the raw_reason where the service gave neither a raw UID nor a word.
const NoAnswer = "no answer"

var noAnswer = []byte(NoAnswer)

// remember keeps the answers of a chunk for the rows to come.
func (j *joiner) remember(c *chunk) {
	for i := range c.asks {
		k := &j.known[(c.first+uint64(i))&uint64(len(j.known)-1)]
		k.id, k.answer = c.asks[i], c.answers.Items[i]
		k.text = append(k.text[:0], c.answers.UID(i)...)
		k.previous = len(k.text)
		if k.answer.Status == client.Mapped {
			k.text = append(k.text, c.answers.Previous(i)...)
		} else {
			k.text = append(k.text, c.answers.Word(i)...)
		}
	}
}
