package id5

import (
	"net/http"
	"slices"

	"mapper/client"
)

// key is by what a user is recognized in a reply that lacks his number.
type key struct {
	hash    [32]byte
	country [2]byte
}

// take puts what a reply says about the users that were asked for into the answers.
func (x *exchange) take(users []replyUser, which []int) error {
	unnumbered := false
	for i := range users {
		u := &users[i]
		if len(u.Number) == 0 {
			unnumbered = true
			continue
		}
		n, known := x.numbered(u.Number)
		if !known {
			x.client.extra.Add(1)
			continue
		}
		if hash, ok := u.hash(); len(u.Hash) > 0 && (!ok || hash != x.users[n].Hash) {
			return broken(http.StatusOK, "a reply has a user's number with the hash of another")
		}
		x.set(n, u)
	}
	if unnumbered {
		x.takeByHash(users, which)
	}
	return nil
}

// numbered returns the user that a partner_user_id stands for, if he is still to be answered. Only the form in which numbers
// are sent is one: whatever else came back was not echoed.
func (x *exchange) numbered(text []byte) (n int, known bool) {
	for _, c := range text {
		digit := int(c - '0')
		if 'a' <= c && c <= 'z' {
			digit = int(c-'a') + 10
		} else if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*numberBase + digit; n >= len(x.users) {
			return 0, false
		}
	}
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	return n, x.open[n]
}

// takeByHash takes what is said about users without a number.
func (x *exchange) takeByHash(users []replyUser, which []int) {
	w := &x.waiting
	w.reset(len(x.users))
	for _, n := range slices.Backward(which) {
		if x.open[n] {
			w.prepend(key{x.users[n].Hash, x.users[n].Country}, n)
		}
	}
	for i := range users {
		u := &users[i]
		if len(u.Number) > 0 {
			continue
		}
		k, known := w.keyOf(u)
		if !known {
			x.client.extra.Add(1)
			continue
		}
		// The answer is for the first of those whom it fits, but an error is about all of them.
		for n, more := w.pop(k); more; n, more = w.pop(k) {
			x.set(n, u)
			if !u.Error.Is {
				break
			}
		}
	}
}

// waiting are the users of a request, in their order, by what they are recognized by.
type waiting struct {
	first map[key]int // the first of those with this key
	next  []int       // the one who comes after each; none after the last
}

const none = -1

func (w *waiting) reset(users int) {
	if w.first == nil {
		w.first = map[key]int{}
	}
	clear(w.first)
	w.next = slices.Grow(w.next[:0], users)[:users]
}

func (w *waiting) prepend(k key, n int) {
	w.next[n] = none
	if after, ok := w.first[k]; ok {
		w.next[n] = after
	}
	w.first[k] = n
}

// pop takes out the first user with a key.
func (w *waiting) pop(k key) (n int, ok bool) {
	if n, ok = w.first[k]; !ok {
		return 0, false
	}
	if w.next[n] == none {
		delete(w.first, k)
	} else {
		w.first[k] = w.next[n]
	}
	return n, true
}

// keyOf returns the key of those whom an answer is for, if anybody with it is waiting. Whoever was sent without a country may
// come back with any.
func (w *waiting) keyOf(u *replyUser) (k key, known bool) {
	hash, ok := u.hash()
	if !ok {
		return k, false
	}
	k.hash = hash
	if len(u.Country) == len(k.country) {
		copy(k.country[:], u.Country)
	}
	if _, known = w.first[k]; !known {
		k.country = [2]byte{}
		_, known = w.first[k]
	}
	return k, known
}

// set makes the answer of a user. An error wins over a uid: whoever sends both says that there is something wrong with it.
func (x *exchange) set(n int, u *replyUser) {
	x.open[n] = false
	switch {
	case u.Error.Is:
		x.answer(n, client.Invalid, x.client.word(&u.Error))
	case len(u.UID) == 0:
		x.answer(n, client.Unknown, WordNoID)
	default:
		from := len(x.ans.Text)
		x.ans.Text = append(x.ans.Text, u.UID...)
		x.ans.Items[x.first+n] = client.Answer{Status: client.Mapped, At: x.at}
		x.ans.SetUID(x.first+n, from, len(x.ans.Text))
	}
}
