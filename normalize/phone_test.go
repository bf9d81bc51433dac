package normalize_test

import (
	"regexp"
	"testing"

	"mapper/normalize"
)

func TestCheckPhone(t *testing.T) {
	for _, c := range []struct {
		name, in string
		reason   normalize.Reason
	}{
		{"10 digits", "+1234567890", normalize.ReasonNone},
		{"15 digits", "+123456789012345", normalize.ReasonNone},
		{"zeros", "+00000000000", normalize.ReasonNone},

		{"nothing", "", normalize.ReasonEmpty},
		{"9 digits", "+123456789", normalize.ReasonPhoneLength},
		{"16 digits", "+1234567890123456", normalize.ReasonPhoneLength},
		{"plus alone", "+", normalize.ReasonPhoneLength},
		{"digits alone", "5555550100", normalize.ReasonPhoneNational},
		{"leading zero", "030 123456", normalize.ReasonPhoneNational},
		{"leading zeros", "0049 30 123456", normalize.ReasonPhoneNational},
		{"all separators", "(555) 555-01.0/0", normalize.ReasonPhoneNational},
		{"17 digits", "00123456789012345", normalize.ReasonPhoneNational},
		{"18 digits", "001234567890123456", normalize.ReasonPhoneFormat},
		{"separators alone", "(-)", normalize.ReasonPhoneFormat},
		{"E.164 with separators", "+1 555-555-0100", normalize.ReasonPhoneFormat},
		{"space before", " +12345678901", normalize.ReasonPhoneFormat},
		{"space after", "+12345678901 ", normalize.ReasonPhoneFormat},
		{"line break after", "+12345678901\n", normalize.ReasonPhoneFormat},
		{"two plus", "++12345678901", normalize.ReasonPhoneFormat},
		{"full-width plus", "＋12345678901", normalize.ReasonPhoneFormat},
		{"full-width digits", "+１２３４５６７８９０", normalize.ReasonPhoneFormat},
		{"Arabic digits", "+٣٤١٥٥٥٥٠١٠٠", normalize.ReasonPhoneFormat},
		{"neighbours of digits", "+123456789/", normalize.ReasonPhoneFormat},
		{"neighbours of digits, above", "+123456789:", normalize.ReasonPhoneFormat},
		{"letters", "555-CALL-ME", normalize.ReasonPhoneFormat},
		{"extension", "5555550100 x12", normalize.ReasonPhoneFormat},
		{"not UTF-8", "+1234567890\xff", normalize.ReasonPhoneFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := normalize.CheckPhone(normalize.RawString(c.in)); got != c.reason {
				t.Errorf("%+q: got %q, want %q", c.in, got, c.reason)
			}
		})
	}
}

func FuzzPhone(f *testing.F) {
	for _, seed := range []string{
		"+12345678901", "+123456789", "+1234567890123456", "(555) 555-0100", "+٣٤١٥٥٥٥٠١٠٠", "+123456789²", "", "+1234567890\n",
	} {
		f.Add(seed)
	}
	// \A and \z, because $ also matches before a final line break.
	valid := regexp.MustCompile(`\A\+[0-9]{10,15}\z`)
	f.Fuzz(func(t *testing.T, raw string) {
		reason := normalize.CheckPhone(normalize.RawString(raw))
		if got, want := reason == normalize.ReasonNone, valid.MatchString(raw); got != want {
			t.Fatalf("%+q: reason %q, want valid %v", raw, reason, want)
		}
	})
}
