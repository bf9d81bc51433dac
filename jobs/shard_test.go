package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/sinks"
)

func TestParseShard(t *testing.T) {
	env := func(value string) func(string) (string, bool) {
		return func(name string) (string, bool) { return value, name == jobs.CompletionIndex && value != "" }
	}
	for _, c := range []struct {
		text, index string
		want        jobs.Shard
		err         string
	}{
		{text: "0/1", want: jobs.Shard{K: 0, N: 1}},
		{text: "15/16", index: "3", want: jobs.Shard{K: 15, N: 16}},
		{text: "/16", index: "3", want: jobs.Shard{K: 3, N: 16}},
		{text: "/16", err: "$JOB_COMPLETION_INDEX, which is not set"},
		{text: "/16", index: "16", err: "here K is 16"},
		{text: "/16", index: "x", err: "no slice"},
		{text: "16", err: "write K/N"},
		{text: "16/16", err: "from 0 to N-1"},
		{text: "-1/4", err: "no slice"},
		{text: "1/0", err: "no slice"},
		{text: "0/10001", err: "no slice"},
		{text: "", err: "no slice"},
		{text: "1/2/3", err: "no slice"},
	} {
		got, err := jobs.ParseShard(c.text, env(c.index))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q with index %q: %v, %v", c.text, c.index, got, err)
		}
	}
}

func TestShardsAndWhatDoesNotGoWithThem(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	for name, change := range map[string]func(*jobs.Map){
		"give all of them the same --run-id": func(m *jobs.Map) { m.RunID = "" },
		"leave out --limit or --shard":       func(m *jobs.Map) { m.Limit = 1 },
		"cannot be dealt to shards":          func(m *jobs.Map) { m.Inputs = []string{"-"} },
		"leave out --fresh":                  func(m *jobs.Map) { m.Fresh = true },
		"from 0 to N-1":                      func(m *jobs.Map) { m.Shard.K = 2 },
	} {
		m := job(s, url, writePeople(t, 10), t.TempDir())
		m.Shard, m.RunID = jobs.Shard{K: 1, N: 2}, "r"
		change(&m)
		_, err := m.Run(t.Context())
		var usage *jobs.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// manyInputs writes people into files of several formats and sizes, one of which is Parquet of many row groups.
func manyInputs(t *testing.T, rows int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var people []person
	for i := 0; len(people) < rows; i++ {
		if p := newPerson(i); !p.malformed {
			people = append(people, p)
		}
	}
	write := func(name string, people []person, write func(*os.File, []person) error) {
		f, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := write(f, people); err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // Parquet's writer has closed it already
	}
	part := func(from, to int) []person { return people[rows*from/100 : rows*to/100] }
	write("a.csv", part(0, 10), writeCSV)
	write("b.parquet", part(10, 60), func(f *os.File, people []person) error { return writeGroups(f, people, 100) })
	write("c.ndjson", part(60, 62), writeNDJSON)
	write("d.csv", part(62, 62), writeCSV)
	write("e.csv", part(62, 90), writeCSV)
	write("f.tsv", part(90, 100), writeTSV)
	return folder
}

// writeGroups writes Parquet with so many rows in each row group.
func writeGroups(f *os.File, people []person, each int) error {
	w, err := pqarrow.NewFileWriter(peopleSchema, f, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	for group := range slices.Chunk(people, each) {
		if err := records(group, w.Write); err != nil {
			return err
		}
	}
	return w.Close()
}

// sorted returns the rows of the mapped and unmapped parts in an order of their own.
func sorted(t *testing.T, out string) (rows []string) {
	t.Helper()
	for _, dataset := range sinks.Datasets() {
		rows = append(rows, rowsOf(t, out, dataset)...)
	}
	slices.Sort(rows)
	return rows
}

// TestShards works a run off in shards, in any order, some of them several times and at once, and expects the rows of
// a run without shards, one commit by whoever is last, and no more requests at once than allowed.
func TestShards(t *testing.T) {
	const rows = 2000
	inputs := manyInputs(t, rows)
	s, url := operator(t, sandbox.Options{})
	whole := job(s, url, inputs, t.TempDir())
	whole.Columns.ID = "id"
	if _, err := whole.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := sorted(t, whole.Out)
	for _, n := range []int{1, 3, 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			out := t.TempDir()
			shard := func(k int) jobs.Map {
				m := whole
				m.Out, m.RunID, m.Shard, m.PartRows, m.MaxBatch = out, "r", jobs.Shard{K: k, N: n}, 300, 200
				return m
			}
			for i, k := range rand.Perm(n) {
				want := jobs.StatusShardDone
				if i == n-1 {
					want = jobs.StatusCommitted
				}
				for range 2 { // the second time there is nothing left to do
					before := s.Stats().Requests
					got, err := shard(k).Run(t.Context())
					if err != nil || got.Status != want {
						t.Fatalf("shard %d, the %d-th: %v, %v", k, i+1, got, err)
					}
					if want == jobs.StatusAlreadyCommitted && s.Stats().Requests != before {
						t.Error("a run that is committed was worked on")
					}
					if i == n-1 {
						want = jobs.StatusAlreadyCommitted
					}
				}
			}
			if got := sorted(t, out); !slices.Equal(got, want) {
				t.Errorf("%d rows of shards are not the %d of the whole", len(got), len(want))
			}
			if v, err := jobs.Verify(t.Context(), new(objects.Store), out); err != nil || v.Runs != 1 || len(v.Remarks) > 0 {
				t.Errorf("%v\n%s", err, v)
			}
			i, err := jobs.Inspect(t.Context(), out, jobs.InspectOptions{Store: new(objects.Store)})
			if err != nil || i.Counts.Lines != rows || i.Runs[0].State != "committed" {
				t.Errorf("%v, %v", i, err)
			}
		})
	}
}

// TestShardsAtOnce lets all shards of a run go at once, each twice.
func TestShardsAtOnce(t *testing.T) {
	const n = 5
	inputs := manyInputs(t, 3000)
	s, url := operator(t, sandbox.Options{Latency: 5 * time.Millisecond})
	for storage, open := range storages {
		t.Run(storage, func(t *testing.T) {
			out := open(t).URI + "/table"
			var all sync.WaitGroup
			var mu sync.Mutex
			committed, held := 0, 0
			for k := range 2 * n {
				m := job(s, url, inputs, out)
				m.Columns.ID, m.RunID, m.Shard, m.PartRows, m.MaxBatch = "id", "r", jobs.Shard{K: k % n, N: n}, 300, 100
				all.Go(func() {
					got, err := m.Run(t.Context())
					mu.Lock()
					defer mu.Unlock()
					switch {
					case errors.Is(err, table.ErrHeld), errors.Is(err, table.ErrFenced):
						held++
					case err != nil:
						t.Error(err)
					case got.Status == jobs.StatusCommitted:
						committed++
					}
				})
			}
			all.Wait()
			if committed != 1 {
				t.Errorf("%d committed", committed)
			}
			v, err := jobs.Verify(t.Context(), new(objects.Store), out)
			if err != nil || v.Runs != 1 {
				t.Errorf("%v\n%s", err, v)
			}
			i, err := jobs.Inspect(t.Context(), out, jobs.InspectOptions{Store: new(objects.Store)})
			if err != nil || i.Counts.Lines != 3000 {
				t.Errorf("%v, %v", i, err)
			}
			t.Logf("%d of %d were refused or fenced", held, 2*n)
		})
	}
}

// TestShardsKeepToThePlan: what comes to the inputs after the plan is for another run, and another job is refused.
func TestShardsKeepToThePlan(t *testing.T) {
	inputs := manyInputs(t, 1000)
	s, url := operator(t, sandbox.Options{})
	out := t.TempDir()
	var log bytes.Buffer
	shard := func(k int) jobs.Map {
		m := job(s, url, inputs, out)
		m.Columns.ID, m.RunID, m.Shard, m.Log = "id", "r", jobs.Shard{K: k, N: 2}, slog.New(slog.NewTextHandler(&log, nil))
		return m
	}
	if _, err := shard(0).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := filepath.Join(inputs, "late.csv")
	if err := os.WriteFile(late, []byte("id,email,phone\n1,late@example.com,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := shard(1)
	other.Columns.Email = []string{"email"}
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is another job: email was") {
		t.Errorf("another job: %v", err)
	}
	other = shard(1)
	other.Shard.N = 3
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `shards was 2 and is 3`) {
		t.Errorf("other shards: %v", err)
	}
	got, err := shard(1).Run(t.Context())
	if err != nil || got.Status != jobs.StatusCommitted || got.Counts.Lines != 1000 {
		t.Errorf("%v, %v", got, err)
	}
	if !strings.Contains(log.String(), "its plan stands") {
		t.Errorf("no word of the file that came late\n%s", &log)
	}
}

// TestShardsAreWholeTogether: what is looked at is the run, not a shard.
func TestShardsAreWholeTogether(t *testing.T) {
	folder := t.TempDir()
	var bad, good strings.Builder
	for i := range 400 {
		fmt.Fprintf(&bad, "nobody%d\n", i)
		fmt.Fprintf(&good, "somebody%d@example.com\n", i)
	}
	bad.WriteString("one@example.com\n")
	for name, text := range map[string]string{"bad.csv": bad.String(), "good.csv": good.String()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("email\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, url := operator(t, sandbox.Options{})
	for _, limit := range []float64{0.6, 0.4} {
		out, committed := t.TempDir(), false
		var last error
		for k := range 2 {
			m := job(s, url, folder, out)
			m.Columns.Email = []string{"email"}
			m.RunID, m.Shard, m.MaxInvalid = "r", jobs.Shard{K: k, N: 2}, &limit
			got, err := m.Run(t.Context())
			if k == 0 && err != nil {
				t.Fatal(err)
			}
			last, committed = err, err == nil && got.Status == jobs.StatusCommitted
		}
		if committed != (limit > 0.5) || (last == nil) != committed {
			t.Errorf("--max-invalid %g: committed %v, %v", limit, committed, last)
		}
	}
}
