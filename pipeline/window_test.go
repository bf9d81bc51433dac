package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// window is a Mapper and a receiver of parts, both slow, that watches how many identities have been asked and are in no
// sealed part.
type window struct {
	service
	seals  time.Duration // how long sealing takes
	failAt int           // the part that cannot be sealed, once

	mu       sync.Mutex
	asked    int64
	unsaved  int64 // the most of them
	sealed   int64
	sealing  bool
	parts    []pipeline.Part
	begun    int // requests that began while this part is sealed
	meantime int // the most of them
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
	time.Sleep(w.seals)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealing = false
	w.meantime = max(w.meantime, w.begun)
	if p.N == w.failAt {
		w.failAt = 0
		return errCrash
	}
	w.sealed += p.Totals.Asked
	w.parts = append(w.parts, p)
	return nil
}

// run maps inputs from where the last part ended. It fails when they take so long that something must have waited for
// ever, or for a part to be old.
func (w *window) run(t *testing.T, tb *table, in []pipeline.Input, opts pipeline.Options) (err error) {
	t.Helper()
	to, err := sinks.New(tb.bucket, "r", sinks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last pipeline.Part
	if len(w.parts) > 0 {
		last = w.parts[len(w.parts)-1]
	}
	w.asked, w.sealed, w.unsaved = 0, 0, 0
	opts.PartInterval = 1000 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Hour)
		defer cancel()
		err = pipeline.Run(ctx, in, last, w, to, w.seal, opts)
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	})
	chunk := opts.MaxBatch
	for i := range in {
		chunk = max(chunk, len(in[i].Identifiers))
	}
	if most := opts.PartRows + int64(opts.MaxInFlight+1)*int64(chunk); opts.PartRows > 0 && w.unsaved > most {
		t.Errorf("%d were asked and not sealed, %d may be", w.unsaved, most)
	}
	if err == nil && w.asked != w.sealed {
		t.Errorf("%d were asked, and parts say %d", w.asked, w.sealed)
	}
	tb.parts = w.parts
	return err
}

// manyColumns writes a file whose lines have many emails, and some have uids that are known for them.
func manyColumns(t *testing.T, random *rand.Rand, rows, columns, distinct int) pipeline.Input {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,known")
	for c := range columns {
		fmt.Fprintf(&b, ",email_%d", c)
	}
	for i := range rows {
		fmt.Fprintf(&b, "\nr%d,", i)
		if random.IntN(3) == 0 {
			fmt.Fprintf(&b, "uid%d", random.IntN(3))
		}
		for range columns {
			switch random.IntN(12) {
			case 0:
				b.WriteString(",")
			case 1:
				b.WriteString(",nobody")
			default:
				fmt.Fprintf(&b, ",p%d@example.com", random.IntN(distinct))
			}
		}
		if random.IntN(20) == 0 {
			b.WriteString(",one,two")
		}
	}
	path := filepath.Join(t.TempDir(), "many.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	in, known := input(t, path), 1
	in.Identifiers, in.KnownUIDs = nil, &known
	for c := range columns {
		in.Identifiers = append(in.Identifiers, pipeline.Identifier{Column: 2 + c, Form: normalize.FormEmail})
	}
	return in
}

// TestUnsaved: a crash makes no more be asked again than a part and what is asked at once, however far asking could run
// ahead, and nothing that a run is told to do makes it wait for ever: neither lines of more identifiers than a request may
// have nor parts of a row, nor merges, nor what fails and is gone on with.
func TestUnsaved(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 99))
			opts := pipeline.Options{
				PartRows: int64(1 + random.IntN(30)), MaxBatch: 1 + random.IntN(12), MaxInFlight: 1 + random.IntN(4), Recent: 1 << random.IntN(7),
			}
			if random.IntN(4) == 0 {
				opts.PartBytes = 1
			}
			if random.IntN(4) == 0 {
				opts.Memory = int64(1 + random.IntN(5000))
			}
			w := &window{seals: time.Duration(random.IntN(3)) * time.Second}
			w.latency = func(call int) time.Duration { return shuffled(call) * 100 }
			if random.IntN(4) == 0 {
				at := 1 + random.IntN(30)
				w.fail = func(call int) error {
					if call == at {
						return errCrash
					}
					return nil
				}
			}
			if random.IntN(4) == 0 {
				w.failAt = 1 + random.IntN(6)
			}
			var in []pipeline.Input
			again := func() {}
			if random.IntN(3) == 0 {
				var b *base
				in, b = nightly(t)
				again = func() { opts.Merge = b.again() }
			} else {
				for range 2 {
					in = append(in, manyColumns(t, random, 60, 1+random.IntN(9), 1+random.IntN(100)))
				}
			}
			tb := newTable(t)
			again()
			err := w.run(t, tb, in, opts)
			for n := 0; n < 3 && errors.Is(err, errCrash); n++ {
				again()
				err = w.run(t, tb, in, opts)
			}
			if err != nil || !tb.last().Done {
				t.Errorf("%v; done: %v", err, tb.last().Done)
			}
		})
	}
}

// TestAskingGoesOnWhileSealing: parts that are sealed for their bytes, long before their rows, leave room to ask ahead.
func TestAskingGoesOnWhileSealing(t *testing.T) {
	in, tb := input(t, people(t, 300, 300)), newTable(t)
	w := &window{seals: 3 * time.Second}
	w.latency = func(int) time.Duration { return time.Second }
	if err := w.run(t, tb, []pipeline.Input{in}, pipeline.Options{MaxBatch: 10, MaxInFlight: 2, PartBytes: 1}); err != nil {
		t.Fatal(err)
	}
	tb.check(in.Source.Object.URI)
	// Three seconds of requests of one, two at a time, where four chunks more than the two at once may wait.
	if w.meantime < 4 {
		t.Errorf("%d requests began while a part was sealed, want 4 at least", w.meantime)
	}
	if len(w.parts) < 10 {
		t.Errorf("%d parts, want one for each request", len(w.parts))
	}
}

// TestGivingUpAsksNoMore: what is sealed when there is too much that is invalid takes its time, in which nothing is asked.
func TestGivingUpAsksNoMore(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,email,phone\n")
	for i := range 20_000 {
		name := fmt.Sprintf("p%d@example.com", i)
		if i < 3000 && i%2 == 0 {
			name = "nobody"
		}
		fmt.Fprintf(&b, "r%d,%s,\n", i, name)
	}
	path := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	limit := 0.1
	w := &window{seals: 10 * time.Second}
	w.latency = func(int) time.Duration { return 100 * time.Millisecond }
	err := w.run(t, newTable(t), []pipeline.Input{input(t, path)}, pipeline.Options{MaxBatch: 100, MaxInFlight: 4, MaxInvalid: &limit})
	var tooMany *pipeline.TooManyInvalidError
	if !errors.As(err, &tooMany) {
		t.Errorf("got %v, want TooManyInvalidError", err)
	}
	// The request that the packer was about to hand over may have won.
	if w.meantime > 1 {
		t.Errorf("%d requests began while the last part was sealed", w.meantime)
	}
}
