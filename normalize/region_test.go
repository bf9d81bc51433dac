package normalize_test

import (
	"testing"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"

	"mapper/normalize"
)

func TestParseRegion(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"DE", "DE"}, {"de", "DE"}, {"dEu", "DE"}, {" US\r\n", "US"}, {"UK", "GB"}, {"uk", "GB"}, {"GBR", "GB"}, {"XK", "XK"},
		{"", ""}, {" ", ""}, {"D", ""}, {"DEUT", ""}, {"Germany", ""}, {"D E", ""}, {"D1", ""}, {"ä", ""}, {"[[", ""}, {"@@", ""},
		{"49", ""}, {"380", ""}, {"276", ""}, {"001", ""}, // Ukraine's calling code is Italy's number
		{"EU", ""}, {"ZZ", ""}, {"XX", ""}, {"AQ", ""}, {"AN", ""}, {"DD", ""}, {"SU", ""}, {"YUG", ""},
	} {
		got, ok := normalize.ParseRegion(c.text)
		if got.String() != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, %t; want %q", c.text, got, ok, c.want)
		}
	}
}

// TestEveryRegion: no numbering plan is out of reach, by two letters or by three.
func TestEveryRegion(t *testing.T) {
	for code := range phonenumbers.GetSupportedRegions() {
		for _, text := range []string{code, language.MustParseRegion(code).ISO3()} {
			if got, ok := normalize.ParseRegion(text); !ok || got.String() != code {
				t.Errorf("%q: got %q, %t; want %q", text, got, ok, code)
			}
		}
	}
}

func TestRegionText(t *testing.T) {
	var r normalize.Region
	for _, text := range []string{"uk", "DE", ""} {
		want, _ := normalize.ParseRegion(text)
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q: got %q, %v; want %q", text, r, err, want)
		}
		if got, err := r.MarshalText(); err != nil || string(got) != want.String() {
			t.Errorf("%q: written as %q, %v", text, got, err)
		}
	}
	want := region(t, "FR")
	r = want
	if err := r.UnmarshalText([]byte("XX")); err == nil || r != want {
		t.Errorf("an unknown region: got %q, %v; want an error and no change", r, err)
	}
}
