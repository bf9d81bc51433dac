package sources

import (
	"bytes"
	"fmt"
)

// plainSize is how much text is searched for quotes before it is split: what fits the processor's first cache.
const plainSize = 32 << 10

// Why a row with quotes cannot be read.
const (
	quoteInside = "row: quote inside a field that does not begin with one"
	quoteOpen   = "row: quote not closed"
	behindQuote = "row: text behind a closing quote"
)

func isQuoteProblem(problem string) bool {
	return problem == quoteInside || problem == quoteOpen || problem == behindQuote
}

// delimited splits rows of fields: CSV, TSV, and plain text, which has a single field.
//
// Lines without a quote take a short way. A row with one is read as RFC 4180 says, line feeds inside quotes
// included. When its quotes do not work out, nothing tells where it was meant to end: it is taken for the one
// line that it begins in, so that a stray quote costs that line and not all up to the next one.
type delimited struct {
	delimiter byte // 0: there is one field only
	quote     byte // 0: nothing is quoted
	maxRow    int
	fields    int    // of a good row; 0 takes any number, and keeps all
	says      string // who says so: "header" or "first row"
	last      int    // highest field that is wanted, or -1
	cells     [][]byte
	ends      []int  // of the fields of a line without quotes
	unquoted  []byte // memory for fields with doubled quotes
	ragged    row    // the last ragged row, whose problem is likely that of the next one
	raggedBy  int
}

func (d *delimited) next(text []byte, final bool) row {
	line, r := firstLine(text, final, d.maxRow)
	if len(line) == 0 {
		return r
	}
	if d.fields == 0 || d.quote != 0 && bytes.IndexByte(line, d.quote) >= 0 {
		return d.quoted(text, final)
	}
	if fields := d.split(line); fields != d.fields {
		return d.wrongFields(r, fields)
	}
	for i := range d.ends {
		d.cells[i] = nullable(d.cell(line, i))
	}
	return r
}

// plain adds rows to columns for as long as they are nothing special: no quotes, no blank or ragged lines. It
// returns how many rows and bytes that was: mostRows, or at least mostBytes, or less when something special
// comes or the text ends. The text has to be clean.
func (d *delimited) plain(text []byte, wanted []int, columns []cells, mostRows, mostBytes int) (rows, size int) {
	text = text[:min(len(text), plainSize)]
	if quote := bytes.IndexByte(text, d.quote); d.quote != 0 && quote >= 0 {
		text = text[:bytes.LastIndexByte(text[:quote], '\n')+1]
	}
	for rows < mostRows && size < mostBytes {
		end := bytes.IndexByte(text[size:], '\n')
		if end <= 0 {
			break
		}
		line := text[size : size+end]
		if line[end-1] == '\r' {
			line = line[:end-1]
		}
		if len(line) == 0 || len(line) > d.maxRow || d.split(line) != d.fields {
			break
		}
		for i, c := range wanted {
			columns[i].append(nullable(d.cell(line, c)))
		}
		size += end + 1
		rows++
	}
	return rows, size
}

// split finds the ends of the fields of a line without quotes, up to the last that is wanted, and returns how
// many there are in all.
func (d *delimited) split(line []byte) (fields int) {
	d.ends = d.ends[:0]
	end := -1
	for range d.last + 1 {
		next := -1
		if d.delimiter != 0 {
			next = bytes.IndexByte(line[end+1:], d.delimiter)
		}
		if next < 0 {
			d.ends = append(d.ends, len(line))
			return len(d.ends)
		}
		end += 1 + next
		d.ends = append(d.ends, end)
	}
	if d.delimiter == 0 {
		return 1
	}
	return len(d.ends) + bytes.Count(line[end+1:], []byte{d.delimiter}) + 1
}

// cell returns a field of the line that was split.
func (d *delimited) cell(line []byte, field int) []byte {
	if field == 0 {
		return line[:d.ends[0]]
	}
	return line[d.ends[field-1]+1 : d.ends[field]]
}

// nullable makes an empty cell null.
func nullable(cell []byte) []byte {
	if len(cell) == 0 {
		return nil
	}
	return cell
}

func (d *delimited) wrongFields(r row, fields int) row {
	if d.raggedBy != fields || d.ragged.lines != r.lines {
		d.raggedBy, d.ragged = fields, r
		d.ragged.problem = fmt.Sprintf("row: %d fields, %s has %d", fields, d.says, d.fields)
		if r.lines > 1 {
			d.ragged.problem += fmt.Sprintf(" (quoted over %d lines)", r.lines)
		}
	}
	r.problem = d.ragged.problem
	return r
}

// quoted splits a row that may have quotes.
func (d *delimited) quoted(text []byte, final bool) row {
	if len(text) > d.maxRow+lineEnd {
		text, final = text[:d.maxRow+lineEnd], false
	}
	d.unquoted = d.unquoted[:0]
	pos, fields := 0, 0
	for {
		cell, end, problem := d.field(text, pos)
		if problem != "" {
			if end == len(text) && !final && len(text) < d.maxRow+lineEnd {
				return row{} // what is missing may follow
			}
			return row{problem: problem}
		}
		d.keep(fields, cell)
		fields++
		if end < len(text) && text[end] == d.delimiter && d.delimiter != 0 {
			pos = end + 1
			continue
		}
		return d.end(text, end, fields, final)
	}
}

func (d *delimited) keep(field int, cell []byte) {
	switch {
	case d.fields == 0:
		d.cells = append(d.cells[:field], nullable(cell))
	case field <= d.last:
		d.cells[field] = nullable(cell)
	}
}

// end judges a row whose last field ends at pos: before a line end, or with the text.
func (d *delimited) end(text []byte, pos, fields int, final bool) row {
	size := pos
	if rest := text[pos:]; len(rest) > 0 && rest[0] == '\r' {
		size++
	}
	switch {
	case size < len(text):
		size++ // the line feed
	case !final && len(text) < d.maxRow+lineEnd:
		return row{}
	case !final:
		return tooLong(d.maxRow)
	}
	if pos > d.maxRow {
		return tooLong(d.maxRow)
	}
	r := row{size: size, lines: bytes.Count(text[:size], []byte{'\n'})}
	if d.fields != 0 && fields != d.fields {
		return d.wrongFields(r, fields)
	}
	return r
}

// field returns the field that begins at pos and where it ends: at a delimiter, a line end, or the end of the
// text. A problem at the end of the text may be solved by more of it.
func (d *delimited) field(text []byte, pos int) (cell []byte, end int, problem string) {
	if pos < len(text) && d.quote != 0 && text[pos] == d.quote {
		return d.quotedField(text, pos+1)
	}
	for end = pos; end < len(text); end++ {
		switch c := text[end]; {
		case c == d.delimiter && c != 0:
			return text[pos:end], end, ""
		case c == '\n':
			if end > pos && text[end-1] == '\r' {
				end--
			}
			return text[pos:end], end, ""
		case c == d.quote && c != 0:
			return nil, end, quoteInside
		}
	}
	if end > pos && text[end-1] == '\r' {
		end--
	}
	return text[pos:end], end, ""
}

// quotedField returns the field whose opening quote is just before pos.
func (d *delimited) quotedField(text []byte, pos int) (cell []byte, end int, problem string) {
	begin := len(d.unquoted)
	for {
		i := bytes.IndexByte(text[pos:], d.quote)
		if i < 0 {
			return nil, len(text), quoteOpen
		}
		end = pos + i + 1
		if end == len(text) || text[end] != d.quote {
			cell = text[pos : end-1]
			break
		}
		d.unquoted = append(d.unquoted, text[pos:end]...) // with one of the two quotes
		pos = end + 1
	}
	if len(d.unquoted) > begin {
		d.unquoted = append(d.unquoted, cell...)
		cell = d.unquoted[begin:]
	}
	if !d.endsField(text[end:]) {
		return nil, end, behindQuote
	}
	return cell, end, ""
}

// endsField says whether a quoted field may be followed by text: by nothing, a delimiter, or a line end.
func (d *delimited) endsField(text []byte) bool {
	switch {
	case len(text) == 0, text[0] == '\n':
		return true
	case text[0] == '\r':
		return len(text) == 1 || text[1] == '\n'
	}
	return text[0] == d.delimiter && d.delimiter != 0
}
