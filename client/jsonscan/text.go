package jsonscan

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Text reads a string and returns what it says: a slice of Data, or memory of its own if it is not plain (see Span).
func (s *Scanner) Text() []byte {
	from, to, plain := s.Span()
	if !plain {
		return s.Resolve(from, to)
	}
	return s.Data[from:to]
}

// Resolve returns what the string says whose inside Span found at Data[from:to], in memory of its own.
func (s *Scanner) Resolve(from, to int) []byte {
	var text string
	if json.Unmarshal(s.Data[from-1:to+1], &text) != nil {
		return nil // cannot be: Span has checked it
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

// Span reads a string and returns where in Data its inside lies. A plain one says what stands there; one with escapes or,
// with Mend, one that is not UTF-8 has to go through Resolve before use.
func (s *Scanner) Span() (from, to int, plain bool) {
	if s.peek() != '"' {
		s.Fail("no string")
		return 0, 0, true
	}
	data, pos := s.Data, s.Pos+1
	from = pos
	for pos+8 <= len(data) {
		marks := special(binary.LittleEndian.Uint64(data[pos:]))
		if marks == 0 {
			pos += 8
			continue
		}
		pos += bits.TrailingZeros64(marks) / 8
		break
	}
	if pos < len(data) && data[pos] == '"' {
		s.Pos = pos + 1
		return from, pos, true
	}
	return s.oddSpan(from, pos)
}

// oddSpan reads the rest, from pos on, of a string that has something special in it, or that is near the end of Data.
func (s *Scanner) oddSpan(from, pos int) (int, int, bool) {
	plain := true
	for ; pos < len(s.Data); pos++ {
		switch c := s.Data[pos]; {
		case c == '"':
			s.Pos = pos + 1
			return s.checkUTF8(from, pos, plain)
		case c == '\\':
			plain = false
			n := escapeLen(s.Data[pos:])
			if n == 0 {
				s.Pos = pos
				s.Fail("an escape that does not exist")
				return 0, 0, true
			}
			pos += n - 1
		case c < ' ':
			s.Pos = pos
			s.Fail("a control character in a string")
			return 0, 0, true
		}
	}
	s.Fail("a string without end")
	return 0, 0, true
}

// checkUTF8 returns what Span does for a string of which everything else is known.
func (s *Scanner) checkUTF8(from, to int, plain bool) (int, int, bool) {
	switch {
	case utf8.Valid(s.Data[from:to]):
		return from, to, plain
	case s.Mend:
		return from, to, false
	}
	s.Fail("a string that is not UTF-8")
	return 0, 0, true
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
