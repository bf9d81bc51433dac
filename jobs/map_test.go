package jobs_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sinks"
)

// operator starts a sandbox for a test.
func operator(t testing.TB, opts sandbox.Options) (*sandbox.Sandbox, string) {
	t.Helper()
	s, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, url
}

// job returns a map job for an operator.
func job(s *sandbox.Sandbox, url, input, out string) jobs.Map {
	return jobs.Map{
		BaseURL: url, APIKey: client.NewSecret(s.APIKey()), ClientSecret: client.NewSecret(s.ClientSecret()),
		Inputs: []string{input}, Out: out, Version: "test",
	}
}

// person is row i of a made-up customer list: what stands in the file, and what it has to become.
type person struct {
	id, email, phone string
	malformed        bool
	want             []want
}

// want is what an identifier has to become. refused is the raw reason when it must not be asked.
type want struct {
	column  string
	kind    normalize.Kind
	id      normalize.ID
	refused string
}

func newPerson(i int) person {
	p := person{id: fmt.Sprintf("c%d", i)}
	h := uint64(i)*0x9E3779B97F4A7C15 + 1
	n := i
	switch h >> 32 % 10 {
	case 0:
		n = i / 2 // asked a long time ago
	case 1:
		n = i - i%7 // asked just before
	}
	name := fmt.Sprintf("person%d@example.com", n)
	email := identity(normalize.KindEmail, name)
	add := func(column string, id normalize.ID, refused string) {
		p.want = append(p.want, want{column: column, kind: id.Kind, id: id, refused: refused})
	}
	switch h >> 40 % 16 {
	case 0:
		p.email = "nobody"
		add("email", email, "email: no @")
	case 1:
		p.email = hex.EncodeToString(email.Hash[:])
		add("email", email, "")
	case 2:
		p.email = base64.StdEncoding.EncodeToString(email.Hash[:])
		add("email", email, "")
	case 3: // no email
	case 4:
		p.email = fmt.Sprintf("\" Person%d@EXAMPLE.com\t\"", n)
		add("email", email, "")
	case 5:
		p.malformed = true
		return p
	default:
		p.email = name
		add("email", email, "")
	}
	switch h >> 48 % 8 {
	case 0:
		p.phone = fmt.Sprintf("+1555%07d", n)
		add("phone", identity(normalize.KindPhone, p.phone), "")
	case 1:
		p.phone = fmt.Sprintf("(555) %03d", n%1000)
		add("phone", normalize.ID{Kind: normalize.KindPhone}, "phone: national number and no region")
	}
	return p
}

func identity(kind normalize.Kind, normalized string) normalize.ID {
	return normalize.ID{Kind: kind, Hash: sha256.Sum256([]byte(normalized))}
}

func writePeople(t testing.TB, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,email,phone")
	for i := range rows {
		if p := newPerson(i + 1); p.malformed {
			fmt.Fprintf(w, "%s,one,two,three\n", p.id)
		} else {
			fmt.Fprintf(w, "%s,%s,%s\n", p.id, p.email, p.phone)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// output is a row of a dataset, as far as the tests look at it.
type output struct {
	id, kind, hash, uid, previous, reason, raw, by, column, change, former, country string
	row                                                                             int64
	refresh, at                                                                     arrow.Timestamp
}

// outputs reads the live rows of a dataset, part by part.
func outputs(t testing.TB, out, dataset string) iter.Seq[output] {
	t.Helper()
	files, err := jobs.LiveFiles(context.Background(), new(objects.Store), out, dataset)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(output) bool) {
		for _, f := range files {
			for row := range partRows(t, f) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

func partRows(t testing.TB, path string) iter.Seq[output] {
	return func(yield func(output) bool) {
		var store objects.Store
		defer store.Close()
		object, err := store.Stat(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := store.Open(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		pf, err := file.NewParquetReader(opened)
		if err != nil {
			t.Fatal(err)
		}
		defer pf.Close() // and with it the object
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
			for i := range int(rec.NumRows()) {
				if !yield(outputOf(rec, i)) {
					return
				}
			}
		}
	}
}

func outputOf(rec arrow.Record, i int) output {
	text := func(name string) string {
		column := rec.Schema().FieldIndices(name)
		if len(column) == 0 || rec.Column(column[0]).IsNull(i) {
			return ""
		}
		switch a := rec.Column(column[0]).(type) {
		case *array.Dictionary:
			return a.Dictionary().ValueStr(a.GetValueIndex(i))
		default:
			return a.ValueStr(i)
		}
	}
	stamp := func(name string) arrow.Timestamp {
		column := rec.Schema().FieldIndices(name)
		if len(column) == 0 || rec.Column(column[0]).IsNull(i) {
			return 0
		}
		return rec.Column(column[0]).(*array.Timestamp).Value(i)
	}
	row, _ := strconv.ParseInt(text("source_row"), 10, 64)
	return output{
		id: text("id"), kind: text("identity_type"), hash: text("identity_hash"), uid: text("current_uid"),
		previous: text("previous_uid"), reason: text("reason"), raw: text("raw_reason"), by: text("rejected_by"),
		column: text("source_column"), change: text("change"), former: text("former_uid"), country: text("country"), row: row, refresh: stamp("refresh_from"), at: stamp("mapped_at"),
	}
}

// checkOutput compares every row of the table with what the input says it has to be, asking the operator's own
// rules and not the operator.
func checkOutput(t testing.TB, s *sandbox.Sandbox, out string, rows int) {
	t.Helper()
	seen := map[string]int{}
	check := func(dataset string) {
		var last string
		for got := range outputs(t, out, dataset) {
			if place := fmt.Sprintf("%012d %s", got.row, got.column); place <= last {
				t.Fatalf("%s: row %q comes after %q", dataset, place, last)
			} else {
				last = place
			}
			if problem := newPerson(int(got.row)).accepts(s, dataset, &got); problem != "" {
				t.Fatalf("%s: source row %d: %s\n%+v", dataset, got.row, problem, got)
			}
			seen[dataset]++
		}
	}
	check(sinks.DatasetMapped)
	check(sinks.DatasetUnmapped)
	total := 0
	for i := range rows {
		p := newPerson(i + 1)
		total += len(p.want)
		if p.malformed {
			total++
		}
	}
	// Every row seen is right and comes once, so equal numbers mean that none is missing.
	if got := seen[sinks.DatasetMapped] + seen[sinks.DatasetUnmapped]; got != total {
		t.Fatalf("%d rows, want %d", got, total)
	}
	refreshRows := 0
	for range outputs(t, out, sinks.DatasetRefreshFrom) { // its order is verify's business
		refreshRows++
	}
	if refreshRows != seen[sinks.DatasetMapped] {
		t.Fatalf("%d rows in refresh_from, %d mapped", refreshRows, seen[sinks.DatasetMapped])
	}
}

// accepts says what is wrong with an output row, or nothing.
func (p person) accepts(s *sandbox.Sandbox, dataset string, got *output) string {
	if p.malformed {
		if dataset != sinks.DatasetUnmapped || got.reason != "INVALID_ROW" || got.by != "mapper" || got.hash != "" || got.id != "" {
			return "want a malformed row"
		}
		return ""
	}
	if got.id != p.id {
		return "want id " + p.id
	}
	for _, w := range p.want {
		if w.column != got.column {
			continue
		}
		if got.kind != w.kind.String() {
			return "wrong identity_type"
		}
		if w.refused != "" {
			if dataset != sinks.DatasetUnmapped || got.reason != "INVALID_IDENTIFIER" || got.raw != w.refused || got.by != "mapper" || got.hash != "" {
				return "want refusal " + w.refused
			}
			return ""
		}
		if got.hash != base64.StdEncoding.EncodeToString(w.id.Hash[:]) {
			return "wrong hash"
		}
		e := s.Expect(w.id)
		if e.OptedOut {
			if dataset != sinks.DatasetUnmapped || got.reason != "OPTOUT" || got.raw != "optout" || got.by != "service" {
				return "want an opt-out"
			}
			return ""
		}
		if dataset != sinks.DatasetMapped || got.uid != e.RawUID || got.previous != e.Previous || int64(got.refresh) != e.RefreshFrom.UnixMilli() {
			return fmt.Sprintf("want %+v", e)
		}
		return ""
	}
	return "no such identifier in the row"
}

// TestEveryRowUnderFaults maps a large messy file through an operator that throttles, fails, resets, truncates
// and lies. MAPPER_TEST_ROWS sets its size; `make million` runs it with a million rows.
func TestEveryRowUnderFaults(t *testing.T) {
	rows := 20_000
	if n, err := strconv.Atoi(os.Getenv("MAPPER_TEST_ROWS")); err == nil {
		rows = n
	}
	const inFlight = 8
	s, url := operator(t, sandbox.Options{Seed: "faults", OptOutShare: 0.1, RotationDays: 270})
	s.SetFaults(sandbox.Faults{Seed: 1, Limit: sandbox.Limit{PerSecond: 40, Burst: 4}, Rules: []sandbox.Fault{
		{Do: sandbox.Fail, Status: 429, RetryAfter: time.Second, Skip: 20, First: 2},
		{Do: sandbox.Fail, Status: 500, Share: 0.04},
		{Do: sandbox.Fail, Status: 503, Share: 0.03},
		{Do: sandbox.Reset, Share: 0.03},
		{Do: sandbox.ResetMidway, Share: 0.03},
		{Do: sandbox.Truncate, Share: 0.03},
		{Do: sandbox.WrongNonce, Share: 0.03},
		{Do: sandbox.ShortArrays, Share: 0.03},
		{Do: sandbox.Garble, Share: 0.03},
		{Do: sandbox.Slow, Delay: 50 * time.Millisecond, Share: 0.1},
	}})
	out := filepath.Join(t.TempDir(), "out")
	j := job(s, url, writePeople(t, rows), out)
	j.MaxInFlight, j.MaxBatch, j.PartRows = inFlight, max(500, rows/400), int64(rows/3)
	j.Columns.ID = "id"
	summary, err := j.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(summary)
	if n := s.Stats().MaxInFlight; n > inFlight {
		t.Errorf("%d requests in flight, %d allowed", n, inFlight)
	}
	if summary.Counts.Retries == 0 || summary.Counts.Throttled == 0 {
		t.Errorf("%d retries, %d throttled: the faults did not show", summary.Counts.Retries, summary.Counts.Throttled)
	}
	if summary.Counts.Lines != int64(rows) {
		t.Errorf("%d lines, want %d", summary.Counts.Lines, rows)
	}
	checkOutput(t, s, out, rows)
	v, err := jobs.Verify(t.Context(), new(objects.Store), out)
	if err != nil {
		t.Fatalf("%v\n%s", err, v)
	}
}
