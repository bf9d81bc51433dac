package normalize

import "bytes"

// trim returns the span of v without the characters that hygiene strips at its ends.
func trim(v []byte) (from, to int) {
	if len(v) > 0 && isPlain(v[0]) && isPlain(v[len(v)-1]) {
		return 0, len(v)
	}
	rest := bytes.TrimLeftFunc(v, isStripped)
	from = len(v) - len(rest)
	return from, from + len(bytes.TrimRightFunc(rest, isStripped))
}

// isPlain says of a first or last byte that it cannot belong to a stripped character. It is true for nearly all
// values there are and saves decoding them.
func isPlain(c byte) bool { return ' ' < c && c < 0x80 }

// isStripped says whether hygiene strips r at the ends of a value: what files leave there and nobody sees.
func isStripped(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n',
		'\u00A0',                     // no-break space
		'\u200B', '\u200C', '\u200D', // zero width: space, non-joiner, joiner
		'\u2060', '\uFEFF': // word joiner, byte order mark
		return true
	}
	return false
}

// address returns the span of the address when v is of the form "Name <address>", else all of v.
func address(v []byte) (from, to int) {
	if len(v) == 0 || v[len(v)-1] != '>' {
		return 0, len(v)
	}
	open := bytes.LastIndexByte(v, '<')
	if open < 0 || bytes.IndexByte(v[open:], '@') < 0 {
		return 0, len(v)
	}
	from, to = trim(v[open+1 : len(v)-1])
	return open + 1 + from, open + 1 + to
}
