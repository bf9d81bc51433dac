package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// listener is a service that remembers which uids were named as known for whom.
type listener struct {
	service
	mu    sync.Mutex
	known map[normalize.ID]string
}

func (l *listener) Map(ctx context.Context, asks *pipeline.Asks, a *client.Answers) error {
	l.mu.Lock()
	for i, id := range asks.IDs {
		l.known[id] = string(asks.KnownUIDs(i))
	}
	l.mu.Unlock()
	return l.service.Map(ctx, asks, a)
}

// TestRowsOfABlock: rows are read and written in blocks, and what the cells of a number say is valid until the next one. So
// each row has to have its own key and known uids, and a part that is full in the middle of a block no row too many.
func TestRowsOfABlock(t *testing.T) {
	const rows, partRows = 1000, 150
	email := func(i int) string { return fmt.Sprintf("p%d@example.com", i) }
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "email", Type: arrow.BinaryTypes.String},
		{Name: "phone", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "uids", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(email(i))
		b.Field(2).(*array.StringBuilder).AppendNull()
		b.Field(3).(*array.Int64Builder).Append(int64(7 * i))
	}
	record := b.NewRecord()
	defer record.Release()
	all := array.NewTableFromRecords(schema, []arrow.Record{record})
	defer all.Release()
	path := filepath.Join(t.TempDir(), "numbers.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pqarrow.WriteTable(all, f, rows, nil, pqarrow.DefaultWriterProps()); err != nil { // it closes f
		t.Fatal(err)
	}
	in, known := input(t, path), 3
	in.KnownUIDs = &known
	tb, s := newTable(t), &listener{known: map[normalize.ID]string{}}
	if err := tb.run(t.Context(), []pipeline.Input{in}, s, pipeline.Options{MaxBatch: 77, PartRows: partRows}); err != nil {
		t.Fatal(err)
	}

	seen := 0
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		for _, row := range tb.rows(dataset) {
			fields := strings.Fields(row)
			i, err := strconv.Atoi(strings.TrimPrefix(fields[0], "id="))
			if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			id, err := normalize.Email(email(i))
			if err != nil {
				t.Fatal(err)
			}
			if want := "identity_hash=" + string(id.AppendBase64(nil)); fields[2] != want {
				t.Errorf("key %d: %s, want %s", i, fields[2], want)
			}
			if got := s.known[id]; got != strconv.Itoa(7*i) {
				t.Errorf("row %d: asked with the known uid %s, want %d", i, got, 7*i)
			}
			seen++
		}
	}
	if seen != rows {
		t.Errorf("%d rows are there, want %d", seen, rows)
	}
	for n, p := range tb.parts {
		sum, want := p.Sum(), int64(min(partRows, rows-n*partRows))
		if got := sum.Lines; got != want {
			t.Errorf("part %d has %d rows, want %d", p.N, got, want)
		}
	}
}

// TestLongKeys: however long the keys are, few of them are held.
func TestLongKeys(t *testing.T) {
	const rows = 300
	var text strings.Builder
	text.WriteString("id,email,phone\n")
	for i := range rows {
		fmt.Fprintf(&text, "%s-%d,p%d@example.com,\n", strings.Repeat("k", 30_000), i, i)
	}
	path := filepath.Join(t.TempDir(), "long.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := newTable(t)
	if err := tb.run(t.Context(), []pipeline.Input{input(t, path)}, &service{}, pipeline.Options{}); err != nil {
		t.Fatal(err)
	}
	got := append(tb.rows(sinks.DatasetMapped), tb.rows(sinks.DatasetUnmapped)...)
	for i := range got {
		got[i] = got[i][len(" id=")+30_000:]
		got[i] = got[i][:strings.IndexByte(got[i], ' ')]
	}
	var want []string
	for i := range rows {
		want = append(want, fmt.Sprint("-", i))
	}
	slices.Sort(got)
	slices.Sort(want)
	same(t, "keys", got, want)
}
