package sources_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

const hash = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"

// describe prints what matters of a layout.
func describe(l sources.Layout) string {
	var names []string
	for _, c := range l.Columns {
		names = append(names, c.Name)
	}
	s := fmt.Sprintf("%s %q", l.Format, names)
	if l.Delimiter != "" {
		s += fmt.Sprintf(" by %q", l.Delimiter)
	}
	if l.Header {
		s += " with header"
	}
	return s
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             string
		rows             int
	}{
		{"comma", "a.csv", "id,email\n1,a@example.com\n", `csv ["id" "email"] by "," with header`, 1},
		{"semicolon", "a.csv", "id;amount\n1;2,50\n2;3,00\n", `csv ["id" "amount"] by ";" with header`, 2},
		{"pipe", "a.dat", "id|email\n1|a@example.com\n", `csv ["id" "email"] by "|" with header`, 1},
		{"tab", "a.csv", "id\temail\n1\ta@example.com\n", `tsv ["id" "email"] by "\t" with header`, 1},
		{"delimiters in quotes", "a.csv", "\"a;b;c\",\"d;e;f\"\n\"1;2;3\",\"4;5;6\"\n", `csv ["a;b;c" "d;e;f"] by "," with header`, 1},
		{"a ragged row among others", "a.csv", "a,b,c\n1,2,3\n1,2\n1,2,3\n", `csv ["a" "b" "c"] by "," with header`, 3},
		{"commas in the cells of most rows", "a.csv", "id|name\n1|Doe, J\n2|Roe, R\n", `csv ["id" "name"] by "|" with header`, 2},
		{"header only", "a.csv", "id,email\n", `csv ["id" "email"] by "," with header`, 0},
		{"header only, no line feed", "a.csv", "id,email", `csv ["id" "email"] by "," with header`, 0},
		{"no header: email", "a.csv", "1,a@example.com\n2,b@example.com\n", `csv ["1" "2"] by ","`, 2},
		{"no header: phone", "a.csv", "x,+1 (555) 010-0123\nx,+15550100124\n", `csv ["1" "2"] by ","`, 2},
		{"no header: hash", "a.csv", "x," + hash + "\ny," + hash + "\n", `csv ["1" "2"] by ","`, 2},
		{"no header: base64 hash", "a.csv", "x,tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=\n", `csv ["1" "2"] by ","`, 1},
		{"header with short numbers", "a.csv", "id,2024,2025\n1,2,3\n", `csv ["id" "2024" "2025"] by "," with header`, 1},
		{"no header: keys, and an empty cell above emails", "a.csv", "c1,,US\nc2,a@example.com,US\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: keys of other lengths", "a.csv", "c9,,US\nc10,a@example.com,DE\n,b@example.com,FR\n", `csv ["1" "2" "3"] by ","`, 3},
		{"no header: keys, and an invalid email", "a.csv", "c1,nobody,US\nc2,a@example.com,US\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: keys and null", "a.csv", "C-0001,NULL\nC-0002,a@example.com\n", `csv ["1" "2"] by ","`, 2},
		{"no header: one row of keys like the first", "a.csv", "c1,x\nc2,a@example.com\nd7,b@example.com\n", `csv ["1" "2"] by ","`, 3},
		{"no header: numbers and an empty cell", "a.csv", "1,,US\n2,a@example.com,DE\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: numbers and null", "a.csv", "1,NULL,US\n2,a@example.com,DE\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: numbers alone", "a.csv", "1,2,3\n4,5,6\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: a word that comes again", "a.csv", "John,,US\nJane,a@example.com,US\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: opaque keys", "a.csv", "9f1c-77ab,,US\nab03-c1d2,a@example.com,DE\n", `csv ["1" "2" "3"] by ","`, 2},
		{"no header: one column of keys", "a.csv", "c1\nc2\nc3\n", `text ["identifier"]`, 3},
		{"header with one empty name", "a.csv", "key,,country\nk1,a@example.com,US\n", `csv ["key" "2" "country"] by "," with header`, 1},
		{"header with an empty last name", "a.csv", "first,last,\nJohn,Doe,x\n", `csv ["first" "last" "3"] by "," with header`, 1},
		{"header with digits in names", "a.csv", "id,phone1,phone2,md5\nx7,+15550100123,,\n", `csv ["id" "phone1" "phone2" "md5"] by "," with header`, 1},
		{"header of numbered names above words", "a.csv", "q1,q2\nyes,no\nno,yes\n", `csv ["q1" "q2"] by "," with header`, 2},
		{"header above words", "a.csv", "name,country\nJane,US\nJohn,DE\n", `csv ["name" "country"] by "," with header`, 2},
		{"header above empty cells", "a.csv", "name,,notes\nJane,,\nJohn,a@example.com,\n", `csv ["name" "2" "notes"] by "," with header`, 2},
		{"header above keys without digits", "a.csv", "id,email\nx,a@example.com\n", `csv ["id" "email"] by "," with header`, 1},
		{"header twice", "a.csv", "c1,c2\nc1,c2\n7,a@example.com\n", `csv ["c1" "c2"] by "," with header`, 2},
		{"nameless column", "a.csv", ",email\n0,a@example.com\n", `csv ["1" "email"] by "," with header`, 1},
		{"spaces around names", "a.csv", "id, email \n1,a@example.com\n", `csv ["id" "email"] by "," with header`, 1},
		{"byte order mark", "a.csv", "\uFEFFid,email\r\n1,a@example.com\r\n", `csv ["id" "email"] by "," with header`, 1},
		{"byte order mark and no header", "a.csv", "\uFEFFa@example.com,1\n", `csv ["1" "2"] by ","`, 1},
		{"blank lines in front", "a.csv", "\n\nid,email\n1,a@example.com\n", `csv ["id" "email"] by "," with header`, 1},
		{"one column .csv with header", "a.csv", "email\na@example.com\n", `csv ["email"] by "," with header`, 1},
		{"one column .tsv with header", "a.tsv", "email\na@example.com\n", `tsv ["email"] by "\t" with header`, 1},
		{"one column .csv, nothing but header", "a.csv", "email\n", `csv ["email"] by "," with header`, 0},
		{"one column .csv without header", "a.csv", "a@example.com\nb@example.com\n", `text ["identifier"]`, 2},
		{"one column .csv of digits", "a.csv", "123456\n123457\n", `text ["identifier"]`, 2},
		{"one quoted column .csv", "a.csv", "\"a@example.com\"\n\"b@example.com\"\n", `csv ["1"] by ","`, 2},
		{".txt is plain", "a.txt", "email\na@example.com\n", `text ["identifier"]`, 2},
		{".txt with a delimiter", "a.txt", "id,email\n1,a@example.com\n", `csv ["id" "email"] by "," with header`, 1},
		{".txt with some commas", "a.txt", "a@example.com\nb@example.com,\nc@example.com\n", `text ["identifier"]`, 3},
		{"no extension, one column", "a", "a@example.com\nb@example.com", `text ["identifier"]`, 2},
		{"no extension, one column with header", "a", "email\na@example.com\n", `csv ["email"] by "," with header`, 1},
		{"no extension, odd first line", "a", "hello\nworld\n", `text ["identifier"]`, 2},
		{"name with a quote in front", "a", "\"Jane\" <jane@example.com>\nb@example.com\n", `text ["identifier"]`, 2},
		{"objects", "a.json", "\n{\"id\":1,\"email\":\"a@example.com\"}\n{\"phone\":null,\"id\":2}\n", `ndjson ["id" "email" "phone"]`, 2},
		{"objects, whatever the name", "a.csv", `{"email":"a@example.com","list":[1,2]}`, `ndjson ["email"]`, 1},
		{"a bracket in a header", "a.csv", "[id],[email]\n1,a@example.com\n", `csv ["[id]" "[email]"] by "," with header`, 1},
		{"sep line", "a.csv", "sep=;\r\nid;email\r\n1;a@example.com\r\n", `csv ["id" "email"] by ";" with header`, 1},
		{"sep line behind a mark, no header", "a.csv", "\uFEFFSEP=,\n1,a@example.com\n", `csv ["1" "2"] by ","`, 1},
		{"sep line of a tab", "a.csv", "sep=\t\nid\temail\n", `tsv ["id" "email"] by "\t" with header`, 0},
		{"sep line of a table of one column", "a.csv", "sep=,\nemail\na@example.com\n", `csv ["email"] by "," with header`, 1},
		{"a header that begins like a sep line", "a.csv", "sep=id,email\n1,a@example.com\n", `csv ["sep=id" "email"] by "," with header`, 1},
		{"caret", "a.csv", "id^email\n1^a@example.com\n", `csv ["id" "email"] by "^" with header`, 1},
		{"tilde", "a.csv", "id~email\n1~a@example.com\n", `csv ["id" "email"] by "~" with header`, 1},
		{"lines, a comma in the first", "a", "a@example.com,\nb@example.com\nc@example.com\n", `text ["identifier"]`, 3},
		{"lines, some with signs that delimit", "a", "a~b@example.com\nb^c@example.com\nc|d@example.com\nd@example.com\n", `text ["identifier"]`, 4},
		{"lines with stray quotes", "a.txt", "o\"a@example.com\no\"b@example.com\no\"c@example.com\no\"d@example.com\n", `text ["identifier"]`, 4},
		{"two rows with stray quotes", "a.csv", "id,size\n1,5\" pipe\n2,6\" pipe\n", `csv ["id" "size"] by "," with header`, 2},
		{"stray quotes in most rows", "a.csv", "id,size\n1,5\" pipe\n2,6\" pipe\n3,7\" pipe\n4,none\n", `csv ["id" "size"] by "," with header`, 4},
		{"a few NULs", "a.csv", "id,email\n1,a\x00@example.com\n2,b@example.com\n", `csv ["id" "email"] by "," with header`, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Write(t, c.file, []byte(c.text)), sources.Options{})
			if got := describe(in.Layout); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got := sourcestest.Collect(t, in); len(got) != c.rows {
				t.Errorf("rows %q, want %d", got, c.rows)
			}
		})
	}
}

func TestFormatGiven(t *testing.T) {
	for _, c := range []struct {
		format     sources.Format
		text, want string
	}{
		{sources.Text, "id,email\n1,a@example.com\n", `text ["identifier"]`},
		{sources.CSV, "email\na@example.com\n", `csv ["email"] by "," with header`},
		{sources.CSV, "a@example.com\n", `csv ["1"] by ","`},
		{sources.CSV, "id\temail\n1\ta@example.com\n", `csv ["id" "email"] by "\t" with header`},
		{sources.TSV, "id,x\temail\n1,y\ta@example.com\n", `tsv ["id,x" "email"] by "\t" with header`},
		{sources.TSV, "id,x\n", `tsv ["id,x"] by "\t" with header`},
		{sources.CSV, "{id},email\n1,a@example.com\n", `csv ["{id}" "email"] by "," with header`},
		{sources.NDJSON, "x\n{\"id\":1}\n", `ndjson ["id"]`},
	} {
		in := sourcestest.Inspect(t, sourcestest.Write(t, "a.dat", []byte(c.text)), sources.Options{Format: c.format})
		if got := describe(in.Layout); got != c.want {
			t.Errorf("%s of %q: got  %s\nwant %s", c.format, c.text, got, c.want)
		}
	}
}

func utf16(text string, first, second byte) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.Write([]byte{c & first, c & second})
	}
	return b.String()
}

// TestRefused: what cannot be read as a whole is refused with its name and a way out.
func TestRefused(t *testing.T) {
	const table = "id,email\n1,a@example.com\n2,b@example.com\n"
	binary := make([]byte, 5000)
	for i := range binary {
		binary[i] = byte(i * i >> 3)
	}
	for _, c := range []struct {
		name, file, text string
		format           sources.Format
		want             []string
	}{
		{"UTF-16LE without mark", "a.csv", utf16(table, 255, 0), "", []string{"looks like UTF-16LE, not UTF-8; add --encoding utf-16le"}},
		{"UTF-16BE without mark", "a.csv", utf16(table, 0, 255), sources.CSV, []string{"looks like UTF-16BE, not UTF-8; add --encoding utf-16be"}},
		{"UTF-32", "a.csv", "\xff\xfe\x00\x00i\x00\x00\x00", "", []string{"UTF-32LE", "iconv -f UTF-32LE"}},
		{"binary with the mark of UTF-16", "a.csv", "\xff\xfe" + strings.Repeat("\x01\x00\x02\x00", 50), "", []string{"binary"}},
		{"Latin-1", "a.csv", "id,name\n1,Jos\xe9\n", "", []string{"looks like Latin-1 or Windows-1252, not UTF-8; add --encoding windows-1252, or convert it (iconv"}},
		{"Windows-1252", "a.csv", "id,name\n1,Jos\xe9 \x96 x\n", "", []string{"looks like Windows-1252, not UTF-8; add --encoding windows-1252, or"}},
		{"Shift JIS", "a.csv", "id,name\n1,\x83n\x83\x8d\x81[\n", "", []string{"not recognized", "iconv"}},
		{"Latin-1 objects", "a.json", "{\"name\":\"Jos\xe9\"}\n", "", []string{"Latin-1"}},
		{"binary", "a.csv", string(binary), "", []string{"binary"}},
		{"PNG", "a.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "", []string{"PNG"}},
		{"zip", "a.xlsx", "PK\x03\x04\x14\x00\x06\x00", "", []string{"zip", "Excel"}},
		{"bzip2", "a.csv.bz2", "BZh91AY&SY\x00\xff\x01\x02", "", []string{"the bzip2 data is cut off after", "get the file again"}},
		{"damaged bzip2", "a.csv.bz2", "BZh91AZ&SY\x00\xff\x01\x02", "", []string{"a damaged bzip2 file"}},
		{"xz", "a.csv.xz", "\xfd7zXZ\x00\x00\x04", "", []string{"xz", "not supported yet"}},
		{"gzip in gzip", "a.csv.gz", string(gzipped(t, gzipped(t, []byte(table)))), "", []string{"gzip data inside"}},
		{"Parquet in gzip", "a.parquet.gz", string(gzipped(t, []byte("PAR1\x15\x00\x15"))), "", []string{"a Parquet file", "without further compression"}},
		{"Parquet as CSV", "a.csv", "PAR1\x15\x00\x15PAR1", sources.CSV, []string{"a Parquet file"}},
		{"CSV as Parquet", "a.parquet", table, sources.Parquet, []string{"footer"}},
		{"carriage returns alone", "a.csv", "id,email\r1,a@example.com\r", "", []string{"carriage return"}},
		{"JSON array", "a.json", " [\n {\"id\": 1}]", "", []string{"JSON array", "one object a line"}},
		{"JSON array given as NDJSON", "a.json", `["x"]`, sources.NDJSON, []string{"JSON array"}},
		{"object over lines", "a.json", "{\n  \"id\": 1\n}\n", "", []string{"none of its first 3 lines", "jq -c"}},
		{"two columns of one name", "a.csv", "id,email,email\n1,2,3\n", "", []string{`"email"`, "two columns"}},
		{"header that cannot be read", "a.csv", "\"id,email\n1,2\n3,4\n", "csv", []string{"line 1", "quote not closed"}},
		{"first object too long", "a.json", "{\"id\": \"" + strings.Repeat("x", 2<<20), "", []string{"first row is longer than"}},
		{"header too long", "a.csv", "id," + strings.Repeat("x", 2<<20), "csv", []string{"first row is longer than"}},
		{"a title", "a.csv", "Report of May\nid,email,phone\n1,a@example.com,\n2,b@example.com,\n", "", []string{"line 1 has 1 field and most of the next ones have 3", "--delimiter"}},
		{"a title behind blank lines", "a.csv", "\n\nid;email\n1;2;3\n1;2;3\n1;2;3\n", "", []string{"line 3 has 2 fields and most of the next ones have 3"}},
		{"sep line alone", "a.csv", "sep=;\n\n", "", []string{sources.ErrEmpty.Error()}},
		{"stray quotes in all rows", "a.csv", "id,size\n1,5\" pipe\n2,6\" pipe\n3,7\" pipe\n", "", []string{"none of the 3 rows below its first one", "--quote none"}},
		{"escaped quotes in all rows", "a.csv", "id,size\n1,\"5\\\" pipe\"\n2,\"6\\\" pipe\"\n3,\"7\\\" pipe\"\n", "", []string{"--quote none"}},
		{"stray quote in the header", "a.csv", "id,size\"x\n1,2\n3,4\n", sources.CSV, []string{"line 1", "--quote none"}},
		{"unknown format", "a.csv", table, "xml", []string{`"xml"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := sourcestest.Write(t, c.file, []byte(c.text))
			in, err := sources.Inspect(context.Background(), o, sources.Options{Format: c.format})
			if err == nil {
				t.Fatalf("read as %s", describe(in.Layout))
			}
			for _, want := range append(c.want, o.URI+": ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestEmpty(t *testing.T) {
	_, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.pq", nil), sources.Options{Format: sources.Parquet})
	if !errors.Is(err, sources.ErrEmpty) {
		t.Errorf("as Parquet: %v, want %v", err, sources.ErrEmpty)
	}
	for name, content := range map[string][]byte{
		"a.csv": nil, "a.txt": []byte("\n \r\n"), "b.csv": []byte("\uFEFF"), "a.csv.gz": gzipped(t, nil), "a.json.zst": zstded(t, []byte("\n")), "a.parquet": nil,
	} {
		_, err := sources.Inspect(context.Background(), sourcestest.Write(t, name, content), sources.Options{})
		if !errors.Is(err, sources.ErrEmpty) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("%s: %v, want %v", name, err, sources.ErrEmpty)
		}
	}
}

// TestSampleHasGoodRows: rows that cannot be read are not in the sample, nor does it end with a row of which the
// head shows a part only.
func TestSampleHasGoodRows(t *testing.T) {
	text := "id,email\n1,a@example.com\nragged\n\"2\n" + strings.Repeat("3,c@example.com\n", 1500)
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", []byte(text)), sources.Options{})
	cells := sourcestest.Cells(in.Sample())
	if len(cells) != 1000 || !slices.Equal(cells[0], []string{"1", "a@example.com"}) || !slices.Equal(cells[1], []string{"3", "c@example.com"}) {
		t.Errorf("%d rows, beginning with %q", len(cells), cells[:2])
	}
	long := strings.Repeat("x", 300_000)
	in = sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", []byte("id,email\n"+strings.Repeat("1,"+long+"\n", 8))), sources.Options{})
	if rows := in.Sample().NumRows(); rows != 3 {
		t.Errorf("%d rows of 300 kB in the first megabyte, want 3", rows)
	}
}

func TestIndex(t *testing.T) {
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.json", []byte(`{"id":1,"email":"a@example.com","address":{"city":"x"}}`)), sources.Options{})
	if i, err := in.Layout.Index("email"); i != 1 || err != nil {
		t.Errorf("email: %d, %v, want 1", i, err)
	}
	if _, err := in.Layout.Index("Email"); err == nil || !strings.Contains(err.Error(), "id, email") {
		t.Errorf("Email: %v, want the columns there are", err)
	}
	if _, err := in.Layout.Index("address"); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("address: %v, want that it is nested", err)
	}
}
