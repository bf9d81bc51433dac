package sourcestest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mapper/client/objects"
	"mapper/sources"
)

// Encode writes rows in a format, all of them with as many cells as the header has; "" is null.
type Encode func(rows [][]string, header []string) []byte

// Options tells what a format cannot do.
type Options struct {
	Single  bool                   // there is one column only
	Refuses func(cell string) bool // cells that cannot be written down
	Read    sources.Options        // how to read the format
}

// many is enough rows for several batches.
const many = 8500

// Run checks that the rows an encoder writes to a file of the given name are read back.
func Run(t *testing.T, name string, encode Encode, opts Options) {
	s := &suite{name: name, encode: encode, opts: opts, header: []string{"id", "email", "note"}}
	if opts.Single {
		s.header = s.header[1:2]
	}
	s.content = encode(s.rows(many), s.header)
	t.Run("no rows", s.noRows)
	t.Run("one row", func(t *testing.T) { s.readBack(t, s.rows(1)) })
	t.Run("many rows", func(t *testing.T) { compare(t, Collect(t, s.openMany(t)), s.rows(many)) })
	t.Run("odd strings", s.oddStrings)
	t.Run("nulls", s.nulls)
	t.Run("sample", s.sample)
	t.Run("layout through JSON", s.reopen)
	t.Run("some columns", s.projection)
	t.Run("resume", s.resume)
	t.Run("cancel", s.cancel)
	t.Run("early break", s.earlyBreak)
	t.Run("changed file", s.changed)
}

type suite struct {
	name   string
	encode Encode
	opts   Options
	header []string

	content []byte // of many rows
}

// rows are numbered rows with the columns that the format can have.
func (s *suite) rows(n int) [][]string {
	rows := Numbered(n)
	if s.opts.Single {
		for i := range rows {
			rows[i] = rows[i][1:2]
		}
	}
	return rows
}

func (s *suite) open(t *testing.T, rows [][]string) *sources.Input {
	t.Helper()
	return Inspect(t, Write(t, s.name, s.encode(rows, s.header)), s.opts.Read)
}

// openMany opens an input with many rows.
func (s *suite) openMany(t *testing.T) *sources.Input {
	t.Helper()
	return Inspect(t, Write(t, s.name, s.content), s.opts.Read)
}

func (s *suite) readBack(t *testing.T, rows [][]string) {
	t.Helper()
	compare(t, Collect(t, s.open(t, rows)), rows)
}

func compare(t *testing.T, got, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Fatalf("row %d is %q, want %q", i+1, got[i], want[i])
		}
	}
}

// noRows: formats that name their columns have zero rows; the others are empty.
func (s *suite) noRows(t *testing.T) {
	content := s.encode(nil, s.header)
	in, err := sources.Inspect(context.Background(), Write(t, s.name, content), s.opts.Read)
	if errors.Is(err, sources.ErrEmpty) {
		if rest := s.encode(s.rows(1), s.header); len(content) >= len(rest) {
			t.Fatalf("%d bytes are said to be empty", len(content))
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	sample := in.Sample()
	if rows := Collect(t, in); len(rows) != 0 || sample.NumRows() != 0 || int(sample.NumCols()) != len(in.Layout.Columns) {
		t.Fatalf("%d rows, and %d of %d columns in the sample; want none of %d", len(rows), sample.NumRows(), sample.NumCols(), len(in.Layout.Columns))
	}
}

func (s *suite) oddStrings(t *testing.T) {
	rows := s.rows(1) // an ordinary row first, by which the columns are found
	for _, odd := range oddStrings() {
		if s.opts.Refuses != nil && s.opts.Refuses(odd) {
			continue
		}
		row := make([]string, len(s.header))
		for i := range row {
			row[i] = odd
		}
		rows = append(rows, row)
	}
	if len(rows) < 10 {
		t.Fatalf("only %d strings can be written", len(rows))
	}
	s.readBack(t, rows)
}

func oddStrings() []string {
	return []string{
		" ", " leading", "trailing ", "a,b", "a;b", "a|b", "a\tb", "it's", `"`, `""`, `"quoted"`, `a"b`, `\`, `\n`, `\"`,
		"line\nfeed", "line\r\nfeed", "\n", "a\rb", "null", "NULL", "0", "-1.50e3", "true", "{}", "[1]", "#", "//",
		"\u00e9", "e\u0301", "\u4e2d\u6587", "\U0001F600", "\u202Eright to left", "\uFEFF", "\uFFFD", "\u00A0", "\u2028",
		"\x01", "\x1b[31m", "\x7f", "=1+1", "%s%d", "../../x",
	}
}

func (s *suite) nulls(t *testing.T) {
	if s.opts.Single {
		t.Skip("an empty line is no row")
	}
	rows := s.rows(20)
	for i := range rows {
		rows[i][i%2+1] = ""
	}
	s.readBack(t, rows)
}

func (s *suite) sample(t *testing.T) {
	compare(t, Cells(s.openMany(t).Sample()), s.rows(1000))
}

func (s *suite) reopen(t *testing.T) {
	rows := s.rows(100)
	in := s.open(t, rows)
	text, err := json.Marshal(in.Layout)
	if err != nil {
		t.Fatal(err)
	}
	var layout sources.Layout
	if err := json.Unmarshal(text, &layout); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(layout, in.Layout) {
		t.Fatalf("layout is %+v after a round trip, want %+v", layout, in.Layout)
	}
	compare(t, Collect(t, sources.Reopen(in.Object, layout, sources.Options{})), rows)
}

func (s *suite) projection(t *testing.T) {
	rows := s.rows(many)
	in := s.openMany(t)
	all, err := Batches(t, in, All(in), sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	last := len(s.header) - 1
	for _, columns := range [][]int{nil, {last, 0}, {0, 0}} {
		batches, err := Batches(t, in, columns, sources.Position{})
		if err != nil {
			t.Fatal(err)
		}
		want := make([][]string, len(rows))
		for i, row := range rows {
			for _, c := range columns {
				want[i] = append(want[i], row[c])
			}
		}
		compare(t, Rows(batches), want)
		for i, c := range columns {
			if name := batches[0].Record.ColumnName(i); name != in.Layout.Columns[c].Name {
				t.Errorf("column %d is named %q, want %q", i, name, in.Layout.Columns[c].Name)
			}
		}
		if in.Layout.Format != sources.Parquet && len(batches) != len(all) {
			t.Errorf("%d batches with columns %v, %d with all", len(batches), columns, len(all))
		}
	}
	for b, err := range in.Batches(context.Background(), []int{len(s.header)}, sources.Position{}) {
		if b != nil || err == nil {
			t.Error("no error for a column that is not there")
		}
	}
}

// resume: from the start of every batch come that batch and all after it, and their positions are the same.
func (s *suite) resume(t *testing.T) {
	in := s.openMany(t)
	all, err := Batches(t, in, All(in), sources.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 3 {
		t.Fatalf("%d batches are too few for this test", len(all))
	}
	for i, b := range all {
		rest, err := Batches(t, in, All(in), b.Start)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) != len(all)-i {
			t.Fatalf("%d batches from batch %d on, want %d", len(rest), i, len(all)-i)
		}
		for j := range rest {
			if rest[j].Start != all[i+j].Start {
				t.Fatalf("batch starts at %+v, want %+v", rest[j].Start, all[i+j].Start)
			}
		}
		compare(t, Rows(rest), Rows(all[i:]))
	}
}

func (s *suite) cancel(t *testing.T) {
	defer goleak.VerifyNone(t)
	in := s.openMany(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	batches := 0
	var last error
	for _, err := range in.Batches(ctx, All(in), sources.Position{}) {
		if last = err; err == nil {
			batches++
			cancel()
		}
	}
	if batches != 1 || !errors.Is(last, context.Canceled) {
		t.Fatalf("%d batches, then %v; want one, then %v", batches, last, context.Canceled)
	}
	if _, err := sources.Inspect(ctx, in.Object, s.opts.Read); !errors.Is(err, context.Canceled) {
		t.Errorf("Inspect: %v, want %v", err, context.Canceled)
	}
}

func (s *suite) earlyBreak(t *testing.T) {
	defer goleak.VerifyNone(t)
	files := openFiles(t)
	in := s.openMany(t)
	for _, err := range in.Batches(context.Background(), All(in), sources.Position{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if after := openFiles(t); after != files {
		t.Errorf("%d files are open, %d were before", after, files)
	}
}

// openFiles counts the files this process has open, where the system tells.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// changed: a file that is written to after it was found is not read, nor is one that is while it is read.
func (s *suite) changed(t *testing.T) {
	in := s.openMany(t)
	path := filepath.FromSlash(in.Object.URI)
	batches := 0
	var last error
	for _, err := range in.Batches(context.Background(), All(in), sources.Position{}) {
		if last = err; err != nil {
			continue
		}
		if batches++; batches == 1 {
			touch(t, path)
		}
	}
	if batches == 0 || !errors.Is(last, objects.ErrChanged) {
		t.Errorf("changed while read: %d batches, then %v; want %v", batches, last, objects.ErrChanged)
	}
	if _, err := Batches(t, in, All(in), sources.Position{}); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("changed before: %v, want %v", err, objects.ErrChanged)
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
}
