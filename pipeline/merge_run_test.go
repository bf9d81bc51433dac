package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// TestMergeAccountsForEverything: several inputs whose tasks interleave, in chunks and parts of all sizes.
func TestMergeAccountsForEverything(t *testing.T) {
	inputs, b := nightly(t)
	whole := night(t, inputs, b, pipeline.Options{})
	whole.conserves()
	if c := whole.counts(); c.Lines != 1300 || c.Withheld == 0 || c.Mapped == 0 || c.Malformed == 0 || c.EmptyRows == 0 {
		t.Errorf("counts are %+v: something is missing", c)
	}
	for _, reason := range []string{"OPTOUT", "INVALID_IDENTIFIER", "UNKNOWN", "SUPPRESSED", "REMOVED", "INVALID_ROW"} {
		if whole.counts().Unmapped[reason] == 0 {
			t.Errorf("nothing is %s", reason)
		}
	}
	if got := whole.byInput(); got[0].Lines != 900 || got[1].Lines != 400 || got[pipeline.NoInput].Lines != 0 || got[pipeline.NoInput].Unmapped["REMOVED"] == 0 {
		t.Errorf("counts by input are %+v", got)
	}
	var live int64
	for _, p := range whole.parts {
		live += p.Totals.Live
	}
	if live != int64(len(b.live)) {
		t.Errorf("%d pairs were live, counted %d", len(b.live), live)
	}
	written := strings.Join(whole.rows(sinks.DatasetMapped), "\n") + strings.Join(whole.rows(sinks.DatasetUnmapped), "\n")
	for _, change := range []string{"new", "same", "rotated", "opted_out", "restored", "removed"} {
		if !strings.Contains(written, "change="+change) {
			t.Errorf("no row is %s", change)
		}
	}
	for _, c := range []struct {
		name string
		opts pipeline.Options
		size int
	}{
		{"one identity a request", pipeline.Options{MaxBatch: 1}, 1000},
		{"one task at a time", pipeline.Options{MaxBatch: 10, MaxInFlight: 3}, 1},
		{"hardly any memory", pipeline.Options{MaxBatch: 10, Memory: 1, Recent: 2}, 3},
		{"small parts", pipeline.Options{MaxBatch: 10, PartRows: 20}, 50},
		{"parts of hardly any memory", pipeline.Options{MaxBatch: 20, PartBytes: 1}, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b.again()
			b.size = c.size
			tb := night(t, inputs, b, c.opts)
			tb.conserves()
			sameRun(t, tb, whole)
		})
	}
}

// TestMergeAsksOnce: an identity is asked once, however many rows wait for it, also when they do not fit into a chunk.
func TestMergeAsksOnce(t *testing.T) {
	inputs, b := nightly(t)
	s := &service{latency: shuffled}
	tb := newTable(t)
	if err := tb.run(t.Context(), inputs, s, pipeline.Options{MaxBatch: 3, Recent: 2, Merge: b}); err != nil {
		t.Fatal(err)
	}
	asked := map[normalize.ID]bool{}
	for _, ids := range s.asked {
		for _, id := range ids {
			if asked[id] {
				t.Fatalf("%x is asked twice", id.Hash[:4])
			}
			asked[id] = true
		}
	}
	var counted int64
	for _, p := range tb.parts {
		counted += p.Totals.Asked
	}
	if counted != int64(len(asked)) || counted == 0 {
		t.Errorf("%d identities are asked, counted %d", len(asked), counted)
	}
}

// list yields tasks that are made as they are wanted, n times the same number of them.
type list struct {
	n     int
	tasks func(batch int) []pipeline.Task
}

func (list) Add(*pipeline.Read) error { return nil }

func (l list) Tasks(context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) {
		for i := range l.n {
			if !yield(&pipeline.Tasks{List: l.tasks(i)}, nil) {
				return
			}
		}
	}
}

// TestMergeIdentityOfManyChunks: the rows of one identity are more than a chunk holds.
func TestMergeIdentityOfManyChunks(t *testing.T) {
	const batches, each = 25, 1000
	l := list{batches, func(int) []pipeline.Task {
		tasks := make([]pipeline.Task, each)
		for i := range tasks {
			tasks[i] = pipeline.Task{Do: pipeline.Ask, Lines: 1, Input: pipeline.NoInput, Identity: normalize.ID{Hash: [32]byte{9}}}
		}
		return tasks
	}}
	s := &service{}
	tb := newTable(t)
	if err := tb.run(t.Context(), nil, s, pipeline.Options{Merge: l, Recent: 2}); err != nil {
		t.Fatal(err)
	}
	if s.calls.Load() != 1 || tb.counts().Mapped != batches*each {
		t.Errorf("%d requests, %d rows; want 1 and %d", s.calls.Load(), tb.counts().Mapped, batches*each)
	}
	tb.conserves()
}

// TestMergeResumesAtEveryPart stops after every part and goes on: everything is added again, and the rows are those of
// the uninterrupted run.
func TestMergeResumesAtEveryPart(t *testing.T) {
	inputs, b := nightly(t)
	opts := pipeline.Options{MaxBatch: 15, PartRows: 90, MaxInFlight: 4}
	whole := night(t, inputs, b, opts)
	if len(whole.parts) < 8 {
		t.Fatalf("only %d parts: too few to stop at", len(whole.parts))
	}
	for stop := range len(whole.parts) {
		tb := newTable(t)
		w, err := sinks.New(tb.bucket, "r", sinks.Options{})
		if err != nil {
			t.Fatal(err)
		}
		opts.Merge = b.again()
		err = pipeline.Run(t.Context(), inputs, pipeline.Part{}, &service{}, w, func(ctx context.Context, p pipeline.Part) error {
			if len(tb.parts) == stop {
				return errCrash
			}
			return tb.sealed(ctx, p)
		}, opts)
		if !errors.Is(err, errCrash) || len(tb.parts) != stop {
			t.Fatalf("stopped after %d parts with %v, want %d", len(tb.parts), err, stop)
		}
		again := b.again()
		opts.Merge, opts.Progress = again, new(pipeline.Progress)
		if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
			t.Fatal(err)
		}
		if got := opts.Progress.Added.Load(); got != 1300 {
			t.Fatalf("%d lines were added again, want all 1300", got)
		}
		sameRun(t, tb, whole)
		tb.conserves()
		if got, want := told(tb), told(whole); got != want || want == 0 {
			t.Fatalf("stopped after %d parts: %d identities told are due, want %d", stop, got, want)
		}
	}
}

// told counts the identities in the calendar that were told. Those asked are due later, and may be asked again after a
// crash.
func told(tb *table) (n int64) {
	for _, p := range tb.parts {
		for day, identities := range p.Totals.Calendar {
			if day < "2023" {
				n += identities
			}
		}
	}
	return n
}

// TestMergeThatChanged: a run whose tasks are not those that it began with does not go on.
func TestMergeThatChanged(t *testing.T) {
	tasks := func(n int, lines int64) list {
		return list{n, func(int) []pipeline.Task {
			return []pipeline.Task{{Do: pipeline.Tell, Lines: lines, Input: pipeline.NoInput, Identity: normalize.ID{Hash: [32]byte{9}}}}
		}}
	}
	done := pipeline.Part{N: 1, Cursor: pipeline.Cursor{Row: 5, Lines: 5}}
	for _, c := range []struct {
		name  string
		merge list
		fails bool
	}{
		{"the same", tasks(9, 1), false},
		{"nothing left", tasks(5, 1), false},
		{"fewer than were done", tasks(4, 1), true},
		{"of other lines", tasks(9, 0), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := newTable(t)
			tb.parts = []pipeline.Part{done}
			err := tb.run(t.Context(), nil, &service{}, pipeline.Options{Merge: c.merge})
			if fails := err != nil && strings.Contains(err.Error(), "has changed since it began"); fails != c.fails || tb.last().Done == c.fails {
				t.Errorf("got %v, done %v", err, tb.last().Done)
			}
		})
	}
}

// TestMergeOfUnknownTask: what nobody can do is a failure, and nothing of its part is sealed.
func TestMergeOfUnknownTask(t *testing.T) {
	tb := newTable(t)
	l := list{2, func(batch int) []pipeline.Task {
		return []pipeline.Task{{Do: pipeline.Withhold + pipeline.Do(batch*100), Lines: 1, Input: pipeline.NoInput}}
	}}
	if err := tb.run(t.Context(), nil, &service{}, pipeline.Options{Merge: l}); err == nil || !strings.Contains(err.Error(), "which there is not") || len(tb.parts) > 0 {
		t.Errorf("got %v and %d parts", err, len(tb.parts))
	}
}

// TestMergeFailures fails in every place. What comes before it is sealed, and the run goes on from there.
func TestMergeFailures(t *testing.T) {
	inputs, b := nightly(t)
	opts := pipeline.Options{MaxBatch: 5, MaxInFlight: 3}
	whole := night(t, inputs, b, opts)
	refused := &client.Error{Fault: client.Refused, Op: "test", Message: "no"}
	for _, c := range []struct {
		name  string
		spoil func(*base, *service)
		err   error
		seals bool
	}{
		{"first line", func(b *base, _ *service) { b.failAt = 1 }, errCrash, false},
		{"some line", func(b *base, _ *service) { b.failAt = 300 }, errCrash, false},
		{"first tasks", func(b *base, _ *service) { b.size, b.stopAt = 7, 1 }, errCrash, true},
		{"some tasks", func(b *base, _ *service) { b.stopAt = 400 }, errCrash, true},
		{"some request", func(_ *base, s *service) {
			s.fail = func(call int) error {
				if call == 6 { // of the fourth chunk or a later one, as three are asked at once
					return refused
				}
				return nil
			}
		}, refused, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := newTable(t)
			broken, s := b.again(), &service{latency: shuffled}
			c.spoil(broken, s)
			opts.Merge = broken
			if err := tb.run(t.Context(), inputs, s, opts); !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if sealed := len(tb.parts) > 0; sealed != c.seals || tb.last().Done {
				t.Fatalf("%d parts, done %v", len(tb.parts), tb.last().Done)
			}
			opts.Merge = b.again()
			if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
				t.Fatal(err)
			}
			sameRun(t, tb, whole)
		})
	}
}

// TestMergeCancelled cancels while lines are added, while tasks are yielded, and by tasks that just end then: nothing
// that is left out may pass for done.
func TestMergeCancelled(t *testing.T) {
	inputs, b := nightly(t)
	whole := night(t, inputs, b, pipeline.Options{})
	for _, c := range []struct {
		name string
		at   int // lines added
		then int // tasks yielded
		ends bool
	}{
		{"while adding", 100, 0, false},
		{"while yielding", 0, 200, false},
		{"and the tasks end", 0, 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tb := newTable(t)
			m := &cancels{base: b.again(), cancel: cancel, adds: c.at, tasks: c.then, ends: c.ends}
			if err := tb.run(ctx, inputs, &service{}, pipeline.Options{MaxBatch: 10, Merge: m}); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want context.Canceled", err)
			}
			if tb.last().Done {
				t.Fatal("what was cancelled is done")
			}
			if err := tb.run(t.Context(), inputs, &service{}, pipeline.Options{Merge: b.again()}); err != nil {
				t.Fatal(err)
			}
			sameRun(t, tb, whole)
		})
	}
}

// cancels cancels the run in the middle.
type cancels struct {
	*base
	cancel      func()
	adds, tasks int
	ends        bool
}

func (c *cancels) Add(r *pipeline.Read) error {
	if c.adds--; c.adds == 0 {
		c.cancel()
	}
	return c.base.Add(r)
}

func (c *cancels) Tasks(ctx context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) {
		n := 0
		for tasks, err := range c.base.Tasks(ctx) {
			if n += len(tasks.List); n > c.tasks && c.tasks > 0 {
				c.cancel()
				if c.ends {
					return
				}
			}
			if !yield(tasks, err) {
				return
			}
		}
	}
}

// TestMergeTooManyInvalid: what can be known before asking is known before asking; what the service says only counts
// at the end, because invalid identities may stand together.
func TestMergeTooManyInvalid(t *testing.T) {
	inputs, b := nightly(t)
	for _, limit := range []float64{0, 0.1, 0.5} {
		s := &service{}
		tb := newTable(t)
		err := tb.run(t.Context(), inputs, s, pipeline.Options{MaxInvalid: &limit, Merge: b.again()})
		var tooMany *pipeline.TooManyInvalidError
		if fails := errors.As(err, &tooMany); fails != (limit < 0.5) || s.calls.Load() > 0 == fails || len(tb.parts) > 0 == fails {
			t.Errorf("limit %g: %v, %d requests, %d parts", limit, err, s.calls.Load(), len(tb.parts))
		}
	}
	told := func(first, then client.Status) list {
		return list{40, func(batch int) []pipeline.Task {
			status := first
			if batch >= 20 {
				status = then
			}
			tasks := make([]pipeline.Task, 1000)
			for i := range tasks {
				tasks[i] = pipeline.Task{Do: pipeline.Tell, Lines: 1, Input: pipeline.NoInput, Answer: pipeline.Answer{Status: status}}
			}
			return tasks
		}}
	}
	limit := 0.6
	tb := newTable(t)
	if err := tb.run(t.Context(), nil, &service{}, pipeline.Options{MaxInvalid: &limit, Merge: told(client.Invalid, client.OptOut)}); err != nil {
		t.Errorf("half of all are invalid, and they come first: %v", err)
	}
	tb = newTable(t)
	err := tb.run(t.Context(), nil, &service{}, pipeline.Options{MaxInvalid: &limit, Merge: told(client.Invalid, client.Invalid)})
	if tooMany := new(pipeline.TooManyInvalidError); !errors.As(err, &tooMany) || tooMany.Seen != 40_000 || tb.last().Done {
		t.Errorf("all are invalid: %v, done %v", err, tb.last().Done)
	}
}

// TestMergeOfManyWithheld: what is only counted goes through in little memory, and ends in a part without files.
func TestMergeOfManyWithheld(t *testing.T) {
	const batches, each = 300, 1000
	var most uint64
	l := list{batches, func(batch int) []pipeline.Task {
		if batch%50 == 49 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		tasks := make([]pipeline.Task, each)
		for i := range tasks {
			tasks[i] = pipeline.Task{
				Do: pipeline.Withhold, Lines: 1, Live: true, Input: pipeline.NoInput, ID: make([]byte, 200), HasID: true,
				Answer: pipeline.Answer{Status: client.Mapped, UID: make([]byte, 44)},
			}
		}
		return tasks
	}}
	tb := newTable(t)
	if err := tb.run(t.Context(), nil, &service{}, pipeline.Options{Merge: l, Memory: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	if c := tb.counts(); c.Withheld != batches*each || c.Lines != batches*each || len(tb.last().Files) > 0 {
		t.Errorf("counts are %+v, files %v", c, tb.last().Files)
	}
	if most > 60<<20 { // all tasks together are 180 MB
		t.Errorf("%d MB were in use", most>>20)
	}
	tb.conserves()
}

// TestMergeSealsByTime: a part that holds only counts is sealed when its time has come.
func TestMergeSealsByTime(t *testing.T) {
	tb := newTable(t)
	synctest.Test(t, func(t *testing.T) {
		l := list{10, func(int) []pipeline.Task {
			time.Sleep(time.Minute)
			tasks := make([]pipeline.Task, 20_000) // more than a chunk
			for i := range tasks {
				tasks[i] = pipeline.Task{Do: pipeline.Withhold, Lines: 1, Input: pipeline.NoInput}
			}
			return tasks
		}}
		if err := tb.run(t.Context(), nil, &service{}, pipeline.Options{Merge: l, PartInterval: 2 * time.Minute}); err != nil {
			t.Fatal(err)
		}
	})
	if len(tb.parts) < 4 {
		t.Errorf("%d parts in 10 minutes", len(tb.parts))
	}
	tb.conserves()
}

// TestMergeLimit: only the first lines are added, also when the run is continued.
func TestMergeLimit(t *testing.T) {
	inputs, b := nightly(t)
	for _, limit := range []int64{1, 100, 901, 5000} {
		m := b.again()
		m.live = nil
		opts := pipeline.Options{Limit: limit, Progress: new(pipeline.Progress), PartRows: 50}
		opts.Merge = m
		tb := newTable(t)
		if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
			t.Fatal(err)
		}
		if want := min(limit, 1300); tb.counts().Lines != want || opts.Progress.Added.Load() != want || opts.Progress.Lines.Load() != want {
			t.Errorf("limit %d: %d lines, %d added, %d shown", limit, tb.counts().Lines, opts.Progress.Added.Load(), opts.Progress.Lines.Load())
		}
		tb.conserves()
	}
}
