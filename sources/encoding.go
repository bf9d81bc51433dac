package sources

import (
	"bytes"
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
	{"BZh", "a bzip2 file, which is not supported yet", unpack},
	{"\xfd7zXZ\x00", "an xz file, which is not supported yet", unpack},
	{"\x04\x22\x4d\x18", "an lz4 file, which is not supported yet", unpack},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", unpack},
	{"%PDF-", "a PDF document", export},
	{"\x89PNG\r\n\x1a\n", "a PNG image", export},
	{"\xff\xd8\xff", "a JPEG image", export},
	{"\x7fELF", "a program", export},
}

// boms are the byte order marks of encodings that are not read, the longer before those they begin with.
var boms = []struct{ bytes, encoding string }{
	{"\xff\xfe\x00\x00", "UTF-32LE"},
	{"\x00\x00\xfe\xff", "UTF-32BE"},
	{"\xff\xfe", "UTF-16LE"},
	{"\xfe\xff", "UTF-16BE"},
}

// checkText refuses what is not UTF-8 text in lines, and says what it is instead.
func (h *head) checkText() error {
	if err := h.checkEncoding(); err != nil {
		return err
	}
	cr := bytes.IndexByte(h.text, '\r')
	if cr >= 0 && cr < len(h.text)-1 && bytes.IndexByte(h.text, '\n') < 0 {
		return errors.New(`its lines end in carriage returns alone; convert them to line feeds (tr '\r' '\n')`)
	}
	return nil
}

func (h *head) checkEncoding() error {
	text := h.text
	if !h.whole {
		text = wholeRunes(text)
	}
	valid := utf8.Valid(text)
	if valid && bytes.IndexByte(text, 0) < 0 && !mostlyControl(text) {
		return nil
	}
	for _, m := range magics {
		if bytes.HasPrefix(text, []byte(m.bytes)) {
			return fmt.Errorf("looks like %s; %s", m.name, m.remedy)
		}
	}
	encoding := wideEncoding(text)
	switch {
	case encoding != "":
	case mostlyControl(text):
		return fmt.Errorf("looks like a binary file; %s", export)
	case valid:
		return nil // a NUL spoils its row only
	default:
		encoding = narrowEncoding(text)
	}
	program := strings.Replace(encoding, "Latin-1", "ISO-8859-1", 1) // the name that iconv knows
	return fmt.Errorf("looks like %s, not UTF-8; convert it (iconv -f %s -t UTF-8)", encoding, program)
}

// wideEncoding recognizes encodings with several bytes a character by their mark, or by where the NULs are
// that they put into western text.
func wideEncoding(text []byte) string {
	for _, b := range boms {
		if bytes.HasPrefix(text, []byte(b.bytes)) {
			return b.encoding
		}
	}
	var nuls [2]int
	for i, c := range text {
		if c == 0 {
			nuls[i%2]++
		}
	}
	switch most := len(text) * 2 / 5; {
	case nuls[1] > most && nuls[0] < nuls[1]/10+1:
		return "UTF-16LE"
	case nuls[0] > most && nuls[1] < nuls[0]/10+1:
		return "UTF-16BE"
	}
	return ""
}

// narrowEncoding names the encoding of text with bytes above 0x7f that is not UTF-8. It cannot be told apart
// from others of its kind; these two are the usual ones, and differ only from 0x80 to 0x9f.
func narrowEncoding(text []byte) string {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 && text[0] < 0xa0 {
			return "Windows-1252"
		}
		text = text[size:]
	}
	return "Latin-1"
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
