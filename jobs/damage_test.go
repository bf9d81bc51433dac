package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
)

// TestLostLink loses a link of a chain, in the middle and at its end, and runs the same command again, with other borders
// of parts: never is a run committed that does not hold each row once, and what to do is said.
func TestLostLink(t *testing.T) {
	for _, last := range []bool{false, true} {
		for _, rows := range []int64{40, 150} {
			t.Run(fmt.Sprintf("last %v, parts of %d", last, rows), func(t *testing.T) {
				s, url := operator(t, sandbox.Options{})
				m := job(s, url, writePeople(t, 1000), t.TempDir())
				m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight = "id", "r", 100, 50, 1
				interruptAfter(t, m, 5)
				links, err := filepath.Glob(filepath.Join(m.Out, "_runs", "r", "progress", "0-*.json"))
				if err != nil || len(links) < 3 || len(links) > 9 { // sorted by name
					t.Fatal(links, err)
				}
				lost := links[1]
				if last {
					lost = links[len(links)-1]
				}
				if err := os.Remove(lost); err != nil {
					t.Fatal(err)
				}
				m.PartRows = rows
				_, err = m.Run(t.Context())
				if !last {
					if !errors.Is(err, table.ErrDamaged) || !strings.Contains(err.Error(), "mapper clean "+m.Out+" --run r --yes") {
						t.Errorf("got %v", err)
					}
					if v, err := jobs.Verify(t.Context(), new(objects.Store), m.Out); !errors.Is(err, jobs.ErrDamaged) {
						t.Errorf("%v\n%s", err, v)
					}
					return
				}
				if err != nil { // the last link is gone as if it had never been
					t.Fatal(err)
				}
				checkOutput(t, s, m.Out, 1000)
			})
		}
	}
}

// interruptAfter begins a run and stops it when it has sealed a part.
func interruptAfter(t *testing.T, m jobs.Map, part int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m.Monitor = &jobs.Monitor{OnPart: func(p jobs.SealedPart) {
		if p.N == part {
			stop()
		}
	}}
	if _, err := m.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not interrupted: %v", err)
	}
}

// TestLostUploadOfALink is a storage that takes a link and loses it, while the process goes on.
func TestLostUploadOfALink(t *testing.T) {
	for _, name := range []string{"/progress/0-2.json", "/progress/0-12.json"} {
		var lost atomic.Bool
		target := between(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
			if creates(r, name) && lost.CompareAndSwap(false, true) {
				w.Header().Set("ETag", `"lost"`)
				return
			}
			server.ServeHTTP(w, r)
		})
		s, url := operator(t, sandbox.Options{})
		m := job(s, url, writePeople(t, 1000), target.URI+"/table")
		m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight = "id", "r", 100, 50, 1
		for range 3 {
			got, err := m.Run(t.Context())
			if err == nil && got.Status == jobs.StatusShardDone {
				t.Errorf("%s: a run of one shard ends as %s", name, got.Status)
			}
			if err == nil {
				checkOutput(t, s, m.Out, 1000)
			} else if !strings.Contains(err.Error(), "give the run up") {
				t.Errorf("%s: %v", name, err)
			}
			m.PartRows = 150
		}
		if !lost.Load() {
			t.Errorf("%s was never written", name)
		}
	}
}

// TestAbortedAtTheEnd aborts a run when it has sealed its last part: it does not say that it is done.
func TestAbortedAtTheEnd(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	for name, when := range map[string]func(r *http.Request) bool{
		"before it looks at the chains": func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "progress") },
		"before it looks at the parts":  func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "refresh_from") },
	} {
		t.Run(name, func(t *testing.T) {
			var sealed, aborted atomic.Bool
			var abort func() error
			target := between(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				if r.Method == http.MethodGet && when(r) && sealed.Load() && aborted.CompareAndSwap(false, true) {
					if err := abort(); err != nil {
						t.Error(err)
					}
				}
				server.ServeHTTP(w, r)
			})
			m := job(s, url, writePeople(t, 400), target.URI+"/table")
			m.Columns.ID, m.RunID = "id", "r"
			m.Monitor = &jobs.Monitor{OnPart: func(p jobs.SealedPart) { sealed.Store(p.Done) }}
			tb, err := table.Open(t.Context(), new(objects.Store), m.Out)
			if err != nil {
				t.Fatal(err)
			}
			abort = func() error { return tb.Abort(context.Background(), "r") }
			if got, err := m.Run(t.Context()); !errors.Is(err, table.ErrAborted) || !aborted.Load() {
				t.Errorf("aborted %v: %v, %v", aborted.Load(), got, err)
			}
		})
	}
}

// TestDamageOfAnUnfinishedRun: verify sees it, its own job says what to do, and others are not kept from anything.
func TestDamageOfAnUnfinishedRun(t *testing.T) {
	for _, file := range []string{"progress/0-1.json", "plan.json"} {
		t.Run(file, func(t *testing.T) {
			s, url := operator(t, sandbox.Options{})
			m := job(s, url, writePeople(t, 1000), t.TempDir())
			m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight = "id", "r", 100, 50, 1
			interruptAfter(t, m, 3)
			peopleTable{m.Out}.flip(t, "_runs/r/"+file)
			v, err := jobs.Verify(t.Context(), new(objects.Store), m.Out)
			if !errors.Is(err, jobs.ErrDamaged) || !strings.Contains(v.String(), "mapper clean "+m.Out+" --run r --yes") {
				t.Errorf("%v\n%s", err, v)
			}
			if _, err := m.Run(t.Context()); !errors.Is(err, table.ErrDamaged) || !strings.Contains(err.Error(), "--run r --yes") {
				t.Errorf("the same command: %v", err)
			}
			other := m
			other.RunID, other.Limit = "", 500
			if _, err := other.Run(t.Context()); err != nil {
				t.Errorf("another job: %v", err)
			}
			c := jobs.Clean{Table: m.Out, Store: new(objects.Store), Grace: -1}
			found, err := c.Do(t.Context())
			if err != nil || len(found.Abandoned) != 1 {
				t.Errorf("clean: %v, %v", found, err)
			}
			c.Run, c.Yes = "r", true
			if _, err := c.Do(t.Context()); err != nil {
				t.Errorf("clean --run: %v", err)
			}
			if v, err := jobs.Verify(t.Context(), new(objects.Store), m.Out); err != nil {
				t.Errorf("%v\n%s", err, v)
			}
		})
	}
}

// TestCleanLooksAtLeasesTogether: each dead one takes 15 s in a cloud.
func TestCleanLooksAtLeasesTogether(t *testing.T) {
	if os.Getenv("MAPPER_CRASH") == "" {
		t.Skip("it takes 15 s; make crash runs it")
	}
	const n = 20
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 40), objectstest.S3(t).URI+"/table")
	m.RunID, m.Shard = "r", jobs.Shard{K: 0, N: n}
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	tb, err := table.Open(t.Context(), new(objects.Store), m.Out)
	if err != nil {
		t.Fatal(err)
	}
	for k := range n {
		key := fmt.Sprintf("_runs/r/.lease-%d/000000000900", k)
		if err := tb.Bucket.CreateIfAbsent(t.Context(), key, []byte(`{"holder":"X","name":"pod-gone","host":"other","pid":7}`)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	c, err := jobs.Clean{Table: m.Out, Store: new(objects.Store), Grace: -1}.Do(t.Context())
	if took := time.Since(began); err != nil || len(c.Abandoned) != 1 || took > 30*time.Second {
		t.Errorf("after %v: %v, %v", took, c, err)
	}
}

// TestCleanWithoutTheRightToListUploads cleans everything else, and says so.
func TestCleanWithoutTheRightToListUploads(t *testing.T) {
	target := between(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == http.MethodGet && r.URL.Query().Has("uploads") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		server.ServeHTTP(w, r)
	})
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 100), target.URI+"/table")
	m.RunID, m.Shard = "r", jobs.Shard{K: 0, N: 2}
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := jobs.Clean{Table: m.Out, Store: new(objects.Store), Run: "r", Yes: true}
	if got, err := c.Do(t.Context()); err != nil || len(got.Abandoned) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	c.Run, c.Yes = "", false
	if got, err := c.Do(t.Context()); err != nil || !strings.Contains(got.String(), "s3:ListBucketMultipartUploads") {
		t.Errorf("%v, %v", got, err)
	}
}

// TestReplacedRunWithoutParts: it has nothing but a plan, which goes with clean, and nobody misses it.
func TestReplacedRunWithoutParts(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	in := filepath.Join(t.TempDir(), "none.csv")
	if err := os.WriteFile(in, []byte("id,email\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := job(s, url, in, t.TempDir())
	m.RunID = "empty"
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	tb, err := table.Open(t.Context(), new(objects.Store), m.Out)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, tb, "empty")
	if _, err := (jobs.Clean{Table: m.Out, Store: new(objects.Store), Grace: -1, Yes: true}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := jobs.Verify(t.Context(), new(objects.Store), m.Out); err != nil {
		t.Errorf("%v\n%s", err, v)
	}
}

// TestStoppedInTheCommit: the summary says so.
func TestStoppedInTheCommit(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	m := job(s, url, writePeople(t, 400), objectstest.S3(t).URI+"/table")
	m.Columns.ID, m.RunID = "id", "r"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m.Monitor = &jobs.Monitor{OnPart: func(p jobs.SealedPart) {
		if p.Done {
			stop()
		}
	}}
	if got, err := m.Run(ctx); !errors.Is(err, context.Canceled) || got == nil || got.Status != jobs.StatusInterrupted {
		t.Errorf("%v, %v", got, err)
	}
}

// TestShardsWhoseInputsAreGone: what others have read needs no input any more; another input is another job.
func TestShardsWhoseInputsAreGone(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	in, other := t.TempDir(), writePeople(t, 10)
	for i := range 2 {
		if err := os.WriteFile(filepath.Join(in, fmt.Sprint(i, ".csv")), fmt.Appendf(nil, "id,email\n1,a%d@example.com\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	shard := func(k int, input string) (*jobs.Summary, error) {
		m := job(s, url, input, out)
		m.RunID, m.Shard = "r", jobs.Shard{K: k, N: 3}
		return m.Run(t.Context())
	}
	for k := range 2 {
		if _, err := shard(k, in); err != nil {
			t.Fatal(err)
		}
	}
	var usage *jobs.UsageError
	if _, err := shard(2, other); !errors.As(err, &usage) || !strings.Contains(err.Error(), "it had 2 inputs") {
		t.Errorf("another input: %v", err)
	}
	if err := os.RemoveAll(in); err != nil {
		t.Fatal(err)
	}
	if got, err := shard(2, in); err != nil || got.Status != jobs.StatusCommitted || got.Counts.Lines != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
