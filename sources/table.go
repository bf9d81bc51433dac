package sources

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// delimiters are tried in this order.
const delimiters = ",;\t|^~"

// table finds the layout of CSV and TSV, or, when nothing says that it is either, of plain lines.
func (h *head) table(l Layout, opts Options) (Layout, error) {
	guess := l.Format == ""
	l.Quote = opts.quote()
	said := h.separator(&l)
	if len(trimSpace(h.text[l.Start.Offset:])) == 0 && h.whole {
		return l, ErrEmpty
	}
	if l.Delimiter = opts.Delimiter; l.Delimiter == "" && l.Format != TSV {
		l.Delimiter = said
	}
	single, fields := false, 0
	if l.Delimiter == "" {
		l.Delimiter, single, fields = h.findDelimiter(l)
	}
	if guess {
		l.Format = CSV
		if l.Delimiter == "\t" && opts.Delimiter == "" {
			l.Format = TSV
		}
	}
	rows, start, err := h.firstRows(l)
	if guess && single && !opts.wantTable() && (err != nil || !h.isTable(rows)) {
		return text(l), nil
	}
	if err != nil {
		return l, err
	}
	if first := len(rows[0]); !single && fields > 0 && first != fields {
		return l, fmt.Errorf("line %d has %s and most of the next ones have %d; remove the lines above the header, or give --delimiter to read it all the same",
			start.Line, counted(first), fields)
	}
	if err := h.checkQuotes(l); err != nil {
		return l, err
	}
	if l.Header = !opts.NoHeader && isHeader(rows[0], rows[1:]); l.Header {
		l.Start = start
	}
	l.Columns, err = tableColumns(rows[0], l.Header)
	return l, err
}

// separator passes over a first line that says which delimiter there is, sep=; as Excel has it, and returns that.
func (h *head) separator(l *Layout) string {
	line, _, ended := bytes.Cut(h.text[l.Start.Offset:], []byte{'\n'})
	said := string(bytes.TrimSuffix(line, []byte{'\r'}))
	if len(said) != len("sep=;") || !strings.EqualFold(said[:4], "sep=") || !ended {
		return ""
	}
	if checkByte(said[4:]) != nil || said[4:] == l.Quote {
		return ""
	}
	l.Start.Offset += int64(len(line) + 1)
	l.Start.Line++
	return said[4:]
}

// findDelimiter returns the delimiter and how many fields most rows have with it, and whether that is a guess, as there
// seems to be a single column.
func (h *head) findDelimiter(l Layout) (delimiter string, single bool, fields int) {
	best, fields := h.bestDelimiter(l)
	tabs := l.Format == TSV || l.Format == "" && (h.name == "tsv" || h.name == "tab")
	switch {
	case best != 0:
		return string(best), false, fields
	case tabs || l.Quote == ",":
		return "\t", true, 1
	}
	return ",", true, 1
}

// bestDelimiter returns the delimiter with which most of the first rows are good: they have the same number of fields,
// which is more than one. It returns 0 when none makes more than half of them good.
func (h *head) bestDelimiter(l Layout) (best byte, mostFields int) {
	mostGood := 0
	for _, c := range []byte(delimiters) {
		if l.Format == TSV && c != '\t' || l.Quote == string(c) {
			continue
		}
		fields, good, tried := h.try(l, c)
		if fields > 1 && good*2 > tried && (good > mostGood || good == mostGood && fields > mostFields) {
			best, mostGood, mostFields = c, good, fields
		}
	}
	return best, mostFields
}

// try splits the first rows with a delimiter, and returns the most frequent number of fields and how many have it. The
// first row does not decide: it may be a title.
func (h *head) try(l Layout, delimiter byte) (fields, good, tried int) {
	t, d := h.anyFields(l, delimiter)
	rows := map[int]int{} // by number of fields
	for ; tried < sampleRows; tried++ {
		problem, ok := t.read()
		if !ok {
			break
		}
		if problem != "" {
			continue
		}
		n := len(d.cells)
		if rows[n]++; rows[n] > good {
			fields, good = n, rows[n]
		}
	}
	return fields, good, tried
}

// anyFields reads rows with any number of fields, which are in the cells of the splitter.
func (h *head) anyFields(l Layout, delimiter byte) (*textReader, *delimited) {
	l.Columns, l.Delimiter = nil, string(delimiter)
	d := newDelimited(&l, nil, nil)
	t := h.reader(&l, nil)
	t.split = d
	return t, d
}

// firstRows returns the cells of the first rows that can be read, and where the second begins.
func (h *head) firstRows(l Layout) (rows [][][]byte, start Position, err error) {
	t, d := h.anyFields(l, l.Delimiter[0])
	problem, ok := t.read()
	switch {
	case !ok: // there is a row, but its end is not in sight
		return nil, start, fmt.Errorf("its first row is longer than %d bytes", len(h.text))
	case problem != "":
		err = fmt.Errorf("line %d, which tells the columns, cannot be read: %s", t.began, problem)
		if isQuoteProblem(problem) {
			err = fmt.Errorf("%w; if its quotes are part of the values, give --quote none", err)
		}
		return nil, start, err
	}
	rows = append(rows, cloneCells(d.cells))
	start = t.position()
	start.Row = 0 // the row read may be a header
	for tried := 1; tried < headerRows; tried++ {
		problem, ok := t.read()
		if !ok {
			break
		}
		if problem == "" {
			rows = append(rows, cloneCells(d.cells))
		}
	}
	return rows, start, nil
}

// checkQuotes refuses a table of which no row but the first can be read for its quotes: they are likely none.
func (h *head) checkQuotes(l Layout) error {
	t, _ := h.anyFields(l, l.Delimiter[0])
	_, _ = t.read() // the first row, which was read before
	rows := 0
	for ; rows < headerRows; rows++ {
		problem, ok := t.read()
		if !ok {
			break
		}
		if !isQuoteProblem(problem) {
			return nil
		}
	}
	if rows < 3 {
		return nil // few rows may be just bad
	}
	return fmt.Errorf("none of the %d rows below its first one can be read, all for their quotes; if those are part of the values, give --quote none", rows)
}

func counted(fields int) string {
	if fields == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", fields)
}

func cloneCells(cells [][]byte) [][]byte {
	clone := make([][]byte, len(cells))
	for i, c := range cells {
		clone[i] = bytes.Clone(c)
	}
	return clone
}

// isTable decides whether rows of one field are a table of one column or plain lines. Content goes before the
// name: an identifier in the first line is no header, quotes are no part of an identifier.
func (h *head) isTable(rows [][][]byte) bool {
	quoted := bytes.HasPrefix(bytes.TrimLeft(h.text, "\uFEFF"), []byte{'"'})
	switch h.name {
	case "txt":
		return false
	case "csv", "tsv", "tab":
		return quoted || isHeader(rows[0], rows[1:])
	}
	return quoted || isHeader(rows[0], rows[1:]) && len(rows[0]) == 1 && len(rows) > 1 && isIdentifier(rows[1][0])
}

// tableColumns names the columns by a header, or by their number from 1 where that has no name.
func tableColumns(first [][]byte, header bool) ([]Column, error) {
	names := make([]string, len(first))
	for i, cell := range first {
		if header {
			names[i] = string(bytes.TrimSpace(cell))
		}
		if names[i] == "" {
			names[i] = strconv.Itoa(i + 1)
		}
	}
	return stringColumns(names), uniqueNames(names)
}

func stringColumns(names []string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{name, arrow.BinaryTypes.String}
	}
	return columns
}

// uniqueNames refuses two columns of one name: nobody could say which is meant.
func uniqueNames(names []string) error {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("two columns are named %q; rename one of them", name)
		}
		seen[name] = true
	}
	return nil
}
