package normalize

import (
	"errors"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
)

// Region is a country or territory that has telephone numbers of its own. It says how a national number is
// read. The zero Region is none. Regions are comparable.
type Region struct{ code string }

// ParseRegion returns the region that text names: ISO 3166-1, two letters or three, in any case, or UK for GB.
// White space around it is ignored. It is false for everything else: names of countries, numbers (a calling code
// and the code of ISO may be the same and mean two countries), former countries, territories without numbers.
func ParseRegion(text string) (Region, bool) { return parseRegion(RawString(text).Reveal()) }

// parseRegion is ParseRegion without a copy. It costs some 50 ns and allocates nothing, so that nothing is gained
// by remembering what it says.
func parseRegion(text []byte) (Region, bool) {
	from, to := trim(text)
	text = text[from:to]
	if len(text) != 2 && len(text) != 3 {
		return Region{}, false
	}
	for _, c := range text {
		if c |= 0x20; c < 'a' || c > 'z' {
			return Region{}, false
		}
	}
	region, err := language.ParseRegion(string(text))
	if err != nil { // it says no more than that
		return Region{}, false
	}
	code := region.String()
	if code == "UK" {
		code = "GB"
	}
	if !phonenumbers.GetSupportedRegions()[code] {
		return Region{}, false
	}
	return Region{code}, true
}

// String returns the two letters of the region, and nothing for the zero Region.
func (r Region) String() string { return r.code }

// MarshalText writes the region as String does.
func (r Region) MarshalText() ([]byte, error) { return []byte(r.code), nil }

// UnmarshalText reads what ParseRegion takes, and the zero Region from an empty text.
func (r *Region) UnmarshalText(text []byte) error {
	region, ok := parseRegion(text)
	if !ok && len(text) > 0 {
		return errors.New("no country with telephone numbers of its own; write its two letters, for example DE")
	}
	*r = region
	return nil
}
