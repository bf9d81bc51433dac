package uid2

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"mapper/client"
	"mapper/normalize"
)

// Some identity may make an operator fail: it answers 500 to every request that holds it. It must not hold up
// all others, so it is found and gets the answer Unknown. But in an outage every request fails, and then no
// identity is to blame: only while the operator is known to answer others is anything concluded from a 500.

// max500 is how many replies 500 in a row make a batch suspect.
const max500 = 3

// poisonWord is what Answers.Word says of an identity that makes the operator fail.
const poisonWord = "HTTP 500 for this identity alone"

// probe is the documented test identity that is never opted out.
var probe = normalize.ID{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte("validate@example.com"))}

// suspect has a batch answered that the operator kept answering with 500, lastly at a time.
func (c *Client) suspect(ctx context.Context, b batch, at time.Time) error {
	if c.lastSuccess.Load() < at.UnixNano() {
		// Perhaps it failed everybody. Once it is back, most such batches are innocent.
		if err := c.askProbe(ctx); err != nil {
			return err
		}
		if err := c.ask(ctx, b, 1); !isFailing500(err) {
			return c.settle(ctx, b, err)
		}
	}
	return c.bisect(ctx, b)
}

// bisect finds an identity that makes the operator fail and has all others of the batch answered.
//
// It descends to one identity: of what is left it asks the left half. If that succeeds, the culprit is on the
// right, which need not be asked to know it; if it fails, the right half is put off. At one identity it makes
// sure. What was put off is then asked in one request; if that fails there is another culprit in it. So each
// costs log₂ n requests and six at most, which is within 2⌈log₂ n⌉ for n from 64 on.
func (c *Client) bisect(ctx context.Context, b batch) error {
	var put []batch // off
	for b.len() > 1 {
		left, right := b.halves()
		switch err := c.ask(ctx, left, 1); {
		case isFailing500(err):
			b, put = left, append(put, right)
			continue
		case err != nil:
			if err := c.settle(ctx, left, err); err != nil {
				return err
			}
		}
		b = right
	}
	if err := c.single(ctx, b); err != nil {
		return err
	}
	return c.rest(ctx, put)
}

// rest asks the batches that were put off in one request. They are not neighbours, so they are asked as a batch
// of their own and their answers copied to their places.
func (c *Client) rest(ctx context.Context, put []batch) error {
	if len(put) == 0 {
		return nil
	}
	var ids []normalize.ID
	for _, b := range put {
		ids = append(ids, b.ids[b.from:b.to]...)
	}
	var answers client.Answers
	answers.Reset(len(ids))
	all := batch{ids, 0, len(ids), &answers}
	if err := c.settle(ctx, all, c.ask(ctx, all, 1)); err != nil {
		return err
	}
	next := 0
	for _, b := range put {
		for i := b.from; i < b.to; i++ {
			b.answers.Copy(i, &answers, next)
			next++
		}
	}
	return nil
}

// single has one identity answered that is suspected to make the operator fail. It is marked when the operator
// fails it, answers somebody else, and fails it again.
func (c *Client) single(ctx context.Context, b batch) error {
	for failures := 0; ; {
		err := c.ask(ctx, b, 1)
		var failing *failing500Error
		if !errors.As(err, &failing) {
			return err // nil: it was somebody else, or chance
		}
		if failures++; failures == 2 {
			return c.mark(b)
		}
		if err := c.askProbe(ctx); err != nil {
			return err
		}
	}
}

func isFailing500(err error) bool {
	var failing *failing500Error
	return errors.As(err, &failing)
}

// askProbe asks for the test identity, for as long as the operator is out.
func (c *Client) askProbe(ctx context.Context) error {
	var answers client.Answers
	answers.Reset(1)
	return c.ask(ctx, batch{[]normalize.ID{probe}, 0, 1, &answers}, 0)
}

// mark gives an identity that makes the operator fail its answer. Many of them are no accident: then the
// operator is out in a way that spares the test identity.
func (c *Client) mark(b batch) error {
	if n := c.poison.Add(1); n > int64(c.opts.MaxPoison) {
		return &client.Error{
			Fault: client.Unreachable, Op: c.op, Status: 500,
			Message: fmt.Sprintf("the operator fails on more than %d identities, each by itself", c.opts.MaxPoison),
			Remedy:  "it is probably out of order: try again later, or raise --max-poison if these identities are really to blame",
		}
	}
	a := b.answers
	item := &a.Items[b.from]
	item.Status, item.At = client.Unknown, c.now().UnixMilli()
	from := len(a.Text)
	a.Text = append(a.Text, poisonWord...)
	a.SetWord(b.from, from, len(a.Text))
	return nil
}
