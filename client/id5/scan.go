package id5

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// scanner reads JSON (RFC 8259) from memory without an allocation. A failure sticks and moves the scanner to the end, so that
// callers need to look at failed only when they are through: after it nothing is found any more.
type scanner struct {
	text   []byte
	pos    int
	failed bool
}

func (s *scanner) fail() {
	s.failed = true
	s.pos = len(s.text)
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
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
		s.fail()
		return
	}
	s.pos++
}

// more says whether another element follows before the closing bracket, which it reads. first is whether none came yet.
func (s *scanner) more(first bool, closing byte) bool {
	switch c := s.peek(); {
	case c == closing && !s.failed:
		s.pos++
		return false
	case first:
		return !s.failed
	case c == ',':
		s.pos++
		return true
	}
	s.fail()
	return false
}

// key reads the next key of an object and its colon. more is false behind the last key.
func (s *scanner) key(first bool) (key []byte, more bool) {
	if !s.more(first, '}') {
		return nil, false
	}
	key = s.str()
	if s.peek() != ':' {
		s.fail()
		return nil, false
	}
	s.pos++
	return key, true
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

// str reads a string and returns what it says. Only one with escapes, or one that is not UTF-8, takes memory.
func (s *scanner) str() []byte {
	if s.peek() != '"' {
		s.fail()
		return nil
	}
	text, pos := s.text, s.pos+1
	from := pos
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
		return text[from:pos]
	}
	return s.oddStr(from, pos)
}

// oddStr reads the rest, from pos on, of a string that has something special in it, or that is near the end of the text.
func (s *scanner) oddStr(from, pos int) []byte {
	escaped := false
	for ; pos < len(s.text); pos++ {
		switch c := s.text[pos]; {
		case c == '"':
			s.pos = pos + 1
			if escaped || !utf8.Valid(s.text[from:pos]) {
				return resolve(s.text[from-1 : pos+1])
			}
			return s.text[from:pos]
		case c == '\\':
			n := escapeLen(s.text[pos:])
			if n == 0 {
				s.fail()
				return nil
			}
			escaped = true
			pos += n - 1
		case c < ' ':
			s.fail()
			return nil
		}
	}
	s.fail()
	return nil
}

// resolve returns what a string says, which comes with its quotes. What is not UTF-8 becomes U+FFFD: the service's messages
// quote values that need not be, and may be cut short.
func resolve(quoted []byte) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return nil // cannot be: oddStr has checked it
	}
	return []byte(text)
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
		s.fail()
		return
	}
	s.pos += len(word)
}

// maxDepth is how deep a value that nobody wants may be nested. The service nests three deep.
const maxDepth = 64

// skip reads a value of any kind that nobody wants.
func (s *scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail()
		return
	}
	switch s.peek() {
	case '{':
		s.pos++
		for _, more := s.key(true); more; _, more = s.key(false) {
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

// number reads a number that nobody wants: this service sends none that means anything.
func (s *scanner) number() {
	s.optional('-', '-')
	if zero := s.optional('0', '0'); !zero && s.digits() == 0 {
		s.fail()
	}
	if s.optional('.', '.') && s.digits() == 0 {
		s.fail()
	}
	if s.optional('e', 'E') {
		s.optional('+', '-')
		if s.digits() == 0 {
			s.fail()
		}
	}
}

// optional reads one of two bytes, if that is what comes next.
func (s *scanner) optional(a, b byte) bool {
	if s.pos == len(s.text) || s.text[s.pos] != a && s.text[s.pos] != b {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) digits() (count int) {
	for ; s.pos < len(s.text) && s.text[s.pos]-'0' <= 9; s.pos++ {
		count++
	}
	return count
}
