package sources_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// codec is an encoding and what writes it.
type codec struct {
	name  sources.Encoding
	write encoding.Encoding
}

func codecs() []codec {
	return []codec{
		{sources.UTF16LE, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{sources.UTF16BE, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{sources.Windows1252, charmap.Windows1252},
		{sources.Latin1, charmap.ISO8859_1},
	}
}

// encode writes UTF-8 in another encoding, which must have all its characters.
func (c codec) encode(t testing.TB, text []byte) []byte {
	t.Helper()
	encoded, err := c.write.NewEncoder().Bytes(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// has says whether the encoding has all characters of a text, and they stand for what Unicode says. The encoder takes
// controls for the bytes that Windows-1252 leaves open.
func (c codec) has(text string) bool {
	_, err := c.write.NewEncoder().String(text)
	return err == nil && (c.name != sources.Windows1252 || !strings.ContainsAny(text, "\u0081\u008d\u008f\u0090\u009d"))
}

func TestEncodedCSV(t *testing.T) {
	for _, c := range codecs()[:3] {
		t.Run(string(c.name), func(t *testing.T) {
			sourcestest.Run(t, "a.csv", func(rows [][]string, header []string) []byte {
				return c.encode(t, encodeCSV(',', false)(rows, header))
			}, sourcestest.Options{Read: sources.Options{Encoding: c.name}, Refuses: func(s string) bool { return !c.has(s) }})
		})
	}
}

func TestMarkedCSVInUTF16(t *testing.T) {
	for given, order := range map[sources.Encoding]unicode.Endianness{"": unicode.LittleEndian, "UTF-16": unicode.BigEndian} {
		t.Run(string("given "+given), func(t *testing.T) {
			sourcestest.Run(t, "a.csv.gz", func(rows [][]string, header []string) []byte {
				c := codec{write: unicode.UTF16(order, unicode.UseBOM)}
				return gzipped(t, c.encode(t, encodeCSV(',', false)(rows, header)))
			}, sourcestest.Options{Read: sources.Options{Encoding: given}})
		})
	}
}

func TestNDJSONInUTF16(t *testing.T) {
	sourcestest.Run(t, "a.ndjson", func(rows [][]string, header []string) []byte {
		return codecs()[1].encode(t, append([]byte("\uFEFF"), encodeNDJSON(rows, header)...))
	}, sourcestest.Options{})
}

func TestTextInUTF16(t *testing.T) {
	sourcestest.Run(t, "a.txt", func(rows [][]string, _ []string) []byte {
		var b bytes.Buffer
		for _, row := range rows {
			b.WriteString(row[0] + "\r\n")
		}
		return codecs()[0].encode(t, b.Bytes())
	}, sourcestest.Options{Single: true, Read: sources.Options{Encoding: "utf-16"}, Refuses: func(s string) bool { return strings.ContainsAny(s, "\r\n") }})
}

// TestEncodedLikeUTF8: a text in any encoding has the rows of the same text in UTF-8, at the same positions, from
// every batch on.
func TestEncodedLikeUTF8(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range codecs() {
		t.Run(string(c.name), func(t *testing.T) {
			rows := [][]string{{"id", "email", "note"}}
			for i := range 9000 {
				rows = append(rows, []string{fmt.Sprint("id-", i), "person@example.com", randomText(random, c)})
			}
			text := encodeCSV(';', true)(rows[1:], rows[0])
			plain := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", text), sources.Options{})
			in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", c.encode(t, text)), sources.Options{Encoding: c.name})
			if in.Layout.Encoding != c.name {
				t.Errorf("the layout says %q", in.Layout.Encoding)
			}
			batches, err := sourcestest.Batches(t, plain, []int{0, 2}, sources.Position{})
			if err != nil || len(batches) < 3 {
				t.Fatalf("%d batches, %v", len(batches), err)
			}
			again := sources.Reopen(in.Object, in.Layout, sources.Options{})
			for i := range batches {
				rest, err := sourcestest.Batches(t, again, []int{0, 2}, batches[i].Start)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, rest, batches[i:])
				if last := rest[len(rest)-1].Read; last != in.Object.Size {
					t.Errorf("%d bytes read, want %d", last, in.Object.Size)
				}
			}
		})
	}
}

func wantSame(t *testing.T, got, want []*sources.Batch) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d batches, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Start != want[i].Start || !reflect.DeepEqual(got[i].Malformed, want[i].Malformed) {
			t.Fatalf("batch at %+v, malformed %v, want %+v, %v", got[i].Start, got[i].Malformed, want[i].Start, want[i].Malformed)
		}
	}
	if !reflect.DeepEqual(sourcestest.Rows(got), sourcestest.Rows(want)) {
		t.Fatalf("other cells from %+v on", got[0].Start)
	}
}

// randomText is a cell of characters that an encoding has, of all lengths in UTF-8.
func randomText(random *rand.Rand, c codec) string {
	var b strings.Builder
	for range random.IntN(40) {
		r := rune(random.IntN(1 << random.IntN(21)))
		if r >= ' ' && c.has(string(r)) && utf8.ValidRune(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// FuzzEncodings: whatever the text, encoded and read back it is the text.
func FuzzEncodings(f *testing.F) {
	f.Add("J\u00fcrgen,a@example.com\n\u20ac,\"b\n\"\n", uint8(0), uint16(3))
	f.Add("\U0001F600\uFFFD\n\uFFFE\r\n", uint8(1), uint16(1))
	f.Add("\u0152uvre|\u017d\x00|x\n", uint8(2), uint16(9))
	f.Fuzz(func(t *testing.T, text string, which uint8, chunk uint16) {
		c := codecs()[int(which)%len(codecs())]
		text = "id,email\n" + text // so that what is no text is told apart from it
		if !utf8.ValidString(text) || !c.has(text) || len(text) > 1<<16 {
			t.Skip()
		}
		options := sources.Options{Format: sources.CSV, Delimiter: ",", NoHeader: true}
		options.Stdin = strings.NewReader(text)
		plain, err := sources.Inspect(context.Background(), stdin, options)
		if err != nil {
			t.Skip()
		}
		layout := plain.Layout
		want, err := sourcestest.Batches(t, plain, sourcestest.All(plain), sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		layout.Encoding = c.name
		encoded := bytes.NewReader(c.encode(t, []byte(text)))
		again := sources.Reopen(stdin, layout, sources.Options{Stdin: iotest.OneByteReader(encoded)})
		got, err := sourcestest.Batches(t, again, sourcestest.All(again), sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, want)
	})
}

// utf16Units writes units, which need not be characters.
func utf16Units(order binary.AppendByteOrder, units ...uint16) (b []byte) {
	for _, u := range units {
		b = order.AppendUint16(b, u)
	}
	return b
}

// TestUndecodable: bytes that are no character make their row malformed and no other, and nothing takes their place.
func TestUndecodable(t *testing.T) {
	le, be := codecs()[0], codecs()[1]
	wide := func(c codec, order binary.AppendByteOrder, units ...uint16) []byte {
		head, tail := c.encode(t, []byte("id;name\n1;\U0001F600\uFFFD\n2;x")), c.encode(t, []byte("y\n3;z\n"))
		return bytes.Join([][]byte{head, utf16Units(order, units...), tail}, nil)
	}
	for _, c := range []struct {
		name     string
		encoding sources.Encoding
		text     []byte
		reason   string
	}{
		{"high half", "utf-16le", wide(le, binary.LittleEndian, 0xd83d), "row: not UTF-16"},
		{"low half", "utf-16le", wide(le, binary.LittleEndian, 0xde00), "row: not UTF-16"},
		{"halves in the wrong order", "utf-16be", wide(be, binary.BigEndian, 0xde00, 0xd83d), "row: not UTF-16"},
		{"two high halves", "utf-16be", wide(be, binary.BigEndian, 0xd83d, 0xd83d), "row: not UTF-16"},
		{"NUL", "utf-16le", wide(le, binary.LittleEndian, 0), "row: NUL byte"},
		{"open in Windows-1252", "windows-1252", []byte("id;name\n1;\x80\xe9\n2;x\x81y\n3;z\n"), "row: not Windows-1252"},
		{"given UTF-8", "utf-8", []byte("id;name\n1;\u20ac\n2;x\xe9y\n3;z\n"), "row: not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", c.text), sources.Options{Encoding: c.encoding})
			batches, err := sourcestest.Batches(t, in, []int{0, 1}, sources.Position{})
			if err != nil {
				t.Fatal(err)
			}
			want := []sources.Malformed{{Index: 1, Line: 3, Reason: c.reason}}
			if rows := sourcestest.Rows(batches); len(rows) != 3 || !reflect.DeepEqual(batches[0].Malformed, want) || rows[2][1] != "z" {
				t.Errorf("%q, malformed %v, want %v", rows, batches[0].Malformed, want)
			}
		})
	}
}

// TestOpenBytes: five bytes of Windows-1252 are no characters, all others are; Latin-1 has all.
func TestOpenBytes(t *testing.T) {
	for encoding, malformed := range map[sources.Encoding]int{"windows-1252": 5, "latin1": 0} {
		text := []byte("id;name\n")
		for c := 0x80; c <= 0xff; c++ {
			text = append(text, 'x', ';', byte(c), '\n')
		}
		in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", text), sources.Options{Encoding: encoding})
		batches, err := sourcestest.Batches(t, in, []int{1}, sources.Position{})
		if err != nil || len(batches) != 1 || len(batches[0].Malformed) != malformed {
			t.Fatalf("%s: %d batches, %v", encoding, len(batches), err)
		}
		bad := map[int]bool{}
		for _, m := range batches[0].Malformed {
			bad[m.Index] = true
		}
		table := map[sources.Encoding]*charmap.Charmap{"windows-1252": charmap.Windows1252, "latin1": charmap.ISO8859_1}[encoding]
		for i, row := range sourcestest.Rows(batches) {
			if want := string(table.DecodeByte(byte(0x80 + i))); !bad[i] && row[0] != want {
				t.Errorf("%s: %#x is %q, want %q", encoding, 0x80+i, row[0], want)
			}
		}
	}
}

// TestOddByte: a file of UTF-16 that is cut off within a character loses its last row.
func TestOddByte(t *testing.T) {
	text := codecs()[0].encode(t, []byte("\uFEFFid,email\n1,a@example.com\n2,b@example.com\n"))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv", text[:len(text)-1]), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
	if err != nil || len(batches) != 1 || len(batches[0].Malformed) != 1 || batches[0].Malformed[0].Line != 3 {
		t.Errorf("%v, %v", sourcestest.Rows(batches), err)
	}
}

// TestExcel reads what Excel writes: "Unicode Text" is UTF-16LE with a mark, tabs and CRLF; "CSV" is Windows-1252
// with semicolons where the comma is in numbers. Both quote cells with the delimiter, a quote or a line feed in them.
func TestExcel(t *testing.T) {
	want := [][]string{
		{"1", "J\u00fcrgen Gro\u00df", "juergen@example.com", "1,50 \u20ac"}, {"2", "Zo\u00eb \u201cZ\u201d; Dee", "zoe@example.com", "first\nsecond"},
		{"3", `say "hi"`, "", ""},
	}
	for _, c := range []struct {
		name, text, layout string
		encoding           codec
		given              sources.Encoding
	}{
		{"Unicode Text", "\uFEFFid\tName\tE-Mail\tBetrag\r\n1\tJ\u00fcrgen Gro\u00df\tjuergen@example.com\t1,50 \u20ac\r\n" +
			"2\tZo\u00eb \u201cZ\u201d; Dee\tzoe@example.com\t\"first\nsecond\"\r\n3\t\"say \"\"hi\"\"\"\t\t\r\n",
			`tsv ["id" "Name" "E-Mail" "Betrag"] by "\t" with header`, codecs()[0], ""},
		{"CSV", "id;Name;E-Mail;Betrag\r\n1;J\u00fcrgen Gro\u00df;juergen@example.com;1,50 \u20ac\r\n" +
			"2;\"Zo\u00eb \u201cZ\u201d; Dee\";zoe@example.com;\"first\nsecond\"\r\n3;\"say \"\"hi\"\"\";;\r\n",
			`csv ["id" "Name" "E-Mail" "Betrag"] by ";" with header`, codecs()[2], "Windows-1252"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Write(t, "a.txt", c.encoding.encode(t, []byte(c.text))), sources.Options{Encoding: c.given})
			if got := describe(in.Layout); got != c.layout || in.Layout.Encoding != c.encoding.name {
				t.Errorf("got  %s in %s\nwant %s in %s", got, in.Layout.Encoding, c.layout, c.encoding.name)
			}
			if got := sourcestest.Collect(t, in); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// TestOtherEncoding: an encoding that a text is certainly not in is refused, with the one it is in.
func TestOtherEncoding(t *testing.T) {
	text := []byte("id,name\n1,J\u00fcrgen\n2,Jane\n")
	le, be := codecs()[0].encode(t, text), codecs()[1].encode(t, text)
	for _, c := range []struct {
		name  string
		given sources.Encoding
		text  []byte
		want  string
	}{
		{"LE as BE", "utf-16be", le, "looks like UTF-16LE, not UTF-16BE; add --encoding utf-16le"},
		{"mark of BE as LE", "utf-16le", append([]byte("\xfe\xff"), be...), "looks like UTF-16BE, not UTF-16LE; add --encoding utf-16be"},
		{"BE without mark as UTF-16", "utf-16", be, "looks like UTF-16BE, not UTF-16LE; add --encoding utf-16be"},
		{"LE as Windows-1252", "windows-1252", le, "looks like UTF-16LE, not Windows-1252; add --encoding utf-16le"},
		{"LE as UTF-8", "utf-8", le, "looks like UTF-16LE, not UTF-8; add --encoding utf-16le"},
		{"UTF-8 as LE", "utf-16le", text, "looks like UTF-8, not UTF-16LE; add --encoding utf-8"},
		{"mark of UTF-8 as Latin-1", "latin1", append([]byte("\uFEFF"), text...), "looks like UTF-8, not Latin-1; add --encoding utf-8"},
		{"UTF-32", "utf-16", []byte("\xff\xfe\x00\x00i\x00\x00\x00"), "looks like UTF-32LE, not UTF-16LE; convert it"},
		{"PNG as Latin-1", "latin1", []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01", 20)), "PNG"},
		{"zstd as UTF-16", "utf-16", gzipped(t, zstded(t, text)), "zstd data inside"},
		{"random as Windows-1252", "windows-1252", bytes.Repeat([]byte("\x01\x02\xff"), 50), "binary"},
		{"unknown", "koi8-r", text, `encoding "koi8-r" is none of auto, utf-8,`},
		{"Parquet", "latin1", []byte("PAR1"), "format parquet has an encoding of its own; leave --encoding out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.csv", c.text), sources.Options{Encoding: c.given})
			if err == nil {
				t.Fatalf("read as %s", describe(in.Layout))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not say %q", err, c.want)
			}
		})
	}
	odd := sources.Reopen(sourcestest.Write(t, "a.csv", text), sources.Layout{Format: sources.CSV, Encoding: "koi8-r"}, sources.Options{})
	if _, err := sourcestest.Batches(t, odd, nil, sources.Position{}); err == nil || !strings.Contains(err.Error(), `encoding "koi8-r" cannot be read`) {
		t.Errorf("an encoding in a layout that is not known: %v", err)
	}
}

// TestEncodedStdin: what was looked at is read again, in the same encoding.
func TestEncodedStdin(t *testing.T) {
	for _, c := range codecs() {
		content := gzipped(t, c.encode(t, table(5000)))
		in := sourcestest.Inspect(t, stdin, sources.Options{Encoding: c.name, Stdin: iotest.HalfReader(bytes.NewReader(content))})
		if rows := sourcestest.Collect(t, in); len(rows) != 5000 || rows[4999][0] != "id-4999" {
			t.Errorf("%s: %d rows, want 5000", c.name, len(rows))
		}
	}
}

// TestEncodedDamage: the error tells where in the text it is, as without an encoding.
func TestEncodedDamage(t *testing.T) {
	content := gzipped(t, codecs()[0].encode(t, table(40_000)))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.csv.gz", content[:len(content)*3/4]), sources.Options{Encoding: sources.UTF16})
	batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
	rows := sourcestest.Rows(batches)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("(%d rows)", len(rows))) || len(rows) < 10_000 || rows[len(rows)-1][0] != fmt.Sprint("id-", len(rows)-1) {
		t.Errorf("%d rows, then %v", len(rows), err)
	}
}
