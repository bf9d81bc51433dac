package id5

import (
	"context"
	"math"
	"net/http"
	"slices"
	"time"

	"mapper/client"
)

// Words of this program for users about whom the service has said nothing of use.
const (
	WordNoAnswer = "no answer" // the replies, two of them, left the user out
	WordNoID     = "no id"     // the reply has neither a uid nor an error for the user
)

// codeCountry is the service's code for a country that it does not take.
const codeCountry = "country_alpha2_invalid"

// Map asks for the ids of users, any number of them, in requests of at most MaxBatch, one after the other. ans gets one
// answer for each, in the same order; what it held before is overwritten, its memory reused. Afterwards it belongs to the
// caller again, and so do users and the texts of their KnownUIDs. A user whose country is none is answered client.Invalid without being sent.
//
// A refused or unknown user is an answer, not an error. After an error ans means nothing. Errors are *client.Error, or wrap
// the cause of ctx.
func (c *Client) Map(ctx context.Context, users []User, ans *client.Answers) error {
	ans.Reset(len(users))
	x := c.exchanges.Get().(*exchange)
	defer x.release()
	x.client, x.ans = c, ans
	for from := 0; from < len(users); from += c.opts.MaxBatch {
		x.users, x.first = users[from:min(from+c.opts.MaxBatch, len(users))], from
		first, behind := x.apart(x.begin())
		if err := x.settle(ctx, first); err != nil {
			return err
		}
		if err := x.settle(ctx, behind); err != nil {
			return err
		}
		if len(ans.Text) > math.MaxUint32/2 {
			return refused("too many users for one call: their answers need more than 2 GB", "ask for them in several calls")
		}
	}
	return nil
}

// exchange is a batch and what is known of its users so far. A user goes by his number, which is his place in the batch. It
// is pooled for its memory: a batch takes half a megabyte.
type exchange struct {
	client *Client
	users  []User
	first  int // which of the answers is that of users[0]
	ans    *client.Answers

	which   []int                 // memory for the numbers of those to be asked for
	behind  []int                 // and of those in a request of their own
	placed  map[[32]byte]struct{} // hashes that go with a country
	open    []bool                // those asked for in the last request and not answered yet
	at      int64                 // when the last reply was made
	buffer  []byte                // that it was read into
	said    reply                 // what it says: slices of buffer
	waiting waiting               // who is looked for in it by hash
}

// release gives the memory of an exchange back, without what belongs to the caller of Map.
func (x *exchange) release() {
	c := x.client
	x.client, x.users, x.ans = nil, nil, nil
	c.exchanges.Put(x)
}

// begin makes the exchange ready for its users and returns the numbers of those that can be sent.
func (x *exchange) begin() []int {
	x.which, x.open = x.which[:0], slices.Grow(x.open[:0], len(x.users))[:len(x.users)]
	clear(x.open)
	x.at = time.Now().UnixMilli()
	for n := range x.users {
		if isCountry(x.users[n].Country) {
			x.which = append(x.which, n)
		} else {
			x.answer(n, client.Invalid, codeCountry)
		}
	}
	return x.which
}

// apart takes out users without a country whose hash goes with one too: a reply may have any country for them, so that one
// without numbers would not tell them from the others. They are asked for behind those.
func (x *exchange) apart(which []int) (first, behind []int) {
	x.behind = x.behind[:0]
	without := slices.IndexFunc(which, func(n int) bool { return x.users[n].Country == [2]byte{} })
	if without < 0 {
		return which, nil
	}
	clear(x.placed)
	if x.placed == nil {
		x.placed = map[[32]byte]struct{}{}
	}
	for _, n := range which {
		if u := &x.users[n]; u.Country != [2]byte{} {
			x.placed[u.Hash] = struct{}{}
		}
	}
	first = which[:0]
	for _, n := range which {
		if _, also := x.placed[x.users[n].Hash]; also && x.users[n].Country == [2]byte{} {
			x.behind = append(x.behind, n)
		} else {
			first = append(first, n)
		}
	}
	return first, x.behind
}

// maxRefusals is how often users are sent again after others were named as culprits, before the search is by halves.
const maxRefusals = 3

// settle asks for some of the users until each has an answer. It uses the memory of which.
func (x *exchange) settle(ctx context.Context, which []int) error {
	refusals, askedAgain := 0, false
	for len(which) > 0 {
		refusal, err := x.ask(ctx, which)
		if err != nil {
			return err
		}
		left := x.unanswered(which)
		switch stuck := len(left) == len(which); {
		case refusal == "" && askedAgain:
			x.giveUp(left)
			return nil
		case refusal == "":
			askedAgain = true
		case stuck && len(which) == 1:
			return x.poison(which[0], refusal)
		case stuck, refusals == maxRefusals:
			return x.halve(ctx, left)
		default:
			refusals++
		}
		which = left
	}
	return nil
}

// ask sends one request and takes what its reply says about users. It returns why the service refuses the request because
// of its users, or nothing.
func (x *exchange) ask(ctx context.Context, which []int) (refusal string, err error) {
	c := x.client
	said := &x.said
	r, err := c.call(ctx, x.buffer[:0], said, x.users, which)
	if err != nil {
		return "", err
	}
	x.buffer, x.at = r.Buffer, timeOf(r.Header)
	for _, n := range which {
		x.open[n] = true
	}
	switch {
	case said.isAnswer(r.Status):
		return "", x.take(said.Users, which)
	case said.refusesUsers(r.Status):
		c.warnOfRefusal(len(which), len(said.Users))
		return c.word(&said.Error), x.take(slices.DeleteFunc(said.Users, replyUser.isUnsettled), which)
	case isCutOff(r, said), r.Status == http.StatusRequestEntityTooLarge && len(which) > 1:
		return rejectedNoReason, nil
	}
	return "", c.rejected(r, &said.Error)
}

// warnOfRefusal warns once: nothing that this package sends is known to be refused.
func (c *Client) warnOfRefusal(sent, named int) {
	if c.refusals.Add(1) == 1 {
		c.opts.Logger.Warn("the service refused a request because of its users, which had been checked; they are left out", "sent", sent, "named", named)
	}
}

// unanswered keeps of which those that are still open, and closes them until they are asked for again.
func (x *exchange) unanswered(which []int) []int {
	left := which[:0]
	for _, n := range which {
		if x.open[n] {
			left = append(left, n)
			x.open[n] = false
		}
	}
	return left
}

func (x *exchange) halve(ctx context.Context, which []int) error {
	half := len(which) / 2
	if err := x.settle(ctx, which[:half]); err != nil {
		return err
	}
	return x.settle(ctx, which[half:])
}

// giveUp answers users that the service leaves out.
func (x *exchange) giveUp(which []int) {
	for _, n := range which {
		x.answer(n, client.Unknown, WordNoAnswer)
	}
}

// poison answers a user who alone makes the service refuse a request, without naming him.
func (x *exchange) poison(n int, refusal string) error {
	if x.client.marked.Add(1) > int64(max(0, x.client.opts.MaxPoison)) {
		return broken(http.StatusBadRequest, "the service refuses more users one by one than can be by chance, lastly with "+refusal)
	}
	x.answer(n, client.Invalid, refusal)
	return nil
}

// answer sets the answer of a user who has no uid.
func (x *exchange) answer(n int, status client.Status, word string) {
	x.ans.Items[x.first+n] = client.Answer{Status: status, At: x.at}
	from := len(x.ans.Text)
	x.ans.Text = append(x.ans.Text, word...)
	x.ans.SetWord(x.first+n, from, len(x.ans.Text))
}
