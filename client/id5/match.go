package id5

import (
	"net/http"
	"strconv"

	"mapper/client"
)

// key is by what a user is recognized in a reply that lacks his number.
type key struct {
	hash    [32]byte
	country [2]byte
}

// take puts what a reply says about the users that were asked for into the answers.
func (x *exchange) take(users []replyUser, which []int) error {
	var unnumbered []*replyUser
	for i := range users {
		u := &users[i]
		if u.Number == "" {
			unnumbered = append(unnumbered, u)
			continue
		}
		n, known := x.numbered(u.Number)
		if !known {
			x.client.extra.Add(1)
			continue
		}
		if hash, ok := u.hash(); u.Hash != "" && (!ok || hash != x.users[n].Hash) {
			return broken(http.StatusOK, "a reply has a user's number with the hash of another")
		}
		x.set(n, u)
	}
	if len(unnumbered) > 0 {
		x.takeByHash(unnumbered, which)
	}
	return nil
}

// numbered returns the user that a partner_user_id stands for, if he is still to be answered.
func (x *exchange) numbered(text string) (n int, known bool) {
	wide, err := strconv.ParseUint(text, numberBase, 31)
	if err != nil || wide >= uint64(len(x.users)) || strconv.FormatUint(wide, numberBase) != text {
		return 0, false
	}
	return int(wide), x.open[wide]
}

// waiting are the users of a request, in their order, by what they are recognized by.
type waiting map[key][]int

func (x *exchange) takeByHash(users []*replyUser, which []int) {
	w := waiting{}
	for _, n := range which {
		if x.open[n] {
			k := key{x.users[n].Hash, x.users[n].Country}
			w[k] = append(w[k], n)
		}
	}
	for _, u := range users {
		fit := w.fitting(u)
		if len(fit) == 0 {
			x.client.extra.Add(1)
		}
		for _, n := range fit {
			x.set(n, u)
		}
	}
}

// fitting takes out the users whom an answer is for: the first of those who fit, but an error is about all of them. Whoever
// was sent without a country may come back with any.
func (w waiting) fitting(u *replyUser) []int {
	hash, ok := u.hash()
	if !ok {
		return nil
	}
	k := key{hash: hash}
	if len(u.Country) == len(k.country) {
		copy(k.country[:], u.Country)
	}
	if len(w[k]) == 0 {
		k.country = [2]byte{}
	}
	fit := w[k]
	if u.Error == nil && len(fit) > 1 {
		fit = fit[:1]
	}
	w[k] = w[k][len(fit):]
	return fit
}

// set makes the answer of a user. An error wins over a uid: whoever sends both says that there is something wrong with it.
func (x *exchange) set(n int, u *replyUser) {
	x.open[n] = false
	switch {
	case u.Error != nil:
		x.answer(n, client.Invalid, x.client.word(u.Error))
	case u.UID == "":
		x.answer(n, client.Unknown, WordNoID)
	default:
		from := len(x.ans.Text)
		x.ans.Text = append(x.ans.Text, u.UID...)
		x.ans.Items[x.first+n] = client.Answer{Status: client.Mapped, At: x.at}
		x.ans.SetUID(x.first+n, from, len(x.ans.Text))
	}
}
