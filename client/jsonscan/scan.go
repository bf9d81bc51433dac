package jsonscan

import "fmt"

// Scanner reads JSON in Data from Pos on. The zero value with Data is ready. An error sticks and moves the scanner to the
// end, so that callers need to look at Err only when they are through: after it nothing is found any more, and no loop over
// Key or More goes on.
type Scanner struct {
	// Data belongs to the caller and must not change while it is read. What stands before Pos is never looked at.
	Data []byte
	// Pos is the index in Data of the next byte to read.
	Pos int
	// Mend takes strings that are not UTF-8 as encoding/json does, with U+FFFD for what is not. Otherwise they are refused.
	Mend bool

	fresh bool // a bracket was entered, and no element of it was looked for
	err   error
}

// Err returns the first error. It says at which byte of Data, and never quotes Data, which may be a person's.
func (s *Scanner) Err() error { return s.err }

// Fail makes what is read unbelievable, for a reason of the caller's.
func (s *Scanner) Fail(why string) {
	if s.err == nil {
		s.err = fmt.Errorf("the reply's JSON, at byte %d: %s", s.Pos, why)
	}
	s.Pos = len(s.Data)
}

// End fails if anything but white space is left.
func (s *Scanner) End() {
	if s.peek(); s.Pos < len(s.Data) {
		s.Fail("something behind the end")
	}
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *Scanner) peek() byte {
	if s.Pos < len(s.Data) && s.Data[s.Pos] > ' ' {
		return s.Data[s.Pos]
	}
	return s.space()
}

func (s *Scanner) space() byte {
	for ; s.Pos < len(s.Data); s.Pos++ {
		switch c := s.Data[s.Pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// Enter reads the bracket that begins an object or an array. Its elements have to be read to the end, by Key or More.
func (s *Scanner) Enter(bracket byte) {
	if s.peek() != bracket {
		s.Fail("no " + string(bracket))
		return
	}
	s.Pos++
	s.fresh = true
}

// More says whether another element follows before the closing bracket, which it reads.
func (s *Scanner) More(closing byte) bool {
	first := s.fresh
	s.fresh = false
	switch c := s.peek(); {
	case c == closing && s.err == nil:
		s.Pos++
		return false
	case first:
		return s.err == nil
	case c == ',':
		s.Pos++
		return true
	}
	s.Fail("no comma and no " + string(closing))
	return false
}

// Key reads the next key of an object and its colon. It returns nil behind the last key. The key is as Text returns it.
func (s *Scanner) Key() []byte {
	if !s.More('}') {
		return nil
	}
	// The keys of most answers are one letter, with no white space.
	if t := s.Data[s.Pos:]; len(t) > 4 && t[0] == '"' && t[2] == '"' && t[3] == ':' && t[1]-'a' <= 'z'-'a' {
		s.Pos += 4
		return t[1:2]
	}
	key := s.Text()
	if s.peek() != ':' {
		s.Fail("no colon")
		return nil
	}
	s.Pos++
	return key
}

// Null reads a null, if that is what comes next.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return true
}

func (s *Scanner) literal(word string) {
	if end := s.Pos + len(word); end > len(s.Data) || string(s.Data[s.Pos:end]) != word {
		s.Fail("no value")
		return
	}
	s.Pos += len(word)
}

// MaxDepth is how many brackets deep Skip goes inside the value that it skips. The services nest three deep.
const MaxDepth = 64

// Skip reads a value of any kind that nobody wants.
func (s *Scanner) Skip() { s.skip(0) }

func (s *Scanner) skip(depth int) {
	if depth > MaxDepth {
		s.Fail("nested too deep")
		return
	}
	switch s.peek() {
	case '{':
		s.Enter('{')
		for key := s.Key(); key != nil; key = s.Key() {
			s.skip(depth + 1)
		}
	case '[':
		s.Enter('[')
		for s.More(']') {
			s.skip(depth + 1)
		}
	case '"':
		s.Span()
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
