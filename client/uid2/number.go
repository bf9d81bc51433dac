package uid2

import (
	"math"
	"strconv"
)

// number reads a number and returns its whole part, or the nearest int64 to one that is out of reach.
func (s *scanner) number() int64 {
	s.peek()
	from := s.pos
	if s.pos < len(s.text) && s.text[s.pos] == '-' {
		s.pos++
	}
	first := s.pos
	n, digits := s.digits()
	if digits == 0 || digits > 1 && s.text[first] == '0' {
		s.fail("no number")
		return 0
	}
	whole := s.pos
	s.fraction()
	if s.err != nil {
		return 0
	}
	switch {
	case s.pos > whole || digits > 18:
		return truncate(s.text[from:s.pos])
	case first > from:
		return -n
	}
	return n
}

// digits reads digits. The value is right for up to 18 of them.
func (s *scanner) digits() (value int64, count int) {
	text, pos := s.text, s.pos
	for ; pos < len(text) && text[pos]-'0' <= 9; pos++ {
		value = value*10 + int64(text[pos]-'0')
	}
	count = pos - s.pos
	s.pos = pos
	return value, count
}

// fraction reads what may follow the whole part of a number.
func (s *scanner) fraction() {
	if s.pos < len(s.text) && s.text[s.pos] == '.' {
		s.pos++
		if _, n := s.digits(); n == 0 {
			s.fail("a number without digits behind the point")
		}
	}
	if s.pos < len(s.text) && s.text[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.text) && (s.text[s.pos] == '+' || s.text[s.pos] == '-') {
			s.pos++
		}
		if _, n := s.digits(); n == 0 {
			s.fail("a number without an exponent")
		}
	}
}

// truncate returns the whole part of a number of any length, bounded by int64.
func truncate(number []byte) int64 {
	f, _ := strconv.ParseFloat(string(number), 64) // out of range gives an infinity, and that is bounded
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}
