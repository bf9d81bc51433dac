package sources_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"mapper/client/objects"
	"mapper/sources"
	"mapper/sources/sourcestest"
)

// table is a CSV file with so many rows.
func table(rows int) []byte {
	return encodeCSV(',', false)(sourcestest.Numbered(rows), []string{"id", "email", "note"})
}

// TestMembers: compressed files put together are one text.
func TestMembers(t *testing.T) {
	text := table(5000)
	a, b := text[:len(text)/3], text[len(text)/3:]
	skippable := []byte("\x52\x2a\x4d\x18\x03\x00\x00\x00abc")
	for name, content := range map[string][]byte{
		"a.csv.gz":   bytes.Join([][]byte{gzipped(t, a), gzipped(t, nil), gzipped(t, b)}, nil),
		"a.csv.zst":  append(zstded(t, a), zstded(t, b)...),
		"b.csv.zst":  append(skippable, zstded(t, text)...),
		"misnamed":   gzipped(t, text),
		"not.csv.gz": text,
	} {
		in := sourcestest.Inspect(t, sourcestest.Write(t, name, content), sources.Options{})
		if rows := sourcestest.Collect(t, in); len(rows) != 5000 || rows[4999][0] != "id-4999" {
			t.Errorf("%s: %d rows, want 5000", name, len(rows))
		}
	}
}

// TestDamage: rows before the damage are delivered, then comes an error that says where it is. Truncation of
// the first megabyte is found by Inspect.
func TestDamage(t *testing.T) {
	text := table(40_000)
	flipped := gzipped(t, text)
	flipped[len(flipped)-50_000] ^= 0x55
	checksum := gzipped(t, text)
	checksum[len(checksum)-6] ^= 1
	cut := func(b []byte) []byte { return b[:len(b)*3/4] }
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"cut.csv.gz", cut(gzipped(t, text)), "the gzip data is cut off after"},
		{"cut.csv.zst", cut(zstded(t, text)), "the zstd data is cut off after"},
		{"flipped.csv.gz", flipped, "the gzip data is damaged after"},
		{"checksum.csv.gz", checksum, "the gzip data is damaged after"},
		{"garbage.csv.gz", append(gzipped(t, text), "garbage behind"...), "the gzip data is damaged after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Write(t, c.name, c.content), sources.Options{})
			batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
			rows := sourcestest.Rows(batches)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("(%d rows)", len(rows))) {
				t.Fatalf("%d rows, then %v; want %q and the rows", len(rows), err, c.want)
			}
			if len(rows) < 10_000 {
				t.Errorf("only %d rows", len(rows))
			}
			// The checksum comes last: what a changed byte makes of the text shows before it does.
			if strings.HasPrefix(c.want, "the gzip data is cut") && rows[len(rows)-1][0] != fmt.Sprint("id-", len(rows)-1) {
				t.Errorf("the last of %d rows is %q", len(rows), rows[len(rows)-1])
			}
		})
	}
	for name, content := range map[string][]byte{"small.gz": gzipped(t, table(100))[:300], "head.gz": []byte("\x1f\x8b\x08"), "small.zst": zstded(t, table(100))[:300]} {
		_, err := sources.Inspect(context.Background(), sourcestest.Write(t, name, content), sources.Options{})
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "get the file again") {
			t.Errorf("%s: %v, want %v", name, err, io.ErrUnexpectedEOF)
		}
	}
}

var stdin = objects.Object{URI: "-", Size: -1}

func TestStdin(t *testing.T) {
	for name, content := range map[string][]byte{"plain": table(9000), "gzip": gzipped(t, table(9000)), "zstd": zstded(t, table(9000))} {
		for reader, r := range map[string]io.Reader{
			"whole": bytes.NewReader(content), "half": iotest.HalfReader(bytes.NewReader(content)),
		} {
			t.Run(name+" "+reader, func(t *testing.T) {
				in := sourcestest.Inspect(t, stdin, sources.Options{Stdin: r})
				if rows := sourcestest.Collect(t, in); len(rows) != 9000 || rows[8999][0] != "id-8999" {
					t.Errorf("%d rows, want 9000", len(rows))
				}
				_, err := sourcestest.Batches(t, in, nil, sources.Position{})
				if err == nil || !strings.Contains(err.Error(), "standard input: can be read once only") {
					t.Errorf("read again: %v", err)
				}
			})
		}
	}
}

func TestStdinFromPosition(t *testing.T) {
	text := table(10_000)
	first := sourcestest.Inspect(t, stdin, sources.Options{Stdin: bytes.NewReader(text)})
	batches, err := sourcestest.Batches(t, first, []int{0}, sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	again := sources.Reopen(stdin, first.Layout, sources.Options{Stdin: bytes.NewReader(text)})
	rest, err := sourcestest.Batches(t, again, []int{0}, batches[1].Start)
	if err != nil || len(rest) != len(batches)-1 || sourcestest.Rows(rest)[0][0] != "id-4096" {
		t.Errorf("%d batches, %v, want %d", len(rest), err, len(batches)-1)
	}
}

func TestStdinThatCannotBeRead(t *testing.T) {
	if _, err := sources.Inspect(context.Background(), stdin, sources.Options{}); err == nil {
		t.Error("no error without a reader")
	}
	broken := errors.New("pipe is broken")
	_, err := sources.Inspect(context.Background(), stdin, sources.Options{Stdin: iotest.ErrReader(broken)})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	parquet := encodeParquet(t, sourcestest.Numbered(1), []string{"id", "email", "note"})
	_, err = sources.Inspect(context.Background(), stdin, sources.Options{Stdin: bytes.NewReader(parquet)})
	if err == nil || !strings.Contains(err.Error(), "save it to a file") {
		t.Errorf("Parquet: %v", err)
	}
}

func TestNoFile(t *testing.T) {
	gone := objects.Object{URI: "testdata/gone.csv", Size: 1, Version: "1"}
	if _, err := sources.Inspect(context.Background(), gone, sources.Options{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone.csv") {
		t.Errorf("Inspect: %v", err)
	}
	if _, err := sources.Inspect(context.Background(), gone, sources.Options{MaxRow: 2 << 30}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Inspect with rows of 2 GiB: %v", err)
	}
}

// TestReadGrows: the bytes read go up to the size of the file, compressed or not.
func TestReadGrows(t *testing.T) {
	text := table(30_000)
	parquet := encodeParquet(t, sourcestest.Numbered(30_000), []string{"id", "email", "note"})
	for name, content := range map[string][]byte{"a.csv": text, "a.csv.gz": gzipped(t, text), "a.csv.zst": zstded(t, text), "a.parquet": parquet} {
		in := sourcestest.Inspect(t, sourcestest.Write(t, name, content), sources.Options{})
		batches, err := sourcestest.Batches(t, in, []int{0}, sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		last := int64(0)
		for _, b := range batches {
			if b.Read < last {
				t.Errorf("%s: %d bytes read, %d before", name, b.Read, last)
			}
			last = b.Read
		}
		if last != in.Object.Size || batches[0].Read == last {
			t.Errorf("%s: %d bytes in the first batch, %d in all, want %d", name, batches[0].Read, last, in.Object.Size)
		}
	}
}

// TestMaxRow: the longest row is part of the layout.
func TestMaxRow(t *testing.T) {
	text := "id,email\n1," + strings.Repeat("x", 2<<20) + "\n2,b@example.com\n"
	o := sourcestest.Write(t, "a.csv", []byte(text))
	for maxRow, malformed := range map[int]int{0: 1, 3 << 20: 0, 1000: 1} {
		in := sourcestest.Inspect(t, o, sources.Options{MaxRow: maxRow, Format: sources.CSV})
		batches, err := sourcestest.Batches(t, sources.Reopen(o, in.Layout, sources.Options{}), []int{1}, sources.Position{})
		n := 0
		for _, b := range batches {
			n += len(b.Malformed)
		}
		if rows := sourcestest.Rows(batches); err != nil || n != malformed || len(rows) != 2 || rows[1][0] != "b@example.com" {
			t.Errorf("longest row %d: %d malformed, %v, want %d", maxRow, n, err, malformed)
		}
	}
}

// FuzzInspect: whatever is put in, there are rows or an error, and the rows are counted.
func FuzzInspect(f *testing.F) {
	for _, content := range [][]byte{
		table(3), gzipped(f, table(3)), zstded(f, table(3)), []byte("a@example.com\n"), []byte("{\"a\":1}\n{\"b\":[2]}\n"), []byte("[{}]"),
		[]byte("\xff\xfea\x00"), []byte("\uFEFFa\tb\n\"\t\"\n"), []byte("a|b;c,d\n"), []byte("\"\n\"\r"),
	} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		in, err := sources.Inspect(context.Background(), stdin, sources.Options{Stdin: bytes.NewReader(content)})
		if err != nil {
			return
		}
		sample := int(in.Sample().NumRows())
		batches, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
		good := len(sourcestest.Rows(batches))
		for _, b := range batches {
			good -= len(b.Malformed)
		}
		if err == nil && sample != min(good, 1000) {
			t.Fatalf("%d good rows, %d in the sample", good, sample)
		}
	})
}
