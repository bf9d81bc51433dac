package uid2

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// scanner reads strict JSON (RFC 8259) from memory without an allocation. An error sticks and moves the scanner to the
// end, so that callers need to look at err only when they are through: after it nothing is found any more.
type scanner struct {
	text []byte
	pos  int
	err  error
}

// fail says where the text stopped being what it should. It never quotes the text.
func (s *scanner) fail(why string) {
	if s.err == nil {
		s.err = fmt.Errorf("the reply's JSON, at byte %d: %s", s.pos, why)
	}
	s.pos = len(s.text)
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) && s.text[s.pos] > ' ' {
		return s.text[s.pos]
	}
	return s.space()
}

func (s *scanner) space() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// enter reads the bracket that begins an object or an array.
func (s *scanner) enter(bracket byte) {
	if s.peek() != bracket {
		s.fail("no " + string(bracket))
		return
	}
	s.pos++
}

// more says whether another element follows before the closing bracket, which it reads. first is whether none came yet.
func (s *scanner) more(first bool, closing byte) bool {
	switch c := s.peek(); {
	case c == closing && s.err == nil:
		s.pos++
		return false
	case first:
		return s.err == nil
	case c == ',':
		s.pos++
		return true
	}
	s.fail("no comma and no " + string(closing))
	return false
}

// key reads the next key of an object and its colon. It returns nil behind the last key.
func (s *scanner) key(first bool) []byte {
	if !s.more(first, '}') {
		return nil
	}
	// The keys of an answer are one letter, and the service sends no white space.
	if t := s.text[s.pos:]; len(t) > 4 && t[0] == '"' && t[2] == '"' && t[3] == ':' && t[1]-'a' <= 'z'-'a' {
		s.pos += 4
		return t[1:2]
	}
	key := s.decoded()
	if s.peek() != ':' {
		s.fail("no colon")
		return nil
	}
	s.pos++
	return key
}

// decoded reads a string and returns it with its escapes resolved. Only those take memory.
func (s *scanner) decoded() []byte {
	from, to, escaped := s.str()
	if escaped {
		return unescape(s.text[from:to])
	}
	return s.text[from:to]
}

// unescape resolves the escapes of a string that str has read.
func unescape(raw []byte) []byte {
	quoted := append(append(append(make([]byte, 0, len(raw)+2), '"'), raw...), '"')
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil // cannot be: str has checked it
	}
	return []byte(text)
}

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// special marks, by its high bit, the first of 8 bytes that a JSON string does not take as it is: a control character, a
// quote, a backslash, or anything beyond ASCII. It is 0 when there is none. Subtracting borrows through a byte that is too
// small, so marks above the first mean nothing.
func special(w uint64) uint64 {
	control := w - ' '*ones
	quote := (w ^ '"'*ones) - ones
	backslash := (w ^ '\\'*ones) - ones
	return (control | quote | backslash | w) & highs
}

// str reads a string and returns where its inside lies. An escaped one has to be resolved before use.
func (s *scanner) str() (from, to int, escaped bool) {
	if s.peek() != '"' {
		s.fail("no string")
		return 0, 0, false
	}
	text, pos := s.text, s.pos+1
	from = pos
	for pos+8 <= len(text) {
		marks := special(binary.LittleEndian.Uint64(text[pos:]))
		if marks == 0 {
			pos += 8
			continue
		}
		pos += bits.TrailingZeros64(marks) / 8
		break
	}
	if pos < len(text) && text[pos] == '"' {
		s.pos = pos + 1
		return from, pos, false
	}
	return s.oddStr(from, pos)
}

// oddStr reads the rest, from pos on, of a string that has something special in it, or that is near the end of the text.
func (s *scanner) oddStr(from, pos int) (int, int, bool) {
	escaped := false
	for ; pos < len(s.text); pos++ {
		switch c := s.text[pos]; {
		case c == '"':
			s.pos = pos + 1
			if !utf8.Valid(s.text[from:pos]) {
				s.fail("a string that is not UTF-8")
				return 0, 0, false
			}
			return from, pos, escaped
		case c == '\\':
			escaped = true
			n := escapeLen(s.text[pos:])
			if n == 0 {
				s.pos = pos
				s.fail("an escape that does not exist")
				return 0, 0, false
			}
			pos += n - 1
		case c < ' ':
			s.pos = pos
			s.fail("a control character in a string")
			return 0, 0, false
		}
	}
	s.fail("a string without end")
	return 0, 0, false
}

// escapeLen returns the length of the escape that text begins with, or 0 when it is none.
func escapeLen(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		if _, err := strconv.ParseUint(string(text[2:6]), 16, 16); err != nil {
			return 0
		}
		return 6
	}
	return 0
}

// null reads a null, if that is what comes next.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return true
}

func (s *scanner) literal(word string) {
	if end := s.pos + len(word); end > len(s.text) || string(s.text[s.pos:end]) != word {
		s.fail("no value")
		return
	}
	s.pos += len(word)
}

// maxDepth is how deep a value that we skip may be nested. The service nests three deep.
const maxDepth = 64

// skip reads a value of any kind that nobody wants.
func (s *scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail("nested too deep")
		return
	}
	switch c := s.peek(); c {
	case '{':
		s.pos++
		for key := s.key(true); key != nil; key = s.key(false) {
			s.skip(depth + 1)
		}
	case '[':
		s.pos++
		for first := true; s.more(first, ']'); first = false {
			s.skip(depth + 1)
		}
	case '"':
		s.str()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}
