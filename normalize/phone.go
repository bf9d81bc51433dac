package normalize

import "crypto/sha256"

// E.164 allows 15 digits; "00" in front of them is how one dials a foreign number in most countries.
const (
	minDigits         = 10
	maxDigits         = 15
	maxNationalDigits = maxDigits + len("00")
)

// Phone returns the identity of a telephone number by the rule of UID2 and EUID, without hygiene. A refused
// value gives an *Error.
func Phone(raw string) (ID, error) {
	r := RawString(raw)
	if reason := CheckPhone(r); reason != ReasonNone {
		return ID{}, &Error{reason}
	}
	return ID{Hash: sha256.Sum256(r.Reveal()), Kind: KindPhone}, nil
}

// CheckPhone says whether UID2 and EUID take a telephone number: a + and 10 to 15 ASCII digits, nothing else.
// A valid number is hashed as it is, with its +.
//
// The rule is that of the UID2 operator (uid2-operator, InputUtil.java). It checks no country code, and its
// minimum of 10 digits shuts out the short numbers of some small countries.
func CheckPhone(raw Raw) Reason {
	v := raw.Reveal()
	if len(v) == 0 {
		return ReasonEmpty
	}
	if v[0] != '+' {
		return checkNational(v)
	}
	for _, c := range v[1:] {
		if !isDigit(c) {
			return ReasonPhoneFormat
		}
	}
	if n := len(v) - 1; n < minDigits || n > maxDigits {
		return ReasonPhoneLength
	}
	return ReasonNone
}

// checkNational tells a number that only lacks its country from what is no telephone number at all.
func checkNational(v []byte) Reason {
	digits := 0
	for _, c := range v {
		switch {
		case isDigit(c):
			digits++
		case !isSeparator(c):
			return ReasonPhoneFormat
		}
	}
	if digits == 0 || digits > maxNationalDigits {
		return ReasonPhoneFormat
	}
	return ReasonPhoneNational
}

// isDigit is about ASCII alone: the services refuse the digits of other scripts.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isSeparator(c byte) bool {
	switch c {
	case ' ', '-', '.', '/', '(', ')':
		return true
	}
	return false
}
