package sinks

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
)

func recount(data []byte, network Network, dataset string) (Counts, error) {
	return Recount("the part", bytes.NewReader(data), int64(len(data)), network, dataset)
}

// counted is what Recount is to return, counted from the rows.
func counted(dataset string, rows []Row) Counts {
	c := Counts{Rows: int64(len(rows)), Files: make(map[string]FileCounts)}
	for _, r := range rows {
		file := c.Files[r.SourceFile]
		switch dataset {
		case DatasetMapped:
			file.Mapped++
		case DatasetUnmapped:
			file.Unmapped[r.Reason]++
			c.Reasons[r.Reason]++
		}
		if dataset != DatasetRefreshFrom {
			c.Files[r.SourceFile] = file
		}
		if at := r.RefreshFrom; at != 0 && dataset != DatasetUnmapped {
			if c.MinRefreshFrom == nil || at < *c.MinRefreshFrom {
				c.MinRefreshFrom = &at
			}
			if c.MaxRefreshFrom == nil || at > *c.MaxRefreshFrom {
				c.MaxRefreshFrom = &at
			}
		}
		if hash := hex.EncodeToString(r.Identity.Hash[:4]); r.HasHash {
			if c.MinHash == "" || hash < c.MinHash {
				c.MinHash = hash
			}
			c.MaxHash = max(c.MaxHash, hash)
		}
	}
	return c
}

func TestRecount(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 11))
		n, network := []int{1, 50, 1000, batchRows + 1}[seed%4], Network(seed/4)
		fields := keptFields(keptTypes()[:3])
		record := keptRecord(random, fields, 10)
		rows := partRows{mapped: randomRows(random, n), unmapped: lacking(random, randomRows(random, n))}
		for i := range rows.mapped {
			rows.mapped[i].Kept, rows.mapped[i].KeptFirst, rows.mapped[i].KeptRow = record, 1, i%10
		}
		f := newFolder(t)
		opts := Options{Network: network, Kept: fields, RowGroupRows: 1 + n/3, RefreshGroupRows: 1 + n/2, Compression: Compression(seed % 3)}
		for dataset, file := range writePart(t, newWriter(t, f, opts), 0, rows) {
			got, err := recount(f.read(t, file.Path), network, dataset)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, dataset, err)
			}
			of := rows.mapped
			if dataset == DatasetUnmapped {
				of = rows.unmapped
			}
			want := counted(dataset, of)
			want.Sorted = dataset != DatasetMapped || n == 1 // unmapped rows have no refresh_from
			if !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d: %s:\ngot  %+v\nwant %+v", seed, dataset, got, want)
			}
			if got.Rows != file.Rows || got.MinHash != file.MinHash || got.MaxHash != file.MaxHash ||
				!reflect.DeepEqual(got.MinRefreshFrom, file.MinRefreshFrom) || !reflect.DeepEqual(got.MaxRefreshFrom, file.MaxRefreshFrom) {
				t.Errorf("seed %d: %s: got %+v, Seal said %+v", seed, dataset, got, file)
			}
		}
	}
}

// TestRecountNoRows: a run writes no such file, but a copy of one by other tools may be.
func TestRecountNoRows(t *testing.T) {
	for _, dataset := range Datasets() {
		got, err := recount(writeArrow(t, expected(t, NetworkID5, dataset, nil, nil)), NetworkID5, dataset)
		if err != nil || got.Rows != 0 || len(got.Files) != 0 || !got.Sorted {
			t.Errorf("%s: got %+v, %v", dataset, got, err)
		}
	}
}

// TestRecountSorted turns rows around.
func TestRecountSorted(t *testing.T) {
	row := func(at int64) Row { return Row{HasKind: true, HasHash: true, UID: []byte("u"), RefreshFrom: at} }
	for _, tt := range []struct {
		rows []Row
		want bool
	}{
		{[]Row{row(1), row(2), row(2), row(0), row(0)}, true},
		{[]Row{row(-1), row(1)}, true},
		{[]Row{row(2), row(1)}, false},
		{[]Row{row(0), row(1)}, false},
	} {
		columns := expectedRows(t, NetworkUID2, DatasetRefreshFrom, tt.rows)
		got, err := recount(writeArrow(t, columns), NetworkUID2, DatasetRefreshFrom)
		if err != nil || got.Sorted != tt.want {
			t.Errorf("%+v: sorted is %t, %v; want %t", tt.rows, got.Sorted, err, tt.want)
		}
	}
}

func expectedRows(t *testing.T, network Network, dataset string, rows []Row) arrow.Table {
	t.Helper()
	schema := Schema(network, dataset, nil)
	var columns []arrow.Array
	for _, f := range schema.Fields() {
		columns = append(columns, expectedColumn(t, network, f, rows))
	}
	return array.NewTableFromRecords(schema, []arrow.Record{array.NewRecord(schema, columns, int64(len(rows)))})
}

// TestRecountRefuses writes files, with Arrow's writer, that break one promise each.
func TestRecountRefuses(t *testing.T) {
	const good = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	goodHex := strings.Repeat("0af9", 16)
	value := func(column string, text ...string) func(fields []arrow.Field, arrays []arrow.Array) {
		return func(fields []arrow.Field, arrays []arrow.Array) {
			for i, f := range fields {
				if f.Name == column {
					b := array.NewStringBuilder(memory.DefaultAllocator)
					b.AppendStringValues(text, nil)
					arrays[i] = b.NewArray()
				}
			}
		}
	}
	schema := func(change func(f *arrow.Field)) func(fields []arrow.Field, arrays []arrow.Array) {
		return func(fields []arrow.Field, _ []arrow.Array) {
			for i := range fields {
				change(&fields[i])
			}
		}
	}
	rename := func(f *arrow.Field) {
		if f.Name == "mapped_at" {
			f.Name = "asked_at"
		}
	}
	tests := []struct {
		name    string
		network Network
		dataset string
		change  func(fields []arrow.Field, arrays []arrow.Array)
		want    string
	}{
		{"nothing wrong", NetworkUID2, DatasetMapped, value("identity_hash", good, good), ""},
		{"nothing wrong", NetworkUID2, DatasetUnmapped, value("identity_hash", good, good), ""},
		{"nothing wrong", NetworkUID2, DatasetRefreshFrom, value("identity_hash", good, good), ""},
		{"short hash", NetworkUID2, DatasetMapped, value("identity_hash", good, good[1:]), "row 2: identity_hash"},
		{"long hash", NetworkUID2, DatasetMapped, value("identity_hash", good, good+"A"), "row 2: identity_hash"},
		{"hash without padding", NetworkUID2, DatasetMapped, value("identity_hash", good[:43]+"A", good), "row 1: identity_hash"},
		{"hash with bits after the end", NetworkUID2, DatasetMapped, value("identity_hash", good[:42]+"B=", good), "row 1: identity_hash"},
		{"hash of other letters", NetworkUID2, DatasetUnmapped, value("identity_hash", "-"+good[1:], good), "row 1: identity_hash"},
		{"empty hash", NetworkUID2, DatasetRefreshFrom, value("identity_hash", "", good), "row 1: identity_hash"},
		{"nothing wrong", NetworkID5, DatasetMapped, value("country", "", "DE"), ""},
		{"nothing wrong", NetworkID5, DatasetUnmapped, value("country", "AA", "ZZ"), ""},
		{"nothing wrong", NetworkID5, DatasetRefreshFrom, value("identity_hash", goodHex, goodHex), ""},
		{"short hash", NetworkID5, DatasetMapped, value("identity_hash", goodHex, goodHex[1:]), "row 2: identity_hash"},
		{"hash shorter by a byte", NetworkID5, DatasetMapped, value("identity_hash", goodHex[2:], goodHex), "row 1: identity_hash"},
		{"long hash", NetworkID5, DatasetUnmapped, value("identity_hash", goodHex, goodHex+"0"), "row 2: identity_hash"},
		{"hash in capitals", NetworkID5, DatasetMapped, value("identity_hash", goodHex, strings.ToUpper(goodHex)), "row 2: identity_hash"},
		{"hash of other letters", NetworkID5, DatasetRefreshFrom, value("identity_hash", "g"+goodHex[1:], goodHex), "row 1: identity_hash"},
		{"empty hash", NetworkID5, DatasetMapped, value("identity_hash", "", goodHex), "row 1: identity_hash"},
		{"hash of UID2", NetworkID5, DatasetMapped, value("identity_hash", good, goodHex), "row 1: identity_hash"},
		{"hash of ID5", NetworkUID2, DatasetMapped, value("identity_hash", good, goodHex), "row 2: identity_hash"},
		{"country in small letters", NetworkID5, DatasetMapped, value("country", "DE", "de"), "row 2: country"},
		{"country of one letter", NetworkID5, DatasetUnmapped, value("country", "D", "DE"), "row 1: country"},
		{"country of three letters", NetworkID5, DatasetRefreshFrom, value("country", "DE", "DEU"), "row 2: country"},
		{"country of zeros", NetworkID5, DatasetMapped, value("country", "\x00\x00", ""), "row 1: country"},
		{"country behind Z", NetworkID5, DatasetMapped, value("country", "Z[", ""), "row 1: country"},
		{"country of a digit", NetworkID5, DatasetMapped, value("country", "", "1A"), "row 2: country"},
		{"country null", NetworkID5, DatasetUnmapped, schema(func(f *arrow.Field) { f.Nullable = f.Nullable || f.Name == "country" }),
			"column 4 is OPTIONAL BYTE_ARRAY country, not REQUIRED BYTE_ARRAY country"},
		{"empty uid", NetworkUID2, DatasetMapped, value("current_uid", "u", ""), "row 2: current_uid"},
		{"empty uid", NetworkUID2, DatasetRefreshFrom, value("current_uid", "", "u"), "row 1: current_uid"},
		{"uid that is no text", NetworkUID2, DatasetMapped, value("current_uid", "u", "\xff"), "row 2: current_uid"},
		{"kind", NetworkUID2, DatasetMapped, value("identity_type", "email", "Email"), `row 2: identity_type: "Email"`},
		{"change", NetworkUID2, DatasetMapped, value("change", "new", "old"), `row 2: change: "old"`},
		{"change", NetworkUID2, DatasetUnmapped, value("change", "", "new"), `row 1: change: ""`},
		{"reason", NetworkUID2, DatasetUnmapped, value("reason", "OPTOUT", "optout"), `row 2: reason: "optout"`},
		{"rejected by", NetworkUID2, DatasetUnmapped, value("rejected_by", "nobody", "mapper"), `row 1: rejected_by: "nobody"`},
		{"source file that is no text", NetworkUID2, DatasetMapped, value("source_file", "\xff", "a"), "row 1: source_file"},
		{"nulls where none may be", NetworkUID2, DatasetMapped, schema(func(f *arrow.Field) { f.Nullable = true }),
			"column 2 is OPTIONAL BYTE_ARRAY identity_type, not REQUIRED BYTE_ARRAY identity_type"},
		{"no nulls where they may be", NetworkUID2, DatasetMapped, schema(func(f *arrow.Field) { f.Nullable = false }), "column 1 is REQUIRED"},
		{"other column", NetworkUID2, DatasetMapped, schema(rename), "column 12 is REQUIRED INT64 asked_at, not REQUIRED INT64 mapped_at"},
	}
	for _, tt := range tests {
		t.Run(tt.dataset+"/"+tt.name, func(t *testing.T) {
			rows := make([]Row, 2)
			for i := range rows {
				rows[i] = Row{
					ID: []byte("1"), HasID: true, HasKind: true, HasHash: true, UID: []byte("u"), RefreshFrom: 1, MappedAt: 1,
					SourceFile: "a", SourceColumn: "b", SourceRow: 1, Previous: []byte("p"), Former: []byte("f"),
				}
			}
			table := expectedRows(t, tt.network, tt.dataset, rows)
			fields := table.Schema().Fields()
			arrays := make([]arrow.Array, len(fields))
			for i := range arrays {
				arrays[i] = table.Column(i).Data().Chunk(0)
			}
			tt.change(fields, arrays)
			changed := arrow.NewSchema(fields, nil)
			data := writeArrow(t, array.NewTableFromRecords(changed, []arrow.Record{array.NewRecord(changed, arrays, 2)}))
			checkRefused(t, data, tt.network, tt.dataset, tt.want)
		})
	}
}

func checkRefused(t *testing.T, data []byte, network Network, dataset, want string) {
	t.Helper()
	got, err := recount(data, network, dataset)
	if want == "" {
		if err != nil {
			t.Errorf("got error %v, want none", err)
		}
		return
	}
	if err == nil || !strings.HasPrefix(err.Error(), "the part: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("got %+v, error %v; want an error with %q", got, err, want)
	}
	if !reflect.DeepEqual(got, Counts{}) {
		t.Errorf("got %+v with the error", got)
	}
}

// TestRecountFindsWrongFooters writes files whose footer disagrees with the data.
func TestRecountFindsWrongFooters(t *testing.T) {
	named := func(w *Writer, name string) *column {
		for i, c := range contractColumns(NetworkUID2, mapped) {
			if c.name == name {
				return w.mapped.columns[i]
			}
		}
		t.Fatalf("no column %s", name)
		return nil
	}
	tests := []struct {
		name   string
		tamper func(w *Writer)
		want   string
	}{
		{"min", func(w *Writer) { named(w, "refresh_from").min-- }, "min and max"},
		{"max", func(w *Writer) { named(w, "refresh_from").max++ }, "min and max"},
		{"no min and max", func(w *Writer) { named(w, "refresh_from").ranged = false }, "min and max"},
		{"nulls of numbers", func(w *Writer) { named(w, "refresh_from").chunkNulls++ }, "column refresh_from: has 0 nulls, its statistics say 1"},
		{"nulls of texts", func(w *Writer) { named(w, "source_file").chunkNulls++ }, "column source_file: has 0 nulls, its statistics say 1"},
		{"rows", func(w *Writer) { w.mapped.open-- }, "has 9 rows, but 10 values in a column"},
		{"rows of a column", func(w *Writer) { named(w, "former_uid").null() }, "has 10 rows, but 11 values in a column"},
		{"a value lost", func(w *Writer) {
			c := named(w, "current_uid")
			c.open = c.open[:len(c.open)-48]
		}, "column current_uid"},
		{"a word lost", func(w *Writer) {
			d := named(w, "change").dict
			d.plain = d.plain[:0]
		}, "column change"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			w := newWriter(t, f, Options{})
			if err := w.Begin(context.Background(), 0, 0); err != nil {
				t.Fatal(err)
			}
			for _, r := range benchRows(10) {
				if err := w.Mapped([]Row{r}); err != nil {
					t.Fatal(err)
				}
			}
			tt.tamper(w)
			files, err := w.Seal()
			if err != nil {
				t.Fatal(err)
			}
			checkRefused(t, f.read(t, files[0].Path), NetworkUID2, DatasetMapped, tt.want)
		})
	}
}

// TestRecountOtherFiles gives files that are no part.
func TestRecountOtherFiles(t *testing.T) {
	f := newFolder(t)
	whole := f.read(t, writePart(t, newWriter(t, f, Options{}), 0, partRows{mapped: benchRows(20)})[DatasetMapped].Path)
	for cut := range whole {
		if got, err := recount(whole[:cut], NetworkUID2, DatasetMapped); err == nil {
			t.Fatalf("%d of %d bytes: got %+v and no error", cut, len(whole), got)
		}
	}
	tests := []struct {
		name    string
		network Network
		dataset string
		data    []byte
		want    string
	}{
		{"other dataset", NetworkUID2, DatasetUnmapped, whole, "column "},
		{"other network", NetworkID5, DatasetMapped, whole, "column 4 is REQUIRED BYTE_ARRAY current_uid, not REQUIRED BYTE_ARRAY country"},
		{"unknown network", networks, DatasetMapped, whole, "2 is no network"},
		{"index of the part", NetworkUID2, DatasetRefreshFrom, whole, "column "},
		{"unknown dataset", NetworkUID2, "other", whole, `"other" is no dataset`},
		{"text", NetworkUID2, DatasetMapped, []byte("id,email\n1,a@example.com\n"), "does not begin and end as a Parquet file does"},
		{"empty", NetworkUID2, DatasetMapped, nil, "too short"},
		{"footer of 4 GB", NetworkUID2, DatasetMapped, []byte("PAR1\xff\xff\xff\xffPAR1"), "its footer should be 4294967295 bytes long"},
		{"no footer", NetworkUID2, DatasetMapped, []byte("PAR1\x00\x00\x00\x00PAR1"), "footer: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkRefused(t, tt.data, tt.network, tt.dataset, tt.want) })
	}
}

// failingReader fails from the k-th read on.
type failingReader struct {
	io.ReaderAt
	left int
}

var errDisk = errors.New("input/output error")

func (r *failingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errDisk
	}
	return r.ReaderAt.ReadAt(p, off)
}

// TestRecountReadErrors fails each read in turn. The library drops read errors, and hands out nulls or fewer
// rows.
func TestRecountReadErrors(t *testing.T) {
	for c := range compressions {
		f := newFolder(t)
		opts := Options{RowGroupRows: 30, Compression: c}
		data := f.read(t, writePart(t, newWriter(t, f, opts), 0, partRows{mapped: benchRows(100)})[DatasetMapped].Path)
		for k := 0; ; k++ {
			r := &failingReader{bytes.NewReader(data), k}
			got, err := Recount("the part", r, int64(len(data)), NetworkUID2, DatasetMapped)
			if r.left >= 0 { // nothing failed any more
				if err != nil || got.Rows != 100 || k < 10 {
					t.Errorf("%s: %d reads: got %+v, %v", c, k, got, err)
				}
				break
			}
			if !errors.Is(err, errDisk) {
				t.Fatalf("%s: read %d failed: got %+v, error %v", c, k, got, err)
			}
		}
	}
}

// TestRecountAlien: a part that Arrow's own writer made counts the same.
func TestRecountAlien(t *testing.T) {
	rows := randomRows(rand.New(rand.NewPCG(12, 12)), 500)
	for dataset, codec := range map[string]parquet.WriterProperty{
		DatasetMapped:      parquet.WithDictionaryDefault(true),
		DatasetUnmapped:    parquet.WithDictionaryDefault(false),
		DatasetRefreshFrom: parquet.WithDataPageSize(1000),
	} {
		got, err := recount(writeArrow(t, expected(t, NetworkUID2, dataset, rows, nil), codec), NetworkUID2, dataset)
		want := counted(dataset, rows)
		want.Sorted = dataset != DatasetMapped
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s, %v\nwant %s", dataset, fmt.Sprint(got), err, fmt.Sprint(want))
		}
	}
}
