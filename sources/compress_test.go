package sources_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

var update = flag.Bool("update", false, "make the files of testdata/bzip2 with the program bzip2")

// bzipped returns a text in bzip2: two streams, the first in blocks of 100 kB, the second in blocks of 900 kB. Go
// can only read bzip2, so that each text is a file in testdata/bzip2, named by its hash, which -update made with
// bzip2 1.0.8: head -c N text | bzip2 -1; tail -c +N+1 text | bzip2 -9, N being a third.
func bzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "bzip2", fmt.Sprintf("%x.bz2", sha256.Sum256(text))[56:])
	if *update {
		first := bzip2(t, "-1", text[:len(text)/3])
		if err := os.WriteFile(path, append(first, bzip2(t, "-9", text[len(text)/3:])...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update where there is a program bzip2", err)
	}
	return content
}

func bzip2(t testing.TB, level string, text []byte) []byte {
	t.Helper()
	c := exec.Command("bzip2", level)
	c.Stdin = bytes.NewReader(text)
	compressed, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	return compressed
}

func TestCSVInBzip2(t *testing.T) {
	sourcestest.Run(t, "a.csv.bz2", func(rows [][]string, header []string) []byte {
		return bzipped(t, encodeCSV(',', false)(rows, header))
	}, sourcestest.Options{})
}

func TestBzip2IsNamed(t *testing.T) {
	in := sourcestest.Inspect(t, sourcestest.Write(t, "misnamed", bzipped(t, table(1))), sources.Options{})
	if in.Layout.Compression != "bzip2" || in.Layout.Format != sources.CSV {
		t.Errorf("compression %q, format %q", in.Layout.Compression, in.Layout.Format)
	}
	_, err := sources.Inspect(context.Background(), sourcestest.Write(t, "a.bz2", bzipped(t, nil)), sources.Options{})
	if err == nil || !strings.Contains(err.Error(), sources.ErrEmpty.Error()) {
		t.Errorf("bzip2 of nothing: %v, want %v", err, sources.ErrEmpty)
	}
}

// named is a member whose header has a name in it.
func named(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = strings.Repeat("a name that is long ", 5)
	_, err := w.Write(text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSecondPart: of a file that was put together from two, all rows of the first are delivered and as many of the
// second as there are, and then comes an error, wherever within the second it is cut off.
func TestSecondPart(t *testing.T) {
	text := table(30_000)
	half := len(text)*9/10 + bytes.IndexByte(text[len(text)*9/10:], '\n') + 1
	rows := bytes.Count(text[:half], []byte{'\n'}) - 1
	first, second := text[:half], text[half:]
	for _, c := range []struct {
		name          string
		first, second []byte
		cuts          []int // bytes of the second that are left
	}{
		{"gzip", gzipped(t, first), gzipped(t, second), []int{1, 5000, -1}},
		{"gzip with a name", gzipped(t, first), named(t, second), []int{15}},
		{"zstd", zstded(t, first), zstded(t, second), []int{5, -1}},
	} {
		for _, cut := range c.cuts {
			if cut < 0 {
				cut += len(c.second)
			}
			t.Run(fmt.Sprint(c.name, " ", cut), func(t *testing.T) {
				wantCutOff(t, bytes.Join([][]byte{c.first, c.second[:cut]}, nil), rows)
			})
		}
	}
}

// TestSecondStreamOfBzip2 is TestSecondPart for bzip2: a table several times, and then a part of it. A block of
// bzip2 is there as a whole or not at all. (Nothing tells when whole streams are missing.)
func TestSecondStreamOfBzip2(t *testing.T) {
	text := table(8500)
	content := bzipped(t, text)
	second := bytes.LastIndex(content, []byte("BZh9"))
	whole := bytes.Repeat(content, 3) // more than Inspect looks at
	for _, cut := range []int{4, second + 3} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			wantCutOff(t, append(bytes.Clone(whole), content[:cut]...), 3*8501-1)
		})
	}
}

// wantCutOff reads a compressed table that is cut off, behind so many rows at least.
func wantCutOff(t *testing.T, content []byte, rows int) {
	t.Helper()
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a", content), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
	got := sourcestest.Rows(batches)
	if err == nil || !strings.Contains(err.Error(), "data is cut off after") || !strings.Contains(err.Error(), fmt.Sprintf("(%d rows)", len(got))) {
		t.Fatalf("%d rows, then %v", len(got), err)
	}
	if len(got) < rows {
		t.Errorf("%d rows, of which %d can be read", len(got), rows)
	}
	want := 0
	for i, row := range got {
		if row[0] == "id" { // the table begins again
			want = 0
			continue
		}
		if row[0] != fmt.Sprint("id-", want) {
			t.Fatalf("row %d is %q, want number %d", i, row, want)
		}
		want++
	}
}

// TestPadding: zero bytes behind the last member are nothing, as gzip has it; anything else is damage.
func TestPadding(t *testing.T) {
	text := table(3000)
	zeros := make([]byte, 100_000)
	for name, c := range map[string]struct {
		behind []byte
		want   string
	}{
		"one zero":         {zeros[:1], ""},
		"a block":          {zeros[:512], ""},
		"many blocks":      {zeros, ""},
		"zeros, then text": {append(bytes.Clone(zeros), 'x'), "data behind zero bytes"},
		"zeros, a member":  {append(zeros[:9:9], gzipped(t, text)...), "data behind zero bytes"},
		"a byte":           {[]byte("x"), "not gzip"},
		"text":             {[]byte("signature of 20 bytes"), "the gzip data is damaged"},
		"and what it is":   {[]byte("signature of 20 bytes"), "what follows the compressed data is not gzip"},
		"half a mark":      {[]byte{0x1f}, "cut off"},
		"half a header":    {[]byte{0x1f, 0x8b, 8}, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			o := sourcestest.Write(t, "a.csv.gz", append(append(gzipped(t, text[:1000]), gzipped(t, text[1000:])...), c.behind...))
			in, err := sources.Inspect(context.Background(), o, sources.Options{})
			if err == nil {
				var batches []*sources.Batch
				batches, err = sourcestest.Batches(t, in, []int{0}, sources.Position{})
				if rows := sourcestest.Rows(batches); len(rows) != 3000 {
					t.Errorf("%d rows, want 3000", len(rows))
				}
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
