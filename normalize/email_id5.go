package normalize

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// AppendEmailID5 appends the canonical form of an email for ID5. dst must not share memory with raw. A refused
// value appends nothing.
//
// ID5 publishes no rule for its servers; this is what its browser library does (id5-api.js,
// lib/partnerDataConfig.js): the white space of JavaScript is trimmed at the ends, all letters of Unicode are
// lower-cased as JavaScript does it, and there must be one @ with something on either side. gmail.com and
// googlemail.com both become gmail.com, without the dots and the +suffix before the @. Spaces inside stay. The
// library would hash @gmail.com when nothing but a suffix stands before the @; that is refused here.
func AppendEmailID5(dst []byte, raw Raw) ([]byte, Reason) {
	v, start := bytes.TrimFunc(raw.Reveal(), isJSSpace), len(dst)
	if !utf8.Valid(v) {
		return dst, ReasonEmailNotUTF8
	}
	dst = appendLowerJS(dst, v)
	out := dst[start:]
	local := bytes.IndexByte(out, '@')
	if bytes.LastIndexByte(out, '@') != local {
		return dst[:start], ReasonEmailTwoAt
	}
	if local >= 0 && string(out[local+1:]) == "googlemail.com" {
		out = append(out[:local], "@gmail.com"...)
	}
	end, reason := finishEmail(out, local)
	return dst[:start+end], reason
}

// isJSSpace says whether String.prototype.trim of JavaScript removes r. Go counts U+0085 as a space and U+FEFF,
// the byte order mark, as none; JavaScript does the opposite.
func isJSSpace(r rune) bool {
	return r == '\uFEFF' || r != '\u0085' && unicode.IsSpace(r)
}

// appendLowerJS appends v, which is valid UTF-8, as String.prototype.toLowerCase of JavaScript changes it. It
// differs from Go's lower case in the Turkish İ, which becomes two characters, and in the Greek Σ.
func appendLowerJS(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		if c := v[i]; c < utf8.RuneSelf {
			dst = append(dst, fold[c])
			i++
			continue
		}
		r, size := utf8.DecodeRune(v[i:])
		switch {
		case r == 'İ':
			dst = append(dst, "i\u0307"...)
		case r == 'Σ' && endsWord(v[:i], v[i+size:]):
			dst = append(dst, "ς"...)
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

// endsWord says whether a letter between these two texts is the last of a word: a cased letter comes before it
// and none after it, case-ignorable characters left aside (the condition Final_Sigma of the Unicode Standard,
// section 3.13).
func endsWord(before, after []byte) bool {
	for len(before) > 0 {
		r, size := utf8.DecodeLastRune(before)
		before = before[:len(before)-size]
		if !isCaseIgnorable(r) {
			return isCased(r) && !startsCased(after)
		}
	}
	return false
}

func startsCased(text []byte) bool {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if !isCaseIgnorable(r) {
			return isCased(r)
		}
	}
	return false
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// isCaseIgnorable is the property Case_Ignorable: marks, format characters, modifiers, and the punctuation that
// may stand inside a word.
func isCaseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '\u00B7', '\u0387', '\u055F', '\u05F4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\uFE13', '\uFE52', '\uFE55', '\uFF07', '\uFF0E', '\uFF1A':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
