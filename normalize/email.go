package normalize

import (
	"crypto/sha256"
	"slices"
	"unicode/utf8"
)

// fold holds each byte with A-Z lower-cased.
var fold = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = byte(c - 'A' + 'a')
	}
	return t
}()

// Email returns the identity of an email by the rule of UID2 and EUID, without hygiene. A refused value gives
// an *Error.
func Email(raw string) (ID, error) {
	var room [128]byte
	text, reason := AppendEmail(room[:0], RawString(raw))
	if reason != ReasonNone {
		return ID{}, &Error{reason}
	}
	return ID{Hash: sha256.Sum256(text), Kind: KindEmail}, nil
}

// AppendEmail appends the canonical form of an email, the text that UID2 and EUID hash. dst must not share
// memory with raw. A refused value appends nothing.
//
// The rule is what the UID2 operator does (uid2-operator, InputUtil.java), not what its documentation outlines:
// A-Z and no other letter is lower-cased; spaces, and no other white space, are dropped everywhere before the @
// and at the end, but kept elsewhere after it; if the rest after the @ is exactly gmail.com, the dots before it
// and everything from the first + on are dropped. Nothing else is checked or changed. The rule looks at ASCII
// alone, so it works on bytes.
func AppendEmail(dst []byte, raw Raw) ([]byte, Reason) {
	v, start := raw.Reveal(), len(dst)
	dst = slices.Grow(dst, len(v))
	out := dst[start : start+len(v)] // the canonical form is never longer
	// The two loops stand here, and not in functions of their own, because every value passes through them: apart
	// they take a fifth longer.
	i, n, local, high := 0, 0, -1, byte(0)
	for ; i < len(v); i++ {
		c := v[i]
		high |= c
		if c == ' ' {
			continue
		}
		if c == '@' {
			local = n
			break
		}
		out[n] = fold[c]
		n++
	}
	if local >= 0 {
		out[n] = '@'
		n++
		i++
	}
	end := n // after the last character that is no space
	for ; i < len(v); i++ {
		c := v[i]
		high |= c
		if c == '@' {
			return dst, ReasonEmailTwoAt
		}
		out[n] = fold[c]
		n++
		if c != ' ' {
			end = n
		}
	}
	if high >= utf8.RuneSelf && !utf8.Valid(v) {
		return dst, ReasonEmailNotUTF8
	}
	end, reason := finishEmail(out[:end], local)
	return dst[:start+end], reason
}

// finishEmail applies the rule of Gmail to a folded email, in place, and judges what is left. local is where its
// @ stands, or -1. It returns the new length, 0 when it refuses.
func finishEmail(out []byte, local int) (int, Reason) {
	switch {
	case len(out) == 0:
		return 0, ReasonEmpty
	case local < 0:
		return 0, ReasonEmailNoAt
	case local == len(out)-1:
		return 0, ReasonEmailNoDomain
	}
	end := len(out)
	if string(out[local+1:]) == "gmail.com" {
		cut := cutGmail(out[:local])
		end = cut + copy(out[cut:], out[local:])
		local = cut
	}
	if local == 0 {
		return 0, ReasonEmailNoLocal
	}
	return end, ReasonNone
}

// cutGmail drops the dots and, from the first + on, everything. It works in place and returns the new length.
func cutGmail(local []byte) int {
	n := 0
	for _, c := range local {
		if c == '+' {
			break
		}
		if c != '.' {
			local[n] = c
			n++
		}
	}
	return n
}
