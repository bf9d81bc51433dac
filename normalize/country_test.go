package normalize

import "testing"

func TestParseCountry(t *testing.T) {
	for text, want := range map[string]string{"DE": "DE", " us\n": "US", "gB": "GB", "": "\x00\x00", " \t": "\x00\x00"} {
		if got, reason := ParseCountry(RawString(text)); string(got[:]) != want || reason != ReasonNone {
			t.Errorf("%q: %q, %v", text, got, reason)
		}
	}
	for _, text := range []string{"D", "DEU", "D1", "\u00c4T", "D E", "--"} {
		if got, reason := ParseCountry(RawString(text)); got != [2]byte{} || reason != ReasonCountry {
			t.Errorf("%q: %q, %v", text, got, reason)
		}
	}
}
