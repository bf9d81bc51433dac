package sources

import (
	"errors"
	"fmt"
	"strings"
)

// noQuote is the [Options.Quote] of tables in which a quote is a character like any other.
const noQuote = "none"

// Resolve returns the options with each word replaced by what it stands for, and the defaults filled in; or what is
// wrong with them, whatever they are used for. [Inspect] does it too.
func (o Options) Resolve() (Options, error) {
	var err error
	if o.Encoding, err = o.Encoding.canonical(); err != nil {
		return o, err
	}
	if o.Delimiter, err = parseDelimiter(o.Delimiter); err != nil {
		return o, err
	}
	if o.Quote, err = parseQuote(o.Quote); err != nil {
		return o, err
	}
	if o.MaxRow == 0 {
		o.MaxRow = defaultMaxRow
	}
	switch {
	case o.MaxRow < 1 || o.MaxRow > limitMaxRow:
		return o, fmt.Errorf("longest row: %d bytes; give 1 to %d", o.MaxRow, limitMaxRow)
	case o.Delimiter != "" && o.Delimiter == o.quote():
		return o, fmt.Errorf("delimiter and quote are both %q; give another delimiter, another quote, or the quote none", o.Delimiter)
	case o.Format == TSV && o.Delimiter != "" && o.Delimiter != "\t":
		return o, fmt.Errorf("delimiter %q: the delimiter of format tsv is the tab; give format csv", o.Delimiter)
	}
	return o, o.fit(o.Format)
}

// fit says which options mean nothing in a format.
func (o *Options) fit(f Format) error {
	table := f == "" || f == CSV || f == TSV
	text := table || f == NDJSON || f == Text
	switch {
	case !table && o.Delimiter != "":
		return fmt.Errorf("format %s has no delimiter; leave --delimiter out", f)
	case !table && o.Quote != "":
		return fmt.Errorf("format %s has no quotes to choose; leave --quote out", f)
	case !table && o.NoHeader:
		return fmt.Errorf("format %s has no header line; leave --no-header out", f)
	case !text && o.Encoding != "" && o.Encoding != UTF8:
		return fmt.Errorf("format %s has an encoding of its own; leave --encoding out", f)
	}
	return nil
}

// wantTable says that what is given makes sense for a table only.
func (o *Options) wantTable() bool { return o.Delimiter != "" || o.Quote != "" || o.NoHeader }

// quote returns the byte that quotes, or nothing.
func (o *Options) quote() string {
	switch o.Quote {
	case "":
		return `"`
	case noQuote:
		return ""
	}
	return o.Quote
}

func parseDelimiter(s string) (string, error) {
	switch strings.ToLower(s) {
	case "":
		return "", nil
	case "tab", `\t`:
		return "\t", nil
	case "comma":
		return ",", nil
	case "semicolon":
		return ";", nil
	case "pipe":
		return "|", nil
	}
	if err := checkByte(s); err != nil {
		return "", fmt.Errorf("delimiter %q %w; give one such as ';', or one of tab, comma, semicolon, pipe", s, err)
	}
	return s, nil
}

func parseQuote(s string) (string, error) {
	switch strings.ToLower(s) {
	case "":
		return "", nil
	case noQuote:
		return noQuote, nil
	case " ", "\t":
		return "", fmt.Errorf("quote %q is white space; give one such as '\"', or none", s)
	}
	if err := checkByte(s); err != nil {
		return "", fmt.Errorf("quote %q %w; give one such as '\"', or none", s, err)
	}
	return s, nil
}

// checkByte says why a text cannot stand between or around cells.
func checkByte(s string) error {
	switch {
	case len(s) > 1:
		return errors.New("is longer than one byte")
	case s[0] == '\n' || s[0] == '\r':
		return errors.New("ends the line")
	case s[0] == 0 || s[0] >= 0x80:
		return errors.New("is no ASCII character")
	}
	return nil
}
