package sources

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	unpack = "unpack it first"
	export = "export it as CSV, NDJSON or Parquet"
)

// magics are the first bytes of files that are not text, and what to do with them.
var magics = []struct{ bytes, name, remedy string }{
	{"PAR1", "a Parquet file", "give it without further compression, as format parquet"},
	{"PARE", "an encrypted Parquet file", "decrypt it first"},
	{"ARROW1", "an Arrow IPC file", export},
	{"Obj\x01", "an Avro file", export},
	{"ORC", "an ORC file", export},
	{"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or " + export},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", export},
	{"SQLite format 3\x00", "an SQLite database", export},
	{"\x1f\x8b", "gzip data inside a compressed file", unpack},
	{"\x28\xb5\x2f\xfd", "zstd data inside a compressed file", unpack},
	{"BZh", "a damaged bzip2 file, or bzip2 data inside a compressed file", "get it again, or unpack it first"},
	{"\xfd7zXZ\x00", "an xz file, which is not supported yet", unpack},
	{"\x04\x22\x4d\x18", "an lz4 file, which is not supported yet", unpack},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", unpack},
	{"%PDF-", "a PDF document", export},
	{"\x89PNG\r\n\x1a\n", "a PNG image", export},
	{"\xff\xd8\xff", "a JPEG image", export},
	{"\x7fELF", "a program", export},
}

// utf32le and utf32be are recognized, but not read.
const (
	utf32le Encoding = "utf-32le"
	utf32be Encoding = "utf-32be"
)

// marks are byte order marks, the longer before those they begin with.
var marks = []struct {
	bytes    string
	encoding Encoding
}{
	{"\xff\xfe\x00\x00", utf32le},
	{"\x00\x00\xfe\xff", utf32be},
	{"\xff\xfe", UTF16LE},
	{"\xfe\xff", UTF16BE},
	{"\xef\xbb\xbf", UTF8},
}

// marked returns the encoding whose byte order mark a text begins with, or nothing.
func marked(text []byte) Encoding {
	for _, m := range marks {
		if bytes.HasPrefix(text, []byte(m.bytes)) {
			return m.encoding
		}
	}
	return ""
}

// checkLines refuses text whose lines do not end in line feeds.
func (h *head) checkLines() error {
	cr := bytes.IndexByte(h.text, '\r')
	if cr >= 0 && cr < len(h.text)-1 && bytes.IndexByte(h.text, '\n') < 0 {
		return errors.New(`its lines end in carriage returns alone; convert them to line feeds (tr '\r' '\n')`)
	}
	return nil
}

// decode makes the head one of UTF-8. It returns the encoding as a layout keeps it, or says what there is instead of
// text in the encoding given.
func (h *head) decode(given Encoding) (Encoding, error) {
	text := h.text
	if !h.whole {
		text = wholeRunes(text)
	}
	mark := marked(text)
	switch {
	case given == "" && (mark == UTF16LE || mark == UTF16BE):
		given = mark
	case given == UTF16 && mark == UTF16BE:
		given = UTF16BE
	case given == UTF16:
		given = UTF16LE
	}
	var err error
	switch given {
	case "":
		err = checkUTF8(text)
	case UTF16LE, UTF16BE:
		err = checkWide(text, given)
	default:
		err = checkNarrow(text, given)
	}
	if err != nil {
		return "", err
	}
	if given == UTF8 {
		given = ""
	}
	if h.text, err = given.decodeAll(h.text, h.whole); err == nil && given != "" && mostlyControl(h.text) {
		err = fmt.Errorf("looks like a binary file; %s", export)
	}
	return given, err
}

// checkUTF8 refuses what is not UTF-8 in its first megabyte, when no encoding was given.
func checkUTF8(text []byte) error {
	valid := utf8.Valid(text)
	if valid && bytes.IndexByte(text, 0) < 0 && !mostlyControl(text) {
		return nil
	}
	if err := checkMagic(text); err != nil {
		return err
	}
	seen := wideEncoding(text)
	switch {
	case seen != "":
		return otherEncoding(seen, "")
	case mostlyControl(text):
		return fmt.Errorf("looks like a binary file; %s", export)
	case valid:
		return nil // a NUL spoils its row only
	}
	return notUTF8(text)
}

// checkNarrow refuses text that is certainly not in an encoding with single bytes for ASCII. Given UTF-8, rows that
// are not in it are malformed.
func checkNarrow(text []byte, given Encoding) error {
	seen := wideEncoding(text)
	switch {
	case seen == "" && marked(text) == UTF8:
		seen = UTF8
	case seen == "" && mostlyControl(text):
		return cmp.Or(checkMagic(text), fmt.Errorf("looks like a binary file; %s", export))
	}
	if seen != "" && seen != given {
		return otherEncoding(seen, given)
	}
	return nil
}

// checkWide refuses text that is certainly not UTF-16 in the order given.
func checkWide(text []byte, given Encoding) error {
	seen := wideEncoding(text)
	if seen == "" {
		if err := checkMagic(text); err != nil {
			return err
		}
		if utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 && len(text) > 0 {
			seen = UTF8 // a line feed of UTF-16 has a NUL
		}
	}
	if seen != "" && seen != given {
		return otherEncoding(seen, given)
	}
	return nil
}

// checkMagic names a file that is no text.
func checkMagic(text []byte) error {
	for _, m := range magics {
		if bytes.HasPrefix(text, []byte(m.bytes)) {
			return fmt.Errorf("looks like %s; %s", m.name, m.remedy)
		}
	}
	return nil
}

// otherEncoding says how to read what is not in the encoding given.
func otherEncoding(seen, given Encoding) error {
	if seen == utf32le || seen == utf32be {
		return fmt.Errorf("looks like %s, not %s; convert it (iconv -f %[1]s -t UTF-8)", seen.title(), given.title())
	}
	return fmt.Errorf("looks like %s, not %s; add --encoding %s", seen.title(), given.title(), seen)
}

// wideEncoding recognizes encodings with several bytes a character by their mark, or by where the NULs are
// that they put into western text.
func wideEncoding(text []byte) Encoding {
	if mark := marked(text); mark != UTF8 && mark != "" {
		return mark
	}
	var nuls [2]int
	for i, c := range text {
		if c == 0 {
			nuls[i%2]++
		}
	}
	switch most := len(text) * 2 / 5; {
	case nuls[1] > most && nuls[0] < nuls[1]/10+1:
		return UTF16LE
	case nuls[0] > most && nuls[1] < nuls[0]/10+1:
		return UTF16BE
	}
	return ""
}

// notUTF8 guesses the encoding of text with bytes above 0x7f that is not UTF-8. Encodings of its kind cannot be told
// apart for sure; these two are the usual ones, and differ only from 0x80 to 0x9f, where Latin-1 has nothing printable.
func notUTF8(text []byte) error {
	seen := "Latin-1 or Windows-1252"
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			switch c := text[0]; {
			case strings.IndexByte("\x81\x8d\x8f\x90\x9d", c) >= 0: // open in Windows-1252
				return errors.New("is in an encoding that is not recognized; convert it (iconv -f ITS-ENCODING -t UTF-8)")
			case c < 0xa0:
				seen = "Windows-1252"
			}
		}
		text = text[size:]
	}
	return fmt.Errorf("looks like %s, not UTF-8; add --encoding %s, or convert it (iconv -f WINDOWS-1252 -t UTF-8)", seen, Windows1252)
}

// mostlyControl says whether one byte in twenty, and more than a few, are control characters. In random bytes
// it is one in nine.
func mostlyControl(text []byte) bool {
	n := 0
	for _, c := range text {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' {
			n++
		}
	}
	return n > 8 && n*20 > len(text)
}
