package jobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/sinks"
)

// change is a row of a diff.
type change struct{ action, kind, hash, former, current, reason, at string }

// changes reads a diff with Arrow's reader.
func changes(t *testing.T, out string) (all []change) {
	t.Helper()
	f, err := os.Open(filepath.Join(out, "part-00001.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := pqarrow.ReadTable(context.Background(), f, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	records := array.NewTableReader(read, 0)
	defer records.Release()
	for records.Next() {
		r := records.Record()
		cell := func(i int, name string) string {
			column := r.Column(r.Schema().FieldIndices(name)[0])
			switch {
			case column.IsNull(i):
				return ""
			case column.DataType().ID() == arrow.TIMESTAMP:
				return fmt.Sprint(int64(column.(*array.Timestamp).Value(i)))
			}
			return column.ValueStr(i)
		}
		for i := range int(r.NumRows()) {
			all = append(all, change{cell(i, "action"), cell(i, "identity_type"), cell(i, "identity_hash"), cell(i, "former_uid"),
				cell(i, "current_uid"), cell(i, "reason"), cell(i, "mapped_at")})
		}
	}
	return all
}

// diff runs a job whose output is a new folder.
func diff(t *testing.T, from, since string) (*jobs.Differences, []change) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	d, err := jobs.Diff{From: from, Since: since, Out: out, Store: new(objects.Store), Memory: 32_000_000}.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, "_SUCCESS")); err != nil {
		t.Error(err)
	}
	return d, changes(t, out)
}

// TestDiff has a person for each thing that can become of a raw UID.
func TestDiff(t *testing.T) {
	from := makeTable(t,
		madeRun{id: "r1", kind: "map", rows: []sinks.Row{
			mapped("1", "same", "uid same", 10), mapped("2", "rotates", "uid old", 10), mapped("3", "opts out", "uid out", 10),
			mapped("4", "leaves", "uid leaves", 10), mapped("5", "one id leaves", "uid shared", 10), mapped("6", "one id leaves", "uid shared", 10),
			answered("7", "comes back", "", sinks.ReasonOptOut, 10), mapped("8", "turns invalid", "uid invalid", 10),
			answered("9", "never", "", sinks.ReasonOptOut, 10), mapped("10", "leaves and opts out", "uid both", 10),
			mapped("11", "service stutters", "uid stutter", 10), mapped("12", "away and back", "uid away", 10), mapped("13", "forgotten", "uid forgotten", 10),
		}},
		madeRun{id: "r2", kind: "map", base: []string{"r1"}, rows: []sinks.Row{
			mapped("2", "rotates", "uid new", 20), answered("3", "opts out", "", sinks.ReasonOptOut, 20),
			answered("4", "leaves", "", sinks.ReasonRemoved, 20), answered("6", "one id leaves", "", sinks.ReasonRemoved, 20),
			mapped("7", "comes back", "uid back", 20), answered("8", "turns invalid", "", sinks.ReasonInvalidIdentifier, 20),
			answered("10", "leaves and opts out", "", sinks.ReasonRemoved, 20), answered("11", "service stutters", "", sinks.ReasonUnknown, 20),
			answered("12", "away and back", "", sinks.ReasonOptOut, 20), mapped("14", "joins", "uid joins", 20),
		}},
		madeRun{id: "r3", kind: "map", base: []string{"r1", "r2"}, rows: []sinks.Row{mapped("12", "away and back", "uid away", 30)}},
	)
	hash := func(email string) string {
		sum := sha256.Sum256([]byte(email))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	want := []change{
		{"replace", "email", hash("rotates"), "uid old", "uid new", "", "20"},
		{"remove", "email", hash("opts out"), "uid out", "", "OPTOUT", "20"},
		{"remove", "email", hash("leaves"), "uid leaves", "", "REMOVED", "10"},
		{"add", "email", hash("comes back"), "", "uid back", "", "20"},
		{"remove", "email", hash("turns invalid"), "uid invalid", "", "INVALID_IDENTIFIER", "20"},
		{"remove", "email", hash("leaves and opts out"), "uid both", "", "REMOVED", "10"},
		{"add", "email", hash("joins"), "", "uid joins", "", "20"},
	}
	slices.SortFunc(want, func(a, b change) int { return strings.Compare(a.hash, b.hash) })
	d, got := diff(t, from, "r1")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if d.Adds != 2 || d.Replaces != 1 || d.Removes != 4 || d.Unchanged != 5 || d.Removed["REMOVED"] != 2 || d.NextSince != "r3" ||
		!slices.Equal(d.RunsThen, []string{"r1"}) || len(d.Runs) != 3 {
		t.Errorf("%+v", d)
	}
	if d, got := diff(t, from, "r3"); len(got) != 0 || d.Unchanged != 8 {
		t.Errorf("since the last run: %v, %+v", got, d)
	}
	if _, got := diff(t, from, "r2"); len(got) != 1 || got[0].action != "add" || got[0].current != "uid away" {
		t.Errorf("since r2: %v", got)
	}
}

// TestDiffAfterForget: what a forget has taken out of the table is removed downstream too. The files of the run before
// are gone after it: until they are, and when they are, the diff says the right thing.
func TestDiffAfterForget(t *testing.T) {
	from := makeTable(t,
		madeRun{id: "r1", kind: "map", rows: []sinks.Row{mapped("1", "a", "uid a", 10), mapped("2", "b", "uid b", 10), mapped("3", "c", "uid c", 10)}},
		madeRun{id: "f", kind: "forget", base: []string{"r1"}, replaces: []string{"r1"}, rows: []sinks.Row{mapped("2", "b", "uid b", 10)}},
	)
	d, got := diff(t, from, "r1")
	if len(got) != 2 || got[0].action != "remove" || got[1].reason != "REMOVED" || got[1].at != "" || d.Unchanged != 1 || d.NextSince != "f" {
		t.Errorf("%v, %+v", got, d)
	}
	if d, got := diff(t, from, "f"); len(got) != 0 || !slices.Equal(d.RunsThen, []string{"f"}) {
		t.Errorf("since the forget: %v, %+v", got, d)
	}
	if err := os.RemoveAll(filepath.Join(from, "mapped", "run=r1")); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, err := jobs.Diff{From: from, Since: "r1", Out: t.TempDir(), Store: new(objects.Store), Log: slog.New(slog.NewTextHandler(&log, nil))}.Do(t.Context())
	var usage *jobs.UsageError
	if err == nil || errors.As(err, &usage) || !strings.Contains(err.Error(), "mapper export") || log.Len() > 0 {
		t.Errorf("%v; log %q", err, &log)
	}
	if err := os.RemoveAll(filepath.Join(from, "mapped", "run=f")); err != nil {
		t.Fatal(err)
	}
	if _, err := (jobs.Diff{From: from, Since: "f", Out: t.TempDir(), Store: new(objects.Store)}).Do(t.Context()); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("damage: %v", err)
	}
}

// TestDiffOfOverlappingRuns: a run that was in progress when another was planned is new to that, and neither stands for
// both; a compaction does.
func TestDiffOfOverlappingRuns(t *testing.T) {
	rows := func(person string) []sinks.Row { return []sinks.Row{mapped(person, person, "uid "+person, 10)} }
	runs := []madeRun{
		{id: "r1", kind: "map", rows: rows("a")},
		{id: "r2", kind: "map", base: []string{"r1"}, rows: rows("b")},
		{id: "r3", kind: "map", base: []string{"r1"}, rows: rows("c")},
	}
	from := makeTable(t, runs...)
	for since, want := range map[string]string{"r2": "uid c", "r3": "uid b"} {
		d, got := diff(t, from, since)
		if len(got) != 1 || got[0].current != want || d.NextSince != "" || !strings.Contains(d.String(), "mapper compact") {
			t.Errorf("since %s: %v, %v", since, got, d)
		}
	}
	compact := madeRun{id: "c", kind: "compact", base: []string{"r1", "r2", "r3"}, replaces: []string{"r1", "r2", "r3"}, rows: slices.Concat(rows("a"), rows("b"), rows("c"))}
	from = makeTable(t, append(runs, compact)...)
	if d, got := diff(t, from, "r2"); len(got) != 1 || d.NextSince != "c" {
		t.Errorf("after a compaction: %v, %v", got, d)
	}
}

// TestDiffAgainstAModel: whoever holds what the view at a run says and does what the diff says, holds what the table says
// now, whatever has happened to pairs of few people in between.
func TestDiffAgainstAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	type pairOf struct{ id, person string }
	for range 6 {
		live, answers := map[pairOf]bool{}, map[string]string{} // an empty answer is an opt-out
		holds := func() map[string]string {
			all := map[string]string{}
			for p, is := range live {
				if is && answers[p.person] != "" {
					all[p.person] = answers[p.person]
				}
			}
			return all
		}
		var runs []madeRun
		var base []string
		var states []map[string]string
		for n := range 4 {
			r := madeRun{id: fmt.Sprint("r", n), kind: "map", base: slices.Clone(base)}
			fresh, touched := map[string]string{}, map[pairOf]bool{} // one answer for each in a run, and one row for each pair
			for range 30 {
				p := pairOf{fmt.Sprint("id", rng.IntN(3)), fmt.Sprint("person", rng.IntN(12))}
				if touched[p] {
					continue
				}
				touched[p] = true
				if rng.IntN(3) == 0 && live[p] {
					r.rows = append(r.rows, answered(p.id, p.person, "", sinks.ReasonRemoved, int64(n+1)))
					live[p] = false
					continue
				}
				uid, ok := fresh[p.person]
				if !ok {
					if rng.IntN(4) > 0 {
						uid = fmt.Sprint(p.person, " uid ", rng.IntN(3))
					}
					fresh[p.person] = uid
				}
				r.rows = append(r.rows, answered(p.id, p.person, uid, sinks.ReasonOptOut, int64(n+1)))
				live[p], answers[p.person] = true, uid
			}
			base = append(base, r.id)
			runs = append(runs, r)
			states = append(states, holds())
		}
		from := makeTable(t, runs...)
		names := map[string]string{}
		for n := range 12 {
			sum := sha256.Sum256(fmt.Append(nil, "person", n))
			names[base64.StdEncoding.EncodeToString(sum[:])] = fmt.Sprint("person", n)
		}
		for n, state := range states {
			_, got := diff(t, from, fmt.Sprint("r", n))
			for _, c := range got {
				person := names[c.hash]
				if state[person] != c.former {
					t.Fatalf("%s: former %q, held %q", person, c.former, state[person])
				}
				if delete(state, person); c.current != "" {
					state[person] = c.current
				}
			}
			if !reflect.DeepEqual(state, holds()) {
				t.Fatalf("since r%d: %v, want %v", n, state, holds())
			}
		}
	}
}

// TestDiffOnStorages diffs tables of real runs, on every storage.
func TestDiffOnStorages(t *testing.T) {
	for storage, open := range storages {
		t.Run(storage, func(t *testing.T) {
			store := new(objects.Store)
			defer store.Close()
			root := open(t).URI
			from := root + "/table"
			s, url := operator(t, sandbox.Options{OptOutShare: 0.1})
			for run, rows := range []int{300, 900} {
				m := job(s, url, writePeople(t, rows), from)
				m.Columns.ID, m.RunID, m.Store = "id", fmt.Sprint("r", run), store
				if _, err := m.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			d, err := jobs.Diff{From: from, Since: "r0", Out: root + "/diff", Store: store}.Do(t.Context())
			if err != nil || d.Adds == 0 || d.Unchanged == 0 || d.Removes+d.Replaces > 0 || d.NextSince != "r1" {
				t.Fatalf("%v, %v", d, err)
			}
			object, err := store.Stat(t.Context(), root+"/diff/part-00001.parquet")
			if err != nil {
				t.Fatal(err)
			}
			f, err := store.Open(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			r, err := file.NewParquetReader(f)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close() // and with it the object
			if r.NumRows() != d.Adds {
				t.Errorf("%d rows, %v", r.NumRows(), d)
			}
		})
	}
}

// TestDiffAsksForMore: what cannot be meant is refused, with the runs there are.
func TestDiffAsksForMore(t *testing.T) {
	from := makeTable(t, madeRun{id: "r1", kind: "map"}, madeRun{id: "r2", kind: "map", base: []string{"r1"}})
	tab, err := table.Open(t.Context(), new(objects.Store), from)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"half", "gone"} {
		if _, err := tab.CreatePlan(t.Context(), table.Plan{RunID: run, Kind: "map"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.Abort(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	for want, d := range map[string]jobs.Diff{
		"no such run; those committed are r1, r2":           {Since: "r9"},
		"the run is unfinished; those committed are r1, r2": {Since: "half"},
		"the run was aborted; those committed are r1, r2":   {Since: "gone"},
		"is too little":             {Since: "r1", Memory: 1000},
		"lies inside":               {Since: "r1", Out: filepath.Join(from, "mapped", "run=x")},
		"needs a folder of its own": {Since: "r1", Out: from[:strings.LastIndex(from, "/")]},
	} {
		if d.Out == "" {
			d.Out = t.TempDir()
		}
		d.From, d.Store = from, new(objects.Store)
		var usage *jobs.UsageError
		if _, err := d.Do(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestDiffStops leaves nothing behind: no file in the output, none in the folder for temporary ones.
func TestDiffStops(t *testing.T) {
	var rows []sinks.Row
	for i := range 3000 {
		rows = append(rows, mapped(fmt.Sprint(i), fmt.Sprint("person ", i), "uid", 10))
	}
	from := makeTable(t, madeRun{id: "r1", kind: "map", rows: rows[:1000]}, madeRun{id: "r2", kind: "map", base: []string{"r1"}, rows: rows})
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	stopped, done := 0, false
	for after := 0; !done; after++ {
		out := filepath.Join(t.TempDir(), "out")
		_, err := jobs.Diff{From: from, Since: "r1", Out: out, Store: new(objects.Store), Memory: 32_000_000}.Do(&endsAfter{Context: t.Context(), left: after})
		left, readErr := os.ReadDir(temporary)
		if readErr != nil || len(left) > 0 {
			t.Errorf("after %d looks at the context: %v, %v", after, left, readErr)
		}
		if done = err == nil; done {
			break
		}
		stopped++
		if left, err := os.ReadDir(out); err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
			t.Errorf("after %d looks at the context: %v, %v", after, left, err)
		}
	}
	if stopped < 5 {
		t.Errorf("it was stopped %d times", stopped)
	}
}
