package uid2

import (
	"fmt"

	"mapper/client"
	"mapper/client/jsonscan"
	"mapper/normalize"
)

// reply reads the JSON of an identity map reply into answers:
//
//	{"body":{"email":[],"email_hash":[…],"phone":[],"phone_hash":[…]},"status":"success"}
//
// Element i of an array answers the i-th identity of its kind. It is {"u": raw UID, "p": previous one or null,
// "r": Unix seconds} or {"e": word}. Keys may come in any order, and unknown ones mean nothing; null is as good as
// nothing. A key that comes twice, a value of the wrong type and a missing or surplus element make the whole reply
// unbelievable.
type reply struct {
	jsonscan.Scanner
	part
	at int64 // when the service answered, Unix milliseconds

	status   string // the service's word, "success" if all is well
	answered int
	odd      int // refresh_from times that cannot be
}

// read reads the reply. Unless it returns nil and status is "success", nothing in the answers may be used.
func (r *reply) read() error {
	var seen once
	hasBody := false
	r.Enter('{')
	for key := r.Key(); key != nil; key = r.Key() {
		switch string(key) {
		case "status":
			r.check(seen.first(0))
			r.status = string(r.Text())
		case "body":
			r.check(seen.first(1))
			if hasBody = !r.Null(); hasBody {
				r.body()
			}
		default:
			r.Skip()
		}
	}
	r.End()
	if r.Err() == nil && r.status == statusSuccess && (!hasBody || r.answered < len(r.ids)) {
		return fmt.Errorf("the reply has %d answers for %d identities", r.answered, len(r.ids))
	}
	return r.Err()
}

const statusSuccess = "success"

// once tells a key that comes twice, by a number for each key.
type once uint8

func (o *once) first(key uint8) bool {
	again := *o&(1<<key) != 0
	*o |= 1 << key
	return !again
}

func (r *reply) check(first bool) {
	if !first {
		r.Fail("a key that comes twice")
	}
}

func (r *reply) body() {
	var seen once
	r.Enter('{')
	for key := r.Key(); key != nil; key = r.Key() {
		switch string(key) {
		case "email_hash":
			r.check(seen.first(0))
			r.array(normalize.KindEmail)
		case "phone_hash":
			r.check(seen.first(1))
			r.array(normalize.KindPhone)
		case "email":
			r.check(seen.first(2))
			r.empty()
		case "phone":
			r.check(seen.first(3))
			r.empty()
		default:
			r.Skip()
		}
	}
}

// empty reads an array for identities of a form that we never send.
func (r *reply) empty() {
	if r.Null() {
		return
	}
	r.Enter('[')
	if r.More(']') {
		r.Fail("an answer to something that was not asked")
	}
}

// array reads the answers to the identities of one kind, which may stand anywhere among the others.
func (r *reply) array(kind normalize.Kind) {
	if r.Null() {
		return
	}
	r.Enter('[')
	i := 0
	for r.More(']') {
		for i < len(r.ids) && r.ids[i].Kind != kind {
			i++
		}
		if i == len(r.ids) {
			r.Fail("more answers than identities")
			return
		}
		r.element(r.first + i)
		i++
		r.answered++
	}
}

// span is where a text lies in Answers.Text.
type span struct{ from, to int }

func (s span) empty() bool { return s.from == s.to }

// element reads the answer number i. It sets all of it, whatever an earlier reply may have left there.
func (r *reply) element(i int) {
	var uid, previous, word span
	var refresh int64
	var seen once
	r.Enter('{')
	for key := r.Key(); key != nil; key = r.Key() {
		name := byte(0)
		if len(key) == 1 {
			name = key[0]
		}
		switch name {
		case 'u':
			r.check(seen.first(0))
			uid = r.value()
		case 'p':
			r.check(seen.first(1))
			previous = r.value()
		case 'r':
			r.check(seen.first(2))
			refresh = r.refreshFrom()
		case 'e':
			r.check(seen.first(3))
			word = r.value()
		default:
			r.Skip()
		}
	}
	if r.Err() == nil {
		r.set(i, uid, previous, word, refresh)
	}
}

// value reads a string into the answers, or nothing from null.
func (r *reply) value() span {
	if r.Null() {
		return span{}
	}
	from, to, plain := r.Span()
	if plain {
		return span{from, to}
	}
	// The scanner's Data ends where the JSON does, so what is put behind it disturbs nobody.
	begin := len(r.ans.Text)
	r.ans.Text = append(r.ans.Text, r.Resolve(from, to)...)
	return span{begin, len(r.ans.Text)}
}

// Bounds of refresh_from. The documentation once called the unit milliseconds, and 10¹¹ seconds are in the year 5138.
const (
	maxSeconds = 1e11
	maxMilli   = 1e13 // the year 2286
)

// refreshFrom reads a refresh_from, in Unix seconds, and returns Unix milliseconds; 0 is unknown.
func (r *reply) refreshFrom() int64 {
	if r.Null() {
		return 0
	}
	n := r.Number()
	if n <= maxSeconds && n > 0 {
		n *= 1000
	}
	if n <= 0 || n > maxMilli {
		r.odd++
		return 0
	}
	return n
}

// set makes the answer i from its fields. A word wins over a raw UID: whoever sends both says that there is something
// wrong with it, and it may be an opt-out.
func (r *reply) set(i int, uid, previous, word span, refresh int64) {
	answer := &r.ans.Items[i]
	*answer = client.Answer{At: r.at}
	switch {
	case !word.empty():
		answer.Status = statusOf(r.ans.Text[word.from:word.to])
		r.ans.SetWord(i, word.from, word.to)
	case !uid.empty():
		answer.Status, answer.RefreshFrom = client.Mapped, refresh
		r.ans.SetUID(i, uid.from, uid.to)
		r.ans.SetPrevious(i, previous.from, previous.to)
	}
}

// statusOf returns what a word of the service means. Others than these two are kept and mean nothing to us.
func statusOf(word []byte) client.Status {
	switch string(word) {
	case "optout":
		return client.OptOut
	case "invalid identifier":
		return client.Invalid
	}
	return client.Unknown
}
