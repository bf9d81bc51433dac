package view_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// history is the runs of a table, as tests make them up.
type history []*madeRun

type madeRun struct {
	id, kind string
	service  string // "id5"; all others are the same
	seq      int64
	replaces []string
	kept     []arrow.Field
	parts    []madePart
}

// madePart has its rows in the order that the manifest gives them.
type madePart struct{ mapped, unmapped []madeRow }

type madeRow struct {
	sinks.Row
	isMapped bool
	kept     map[string]any // by name; nil is null
}

// newTable commits a history to a new table and returns its live runs.
func newTable(t testing.TB, h history) (*table.Table, []table.Run) {
	t.Helper()
	store := new(objects.Store)
	t.Cleanup(func() { _ = store.Close() })
	tab, err := table.Open(t.Context(), store, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range h {
		for _, id := range r.replaces { // what is replaced was committed once
			if !slices.ContainsFunc(h, func(other *madeRun) bool { return other.id == id }) {
				commit(t, tab, &madeRun{id: id, kind: "map", service: r.service, seq: r.seq})
			}
		}
		commit(t, tab, r)
	}
	runs, err := tab.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tab, table.Live(runs)
}

func commit(t testing.TB, tab *table.Table, r *madeRun) {
	t.Helper()
	w, err := sinks.New(tab.Bucket, r.id, sinks.Options{Network: sinks.NetworkOf(r.service), Kept: r.kept, RowGroupRows: 7})
	if err != nil {
		t.Fatal(err)
	}
	m := table.Manifest{RunID: r.id, Service: r.service, Kind: r.kind, Seq: r.seq, Replaces: r.replaces}
	for n, p := range r.parts {
		if err := w.Begin(t.Context(), 0, n+1); err != nil {
			t.Fatal(err)
		}
		write(t, w.Mapped, p.mapped, r.kept)
		write(t, w.Unmapped, p.unmapped, r.kept)
		files, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		m.Parts = append(m.Parts, files...)
	}
	if _, _, err := tab.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, put func([]sinks.Row) error, rows []madeRow, kept []arrow.Field) {
	t.Helper()
	record := keptRecord(t, rows, kept)
	for i := range rows {
		rows[i].Kept, rows[i].KeptRow = record, i
		if err := put([]sinks.Row{rows[i].Row}); err != nil {
			t.Fatal(err)
		}
	}
}

func keptRecord(t testing.TB, rows []madeRow, kept []arrow.Field) arrow.Record {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(kept, nil))
	for _, r := range rows {
		for i, f := range kept {
			appendValue(t, b.Field(i), r.kept[f.Name])
		}
	}
	return b.NewRecord()
}

func appendValue(t testing.TB, b array.Builder, value any) {
	t.Helper()
	if value == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(value.(string))
	case *array.LargeStringBuilder:
		b.Append(value.(string))
	case *array.BinaryBuilder:
		b.Append([]byte(value.(string)))
	case *array.BooleanBuilder:
		b.Append(value.(bool))
	case *array.Int8Builder:
		b.Append(value.(int8))
	case *array.Float64Builder:
		b.Append(value.(float64))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(value.(int64)))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(value.(int64)))
	default:
		t.Fatalf("no values of %T", b)
	}
}

// keepable are kept columns and values for them.
var keepable = []struct {
	arrow.Field
	values []any
}{
	{arrow.Field{Name: "note", Type: arrow.BinaryTypes.String}, []any{nil, "", "x", "y y", "ü"}},
	{arrow.Field{Name: "story", Type: arrow.BinaryTypes.LargeString}, []any{nil, "once", "upon a time"}},
	{arrow.Field{Name: "blob", Type: arrow.BinaryTypes.Binary}, []any{nil, "\x00", "\xff\xfe"}},
	{arrow.Field{Name: "vip", Type: arrow.FixedWidthTypes.Boolean}, []any{nil, true, false}},
	{arrow.Field{Name: "age", Type: arrow.PrimitiveTypes.Int8}, []any{nil, int8(-1), int8(99)}},
	{arrow.Field{Name: "score", Type: arrow.PrimitiveTypes.Float64}, []any{nil, 0.5, -1e9}},
	{arrow.Field{Name: "since", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Paris"}}, []any{nil, int64(1), int64(1e15)}},
	{arrow.Field{Name: "paid", Type: &arrow.Decimal128Type{Precision: 20, Scale: 2}}, []any{nil, int64(-12345), int64(1)}},
}

func identity(n int) normalize.ID {
	id := normalize.ID{Kind: normalize.Kind(n % 2)}
	r := rand.New(rand.NewPCG(7, uint64(n/2)))
	for i := range id.Hash {
		id.Hash[i] = byte(r.Uint32())
	}
	return id
}

// dice makes up histories.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) history(identities int) history {
	var h history
	for n := range 1 + d.IntN(6) {
		r := &madeRun{
			id: fmt.Sprintf("%c%d", pick(d, 'a', 'Z', '0'), n), seq: 1 + d.Int64N(4),
			kind: pick(d, "map", "map", "map", "signals", "remap", "remap", "compact", "forget"),
		}
		if r.kind == "compact" || r.kind == "forget" {
			for _, other := range h {
				if d.IntN(2) == 0 {
					r.replaces = append(r.replaces, other.id)
					r.seq = max(r.seq, other.seq)
				}
			}
		}
		for _, k := range keepable {
			if d.IntN(3) == 0 {
				r.kept = append(r.kept, k.Field)
			}
		}
		d.Shuffle(len(r.kept), func(i, j int) { r.kept[i], r.kept[j] = r.kept[j], r.kept[i] })
		for range 1 + d.IntN(2) {
			r.parts = append(r.parts, d.part(r, identities))
		}
		if r.kind == "compact" || r.kind == "forget" {
			r.sort()
		}
		h = append(h, r)
	}
	return h
}

// sort puts the rows of each dataset in order, across the parts.
func (r *madeRun) sort() {
	var mapped, unmapped []*madeRow
	for i := range r.parts {
		for k := range r.parts[i].mapped {
			mapped = append(mapped, &r.parts[i].mapped[k])
		}
		for k := range r.parts[i].unmapped {
			unmapped = append(unmapped, &r.parts[i].unmapped[k])
		}
	}
	for _, rows := range [][]*madeRow{mapped, unmapped} {
		sorted := make([]madeRow, len(rows))
		for i := range rows {
			sorted[i] = *rows[i]
		}
		slices.SortStableFunc(sorted, func(a, b madeRow) int {
			return cmp.Or(strings.Compare(r.orderOf(a.Identity), r.orderOf(b.Identity)),
				a.nullFirst()-b.nullFirst(), bytes.Compare(a.ID, b.ID))
		})
		for i := range rows {
			*rows[i] = sorted[i]
		}
	}
}

// orderOf returns a text for an identity that compares as the view's order wants it.
func (r *madeRun) orderOf(id normalize.ID) string {
	if r.service == "id5" {
		return id.Kind.String() + hex.EncodeToString(id.Hash[:]) + strings.Trim(string(id.Country[:]), "\x00")
	}
	return id.Kind.String() + base64.StdEncoding.EncodeToString(id.Hash[:])
}

// ofID5 makes a history one of a table of ID5, in which a hash is that of several identities in different countries.
func (d dice) ofID5(h history) history {
	for _, r := range h {
		r.service = "id5"
		for _, p := range r.parts {
			for _, rows := range [][]madeRow{p.mapped, p.unmapped} {
				for i := range rows {
					rows[i].Identity.Country = pick(d, [2]byte{}, [2]byte{}, [2]byte{'D', 'E'}, [2]byte{'D', 'K'}, [2]byte{'U', 'S'})
				}
			}
		}
		if r.kind == "compact" || r.kind == "forget" {
			r.sort()
		}
	}
	return h
}

// services are those of which there are tables that are read in different ways.
var services = map[string]func(dice, history) history{
	"uid2": func(_ dice, h history) history { return h },
	"id5":  dice.ofID5,
}

func (r *madeRow) nullFirst() int {
	if r.HasID {
		return 1
	}
	return 0
}

func (d dice) part(r *madeRun, identities int) (p madePart) {
	for range d.IntN(identities * 2) {
		row := d.row(r, identities)
		if row.isMapped {
			p.mapped = append(p.mapped, row)
		} else {
			p.unmapped = append(p.unmapped, row)
		}
	}
	return p
}

func (d dice) row(r *madeRun, identities int) madeRow {
	row := madeRow{kept: map[string]any{}}
	for _, k := range keepable {
		row.kept[k.Name] = pick(d, k.values...)
	}
	row.Identity, row.HasKind, row.HasHash = identity(d.IntN(identities)), true, true
	if id := pick(d, "null", "null", "", "a", "b", "ab", "a\x00", "a\x00b", "\x00", "ä"); id != "null" {
		row.ID, row.HasID = []byte(id), true
	}
	row.SourceFile = pick(d, "", "in.csv", "gs://b/other.csv")
	row.SourceColumn = pick(d, "", "email", "phone")
	row.SourceRow = d.Int64N(5)
	row.MappedAt = pick(d, int64(-5), 1000, 1001, 1002)
	if d.IntN(2) == 0 {
		row.isMapped = true
		row.UID = fmt.Appendf(nil, "uid of %s %d", r.id, d.IntN(1000))
		row.Previous = pick(d, nil, []byte("previous"))
		row.RefreshFrom = d.Int64N(3)
		return row
	}
	row.Reason = pick(d, sinks.Reasons()...)
	row.RawReason = fmt.Appendf(nil, "word %d", d.IntN(100))
	row.RejectedBy = pick(d, sinks.ByService, sinks.ByMapper)
	if row.Reason == sinks.ReasonInvalidRow || d.IntN(10) == 0 {
		row.HasHash = false
		row.HasKind = row.Reason != sinks.ReasonInvalidRow
	}
	return row
}

type field = arrow.Field

// valueOf writes a kept value as fmt writes what it was made of.
func valueOf(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "-"
	}
	switch a := a.(type) {
	case *array.Binary:
		return string(a.Value(i))
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(i)))
	case *array.Decimal128:
		return fmt.Sprint(int64(a.Value(i).LowBits()))
	case *array.Float64:
		return fmt.Sprint(a.Value(i))
	}
	return a.ValueStr(i)
}
