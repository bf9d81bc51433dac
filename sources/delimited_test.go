package sources

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// textRow is a row as a test sees it.
type textRow struct {
	cells   []string // or null
	problem string   // with its line, when it is malformed
}

const null = "\x00null\x00"

func (r textRow) String() string {
	if r.problem != "" {
		return r.problem
	}
	var cells []string
	for _, c := range r.cells {
		if c == null {
			cells = append(cells, "-")
		} else {
			cells = append(cells, strconv.Quote(c))
		}
	}
	return strings.Join(cells, " ")
}

// readRows reads all columns of a text to its end. A failure is the problem of a row of its own.
func readRows(l Layout, w *window) []textRow {
	r := newTextReader(&l, all(l.Columns), w)
	var rows []textRow
	for {
		b, err := r.next()
		if err != nil {
			return append(rows, textRow{problem: err.Error()})
		}
		if b == nil {
			return rows
		}
		malformed := b.Malformed
		for i := range int(b.Record.NumRows()) {
			if len(malformed) > 0 && malformed[0].Index == i {
				rows = append(rows, textRow{problem: fmt.Sprintf("line %d %s", malformed[0].Line, malformed[0].Reason)})
				malformed = malformed[1:]
				continue
			}
			row := textRow{}
			for _, c := range b.Record.Columns() {
				cell := null
				if c.IsValid(i) {
					cell = c.(*array.String).Value(i)
				}
				row.cells = append(row.cells, cell)
			}
			rows = append(rows, row)
		}
	}
}

// readText is readRows for comparing with what a row should print as.
func readText(l Layout, w *window) []string {
	var rows []string
	for _, r := range readRows(l, w) {
		rows = append(rows, r.String())
	}
	return rows
}

func csvLayout(columns int) Layout {
	return Layout{Format: CSV, Delimiter: ",", Quote: `"`, MaxRow: 50, Columns: stringColumns(make([]string, columns))}
}

func TestRows(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"plain", "a,b\nc,d\n", []string{`"a" "b"`, `"c" "d"`}},
		{"no line feed at the end", "a,b\nc,d", []string{`"a" "b"`, `"c" "d"`}},
		{"carriage returns", "a,b\r\nc,d\r\n", []string{`"a" "b"`, `"c" "d"`}},
		{"carriage return at the end", "a,b\r", []string{`"a" "b"`}},
		{"carriage return inside", "a\rb,c\n", []string{`"a\rb" "c"`}},
		{"empty cells are null", "a,\n,b\n\"\",b\n", []string{`"a" -`, `- "b"`, `- "b"`}},
		{"blank lines", "\n\r\na,b\n\n\nc,d\n\n", []string{`"a" "b"`, `"c" "d"`}},
		{"spaces are kept", " a , b \n", []string{`" a " " b "`}},
		{"quotes", "\"a,\"\"b\"\"\",\"c\"\n", []string{`"a,\"b\"" "c"`}},
		{"quote before a carriage return", "a,\"b\"\r\nc,\"d\"\r", []string{`"a" "b"`, `"c" "d"`}},
		{"line feeds in quotes", "\"a\n\nb\",\"c\r\nd\"\ne,f\n", []string{`"a\n\nb" "c\r\nd"`, `"e" "f"`}},
		{"too few fields", "a\nb,c\n", []string{"line 1 row: 1 fields, first row has 2", `"b" "c"`}},
		{"too many fields", "a,b,c\nd,e,\n", []string{"line 1 row: 3 fields, first row has 2", "line 2 row: 3 fields, first row has 2"}},
		{"ragged and quoted", "\"a\n\",b,c\n\"d\",\"e\"\n", []string{"line 1 row: 3 fields, first row has 2 (quoted over 2 lines)", `"d" "e"`}},
		{"ragged alike but not over as many lines", "\"a\n\",b,c\na,b,c\n", []string{
			"line 1 row: 3 fields, first row has 2 (quoted over 2 lines)", "line 3 row: 3 fields, first row has 2"}},
		{"line numbers go on", "\n\"a\nb\",c\n\nd\n", []string{`"a\nb" "c"`, "line 5 row: 1 fields, first row has 2"}},
		{"bare quote", "a\"b,c\nd,e\n", []string{"line 1 row: quote inside a field that does not begin with one", `"d" "e"`}},
		{"junk behind a quote", "\"a\"b,c\nd,e\n", []string{"line 1 row: text behind a closing quote", `"d" "e"`}},
		{"carriage return behind a quote", "\"a\"\rb,c\nd,e\n", []string{"line 1 row: text behind a closing quote", `"d" "e"`}},
		{"stray quote costs its line", "\"a,b\nc,d\ne,\"f\"\n", []string{"line 1 row: text behind a closing quote", `"c" "d"`, `"e" "f"`}},
		{"unclosed quote at the end", "a,\"b\nc,d\ne,f", []string{"line 1 row: quote not closed", `"c" "d"`, `"e" "f"`}},
		{"unclosed quote and much text", "a,\"b\n" + strings.Repeat("c,d\n", 30), append([]string{"line 1 row: quote not closed"}, slices.Repeat([]string{`"c" "d"`}, 30)...)},
		{"too long", "a,b\nc," + long + "\nd,e\n", []string{`"a" "b"`, "line 2 row: longer than 50 bytes", `"d" "e"`}},
		{"too long at the end", "a," + long, []string{"line 1 row: longer than 50 bytes"}},
		{"as long as can be", "a," + long[:48] + "\r\na," + long[:49] + "\n", []string{fmt.Sprintf(`"a" %q`, long[:48]), "line 2 row: longer than 50 bytes"}},
		{"as long as can be, quoted", "a,\"" + long[:46] + "\"\r\na,\"" + long[:47] + "\"\n", []string{fmt.Sprintf(`"a" %q`, long[:46]), "line 2 row: longer than 50 bytes"}},
		{"too long over lines", "\"a\n" + long[:40] + "\n\"," + long[:20] + "\nd,e\n", []string{
			"line 1 row: longer than 50 bytes", "line 2 row: 1 fields, first row has 2", "line 3 row: quote not closed", `"d" "e"`}},
		{"NUL", "a\x00,b\nc,d\n", []string{"line 1 row: NUL byte", `"c" "d"`}},
		{"not UTF-8", "a,b\n\xe9,c\n\"\xe9\n\",c\nd,\u00e9\n", []string{`"a" "b"`, "line 2 row: not UTF-8", "line 3 row: not UTF-8", `"d" "é"`}},
		{"character cut off at the end", "a,\u00e9\nb,\xc3", []string{`"a" "é"`, "line 2 row: not UTF-8"}},
		{"nothing", "", nil},
		{"only blank", "\n\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := readText(csvLayout(2), memoryWindow([]byte(c.text), nil))
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestPlainLines(t *testing.T) {
	l := text(Layout{MaxRow: 50})
	got := readText(l, memoryWindow([]byte("a,b\n \"x\" \r\n\n\tc;\"\r\r\nend"), nil))
	want := []string{`"a,b"`, `" \"x\" "`, `"\tc;\"\r"`, `"end"`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzCSV: what encoding/csv accepts is read the same, and what it does not accept has malformed rows.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b\nc,d\n", "a,\"b\"\"c\"\r\n", "\"a\nb\",c\n\n", "a\"b,c", "\"a,b\nc,d", "\r\n,\r\n\"\",\"\"\r", "a,b,c\n", "\"\"\"\",x\n\"a\"b,", "a\rb,\"c\r\r\nd\"",
	} {
		f.Add([]byte(s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, columns uint8) {
		n := int(columns%4) + 1
		l := csvLayout(n)
		l.MaxRow = 1 << 20
		w := memoryWindow(text, nil)
		clean := w.clean
		got := readRows(l, w)

		r := csv.NewReader(bytes.NewReader(text))
		r.FieldsPerRecord = n
		records, err := r.ReadAll()
		malformed := slices.ContainsFunc(got, func(r textRow) bool { return r.problem != "" })
		if malformed == (err == nil) && (clean || err != nil) {
			t.Fatalf("got %q; encoding/csv says %q, %v", got, records, err)
		}
		if malformed || err != nil {
			return
		}
		if len(got) != len(records) {
			t.Fatalf("got %q; encoding/csv says %q", got, records)
		}
		for i, record := range records {
			for j, cell := range record {
				// The standard library turns CRLF in quotes into line feeds.
				have := strings.ReplaceAll(got[i].cells[j], "\r\n", "\n")
				if have != cell && (have != null || cell != "") {
					t.Fatalf("row %d is %q; encoding/csv says %q", i, got[i].cells, record)
				}
			}
		}
	})
}
