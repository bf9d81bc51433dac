package sources_test

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

func TestSemicolonCSV(t *testing.T) {
	sourcestest.Run(t, "a.csv", encodeCSV(';', false), sourcestest.Options{Read: sources.Options{Delimiter: ";"}})
}

// TestTSVWithoutQuotes: as databases write it, a quote is a character like any other.
func TestTSVWithoutQuotes(t *testing.T) {
	sourcestest.Run(t, "a.tsv", func(rows [][]string, header []string) []byte {
		var b bytes.Buffer
		for _, row := range append([][]string{header}, rows...) {
			b.WriteString(strings.Join(row, "\t") + "\n")
		}
		return b.Bytes()
	}, sourcestest.Options{Read: sources.Options{Quote: "none"}, Refuses: func(s string) bool { return strings.ContainsAny(s, "\t\r\n") }})
}

func TestCSVWithOtherQuotes(t *testing.T) {
	swap := strings.NewReplacer(`"`, "'", "'", `"`)
	sourcestest.Run(t, "a.csv", func(rows [][]string, header []string) []byte {
		swapped := [][]string{}
		for _, row := range rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = swap.Replace(cell)
			}
			swapped = append(swapped, cells)
		}
		return []byte(swap.Replace(string(encodeQuoted(swapped, header))))
	}, sourcestest.Options{Read: sources.Options{Quote: "'"}})
}

// TestDialect: what is given is as given, and the rest is found out.
func TestDialect(t *testing.T) {
	const people = "id,email\n1,a@example.com\n"
	for _, c := range []struct {
		name, file, text string
		read             sources.Options
		want             string
		rows             [][]string
	}{
		{"delimiter", "a.csv", "id,email;note\n1,a@example.com;x\n", sources.Options{Delimiter: "semicolon"},
			`csv ["id,email" "note"] by ";" with header`, [][]string{{"1,a@example.com", "x"}}},
		{"delimiter that nobody tries", "a.txt", "id#email\n1#a@example.com\n", sources.Options{Delimiter: "#"},
			`csv ["id" "email"] by "#" with header`, [][]string{{"1", "a@example.com"}}},
		{"control character", "a", "id\x01email\n1\x01a@example.com\n", sources.Options{Delimiter: "\x01"},
			`csv ["id" "email"] by "\x01" with header`, [][]string{{"1", "a@example.com"}}},
		{"delimiter that is not there", "a.txt", "a@example.com\nb@example.com\n", sources.Options{Delimiter: "|"},
			`csv ["1"] by "|"`, [][]string{{"a@example.com"}, {"b@example.com"}}},
		{"tab by name, in CSV", "a.csv", "id\temail\n1\ta@example.com\n", sources.Options{Delimiter: "TAB"},
			`csv ["id" "email"] by "\t" with header`, [][]string{{"1", "a@example.com"}}},
		{"tab as people write it, in TSV", "a.csv", "id\temail\n1\ta@example.com\n", sources.Options{Delimiter: `\t`, Format: sources.TSV},
			`tsv ["id" "email"] by "\t" with header`, [][]string{{"1", "a@example.com"}}},
		{"no header", "a.csv", people, sources.Options{NoHeader: true},
			`csv ["1" "2"] by ","`, [][]string{{"id", "email"}, {"1", "a@example.com"}}},
		{"no header, behind a mark and blank lines", "a.csv", "\uFEFF\n\r\n" + people, sources.Options{NoHeader: true},
			`csv ["1" "2"] by ","`, [][]string{{"id", "email"}, {"1", "a@example.com"}}},
		{"no header, one column", "a.txt", "email\na@example.com\n", sources.Options{NoHeader: true},
			`csv ["1"] by ","`, [][]string{{"email"}, {"a@example.com"}}},
		{"no header, tabs", "a.dat", "x\ty\nz\tv\n", sources.Options{NoHeader: true},
			`tsv ["1" "2"] by "\t"`, [][]string{{"x", "y"}, {"z", "v"}}},
		{"no quotes", "a.csv", "id,name\n1,5\" nails\n2,\"x\n", sources.Options{Quote: "none"},
			`csv ["id" "name"] by "," with header`, [][]string{{"1", `5" nails`}, {"2", `"x`}}},
		{"quote that is a delimiter elsewhere", "a.csv", "id;|name|\n1;|a;||b|\n2;||\n", sources.Options{Quote: "|"},
			`csv ["id" "name"] by ";" with header`, [][]string{{"1", "a;|b"}, {"2", ""}}},
		{"comma as a quote", "a.csv", ",id,\n,1,\n", sources.Options{Quote: ","},
			`tsv ["id"] by "\t" with header`, [][]string{{"1"}}},
		{"double quote as delimiter", "a.csv", "id\"email\n1\"a@example.com\n", sources.Options{Delimiter: `"`, Quote: "none"},
			`csv ["id" "email"] by "\"" with header`, [][]string{{"1", "a@example.com"}}},
		{"braces in a table", "a.csv", "{7f1c},a@example.com\n{88ab},b@example.com\n", sources.Options{NoHeader: true},
			`csv ["1" "2"] by ","`, [][]string{{"{7f1c}", "a@example.com"}, {"{88ab}", "b@example.com"}}},
		{"all of it", "a.csv", "x|'y|z'\n", sources.Options{Format: "csv", Delimiter: "pipe", Quote: "'", NoHeader: true},
			`csv ["1" "2"] by "|"`, [][]string{{"x", "y|z"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Write(t, c.file, []byte(c.text)), c.read)
			if got := describe(in.Layout); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			again := sources.Reopen(in.Object, in.Layout, sources.Options{})
			if got := sourcestest.Collect(t, again); !reflect.DeepEqual(got, c.rows) {
				t.Errorf("got  %q\nwant %q", got, c.rows)
			}
		})
	}
}

// TestWrongOptions: what cannot be meant is refused, before anything is opened where that is possible.
func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    sources.Options
		want string
	}{
		{"two bytes", sources.Options{Delimiter: "||"}, `delimiter "||" is longer than one byte`},
		{"two bytes in UTF-8", sources.Options{Delimiter: "\u00a7"}, "is longer than one byte"},
		{"not ASCII", sources.Options{Delimiter: "\xa7"}, "is no ASCII character"},
		{"line feed", sources.Options{Delimiter: "\n"}, `delimiter "\n" ends the line`},
		{"carriage return", sources.Options{Delimiter: "\r"}, "ends the line"},
		{"NUL", sources.Options{Delimiter: "\x00"}, "is no ASCII character"},
		{"quote of two bytes", sources.Options{Quote: `""`}, `quote "\"\"" is longer than one byte`},
		{"quote that ends lines", sources.Options{Quote: "\n"}, "ends the line"},
		{"white quote", sources.Options{Quote: "\t"}, "is white space"},
		{"the same", sources.Options{Delimiter: "|", Quote: "|"}, `delimiter and quote are both "|"`},
		{"the quote by default", sources.Options{Delimiter: `"`}, "delimiter and quote are both"},
		{"TSV", sources.Options{Delimiter: ";", Format: sources.TSV}, "the delimiter of format tsv is the tab"},
		{"delimiter of NDJSON", sources.Options{Delimiter: ";", Format: sources.NDJSON}, "format ndjson has no delimiter; leave --delimiter out"},
		{"delimiter of text", sources.Options{Delimiter: ";", Format: sources.Text}, "format text has no delimiter"},
		{"delimiter of Parquet", sources.Options{Delimiter: ";", Format: sources.Parquet}, "format parquet has no delimiter"},
		{"quote of NDJSON", sources.Options{Quote: "none", Format: sources.NDJSON}, "leave --quote out"},
		{"header of text", sources.Options{NoHeader: true, Format: sources.Text}, "leave --no-header out"},
		{"encoding of Parquet", sources.Options{Encoding: "latin1", Format: sources.Parquet}, "leave --encoding out"},
		{"encoding", sources.Options{Encoding: "ebcdic"}, `encoding "ebcdic" is none of auto`},
		{"longest row", sources.Options{MaxRow: -1}, "give 1 to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := c.o.Resolve(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := sources.Inspect(context.Background(), stdin, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Inspect: %v, want %q", err, c.want)
			}
		})
	}
	parquet := encodeParquet(t, sourcestest.Numbered(1), []string{"id", "email", "note"})
	for name, content := range map[string][]byte{"parquet": parquet, "ndjson": []byte("{\"id\": \"1;2\"}\n{}\n")} {
		_, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a", content), sources.Options{Delimiter: ";"})
		if err == nil || !strings.Contains(err.Error(), "/a: format "+name+" has no delimiter; leave --delimiter out") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBlankHead: a first megabyte of blank lines is neither a table nor an object.
func TestBlankHead(t *testing.T) {
	text := strings.Repeat("\n", 2<<20) + "id;email\n"
	_, err := sources.Inspect(context.Background(), stdin, sources.Options{Delimiter: ";", Stdin: strings.NewReader(text)})
	if err == nil || !strings.Contains(err.Error(), "first row is longer than") {
		t.Errorf("%v", err)
	}
}

// FuzzOptions: whatever is put in and however it is to be read, there are rows or an error, and the rows are those that
// the layout gives again.
func FuzzOptions(f *testing.F) {
	f.Add([]byte("id;email\n1;a@example.com\n"), "", ";", "none", true)
	f.Add([]byte("\xff\xfei\x00|\x00\n\x00\x00\xd8"), "utf-16", "pipe", "'", false)
	f.Add([]byte("{\"id\":1}\n"), "windows-1252", "", "", false)
	f.Add([]byte("x\x81,'y'\n"), "windows-1252", "", "'", true)
	f.Fuzz(func(t *testing.T, content []byte, encoding, delimiter, quote string, noHeader bool) {
		o := sources.Options{Encoding: sources.Encoding(encoding), Delimiter: delimiter, Quote: quote, NoHeader: noHeader}
		o.Stdin = bytes.NewReader(content)
		in, err := sources.Inspect(context.Background(), stdin, o)
		if err != nil {
			return
		}
		layout := in.Layout
		if noHeader && (layout.Header || layout.Columns[0].Name != "1") || delimiter != "" && layout.Delimiter == "" {
			t.Fatalf("layout %+v with %+v", layout, o)
		}
		first, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
		again := sources.Reopen(stdin, layout, sources.Options{Stdin: bytes.NewReader(content)})
		second, againErr := sourcestest.Batches(t, again, sourcestest.All(again), sources.Position{})
		if (err == nil) != (againErr == nil) {
			t.Fatalf("%v, and by the layout %v", err, againErr)
		}
		wantSame(t, second, first)
		for _, row := range sourcestest.Rows(first) {
			for _, cell := range row {
				if !utf8.ValidString(cell) {
					t.Fatalf("cell %q", cell)
				}
			}
		}
	})
}

// TestResolve: options that mean the same are the same.
func TestResolve(t *testing.T) {
	want, err := sources.Options{Encoding: "UTF-16LE", Delimiter: "\t", Quote: "none"}.Resolve()
	if err != nil || want.MaxRow == 0 {
		t.Fatalf("%+v, %v", want, err)
	}
	for _, o := range []sources.Options{{Encoding: "utf-16le", Delimiter: "tab", Quote: "NONE"}, {Encoding: "Utf-16LE", Delimiter: `\t`, Quote: "none"}, want} {
		if got, err := o.Resolve(); err != nil || got != want {
			t.Errorf("%+v is %+v, %v, want %+v", o, got, err, want)
		}
	}
}
