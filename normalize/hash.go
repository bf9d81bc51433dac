package normalize

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

const (
	hexLen      = 64 // a SHA-256 in hex
	unpaddedLen = 43 // a SHA-256 in base64 without its padding
	hexTextLen  = 88 // those 64 hex digits in base64: a usual mistake
)

// emptyHash is the SHA-256 of the empty string.
var emptyHash = [32]byte{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// ParseHash returns the SHA-256 that raw spells: 44 characters of standard base64, 64 hex digits of any case, or
// base64 in the URL-safe alphabet or without padding, which the services refuse but which can mean only one
// hash. Bits beyond the 32 bytes are ignored, as the services do.
//
// It is stricter than the UID2 operator in one point: any 44 characters of base64 pass there, although with two
// = or none they hold 31 or 33 bytes, which are no SHA-256 and match nobody.
func ParseHash(raw Raw) ([32]byte, Reason) {
	v := raw.Reveal()
	hash, _, ok := decodeHash(v)
	if !ok {
		return [32]byte{}, explainHash(v)
	}
	return hash, ReasonNone
}

// decodeHash is ParseHash without the reason. converted says that the services would have refused the spelling.
func decodeHash(v []byte) (hash [32]byte, converted, ok bool) {
	switch len(v) {
	case hexLen:
		_, err := hex.Decode(hash[:], v)
		return hash, false, err == nil
	case Base64Len:
		if v[unpaddedLen] != '=' {
			return hash, false, false
		}
	case unpaddedLen:
		converted = true
	default:
		return hash, false, false
	}
	seen := decodeBase64(&hash, (*[unpaddedLen]byte)(v))
	return hash, converted || seen == onlyURLSafe, seen != notBase64
}

// Which alphabet the characters of a text belong to, as a set: both at once is none.
const (
	onlyStandard = 0x40
	onlyURLSafe  = 0x80
	notBase64    = onlyStandard | onlyURLSafe
)

// sextets holds the six bits that each character of base64 stands for, and the alphabet it belongs to.
var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = notBase64
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	t['+'], t['/'] = 62|onlyStandard, 63|onlyStandard
	t['-'], t['_'] = 62|onlyURLSafe, 63|onlyURLSafe
	return t
}()

// decodeBase64 takes both alphabets in one pass and skips nothing; encoding/base64 knows one alphabet at a time
// and skips line breaks, which the services refuse.
func decodeBase64(hash *[32]byte, v *[unpaddedLen]byte) (seen byte) {
	for i := range 5 { // eight characters, six bytes; the two bytes after them are written twice
		var x uint64
		for _, c := range v[i*8 : i*8+8] {
			bits := sextets[c]
			seen |= bits
			x = x<<6 | uint64(bits&63)
		}
		binary.BigEndian.PutUint64(hash[i*6:], x<<16)
	}
	a, b, c := sextets[v[40]], sextets[v[41]], sextets[v[42]]
	seen |= a | b | c
	hash[30], hash[31] = a<<2|b&63>>4, b<<4|c&63>>2
	return seen & notBase64
}

// explainHash says why v is no hash, from the most telling sign to the least.
func explainHash(v []byte) Reason {
	switch {
	case len(v) == 0:
		return ReasonEmpty
	case bytes.ContainsAny(v, "\r\n"):
		return ReasonHashLineBreak
	case bytes.IndexByte(v, '@') >= 0:
		return ReasonHashEmail
	}
	if isHex(v) {
		switch len(v) {
		case 32:
			return ReasonHashMD5
		case 40:
			return ReasonHashSHA1
		case 128:
			return ReasonHashSHA512
		}
	}
	// Before base64, of which a + and digits are valid characters.
	switch CheckPhone(RawBytes(v)) {
	case ReasonNone, ReasonPhoneNational, ReasonPhoneLength:
		return ReasonHashPhone
	}
	switch {
	case !isBase64(v):
		return ReasonHashAlphabet
	case len(v) == hexTextLen:
		return ReasonHashHexText
	case len(v) == hexLen:
		return ReasonHashNotHex
	}
	return ReasonHashLength
}

func isHex(v []byte) bool {
	for _, c := range v {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// isBase64 says whether v has the characters of base64, in either alphabet but not in a mixture.
func isBase64(v []byte) bool {
	v = bytes.TrimRight(v, "=")
	var seen byte
	for _, c := range v {
		seen |= sextets[c]
	}
	return len(v) > 0 && seen&notBase64 != notBase64
}
