package sources

import (
	"bytes"
	"fmt"
)

// splitter finds the rows of a text format. Its cells are slices of the text or of memory of its own; they
// are valid until it is used again.
type splitter interface {
	// next looks at the first row of text and leaves its cells in the slice that the splitter was made
	// with. final says that nothing follows text. What it returns depends on nothing but the text, from
	// the row's beginning to MaxRow bytes on: never on how much of what follows is in sight.
	next(text []byte, final bool) row
}

// row is what a splitter found.
type row struct {
	size    int    // bytes up to the next row; 0 if the row goes on beyond the text
	lines   int    // line feeds in it
	blank   bool   // an empty line: no row at all
	problem string // why it cannot be read. With a size of 0, reading goes on behind the next line feed
}

// tooLong is what a row longer than maxRow bytes is.
func tooLong(maxRow int) row { return row{problem: fmt.Sprintf("row: longer than %d bytes", maxRow)} }

// firstLine returns the first line of text without its end. When there is none, or it is blank or too long,
// the line is empty and the row is what to return.
func firstLine(text []byte, final bool, maxRow int) ([]byte, row) {
	size := bytes.IndexByte(text, '\n') + 1
	line := text
	switch {
	case size > 0:
		line = text[:size-1]
	case final:
		size = len(text)
	case len(text) < maxRow+lineEnd:
		return nil, row{}
	}
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	if len(line) > maxRow {
		return nil, tooLong(maxRow)
	}
	return line, row{size: size, lines: 1, blank: len(line) == 0}
}
