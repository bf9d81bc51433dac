package sources

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/buger/jsonparser"
)

// trimSpace cuts off what JSON counts as white space.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const (
	notJSON    = "row: not one valid JSON object"
	unknownKey = "row: has a key that the first megabyte does not have, with what looks like an identifier"
)

// objectLines splits NDJSON. jsonparser finds keys and values fast but believes much of what it sees; what it
// does not check is checked here, with encoding/json where that is rare.
type objectLines struct {
	maxRow  int
	columns []Column
	known   map[string]bool // the keys of the layout; empty while they are being found
	wanted  []int           // numbers of the columns that are wanted, each once
	cells   [][]byte

	line      []byte
	tail      int      // where the last value of the line ends
	guess     int      // index into wanted of the key that is likely the next one
	seen      []uint64 // by column: the last line that had it
	lines     uint64
	unescaped []byte // memory for strings that had escapes
	problem   string
	each      func(key, value []byte, kind jsonparser.ValueType, end int) error // the method member, bound once
}

func newObjectLines(l *Layout, wanted []int, cells [][]byte) *objectLines {
	o := &objectLines{maxRow: l.MaxRow, columns: l.Columns, cells: cells, seen: make([]uint64, len(l.Columns)), known: map[string]bool{}}
	for _, c := range l.Columns {
		o.known[c.Name] = true
	}
	for name := range l.Unreadable {
		o.known[name] = true
	}
	o.wanted = slices.Compact(slices.Sorted(slices.Values(wanted)))
	o.each = o.member
	return o
}

// errStop ends the walk over an object; the problem is in objectLines.
var errStop = errors.New("stop")

func (o *objectLines) next(text []byte, final bool) row {
	line, r := firstLine(text, final, o.maxRow)
	if len(line) == 0 {
		return r
	}
	if line = trimSpace(line); len(line) == 0 {
		r.blank = true
		return r
	}
	o.begin(line)
	if err := jsonparser.ObjectEach(line, o.each); err != nil && o.problem == "" {
		o.problem = notJSON
	}
	if o.problem == "" && !o.wellFormed() {
		o.problem = notJSON
	}
	r.problem = o.problem
	return r
}

func (o *objectLines) begin(line []byte) {
	o.line, o.tail, o.guess, o.problem = line, 0, 0, ""
	o.unescaped = o.unescaped[:0]
	o.lines++
	for _, c := range o.wanted {
		o.cells[c] = nil
	}
}

// wellFormed checks what jsonparser leaves unchecked about the line as a whole: what follows the last value,
// and control characters, which strings must not have. encoding/json decides the unusual cases.
func (o *objectLines) wellFormed() bool {
	tail := trimSpace(o.line[o.tail:])
	usual := len(tail) == 1 && tail[0] == '}' && o.tail > 0
	return usual && !hasControl(o.line) || json.Valid(o.line)
}

// member takes one key and its value.
func (o *objectLines) member(key, value []byte, kind jsonparser.ValueType, end int) error {
	o.tail = end
	cell, ok := o.decode(value, kind)
	if !ok {
		o.problem = notJSON
		return errStop
	}
	c := o.column(key)
	switch {
	case c < 0 && kind == jsonparser.String && len(o.known) > 0 && isLost(cell) && !o.known[string(key)]:
		o.problem = unknownKey
		return errStop
	case c < 0:
		return nil
	case o.seen[c] == o.lines:
		o.problem = fmt.Sprintf("row: key %q twice", o.columns[c].Name)
		return errStop
	case kind == jsonparser.Object || kind == jsonparser.Array:
		o.problem = fmt.Sprintf("row: %q is nested", o.columns[c].Name)
		return errStop
	}
	o.seen[c] = o.lines
	o.cells[c] = cell
	return nil
}

// column returns which wanted column a key is, or -1. Objects tend to have their keys in the same order.
func (o *objectLines) column(key []byte) int {
	for range o.wanted {
		if o.guess == len(o.wanted) {
			o.guess = 0
		}
		c := o.wanted[o.guess]
		o.guess++
		if string(key) == o.columns[c].Name {
			return c
		}
	}
	return -1
}

// decode returns a value as text, nil for null, or not ok if it is not JSON.
func (o *objectLines) decode(value []byte, kind jsonparser.ValueType) (cell []byte, ok bool) {
	switch kind {
	case jsonparser.String:
		return o.unescape(value)
	case jsonparser.Boolean:
		return value, true
	case jsonparser.Null:
		return nil, true
	case jsonparser.Number:
		return value, isDigits(value) && value[0] != '0' || json.Valid(value)
	}
	return nil, json.Valid(value)
}

var replacement = []byte("\uFFFD")

func (o *objectLines) unescape(value []byte) ([]byte, bool) {
	if bytes.IndexByte(value, '\\') < 0 {
		return value, true
	}
	used := len(o.unescaped)
	o.unescaped = slices.Grow(o.unescaped, len(value))
	cell, err := jsonparser.Unescape(value, o.unescaped[used:cap(o.unescaped)])
	// Half of a surrogate pair is no character. jsonparser puts the replacement character in its place.
	if err != nil || bytes.Contains(cell, replacement) && !bytes.Contains(value, replacement) {
		return nil, false
	}
	o.unescaped = o.unescaped[:used+len(cell)]
	return cell, true
}

// isDigits says whether b is one or more of 0 to 9.
func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// hasControl says whether any byte of b is below 0x20.
func hasControl(b []byte) bool {
	const low, high = 0x2020202020202020, 0x8080808080808080
	for len(b) >= 8 {
		// Subtracting sets the top bit of a byte below 0x20, and of those from 0xa0 on: they had it before.
		w := binary.LittleEndian.Uint64(b)
		if (w-low)&^w&high != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x20 {
			return true
		}
	}
	return false
}

// objects finds the columns of NDJSON: the keys of all rows in the head, in the order in which they are first seen.
// A key that only ever has nested values is no column.
func (h *head) objects(l Layout) (Layout, error) {
	k := keys{nested: map[string]string{}, column: map[string]bool{}}
	r := h.reader(&Layout{Format: NDJSON, MaxRow: l.MaxRow, Start: l.Start}, nil)
	rows, good := 0, 0
	for {
		problem, ok := r.read()
		if !ok {
			break
		}
		rows++
		if problem == "" {
			good++
			k.add(r.split.(*objectLines).line)
		}
	}
	if rows == 0 {
		return l, fmt.Errorf("its first row is longer than %d bytes", len(h.text))
	}
	if good == 0 {
		return l, fmt.Errorf("none of its first %d lines is a JSON object; write one object a line (jq -c .)", rows)
	}
	l.Columns = stringColumns(k.names)
	if len(k.nested) > 0 {
		l.Unreadable = k.nested
	}
	return l, nil
}

// keys gathers the keys of objects.
type keys struct {
	names  []string
	column map[string]bool
	nested map[string]string
}

func (k *keys) add(line []byte) {
	// The line was found to be right before, so that walking over it cannot fail.
	_ = jsonparser.ObjectEach(line, func(key, value []byte, kind jsonparser.ValueType, _ int) error {
		name := string(key)
		switch {
		case k.column[name]:
		case kind == jsonparser.Object || kind == jsonparser.Array:
			k.nested[name] = "its values are nested"
		default:
			delete(k.nested, name)
			k.column[name] = true
			k.names = append(k.names, name)
		}
		return nil
	})
}
