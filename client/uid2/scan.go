package uid2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"mapper/client"
	"mapper/normalize"
)

// scanner reads the JSON of a reply straight into answers:
//
//	{"body":{"email":[],"email_hash":[E…],"phone":[],"phone_hash":[E…]},"status":"success"}
//
// where E is {"u":raw UID,"p":previous raw UID or null,"r":Unix seconds} or {"e":word}. Element i answers the
// i-th identity of that kind. Keys may come in any order, unknown ones are ignored, those it knows must come
// once. It copies nothing and allocates nothing, but for strings with escapes, which no operator writes.
type scanner struct {
	text    []byte // answers.Text when the scan began
	pos     int
	ids     []normalize.ID // that were asked
	first   int            // index of ids[0] in answers
	answers *client.Answers
	at      int64 // the operator's time, Unix milliseconds

	oddRefresh int // refresh times that were no plausible Unix seconds
}

// maxDepth bounds the nesting of what is ignored.
const maxDepth = 32

var errJSON = errors.New("the reply is no valid JSON")

// reply reads the whole text.
func (s *scanner) reply() error {
	var hasBody bool
	var status []byte
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "body":
			if hasBody {
				return fmt.Errorf("the reply has two bodies")
			}
			hasBody = true
			return s.body()
		case "status":
			status, err = s.plainString()
			return err
		}
		return s.skip(0)
	})
	if err != nil {
		return err
	}
	if s.space(); s.pos != len(s.text) {
		return fmt.Errorf("%w: something follows it", errJSON)
	}
	switch {
	case string(status) != "success":
		return fmt.Errorf("the reply has the status %.40q, want \"success\"", status)
	case !hasBody:
		return errors.New("the reply has no body")
	}
	return nil
}

// body reads the four arrays and checks that each is as long as what was asked.
func (s *scanner) body() error {
	want := map[string]int{"email": 0, "phone": 0, "email_hash": 0, "phone_hash": 0}
	for i := range s.ids {
		want[keyOf[s.ids[i].Kind]]++
	}
	got := map[string]int{}
	err := s.object(func(key []byte) error {
		if _, known := want[string(key)]; !known {
			return s.skip(0)
		}
		if _, twice := got[string(key)]; twice {
			return fmt.Errorf("the reply has two arrays %s", key)
		}
		name := string(key)
		n, err := s.array(name)
		got[name] = n
		return err
	})
	if err != nil {
		return err
	}
	for name, n := range want {
		if got[name] != n {
			return fmt.Errorf("the reply has %d answers in %s to %d identities", got[name], name, n)
		}
	}
	return nil
}

// keyOf names the array of a kind of identity.
var keyOf = [normalize.Kinds]string{normalize.KindEmail: "email_hash", normalize.KindPhone: "phone_hash"}

// array reads the answers to the identities of one kind and returns their number.
func (s *scanner) array(name string) (n int, err error) {
	if s.null() {
		return 0, nil
	}
	next := 0
	return n, s.list(func() error {
		for next < len(s.ids) && keyOf[s.ids[next].Kind] != name {
			next++
		}
		if next == len(s.ids) {
			return fmt.Errorf("the reply has more answers in %s than there were identities", name)
		}
		n++
		next++
		return s.answer(s.first + next - 1)
	})
}

// answer reads the element for answers.Items[i].
func (s *scanner) answer(i int) error {
	a := &s.answers.Items[i]
	a.At = s.at
	var u, p, e, r bool
	err := s.object(func(key []byte) error {
		if len(key) != 1 {
			return s.skip(0)
		}
		switch key[0] {
		case 'u':
			return s.member(&u, func(from, to int) { s.answers.SetUID(i, from, to) })
		case 'p':
			return s.member(&p, func(from, to int) { s.answers.SetPrevious(i, from, to) })
		case 'e':
			return s.member(&e, func(from, to int) { s.answers.SetWord(i, from, to) })
		case 'r':
			if r {
				return errTwice
			}
			r = true
			return s.refreshFrom(a)
		}
		return s.skip(0)
	})
	if err != nil {
		return err
	}
	s.judge(i)
	return nil
}

var errTwice = errors.New("the reply has an answer with the same key twice")

// member reads a string or null that may come once.
func (s *scanner) member(seen *bool, set func(from, to int)) error {
	if *seen {
		return errTwice
	}
	*seen = true
	if s.null() {
		return nil
	}
	from, to, err := s.string()
	if err != nil {
		return err
	}
	set(from, to)
	return nil
}

// judge says what an element means. A word outweighs a raw UID: it may be an opt-out.
func (s *scanner) judge(i int) {
	a := &s.answers.Items[i]
	switch word := s.answers.Word(i); {
	case string(word) == "optout":
		a.Status = client.OptOut
	case string(word) == "invalid identifier":
		a.Status = client.Invalid
	case len(word) > 0:
		a.Status = client.Unknown
	case len(s.answers.UID(i)) > 0:
		a.Status = client.Mapped
	}
}

const (
	// Seconds do not reach this before the year 5138. Until April 2026 the documentation called the unit
	// milliseconds, so there may be operators that send them.
	leastMillis = 100_000_000_000
	// Salts are rotated for a month to come, so years ahead are no refresh time.
	mostAhead = 10 * 365 * 24 * 60 * 60 * 1000
)

// refreshFrom reads r. What cannot be a time is left out: the identity has its raw UID all the same.
func (s *scanner) refreshFrom(a *client.Answer) error {
	if s.null() {
		return nil
	}
	from := s.pos
	for s.pos < len(s.text) && bytes.IndexByte([]byte("+-.0123456789eE"), s.text[s.pos]) >= 0 {
		s.pos++
	}
	value, err := strconv.ParseInt(string(s.text[from:s.pos]), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(s.text[from:s.pos]), 64)
		if err != nil {
			return fmt.Errorf("%w: a refresh time is no number", errJSON)
		}
		value = int64(f)
	}
	switch {
	case value >= leastMillis:
		s.oddRefresh++
	case value > 0:
		value *= 1000
	}
	if value <= 0 || value > s.at+mostAhead {
		s.oddRefresh++
		value = 0
	}
	a.RefreshFrom = value
	return nil
}

// object reads an object and calls each with every key, when its value is next. each must read the value.
func (s *scanner) object(each func(key []byte) error) error {
	if !s.take('{') {
		return fmt.Errorf("%w: an object is missing", errJSON)
	}
	if s.take('}') {
		return nil
	}
	for {
		key, err := s.plainString()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return errJSON
		}
		if err := each(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// list reads an array and calls each when an element is next. each must read it.
func (s *scanner) list(each func() error) error {
	if !s.take('[') {
		return fmt.Errorf("%w: an array is missing", errJSON)
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errJSON
		}
	}
}

// take reads a byte, after space, if it is next.
func (s *scanner) take(b byte) bool {
	if s.space(); s.pos < len(s.text) && s.text[s.pos] == b {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// null reads null if it is next.
func (s *scanner) null() bool {
	if s.space(); bytes.HasPrefix(s.text[s.pos:], []byte("null")) {
		s.pos += len("null")
		return true
	}
	return false
}

// string reads a string; it is answers.Text[from:to].
func (s *scanner) string() (from, to int, err error) {
	if !s.take('"') {
		return 0, 0, fmt.Errorf("%w: a string is missing", errJSON)
	}
	from = s.pos
	ascii := true
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			to = s.pos
			s.pos++
			if !ascii && !utf8.Valid(s.text[from:to]) {
				return 0, 0, fmt.Errorf("%w: not UTF-8", errJSON)
			}
			return from, to, nil
		case c == '\\':
			return s.escaped(from - 1)
		case c < ' ':
			return 0, 0, errJSON
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return 0, 0, fmt.Errorf("%w: it ends in a string", errJSON)
}

// escaped reads the string that begins with the quote at begin and has an escape in it. Its text is put behind
// the reply's.
func (s *scanner) escaped(begin int) (from, to int, err error) {
	d := json.NewDecoder(bytes.NewReader(s.text[begin:]))
	var value string
	if err := d.Decode(&value); err != nil {
		return 0, 0, errJSON // the cause may quote the reply
	}
	s.pos = begin + int(d.InputOffset())
	from = len(s.answers.Text)
	s.answers.Text = append(s.answers.Text, value...)
	return from, len(s.answers.Text), nil
}

// plainString reads a string and returns its text.
func (s *scanner) plainString() ([]byte, error) {
	from, to, err := s.string()
	return s.answers.Text[from:to], err
}

// skip reads a value of no interest.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deeply", errJSON)
	}
	s.space()
	if s.pos == len(s.text) {
		return fmt.Errorf("%w: it ends early", errJSON)
	}
	switch s.text[s.pos] {
	case '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case '[':
		return s.list(func() error { return s.skip(depth + 1) })
	case '"':
		_, _, err := s.string()
		return err
	}
	from := s.pos
	for s.pos < len(s.text) && bytes.IndexByte([]byte(",]} \t\r\n"), s.text[s.pos]) < 0 {
		s.pos++
	}
	if !json.Valid(s.text[from:s.pos]) {
		return errJSON
	}
	return nil
}
