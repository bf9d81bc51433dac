package sources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// TestSplits: the splits of a file, read one after the other, are the file: its rows in order, at the same
// positions, with the same numbers, and resuming within a split yields the rest of that split.
func TestSplits(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			groups := make([]int, random.IntN(6))
			for i := range groups {
				groups[i] = []int{0, 1, random.IntN(100), 4096, 4000 + random.IntN(1000)}[random.IntN(5)]
			}
			in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", randomParquet(t, random, groups)), sources.Options{})
			whole, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(in.Layout.Groups); got != len(groups) || len(in.Splits()) != max(1, got) {
				t.Fatalf("%d row groups and %d splits, want %d", got, len(in.Splits()), len(groups))
			}
			var parts []*sources.Batch
			for _, s := range reread(t, in.Splits()) {
				cut := in.Cut(s)
				own := readSplit(t, cut, s, parts)
				parts = append(parts, own...)
			}
			sameBatches(t, parts, whole)
			if n := len(groups); n > 2 { // several row groups together are a split, too
				var joined []*sources.Batch
				for _, s := range []sources.Split{{0, 1}, {1, n}} {
					joined = append(joined, readSplit(t, in.Cut(s), s, joined)...)
				}
				sameBatches(t, joined, whole)
			}
		})
	}
}

// reread passes splits through JSON, as those do who read them elsewhere.
func reread(t *testing.T, splits []sources.Split) (again []sources.Split) {
	t.Helper()
	text, err := json.Marshal(splits)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil || !slices.Equal(again, splits) {
		t.Fatalf("%s, %v", text, err)
	}
	return again
}

// readSplit reads a split from its beginning and from every batch of it. before are the batches of earlier splits.
func readSplit(t *testing.T, cut *sources.Input, s sources.Split, before []*sources.Batch) []*sources.Batch {
	t.Helper()
	start := sources.Position{}
	for _, b := range before {
		start.Row += b.Record.NumRows()
	}
	if start.Row > 0 {
		start.Offset = int64(s.First)
	}
	var own []*sources.Batch
	next := start.Row
	for b, err := range cut.Batches(t.Context(), sourcestest.All(cut), sources.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Start.Row != next {
			t.Fatalf("batch begins at row %d, want %d", b.Start.Row, next)
		}
		next += b.Record.NumRows()
		own = append(own, b)
	}
	for i, b := range own {
		rest, err := sourcestest.Batches(t, cut, sourcestest.All(cut), b.Start)
		if err != nil {
			t.Fatal(err)
		}
		sameBatches(t, rest, own[i:])
	}
	return own
}

func sameBatches(t *testing.T, got, want []*sources.Batch) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d batches, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Start != want[i].Start || !array.RecordEqual(got[i].Record, want[i].Record) {
			t.Fatalf("batch %d at %+v with %d rows, want the one at %+v with %d", i, got[i].Start, got[i].Record.NumRows(), want[i].Start, want[i].Record.NumRows())
		}
	}
}

// randomParquet is a file of some columns and row groups of the given sizes.
func randomParquet(t *testing.T, random *rand.Rand, groups []int) []byte {
	t.Helper()
	types := []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Float64, &arrow.FixedSizeBinaryType{ByteWidth: 5}}
	var fields []arrow.Field
	for i := range 1 + random.IntN(4) {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("c", i), Type: types[random.IntN(len(types))], Nullable: random.IntN(2) == 0})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	var out bytes.Buffer
	properties := parquet.NewWriterProperties(parquet.WithStats(false), parquet.WithDataPageSize(int64(200+random.IntN(5000))), parquet.WithDictionaryDefault(random.IntN(2) == 0))
	w, err := pqarrow.NewFileWriter(b.Schema(), &out, properties, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range groups {
		for i := range rows {
			for j, f := range fields {
				if f.Nullable && random.IntN(3) == 0 {
					b.Field(j).AppendNull()
				} else {
					appendValue(t, b.Field(j), i, random)
				}
			}
		}
		if err := w.Write(b.NewRecord()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSplitsOfOthers: what cannot be entered in the middle has one split, which is the input itself.
func TestSplitsOfOthers(t *testing.T) {
	rows, header := sourcestest.Numbered(10), []string{"id", "email", "note"}
	for name, content := range map[string][]byte{
		"a.csv": encodeCSV(',', false)(rows, header), "a.ndjson": encodeNDJSON(rows, header),
		"a.arrow": arrowFile(t, records(rows, header, 4)), "a.arrows": arrowStream(t, records(rows, header, 4)),
	} {
		in := sourcestest.Inspect(t, sourcestest.Write(t, name, content), sources.Options{})
		if splits := in.Splits(); len(splits) != 1 || in.Cut(splits[0]) != in {
			t.Errorf("%s has splits %v", name, splits)
		}
		if _, err := sourcestest.Batches(t, in.Cut(sources.Split{First: 0, Last: 1}), []int{0}, sources.Position{}); err == nil || !strings.Contains(err.Error(), "no split") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSplitsRefused: neither a split that is not there nor a position outside of it is read.
func TestSplitsRefused(t *testing.T) {
	content := encodeParquet(t, sourcestest.Numbered(30), []string{"id", "email", "note"}, parquet.WithMaxRowGroupLength(10))
	in := sourcestest.Inspect(t, sourcestest.Write(t, "a.parquet", content), sources.Options{})
	for _, s := range []sources.Split{{0, 4}, {-1, 2}, {2, 1}, {1, 1}, {3, 4}} {
		if _, err := sourcestest.Batches(t, in.Cut(s), []int{0}, sources.Position{}); err == nil || !strings.Contains(err.Error(), "no split") {
			t.Errorf("split %v: %v", s, err)
		}
	}
	cut := in.Cut(sources.Split{First: 1, Last: 2})
	for _, from := range []sources.Position{{Offset: 0, Row: 5}, {Offset: 0, Row: 10}, {Offset: 2, Row: 21}, {Offset: 1, Row: 9}, {Offset: 1, Row: 21}} {
		if _, err := sourcestest.Batches(t, cut, []int{0}, from); err == nil {
			t.Errorf("from %+v: no error", from)
		}
	}
	for _, end := range []sources.Position{{Offset: 1, Row: 20}, {Offset: 2, Row: 20}} {
		if batches, err := sourcestest.Batches(t, cut, []int{0}, end); err != nil || len(batches) > 0 {
			t.Errorf("from the end at %+v: %d batches, %v", end, len(batches), err)
		}
	}
}
