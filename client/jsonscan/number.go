package jsonscan

import (
	"math"
	"strconv"
)

// Number reads a number and returns its whole part, or the nearest int64 to one that is out of reach. One with a fraction, an
// exponent or more than 18 digits is as exact as a float64.
func (s *Scanner) Number() int64 {
	s.peek()
	from := s.Pos
	n, exact := s.number()
	switch {
	case s.err != nil:
		return 0
	case !exact:
		return truncate(s.Data[from:s.Pos])
	}
	return n
}

// number reads a number that begins at Pos. Its value is right if it is exact: whole and of at most 18 digits.
func (s *Scanner) number() (n int64, exact bool) {
	sign := int64(1)
	if s.Pos < len(s.Data) && s.Data[s.Pos] == '-' {
		sign = -1
		s.Pos++
	}
	first := s.Pos
	n, digits := s.digits()
	if digits == 0 || digits > 1 && s.Data[first] == '0' {
		s.Fail("no number")
		return 0, false
	}
	whole := s.Pos
	s.fraction()
	return sign * n, s.Pos == whole && digits <= 18
}

// digits reads digits. The value is right for up to 18 of them.
func (s *Scanner) digits() (value int64, count int) {
	data, pos := s.Data, s.Pos
	for ; pos < len(data) && data[pos]-'0' <= 9; pos++ {
		value = value*10 + int64(data[pos]-'0')
	}
	count = pos - s.Pos
	s.Pos = pos
	return value, count
}

// fraction reads what may follow the whole part of a number.
func (s *Scanner) fraction() {
	if s.Pos < len(s.Data) && s.Data[s.Pos] == '.' {
		s.Pos++
		if _, n := s.digits(); n == 0 {
			s.Fail("a number without digits behind the point")
		}
	}
	if s.Pos < len(s.Data) && s.Data[s.Pos]|0x20 == 'e' {
		s.Pos++
		if s.Pos < len(s.Data) && (s.Data[s.Pos] == '+' || s.Data[s.Pos] == '-') {
			s.Pos++
		}
		if _, n := s.digits(); n == 0 {
			s.Fail("a number without an exponent")
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
