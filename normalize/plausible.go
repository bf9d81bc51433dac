package normalize

import "bytes"

// What speaks against a byte in an email.
const (
	oddAnywhere = 1 << iota // it is left over from something around the address
	oddInDomain             // no domain has it, though a local part may
)

// odd says what speaks against each byte.
var odd = func() (t [256]byte) {
	for c := range t[:0x80] {
		isLetter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !isLetter && !isDigit(byte(c)) && c != '-' && c != '.' && c != '_' {
			t[c] = oddInDomain
		}
		if c <= ' ' || c == 0x7f {
			t[c] |= oddAnywhere
		}
	}
	for _, c := range []byte(",;|\"<>()[]/\\:") {
		t[c] |= oddAnywhere
	}
	return t
}()

// IsPlausible says whether a value with one @ looks like an email, and not like what surrounds one in a line that
// was split wrongly, in a URL or in quotes. It never decides what is hashed: the services take such values, and
// so does a Normalizer, which marks them with [NoteImplausible]. "Name <address>" is judged by its address.
//
// It has no white space and none of ,;|"<>()[]/\: in it and does not begin with an apostrophe, which O'Brien has
// inside; its domain has a dot inside and, of ASCII, only letters, digits, hyphens and underscores beside.
func IsPlausible(raw Raw) bool {
	v := raw.Reveal()
	from, to := trim(v)
	v = v[from:to]
	from, to = address(v)
	return isPlausible(v[from:to])
}

// isPlausible is IsPlausible for what is taken for the address.
func isPlausible(v []byte) bool {
	from, to := trim(v)
	v = v[from:to]
	at := bytes.IndexByte(v, '@')
	if at <= 0 || v[0] == '\'' {
		return false
	}
	local, domain := v[:at], v[at+1:]
	if dot := bytes.IndexByte(domain, '.'); dot <= 0 || domain[len(domain)-1] == '.' {
		return false
	}
	bad := byte(0)
	for _, c := range local {
		bad |= odd[c] & oddAnywhere
	}
	for _, c := range domain {
		bad |= odd[c]
	}
	return bad == 0
}
