package sources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// smallWindow is over a reader, with the least memory that a window may have.
func smallWindow(r io.Reader, maxRow int) *window {
	return &window{r: r, buf: make([]byte, maxRow+lineEnd)}
}

// nasty makes a text of pieces that have a meaning in some format.
func nasty(random *rand.Rand, pieces []string, n int) []byte {
	var text []byte
	for range n {
		text = append(text, pieces[random.IntN(len(pieces))]...)
	}
	return text
}

// TestBordersDoNotMatter: however a text arrives and wherever the window happens to stand, the rows, the
// malformed ones among them, and their lines are the same.
func TestBordersDoNotMatter(t *testing.T) {
	formats := []struct {
		layout Layout
		pieces []string
	}{
		{csvLayout(2), []string{"a", "b", ",", ",", "\n", "\n", "\r\n", "\r", `"`, `""`, "\",\"", "\u00e9", "\xff", "\x00", "a,b\n", "long text"}},
		{text(Layout{}), []string{"a", "\n", "\r\n", "\r", "\u00e9", "\xff", "\x00", "long text"}},
		{Layout{Format: NDJSON, Columns: stringColumns([]string{"a", "b"})}, []string{
			`{"a":"x"}`, `{"b":1,"a":null}`, "\n", "\n", "\r\n", `{"a":"\u0041"`, `{`, `}`, `,`, `"`, `"a":`, "\xff", "\x00", " "}},
	}
	readers := map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "error with data": iotest.DataErrReader,
		"whole": func(r io.Reader) io.Reader { return r },
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 900 {
		f := formats[round%len(formats)]
		f.layout.MaxRow = 5 + random.IntN(30)
		content := nasty(random, f.pieces, random.IntN(60))
		want := readText(f.layout, memoryWindow(content, nil))
		for name, reader := range readers {
			got := readText(f.layout, smallWindow(reader(bytes.NewReader(content)), f.layout.MaxRow))
			if !slices.Equal(got, want) {
				t.Fatalf("%s, longest row %d, %s: text %q\ngot\n%s\nwant\n%s", f.layout.Format, f.layout.MaxRow, name,
					content, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// TestRowsAreCounted: what goes into the reader comes out as rows and malformed rows, and the line of a
// malformed row is where it stands.
func TestRowsAreCounted(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		var text strings.Builder
		var want []string
		for line := range 200 {
			switch random.IntN(6) {
			case 0:
				text.WriteString("\n")
			case 1:
				text.WriteString("a,\"b\n")
				want = append(want, fmt.Sprintf("line %d row: ", line+1))
			case 2:
				text.WriteString("a\n")
				want = append(want, fmt.Sprintf("line %d row: 1 fields", line+1))
			case 3:
				text.WriteString("\"a\",b\r\n")
				want = append(want, `"a" "b"`)
			default:
				text.WriteString("a,b\n")
				want = append(want, `"a" "b"`)
			}
		}
		got := readText(csvLayout(2), memoryWindow([]byte(text.String()), nil))
		if len(got) != len(want) {
			t.Fatalf("%d rows of %q, want %d", len(got), text.String(), len(want))
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Fatalf("row %d is %s, want %s", i+1, got[i], want[i])
			}
		}
	}
}

// TestBatches: a batch ends with 4096 rows or with the row that reaches a megabyte of text, also when blank
// lines, quotes and malformed rows are among them; it can be read again from its start.
func TestBatches(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, width := range []int{1, 300, 9000} {
		t.Run(fmt.Sprint("up to ", width), func(t *testing.T) {
			var content bytes.Buffer
			for rows := 0; rows < 20000 && content.Len() < 4<<20; rows++ {
				cell := strings.Repeat("x", 1+random.IntN(width))
				kinds := []string{"%s,b\n", "%s,b\n", "%s,b\n", "\n\n%s,b\r\n", "\"%s\n\",b\n", "%s\n", "%s,\"b\n"}
				fmt.Fprintf(&content, kinds[random.IntN(len(kinds))], cell)
			}
			l := csvLayout(2)
			l.MaxRow = 10000
			batches := readBatches(t, l, content.Bytes(), Position{})
			if len(batches) < 3 {
				t.Fatalf("only %d batches", len(batches))
			}
			for i, b := range batches {
				end := int64(content.Len())
				if i+1 < len(batches) {
					end = batches[i+1].Start.Offset
				}
				rows, size := b.Record.NumRows(), end-b.Start.Offset
				if rows > batchRows || size > batchBytes+int64(l.MaxRow)+lineEnd {
					t.Errorf("batch %d has %d rows and %d bytes", i, rows, size)
				}
				if i+1 < len(batches) && rows < batchRows && size < batchBytes {
					t.Errorf("batch %d ends early, with %d rows and %d bytes", i, rows, size)
				}
				if i > 3 {
					continue // a few are enough
				}
				again := readBatches(t, l, content.Bytes(), b.Start)
				if len(again) != len(batches)-i {
					t.Fatalf("%d batches from batch %d on, want %d", len(again), i, len(batches)-i)
				}
				for j, a := range again {
					if o := batches[i+j]; a.Start != o.Start || !slices.Equal(a.Malformed, o.Malformed) || a.Record.NumRows() != o.Record.NumRows() {
						t.Fatalf("batch %d read from batch %d on differs", i+j, i)
					}
				}
			}
		})
	}
}

func readBatches(t *testing.T, l Layout, content []byte, from Position) []*Batch {
	t.Helper()
	r := newTextReader(&l, []int{1}, newWindow(bytes.NewReader(content[from.Offset:]), from.Offset, l.MaxRow))
	r.row, r.line = from.Row, from.Line
	var batches []*Batch
	for {
		b, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return batches
		}
		batches = append(batches, b)
	}
}

// TestFailureComesAfterTheRows: rows that are complete before reading failed are delivered, the row it failed
// in is not.
func TestFailureComesAfterTheRows(t *testing.T) {
	failure := errors.New("disk on fire")
	for _, content := range []string{"a,b\nc,d\ne", "a,b\nc,d\n", "a,b\nc,d\ne,f", "a,b\nc,d\n\"e\"", "a,b\nc,d\n\"e"} {
		r := io.MultiReader(strings.NewReader(content), iotest.ErrReader(failure))
		got := readText(csvLayout(2), smallWindow(r, 50))
		if want := []string{`"a" "b"`, `"c" "d"`, failure.Error()}; !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", content, got, want)
		}
	}
}

func TestReaderWithoutProgress(t *testing.T) {
	idle := readFunc(func([]byte) (int, error) { return 0, nil })
	if got := readText(csvLayout(2), smallWindow(idle, 50)); !slices.Equal(got, []string{io.ErrNoProgress.Error()}) {
		t.Errorf("got %q, want %v", got, io.ErrNoProgress)
	}
}
