package normalize

import "bytes"

// ParseCountry reads a country as ID5 takes it: two letters, whatever their case, which become capitals. Blanks around
// them do not count, and a blank value is no country. Anything else is refused with [ReasonCountry]; which letters are
// a country is for the service to say.
func ParseCountry(raw Raw) (country [2]byte, reason Reason) {
	text := bytes.TrimSpace(raw.Reveal())
	if len(text) == 0 {
		return country, ReasonNone
	}
	if len(text) != len(country) {
		return country, ReasonCountry
	}
	for i, c := range text {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < 'A' || c > 'Z' {
			return [2]byte{}, ReasonCountry
		}
		country[i] = c
	}
	return country, ReasonNone
}
