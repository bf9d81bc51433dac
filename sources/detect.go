package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
)

// errHead is why what follows the head of a text cannot be had.
var errHead = errors.New("end of the head")

// head is the beginning of a text, by which its layout is found.
type head struct {
	text  []byte // in UTF-8 once decode was called
	whole bool   // there is no more
	name  string // extension of the file's name without that of a compression, lower case
}

// inspectText finds the layout of a text format.
func (in *Input) inspectText(s *stream, opts Options) error {
	compression := s.compression()
	in.Layout.Compression = compression // for the error
	if err := s.decode(compression); err != nil {
		return in.broken(err, 0, 0)
	}
	w := newWindow(s, 0, 0)
	w.fill()
	if w.err != nil {
		return in.broken(w.err, int64(w.end), 0)
	}
	h := &head{text: w.rest(), whole: w.final, name: extension(in.Object.URI)}
	layout, err := h.detect(opts)
	if err != nil {
		return in.errorf("%w", err)
	}
	layout.Compression = compression
	in.Layout = layout
	in.sample = h.reader(&layout, all(layout.Columns)).sample(sampleRows)
	return nil
}

// extension returns the end of a name that tells the format: "csv" for "a/people.CSV.gz".
func extension(uri string) string {
	name := strings.ToLower(path.Base(uri))
	for _, compression := range []string{".gz", ".zst", ".bz2"} {
		name = strings.TrimSuffix(name, compression)
	}
	return strings.TrimPrefix(path.Ext(name), ".")
}

func all(columns []Column) []int {
	indexes := make([]int, len(columns))
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}

// detect finds the layout. Its errors are for the user, to be put behind the name of the input.
func (h *head) detect(opts Options) (Layout, error) {
	l := Layout{Format: opts.Format, MaxRow: opts.MaxRow, Rows: -1}
	var err error
	if l.Encoding, err = h.decode(opts.Encoding); err != nil {
		return l, err
	}
	if err := h.checkLines(); err != nil {
		return l, err
	}
	if bom := []byte("\uFEFF"); bytes.HasPrefix(h.text, bom) {
		l.Start.Offset = int64(len(bom))
	}
	body := trimSpace(h.text[l.Start.Offset:])
	switch {
	case len(body) == 0 && h.whole:
		return l, ErrEmpty
	case (l.Format == "" || l.Format == NDJSON) && isArray(body):
		return l, errors.New("is a JSON array; write one object a line instead (jq -c '.[]')")
	case l.Format == "" && opts.wantTable() && isObject(body):
		return l, opts.fit(NDJSON)
	case l.Format == "" && !opts.wantTable() && len(body) > 0 && body[0] == '{':
		l.Format = NDJSON
	}
	switch l.Format {
	case NDJSON:
		return h.objects(l)
	case Text:
		return text(l), nil
	case "", CSV, TSV:
		return h.table(l, opts)
	}
	return l, fmt.Errorf("format %q: give csv, tsv, ndjson, text, parquet or arrow", string(l.Format))
}

// isArray says whether a text is a JSON array: a header may begin with a bracket too, but not like this.
func isArray(body []byte) bool {
	if len(body) == 0 || body[0] != '[' {
		return false
	}
	body = trimSpace(body[1:])
	return len(body) > 0 && strings.IndexByte(`{["]`, body[0]) >= 0
}

// isObject says whether the first line of a text is a JSON object. A cell that begins with a brace is none.
func isObject(body []byte) bool {
	line, _, _ := bytes.Cut(body, []byte{'\n'})
	return len(line) > 0 && line[0] == '{' && json.Valid(line)
}

// text makes a layout one of plain lines.
func text(l Layout) Layout {
	l.Format, l.Delimiter, l.Quote = Text, "", ""
	l.Columns = stringColumns([]string{"identifier"})
	return l
}

// reader reads the text by a layout, as far as it is in the head.
func (h *head) reader(l *Layout, columns []int) *textReader {
	var end error
	if !h.whole {
		end = errHead
	}
	w := memoryWindow(h.text, end)
	w.advance(int(l.Start.Offset))
	t := newTextReader(l, columns, w)
	t.line = l.Start.Line
	return t
}
