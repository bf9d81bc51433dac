package sources

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// Encoding is how the characters of a text are written as bytes. The zero value means UTF-8, or UTF-16 that begins
// with a byte order mark. Case does not matter, and "auto", "utf8", "latin1" and "cp1252" are understood too.
type Encoding string

// The encodings that can be read.
const (
	UTF8        Encoding = "utf-8"
	UTF16       Encoding = "utf-16" // in the order that the mark tells, little-endian without one
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1252 Encoding = "windows-1252"
	Latin1      Encoding = "iso-8859-1" // has control characters where Windows-1252 has € and typographic quotes
)

// canonical returns the encoding by its one name, which is nothing for "auto".
func (e Encoding) canonical() (Encoding, error) {
	lower := Encoding(strings.ToLower(string(e)))
	switch lower {
	case "", "auto":
		return "", nil
	case "utf8":
		return UTF8, nil
	case "latin1":
		return Latin1, nil
	case "cp1252":
		return Windows1252, nil
	case UTF8, UTF16, UTF16LE, UTF16BE, Windows1252, Latin1:
		return lower, nil
	}
	return "", fmt.Errorf("encoding %q is none of auto, utf-8, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-1", string(e))
}

// title is the name for people.
func (e Encoding) title() string {
	switch e {
	case "":
		return "UTF-8"
	case Windows1252:
		return "Windows-1252"
	case Latin1:
		return "Latin-1"
	}
	return strings.ToUpper(string(e))
}

// family is the title without the order of bytes.
func (e Encoding) family() string {
	return strings.TrimSuffix(strings.TrimSuffix(e.title(), "LE"), "BE")
}

// undecodable stands in the decoded text for bytes that are no character. No UTF-8 has it, so that the row it is
// in is found to be malformed; the replacement character, which x/text writes, may well be in the text itself.
const undecodable = 0xff

// decoder returns what turns a text into UTF-8, or nil when it is UTF-8.
func (e Encoding) decoder() (transform.Transformer, error) {
	switch e {
	case "":
		return nil, nil
	case UTF16LE:
		return wide{high: 1}, nil
	case UTF16BE:
		return wide{high: 0}, nil
	case Windows1252:
		return newNarrow(charmap.Windows1252), nil
	case Latin1:
		return newNarrow(charmap.ISO8859_1), nil
	}
	return nil, fmt.Errorf("encoding %q cannot be read", string(e))
}

// decodeAll decodes a text as far as it is whole characters, or all of it if it is final.
func (e Encoding) decodeAll(text []byte, final bool) ([]byte, error) {
	d, err := e.decoder()
	if d == nil || err != nil {
		return text, err
	}
	decoded := make([]byte, 3*len(text)+utf8.UTFMax) // no byte becomes more than three
	n, _, err := d.Transform(decoded, text, final)
	if err != nil && !errors.Is(err, transform.ErrShortSrc) {
		return nil, err
	}
	return decoded[:n], nil
}

// wide decodes UTF-16. A surrogate without its other half and an odd byte at the end are undecodable. A byte order
// mark is decoded like any other character.
type wide struct {
	transform.NopResetter
	high int // which byte of two is the higher one
}

func (w wide) unit(b []byte) rune { return rune(b[w.high&1])<<8 | rune(b[w.high&1^1]) }

// Transform implements [transform.Transformer].
func (w wide) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc+2 <= len(src) {
		if len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		r := w.unit(src[nSrc : nSrc+2])
		switch {
		case r < utf8.RuneSelf:
			dst[nDst] = byte(r)
			nDst++
			nSrc += 2
			continue
		case utf16.IsSurrogate(r):
			if nSrc+4 > len(src) && !atEOF {
				return nDst, nSrc, transform.ErrShortSrc
			}
			if nSrc+4 <= len(src) {
				r = utf16.DecodeRune(r, w.unit(src[nSrc+2:nSrc+4]))
			}
			if r <= 0xffff { // still half, or U+FFFD, which DecodeRune returns for no pair
				dst[nDst] = undecodable
				nDst++
				nSrc += 2
				continue
			}
			nSrc += 2
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += 2
	}
	switch {
	case nSrc == len(src):
		return nDst, nSrc, nil
	case !atEOF:
		return nDst, nSrc, transform.ErrShortSrc
	case nDst == len(dst):
		return nDst, nSrc, transform.ErrShortDst
	}
	dst[nDst] = undecodable
	return nDst + 1, nSrc + 1, nil
}

// narrow decodes an encoding of one byte a character whose first half is ASCII.
type narrow struct {
	transform.NopResetter
	upper [utf8.RuneSelf][]byte // from 0x80 on
}

func newNarrow(c *charmap.Charmap) *narrow {
	n := &narrow{}
	for i := range n.upper {
		r := c.DecodeByte(byte(utf8.RuneSelf + i))
		n.upper[i] = utf8.AppendRune(nil, r)
		// The table is that of browsers, which take the five bytes that Windows-1252 leaves open for controls.
		if open := c == charmap.Windows1252 && r <= 0x9f; open || r == utf8.RuneError {
			n.upper[i] = []byte{undecodable}
		}
	}
	return n
}

// Transform implements [transform.Transformer].
func (n *narrow) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		for run := min(len(src)-nSrc, len(dst)-nDst); run > 0 && src[nSrc] < utf8.RuneSelf; run-- {
			dst[nDst] = src[nSrc]
			nDst++
			nSrc++
		}
		if nSrc == len(src) {
			break
		}
		if src[nSrc] < utf8.RuneSelf || len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], n.upper[src[nSrc]-utf8.RuneSelf])
		nSrc++
	}
	return nDst, nSrc, nil
}
