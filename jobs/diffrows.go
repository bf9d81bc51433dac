package jobs

import (
	"bytes"
	"cmp"
	"context"
	"iter"

	"mapper/client"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/sinks"
)

// held is what a view says of an identity.
type held struct {
	id       normalize.ID
	text     []byte // of the hash and country, which decides the order
	live     bool   // a pair of it is
	status   client.Status
	answer   []byte // its raw UID, also if no pair is live
	mappedAt int64
}

// uid returns the raw UID to hold downstream, or nothing.
func (h *held) uid() []byte {
	if !h.live || h.status != client.Mapped {
		return nil
	}
	return h.answer
}

// reason says why there is no raw UID to hold.
func (h *held) reason() sinks.Reason {
	if !h.live {
		return sinks.ReasonRemoved
	}
	return reasonOf(h.status)
}

func (h *held) compare(other *held) int {
	return cmp.Or(cmp.Compare(h.id.Kind, other.id.Kind), bytes.Compare(h.text, other.text))
}

// begin forgets what was, and takes over all but the life of the pair.
func (h *held) begin(r *view.Row, network sinks.Network) {
	h.id, h.live, h.status, h.mappedAt = r.Identity, false, r.Answer.Status, r.Answer.MappedAt
	if network == sinks.NetworkID5 {
		h.text = append(h.id.AppendHex(h.text[:0]), h.id.Country[:]...)
	} else {
		h.text = h.id.AppendBase64(h.text[:0])
	}
	h.answer = append(h.answer[:0], r.Answer.UID...)
}

// identitiesOf yields what a view says of its identities, in order. What is yielded is valid until the next one.
func identitiesOf(ctx context.Context, v *view.View, network sinks.Network) iter.Seq2[*held, error] {
	return func(yield func(*held, error) bool) {
		h, any := new(held), false
		for r, err := range v.Rows(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !any || h.id != r.Identity {
				if any && !yield(h, nil) {
					return
				}
				h.begin(r, network)
				any = true
			}
			h.live = h.live || r.Live
		}
		if any {
			yield(h, nil)
		}
	}
}

// comparison writes and counts what differs between two views.
type comparison struct {
	network sinks.Network
	to      *sinks.Export
	out     *Differences
	row     sinks.Row
}

// compare goes through both views in their common order.
func (c *comparison) compare(ctx context.Context, then, now *view.View) error {
	next, stop := iter.Pull2(identitiesOf(ctx, then, c.network))
	defer stop()
	before, err, more := next()
	for after, failed := range identitiesOf(ctx, now, c.network) {
		if failed != nil {
			return failed
		}
		for more && err == nil && before.compare(after) < 0 {
			if err = c.gone(ctx, before); err == nil {
				before, err, more = next()
			}
		}
		if err != nil {
			return err
		}
		var former []byte
		same := more && before.id == after.id
		if same {
			former = before.uid()
		}
		if err := c.differ(ctx, former, after); err != nil {
			return err
		}
		if same {
			before, err, more = next()
		}
	}
	for more && err == nil {
		if err = c.gone(ctx, before); err == nil {
			before, err, more = next()
		}
	}
	return err
}

// gone takes an identity that the table does not know any more: it was forgotten.
func (c *comparison) gone(ctx context.Context, before *held) error {
	return c.differ(ctx, before.uid(), &held{id: before.id})
}

// differ takes an identity with the raw UID to hold before, if there was one.
func (c *comparison) differ(ctx context.Context, former []byte, now *held) error {
	current := now.uid()
	switch {
	case len(former) == 0 && len(current) == 0:
		return nil
	case c.same(former, current):
		c.out.Unchanged++
		return nil
	case len(former) == 0:
		c.out.Adds++
	case len(current) > 0:
		c.out.Replaces++
	default:
		c.out.Removes++
		c.out.Removed[now.reason().String()]++
	}
	c.row = sinks.Row{Identity: now.id, HasKind: true, HasHash: true, Former: former, UID: current, Reason: now.reason(), MappedAt: now.mappedAt}
	return c.to.Add(context.WithoutCancel(ctx), &c.row)
}

// same says whether a raw UID needs no replacement by another. None of ID5 does, as they change with every answer.
func (c *comparison) same(former, current []byte) bool {
	if c.network == sinks.NetworkID5 && len(former) > 0 && len(current) > 0 {
		return true
	}
	return bytes.Equal(former, current)
}
