package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
)

// key is one of the four keys of a request to identity/map, in the order of the reply.
type key int

const (
	email key = iota
	emailHash
	phone
	phoneHash

	keys // how many there are
)

// String returns the key as it stands in the JSON.
func (k key) String() string {
	return [...]string{"email", "email_hash", "phone", "phone_hash"}[k]
}

// query is what a request asks: the elements of its four arrays. They lie in the payload where they can.
type query [keys][][]byte

const (
	missingParameter = "Required Parameter Missing: one or more of [email, email_hash, phone, phone_hash] must be specified"
	incorrectFormat  = "Incorrect request format"
	notJSON          = "Invalid payload in body: Data is not valid json string."
	unknownError     = "Unknown error while mapping identity v3"
)

// read sets q to what the payload of a request asks.
func (q *query) read(payload []byte) *refusal {
	if q.scan(payload) {
		return nil
	}
	return q.decode(payload)
}

func (q *query) reset() {
	for k := range q {
		clear(q[k]) // a pooled query must not keep foreign memory alive
		q[k] = q[k][:0]
	}
}

// scan reads a payload of the usual shape: one object, each key at most once, arrays of strings, nothing but
// printable ASCII and no escapes. It reports false for any other, valid or not, which is then for decode.
func (q *query) scan(payload []byte) bool {
	q.reset()
	if !isPlain(payload) {
		return false
	}
	s := scanner{rest: payload}
	if !s.take('{') {
		return false
	}
	for seen := [keys]bool{}; ; {
		k, ok := keyOf(s.text())
		if !ok || seen[k] || !s.take(':') {
			return false
		}
		seen[k] = true
		if q[k], ok = s.texts(q[k]); !ok {
			return false
		}
		if !s.take(',') {
			return s.take('}') && len(s.rest) == 0
		}
	}
}

// scanner takes JSON apart that holds no escapes and no white space but spaces.
type scanner struct{ rest []byte }

// take moves past spaces, the byte c and more spaces, or reports false and stays.
func (s *scanner) take(c byte) bool {
	rest := s.rest
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0] != c {
		return false
	}
	rest = rest[1:]
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	s.rest = rest
	return true
}

// text takes a string, or returns nil.
func (s *scanner) text() []byte {
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return nil
	}
	end := bytes.IndexByte(s.rest[1:], '"')
	if end < 0 {
		return nil
	}
	text := s.rest[1 : 1+end]
	s.rest = s.rest[end+2:]
	return text
}

// texts takes an array of strings and appends them to dst.
func (s *scanner) texts(dst [][]byte) ([][]byte, bool) {
	if !s.take('[') {
		return dst, false
	}
	if s.take(']') {
		return dst, true
	}
	for {
		text := s.text()
		if text == nil {
			return dst, false
		}
		dst = append(dst, text)
		if !s.take(',') {
			return dst, s.take(']')
		}
	}
}

// isPlain reports whether b is ASCII without control characters and backslashes.
func isPlain(b []byte) bool {
	if bytes.IndexByte(b, '\\') >= 0 {
		return false
	}
	const spaces, tops = 0x2020202020202020, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		// The subtraction sets the top bit of the lowest byte that is less than a space.
		word := binary.LittleEndian.Uint64(b)
		if (word|(word-spaces))&tops != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' || c >= 0x80 {
			return false
		}
	}
	return true
}

// decode reads any payload, as the operator's strict JSON mapping does: a key that is not one of the four, a
// value that is no array and an element that is null, an array or an object make the request incorrect; a key
// with null is as good as absent; of a repeated key the last counts; numbers and booleans stand for their text.
func (q *query) decode(payload []byte) *refusal {
	q.reset()
	if len(payload) == 0 {
		return badRequest(missingParameter)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields == nil {
		return badRequest(notJSON)
	}
	if len(fields) == 0 {
		return badRequest(missingParameter)
	}
	for name, value := range fields {
		k, ok := keyOf([]byte(name))
		if !ok {
			return badRequest(incorrectFormat)
		}
		if q[k], ok = decodeTexts(value); !ok {
			return badRequest(incorrectFormat)
		}
	}
	return nil
}

func decodeTexts(value json.RawMessage) ([][]byte, bool) {
	var elements []json.RawMessage // stays nil for null
	if err := json.Unmarshal(value, &elements); err != nil {
		return nil, false
	}
	texts := make([][]byte, len(elements))
	for i, element := range elements {
		switch element[0] {
		case 'n', '[', '{':
			return nil, false
		case '"':
			var text string
			if err := json.Unmarshal(element, &text); err != nil {
				return nil, false
			}
			texts[i] = []byte(text)
		default:
			texts[i] = element
		}
	}
	return texts, true
}

func keyOf(name []byte) (key, bool) {
	for k := range keys {
		if string(name) == k.String() {
			return k, true
		}
	}
	return 0, false
}
