package jobs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
)

// TestWithoutLease takes the lease of a run away as soon as it has sealed a part, and lets a second process work on it, and
// a third: whoever loses a part stops, and the table is that of one process.
func TestWithoutLease(t *testing.T) {
	const rows = 4000
	input := writePeople(t, rows)
	for _, storage := range []string{"files", "s3", "gs"} {
		t.Run(storage, func(t *testing.T) {
			out := storages[storage](t).URI + "/table"
			store := new(objects.Store)
			defer store.Close()
			s, url := operator(t, sandbox.Options{Latency: 20 * time.Millisecond})
			var all sync.WaitGroup
			var mu sync.Mutex
			var ends []error
			var start func(left int)
			start = func(left int) {
				m := job(s, url, input, out)
				m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.MaxInFlight, m.Store = "id", "r", 400, 100, 2, store
				var once sync.Once
				m.Monitor = &jobs.Monitor{OnPart: func(jobs.SealedPart) {
					once.Do(func() {
						if left > 0 {
							sabotage(t, store, out)
							all.Go(func() { start(left - 1) })
						}
					})
				}}
				_, err := m.Run(t.Context())
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, err)
			}
			all.Go(func() { start(2) })
			all.Wait()
			stopped := slices.DeleteFunc(slices.Clone(ends), func(err error) bool { return err == nil })
			for _, err := range stopped {
				if !errors.Is(err, table.ErrFenced) && !errors.Is(err, table.ErrHeld) {
					t.Error(err)
				}
			}
			if len(ends) < 2 || len(stopped) == len(ends) {
				t.Fatalf("ends: %v", ends)
			}
			checkOutput(t, s, out, rows)
			v, err := jobs.Verify(t.Context(), store, out)
			if err != nil || len(v.Remarks) > 0 {
				t.Errorf("%v\n%s", err, v)
			}
		})
	}
}

// sabotage removes whatever leases of a table there are, as if nobody held them.
func sabotage(t *testing.T, store *objects.Store, out string) {
	if !strings.Contains(out, "://") {
		if err := os.Remove(filepath.Join(out, "_runs", "r", ".lease-0")); err != nil {
			t.Error(err)
		}
		return
	}
	b, err := store.Bucket(context.Background(), out)
	if err == nil {
		err = b.DropLocks(context.Background(), "_runs/r/.lease-")
	}
	if err != nil {
		t.Error(err)
	}
}
