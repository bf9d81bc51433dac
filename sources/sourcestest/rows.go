package sourcestest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/sources"
)

// Write puts content into a new file of the given name and returns it as an object.
func Write(t testing.TB, name string, content []byte) objects.Object {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return Find(t, path)
}

// Find returns the file at a path as an object.
func Find(t testing.TB, path string) objects.Object {
	t.Helper()
	found, err := new(objects.Store).Find(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// Inspect finds the layout of an object that must have one.
func Inspect(t testing.TB, o objects.Object, opts sources.Options) *sources.Input {
	t.Helper()
	in, err := sources.Inspect(context.Background(), o, opts)
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return in
}

// All returns the numbers of all columns of an input.
func All(in *sources.Input) []int {
	columns := make([]int, len(in.Layout.Columns))
	for i := range columns {
		columns[i] = i
	}
	return columns
}

// Batches reads to the end, keeps all batches, and checks what is true of every reading: batches have rows,
// follow one upon the other, and have only nulls where they are malformed.
func Batches(t testing.TB, in *sources.Input, columns []int, from sources.Position) ([]*sources.Batch, error) {
	t.Helper()
	var batches []*sources.Batch
	next := from.Row
	for b, err := range in.Batches(context.Background(), columns, from) {
		if err != nil {
			return batches, err
		}
		if b.Record.NumRows() == 0 || b.Start.Row != next {
			t.Fatalf("batch %d starts at row %d and has %d rows, want start %d", len(batches), b.Start.Row, b.Record.NumRows(), next)
		}
		next += b.Record.NumRows()
		checkMalformed(t, b)
		batches = append(batches, b)
	}
	return batches, nil
}

func checkMalformed(t testing.TB, b *sources.Batch) {
	t.Helper()
	last := -1
	for _, m := range b.Malformed {
		if m.Index <= last || int64(m.Index) >= b.Record.NumRows() || m.Line < 1 || m.Reason == "" {
			t.Fatalf("malformed row %+v in a batch of %d", m, b.Record.NumRows())
		}
		last = m.Index
		for _, c := range b.Record.Columns() {
			if !c.IsNull(m.Index) {
				t.Fatalf("malformed row %+v is not null", m)
			}
		}
	}
}

// Rows returns the cells of batches, null as "".
func Rows(batches []*sources.Batch) [][]string {
	var rows [][]string
	for _, b := range batches {
		rows = append(rows, Cells(b.Record)...)
	}
	return rows
}

// Cells returns the cells of a record, null as "".
func Cells(record arrow.Record) [][]string {
	rows := make([][]string, record.NumRows())
	for i := range rows {
		rows[i] = make([]string, record.NumCols())
		for j, c := range record.Columns() {
			if c.IsValid(i) {
				rows[i][j] = c.ValueStr(i)
			}
		}
	}
	return rows
}

// Collect reads all rows of all columns from the beginning.
func Collect(t testing.TB, in *sources.Input) [][]string {
	t.Helper()
	batches, err := Batches(t, in, All(in), sources.Position{})
	if err != nil {
		t.Fatalf("Batches: %v", err)
	}
	return Rows(batches)
}

// Numbered returns so many rows with a number, an email and a note, the latter null now and then.
func Numbered(rows int) [][]string {
	all := make([][]string, rows)
	for i := range all {
		all[i] = []string{fmt.Sprint("id-", i), fmt.Sprintf("person%d@example.com", i), fmt.Sprintf("note %d", i*i)}
		if i%7 == 3 {
			all[i][2] = ""
		}
	}
	return all
}
