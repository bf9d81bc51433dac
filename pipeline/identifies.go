package pipeline

import (
	"bytes"

	"mapper/normalize"
)

// Identifies says what kind of raw identifier stands in a value, wherever in it and however it is written: "an
// email", "a phone", or nothing. A national number is a phone only where the name of its column says so, namedPhone:
// elsewhere digits may be anything, and a key of digits is none. It allocates nothing, and costs next to nothing for
// a value without an @ and a +.
func Identifies(raw normalize.Raw, namedPhone bool) string {
	value := raw.Reveal()
	switch {
	case holdsEmail(value):
		return "an email"
	case holdsE164(value), namedPhone && isNational(value):
		return "a phone"
	}
	return ""
}

// holdsEmail looks for something like an email: letters and digits on both sides of an @ and a dot behind, inside
// one word.
func holdsEmail(v []byte) bool {
	for {
		at := bytes.IndexByte(v, '@')
		if at < 0 {
			return false
		}
		behind := v[at+1:]
		if at > 0 && isWordy(v[at-1]) && isDomain(behind) {
			return true
		}
		v = behind
	}
}

// isDomain says whether v begins with a domain: letters, digits and hyphens, and a dot with a letter behind it, so
// that no version and no price is one.
func isDomain(v []byte) bool {
	for i, c := range v {
		switch {
		case c == '.' && i > 0 && i+1 < len(v) && isWordy(v[i+1]) && !isDigit(v[i+1]):
			return true
		case !isWordy(c) && c != '.':
			return false
		}
	}
	return false
}

// isWordy says whether a byte can stand next to the @: letters of any script, digits, hyphens and the like.
func isWordy(c byte) bool { return isAlphanumeric(c) || c == '_' || c == '-' }

func isAlphanumeric(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= 0x80 }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// How many digits numbers have: those of E.164 with a service, and national ones. Fewer are codes and counts; the
// prefix for calls abroad has up to five.
const (
	fewestDigits   = 10
	mostDigits     = 15
	fewestNational = 6
	mostNational   = mostDigits + 5
)

// holdsE164 looks for a + that begins a word, and behind it the digits of an international number with separators
// or without.
func holdsE164(v []byte) bool {
	for {
		plus := bytes.IndexByte(v, '+')
		if plus < 0 {
			return false
		}
		behind := v[plus+1:]
		if plus == 0 || !isDigit(v[plus-1]) && (!isWordy(v[plus-1]) || v[plus-1] >= 0x80) {
			first, all := dialled(behind)
			if fewestDigits <= first && first <= mostDigits || fewestDigits <= all && all <= mostDigits {
				return true
			}
		}
		v = behind
	}
}

// isNational says whether v begins with a national number; what follows may be an extension.
func isNational(v []byte) bool {
	_, digits := dialled(bytes.TrimSpace(bytes.TrimPrefix(v, []byte("tel:"))))
	return fewestNational <= digits && digits <= mostNational
}

// dialled counts the digits that v begins with: up to the first separator, and all of them.
func dialled(v []byte) (first, all int) {
	separated := false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case isDigit(c):
			if all++; !separated {
				first++
			}
			continue
		case c == ' ', c == '-', c == '.', c == '/', c == '(', c == ')':
		case c == 0xC2 && i+1 < len(v) && v[i+1] == 0xA0: // a space that does not break
			i++
		case c == 0xE2 && i+2 < len(v) && v[i+1] == 0x80 && 0x90 <= v[i+2] && v[i+2] <= 0x95: // hyphens and dashes
			i += 2
		default:
			return first, all
		}
		separated = true
	}
	return first, all
}
