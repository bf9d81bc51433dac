package jobs_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/sinks"
)

// storages are all of them, each with a server of its own.
var storages = map[string]func(testing.TB) objectstest.Target{
	"files": func(t testing.TB) objectstest.Target { return objectstest.Target{URI: t.TempDir()} },
	"gs":    objectstest.GCS,
	"s3":    objectstest.S3,
	"azure": objectstest.Azure,
}

// TestEveryStorage reads from each storage and writes into each, while connections break and servers are busy, and
// checks every row, and that whoever goes by manifests sees all of the run or nothing of it at any moment.
func TestEveryStorage(t *testing.T) {
	const rows = 2500
	people, err := os.ReadFile(writePeople(t, rows))
	if err != nil {
		t.Fatal(err)
	}
	for from, openFrom := range storages {
		for to, openTo := range storages {
			t.Run(from+" to "+to, func(t *testing.T) {
				source := openFrom(t)
				target := source
				if from != to {
					target = openTo(t)
				}
				store := new(objects.Store)
				defer store.Close()
				in, err := store.Bucket(t.Context(), source.URI+"/in")
				if err != nil {
					t.Fatal(err)
				}
				if err := in.CreateIfAbsent(t.Context(), "people.csv", people); err != nil {
					t.Fatal(err)
				}
				s, url := operator(t, sandbox.Options{})
				out := target.URI + "/table"
				watched := watch(t, out)
				if from == to {
					unsettle(target)
				}
				m := job(s, url, in.URI(""), out)
				m.Columns.ID, m.MaxBatch, m.PartRows, m.Store = "id", 100, 600, store
				if _, err := m.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if target.Proxy != nil {
					target.Proxy.Heal()
				}
				watched(rows)
				checkOutput(t, s, out, rows)
				v, err := jobs.Verify(t.Context(), store, out)
				if err != nil || len(v.Damage) > 0 || len(v.Remarks) > 0 {
					t.Errorf("%+v, %v", v, err)
				}
			})
		}
	}
}

// unsettle makes the way to a storage a bad one.
func unsettle(t objectstest.Target) {
	if t.Proxy == nil {
		return
	}
	sometimes := func(kind func(*http.Request) bool) func(*http.Request) bool {
		return func(r *http.Request) bool { return kind(r) && rand.IntN(12) == 0 }
	}
	t.Proxy.Cut(-1, sometimes(objectstest.IsRead), func() int64 { return rand.Int64N(20_000) })
	t.Proxy.LoseReply(-1, sometimes(objectstest.IsWrite))
	t.Proxy.Refuse(-1, sometimes(objectstest.IsAny), http.StatusServiceUnavailable)
}

// watch reads a table again and again while a run is going on, by its manifests. The function it returns ends that,
// and checks that there were never some rows.
func watch(t *testing.T, out string) (ended func(rows int)) {
	ctx, cancel := context.WithCancel(t.Context())
	store := new(objects.Store)
	seen, done := map[int]int{}, make(chan error)
	go func() {
		for {
			rows, err := visibleRows(ctx, store, out)
			if err != nil && !strings.Contains(err.Error(), "is no table") || ctx.Err() != nil {
				done <- errors.Join(err, store.Close())
				return
			}
			seen[rows]++
		}
	}()
	return func(rows int) {
		t.Helper()
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		delete(seen, 0)
		if len(seen) > 1 {
			t.Errorf("of %d rows readers saw %v", rows, seen)
		}
	}
}

// visibleRows counts the rows of a dataset as a reader does.
func visibleRows(ctx context.Context, store *objects.Store, out string) (rows int, err error) {
	files, err := jobs.LiveFiles(ctx, store, out, sinks.DatasetUnmapped)
	if err != nil {
		return 0, err
	}
	for _, uri := range files {
		o, err := store.Stat(ctx, uri)
		if err != nil {
			return 0, err
		}
		f, err := store.Open(ctx, o)
		if err != nil {
			return 0, err
		}
		counts, err := sinks.Recount(uri, f, o.Size, sinks.NetworkUID2, sinks.DatasetUnmapped)
		if err = errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
		rows += int(counts.Rows)
	}
	return rows, nil
}
