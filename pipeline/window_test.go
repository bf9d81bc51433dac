package pipeline_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/pipeline"
	"mapper/sinks"
)

// window is a Mapper and a receiver of parts, both slow, that watches how many identities have been asked and are in no
// sealed part.
type window struct {
	service
	mu       sync.Mutex
	asked    int64
	unsaved  int64 // the most of them
	sealed   int64
	sealing  bool
	parts    []pipeline.Part
	meantime int // the most requests that began while a part was sealed
	begun    int // while this one is
}

func (w *window) Map(ctx context.Context, asks *pipeline.Asks, a *client.Answers) error {
	w.mu.Lock()
	w.asked += int64(len(asks.IDs))
	w.unsaved = max(w.unsaved, w.asked-w.sealed)
	if w.sealing {
		w.begun++
	}
	w.mu.Unlock()
	return w.service.Map(ctx, asks, a)
}

func (w *window) seal(_ context.Context, p pipeline.Part) error {
	w.mu.Lock()
	w.sealing, w.begun = true, 0
	w.mu.Unlock()
	time.Sleep(3 * time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealing = false
	w.meantime = max(w.meantime, w.begun)
	w.sealed += p.Totals.Asked
	w.parts = append(w.parts, p)
	return nil
}

// run maps a file with parts that take long to seal.
func (w *window) run(t *testing.T, in pipeline.Input, opts pipeline.Options) {
	t.Helper()
	tb := newTable(t)
	to, err := sinks.New(tb.bucket, "r", sinks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.latency = func(int) time.Duration { return time.Second }
	synctest.Test(t, func(t *testing.T) {
		if err := pipeline.Run(t.Context(), []pipeline.Input{in}, pipeline.Part{}, w, to, w.seal, opts); err != nil {
			t.Fatal(err)
		}
	})
	tb.parts = w.parts
	tb.check(in.Source.Object.URI)
}

// TestUnsaved: a crash makes no more be asked again than a part and what may be in flight, however far asking could run
// ahead, and no limit is so low that a run waits for ever.
func TestUnsaved(t *testing.T) {
	in := input(t, people(t, 300, 300))
	const identifiers = 2 // of a line
	for _, opts := range []pipeline.Options{
		{PartRows: 1, MaxBatch: 1, MaxInFlight: 1},
		{PartRows: 1, MaxBatch: 10, MaxInFlight: 3},
		{PartRows: 7, MaxBatch: 1, MaxInFlight: 4},
		{PartRows: 20, MaxBatch: 3, MaxInFlight: 1},
		{PartRows: 50, MaxBatch: 10, MaxInFlight: 2},
		{PartRows: 10, MaxBatch: 30, MaxInFlight: 20},
	} {
		t.Run(fmt.Sprintf("parts of %d, %d requests of %d", opts.PartRows, opts.MaxInFlight, opts.MaxBatch), func(t *testing.T) {
			w := new(window)
			w.run(t, in, opts)
			most := opts.PartRows + int64(opts.MaxInFlight+1)*int64(max(opts.MaxBatch, identifiers))
			if w.unsaved > most {
				t.Errorf("%d were asked and not sealed, %d may be", w.unsaved, most)
			}
		})
	}
}

// TestAskingGoesOnWhileSealing: parts that are sealed for their bytes, long before their rows, leave room to ask ahead.
func TestAskingGoesOnWhileSealing(t *testing.T) {
	w := new(window)
	opts := pipeline.Options{MaxBatch: 10, MaxInFlight: 2, PartBytes: 1}
	w.run(t, input(t, people(t, 300, 300)), opts)
	// Three seconds of requests of one, two at a time, where four chunks more than the two at once may wait.
	if w.meantime < 4 {
		t.Errorf("%d requests began while a part was sealed, want 4 at least", w.meantime)
	}
	if len(w.parts) < 10 {
		t.Errorf("%d parts, want one for each request", len(w.parts))
	}
}
