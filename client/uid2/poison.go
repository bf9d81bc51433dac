package uid2

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"mapper/client"
	"mapper/normalize"
)

// A batch that keeps answering 500 either meets an outage or holds a value that the service cannot digest. The two are told
// apart by asking for something harmless: in an outage that fails too. Only when it succeeds at once is the batch searched.
const failures = 3 // 500 in a row, with back-off, before a batch is suspected

// batch answers one batch, whatever it takes.
func (c *Client) batch(ctx context.Context, p part) error {
	for {
		err := c.ask(ctx, p, failures)
		if !errors.Is(err, errFailing) {
			return err
		}
		healthy, err := c.probe(ctx)
		if err != nil {
			return err
		}
		if healthy {
			return c.bisect(ctx, p)
		}
		// The probe had to be repeated until it succeeded: there was an outage, and it is over.
	}
}

// probe asks for the identity validate@example.com, which the documentation keeps for tests, until that succeeds.
// healthy is whether it did so at once.
func (c *Client) probe(ctx context.Context) (healthy bool, err error) {
	var ans client.Answers
	ans.Reset(1)
	id := normalize.ID{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte("validate@example.com"))}
	p := part{ids: []normalize.ID{id}, ans: &ans}
	err = c.ask(ctx, p, 1)
	if !errors.Is(err, errFailing) {
		return true, err
	}
	c.flaky.Store(true)
	return false, c.ask(ctx, p, 0)
}

// bisect answers a part that fails although the service is well.
//
// It looks for the first bad value by binary search: if the left half of what is left succeeds it is answered and the value
// is in the right half, which need not be asked; if not, it is in the left half. So everything before the value is answered
// on the way, and everything after it waits for one request at the end; if that fails, there is another bad value.
func (c *Client) bisect(ctx context.Context, p part) error {
	batch := len(p.ids)
	for {
		n, alone, err := c.firstBad(ctx, p)
		if err != nil {
			return err
		}
		p = p.slice(n, len(p.ids))
		again, err := c.confirm(ctx, p, alone, c.confirmations(batch))
		if err != nil || !again {
			return err
		}
		p = p.slice(1, len(p.ids))
	}
}

// confirmations is how often a value of a batch of n must fail alone before it is marked. A bad value may cost 2⌈log₂ n⌉
// requests, which is plenty for a large batch: half of them go into the search, and most of the rest is well spent on
// certainty, for a service that fails by chance now and then would have innocent values marked. A small batch costs little
// anyway, and once the service was caught failing by chance, certainty is worth more than requests.
func (c *Client) confirmations(n int) int {
	switch {
	case c.flaky.Load():
		return 20
	case n < 64:
		return 8
	}
	return max(4, bits.Len(uint(n-1))-4)
}

// firstBad finds the first bad value of a part that fails and answers all before it. alone is whether the value itself was
// seen to fail; otherwise it follows from the rest.
func (c *Client) firstBad(ctx context.Context, p part) (n int, alone bool, err error) {
	from, to := 0, len(p.ids)
	alone = to == 1
	for to-from > 1 {
		middle := from + (to-from)/2
		err := c.ask(ctx, p.slice(from, middle), 1)
		switch {
		case err == nil:
			from, alone = middle, false
		case errors.Is(err, errFailing):
			to, alone = middle, middle-from == 1
		default:
			return 0, false, err
		}
	}
	return from, alone, nil
}

// confirm marks the first value of a part if it is bad for certain: it fails alone all but one of the times, then something
// else succeeds, then it fails alone once more. What is asked in between is the rest, which has to be asked anyway; if that
// fails too, a probe. again is whether the rest fails and has to be searched.
func (c *Client) confirm(ctx context.Context, p part, alone bool, times int) (again bool, err error) {
	value, rest := p.slice(0, 1), p.slice(1, len(p.ids))
	before := times - 1
	if alone {
		before--
	}
	bad, err := c.failsAlways(ctx, value, before)
	if err != nil {
		return false, err
	}
	if len(rest.ids) > 0 {
		if again, err = c.failsAlways(ctx, rest, 1); err != nil {
			return false, err
		}
	}
	if !bad {
		c.flaky.Store(true)
		return again, nil
	}
	if again || len(rest.ids) == 0 {
		healthy, err := c.probe(ctx)
		if err != nil {
			return false, err
		}
		if !healthy { // nothing that was seen during an outage counts
			return false, c.batch(ctx, p)
		}
	}
	if bad, err = c.failsAlways(ctx, value, 1); err != nil {
		return false, err
	}
	if !bad {
		c.flaky.Store(true)
		return again, nil
	}
	return again, c.mark(value)
}

// failsAlways asks for a part so many times and says whether it got a 500 each time. It is answered if not.
func (c *Client) failsAlways(ctx context.Context, p part, times int) (bool, error) {
	for range times {
		if err := c.ask(ctx, p, 1); !errors.Is(err, errFailing) {
			return false, err
		}
	}
	return true, nil
}

// poisonWord is what stands in place of the service's word for a value that makes it fail.
const poisonWord = "HTTP 500 for this identity alone"

// mark answers for a bad value, in the service's place and by our clock.
func (c *Client) mark(value part) error {
	if c.marked.Add(1) > int64(max(0, c.opts.MaxPoison)) {
		return &client.Error{
			Fault: client.Unreachable, Op: c.op, Status: 500,
			Message: fmt.Sprintf("more than %d values each make the service fail alone, so it is the service that fails", max(0, c.opts.MaxPoison)),
			Remedy:  "look at the service's status and run the same command again, or allow more with --max-poison",
		}
	}
	ans := value.ans
	ans.Items[value.first] = client.Answer{Status: client.Unknown, At: time.Now().UnixMilli()}
	from := len(ans.Text)
	ans.Text = append(ans.Text, poisonWord...)
	ans.SetWord(value.first, from, len(ans.Text))
	c.opts.Logger.Warn("a value makes the service fail and is left out", "left_out_so_far", c.marked.Load())
	return nil
}
