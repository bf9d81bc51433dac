package jobs_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/jobs"
)

// shown is a row of an exported table.
type shown struct {
	id, hash string
	source
	answer
}

// compare exports the table and compares each row with the oracle, and with what the operator says at this moment.
// asked is when the last job ran that asks for all that is due; it has to be of the operator's same day.
func (y *year) compare(asked time.Time) {
	y.t.Helper()
	out := filepath.Join(y.work, "exported")
	if _, err := (jobs.Export{From: y.out, Out: out, Store: y.store, Memory: yearMemory}).Do(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
	parts, err := filepath.Glob(filepath.Join(out, "*.parquet"))
	if err != nil {
		y.t.Fatal(err)
	}
	seen := make(map[holding]bool, len(y.oracle.live))
	for _, part := range parts {
		readShown(y.t, part, func(s *shown) {
			member, ok := y.byHash[s.hash]
			h := holding{s.id, member}
			if !ok || seen[h] {
				y.t.Fatalf("day %d: %+v: a stranger, or twice", y.today, s)
			}
			seen[h] = true
			y.compareRow(h, s, asked)
		})
	}
	if len(seen) != len(y.oracle.live) {
		y.t.Fatalf("day %d: %d pairs are live, want %d", y.today, len(seen), len(y.oracle.live))
	}
	if err := os.RemoveAll(out); err != nil {
		y.t.Fatal(err)
	}
	y.compared += len(seen)
}

func (y *year) compareRow(h holding, s *shown, asked time.Time) {
	y.t.Helper()
	from, live := y.oracle.live[h]
	if want := y.oracle.known[h.member]; !live || s.source != from || s.answer != want {
		y.t.Fatalf("day %d: %+v\nlive: %v, want %+v %+v", y.today, s, live, from, want)
	}
	if s.due(asked, y.oracle.recheck) {
		y.t.Fatalf("day %d: %+v is due, although all that is due was asked at %s", y.today, s, asked)
	}
	now := y.oracle.says(h.member)
	now.at = s.at
	if (now.reason == reasonOptOut) != (s.reason == reasonOptOut) {
		y.unheard++ // the service was told so since it was asked last, and nobody has a reason to ask it again
		return
	}
	if s.answer != now {
		y.t.Fatalf("day %d: %+v\nthe operator says %+v", y.today, s, now)
	}
}

// readShown reads the rows of an exported file.
func readShown(t testing.TB, path string, row func(*shown)) {
	t.Helper()
	pf, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 10_000}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Release()
	for records.Next() {
		rec := records.Record()
		id, hash, column, plan := texts(t, rec, "id"), texts(t, rec, "identity_hash"), texts(t, rec, "source_column"), texts(t, rec, "plan")
		uid, previous, reason, raw := texts(t, rec, "current_uid"), texts(t, rec, "previous_uid"), texts(t, rec, "reason"), texts(t, rec, "raw_reason")
		refresh, at, line := columnOf(t, rec, "refresh_from").(*array.Timestamp), columnOf(t, rec, "mapped_at").(*array.Timestamp), columnOf(t, rec, "source_row").(*array.Int64)
		for i := range int(rec.NumRows()) {
			s := shown{id: id(i), hash: hash(i), source: source{column(i), line.Value(i), plan(i)}}
			s.answer = answer{uid: uid(i), previous: previous(i), reason: reason(i), raw: raw(i), at: int64(at.Value(i))}
			if refresh.IsValid(i) {
				s.refresh = int64(refresh.Value(i))
			}
			row(&s)
		}
	}
	if err := records.Err(); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func columnOf(t testing.TB, rec arrow.Record, name string) arrow.Array {
	t.Helper()
	found := rec.Schema().FieldIndices(name)
	if len(found) != 1 {
		t.Fatalf("%d columns %s", len(found), name)
	}
	return rec.Column(found[0])
}

// texts returns what yields the texts of a column; null is none.
func texts(t testing.TB, rec arrow.Record, name string) func(int) string {
	t.Helper()
	column := columnOf(t, rec, name)
	return func(i int) string {
		if column.IsNull(i) {
			return ""
		}
		if words, ok := column.(*array.Dictionary); ok {
			return words.Dictionary().ValueStr(words.GetValueIndex(i))
		}
		return column.ValueStr(i)
	}
}
