package normalize

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// maxDialled is how many digits a number may have as it is dialled: the 15 of E.164 behind a prefix for calls
// abroad, of which the longest have five.
const maxDialled = maxDigits + 5

// phone returns the E.164 text of a phone. A valid E.164 number is its own, whatever the region: that is the
// rule of the services, and a thousand times cheaper than reading a national number.
func (n *Normalizer) phone(v []byte, country Raw) (text []byte, note Note, reason Reason) {
	if reason = CheckPhone(RawBytes(v)); reason == ReasonNone {
		return v, 0, ReasonNone
	}
	if hasDecimals(v) {
		return nil, 0, ReasonPhoneDecimals
	}
	region, known := n.region(country)
	if known && region == (Region{}) {
		return nil, 0, reason
	}
	var isNumber bool
	if n.buf, isNumber = appendDialled(n.buf[:0], v); !isNumber {
		return nil, 0, reason
	}
	if !known {
		return nil, 0, ReasonPhoneRegion
	}
	// The error would only say in which way the number is not valid.
	number, err := phonenumbers.Parse(string(n.buf), region.code)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return nil, 0, ReasonPhoneInvalid
	}
	if n.isAmbiguous(number, region) {
		return nil, 0, ReasonPhoneAmbiguous
	}
	n.buf = append(n.buf[:0], phonenumbers.Format(number, phonenumbers.E164)...)
	if reason = CheckPhone(RawBytes(n.buf)); reason != ReasonNone {
		return nil, 0, reason
	}
	return n.buf, NotePhoneRegion, ReasonNone
}

// isAmbiguous says whether the dialled number, of which number is what its region makes of it, is another valid one
// when the digits that it begins with are the country code and only the + is missing.
func (n *Normalizer) isAmbiguous(number *phonenumbers.PhoneNumber, region Region) bool {
	country := phonenumbers.GetCountryCodeForRegion(region.code)
	var room [8]byte
	if !bytes.HasPrefix(n.buf, strconv.AppendInt(room[:0], int64(country), 10)) {
		return false
	}
	other, err := phonenumbers.Parse("+"+string(n.buf), region.code)
	return err == nil && phonenumbers.IsValidNumber(other) &&
		phonenumbers.Format(other, phonenumbers.E164) != phonenumbers.Format(number, phonenumbers.E164)
}

// hasDecimals says whether v is a whole number as floats are written, with .0 or .00 behind it: read as separators
// and digits, it would be another number.
func hasDecimals(v []byte) bool {
	dot := bytes.IndexByte(v, '.')
	if dot < 0 || string(v[dot:]) != ".0" && string(v[dot:]) != ".00" {
		return false
	}
	digits := bytes.TrimPrefix(v[:dot], []byte("+"))
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	return len(digits) > 0
}

// region returns the region of a row: the one that its cell names, or the default where the cell is blank or says
// that there is none. The default may be none. It is not known when the cell names none.
func (n *Normalizer) region(country Raw) (r Region, known bool) {
	cell := country.Reveal()
	from, to := trim(cell)
	if cell = cell[from:to]; len(cell) == 0 || saysNone(cell) {
		return n.opts.Region, true
	}
	return parseRegion(cell)
}

// saysNone says whether a cell holds what programs and people write where nothing is known. No region is called so.
func saysNone(cell []byte) bool {
	for _, word := range [...]string{"null", "none", "n/a", "-"} {
		if len(cell) == len(word) && strings.EqualFold(string(cell), word) {
			return true
		}
	}
	return false
}

// appendDialled appends what is dialled of a number: its digits and the + before them. It is false when v holds
// anything but these and separators, so that no extension, name or second number is taken for a part of it.
func appendDialled(dst, v []byte) (dialled []byte, ok bool) {
	digits := 0
	for len(v) > 0 {
		r, size := utf8.DecodeRune(v)
		switch {
		case size == 1 && isDigit(v[0]):
			if digits++; digits > maxDialled {
				return dst, false
			}
			dst = append(dst, v[0])
		case r == '+' && len(dst) == 0:
			dst = append(dst, '+')
		case !isPunctuation(r):
			return dst, false
		}
		v = v[size:]
	}
	return dst, digits > 0
}

// isPunctuation says whether r stands between the digits of numbers: the separators, a space that does not break
// and the hyphens and dashes that word processors put there.
func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && isSeparator(byte(r)) || r == '\u00A0' || '\u2010' <= r && r <= '\u2015'
}
