package uid2_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/normalize"
)

// TestPoisonIsFound puts values into a batch that make the operator fail: they are marked and nobody else is, and
// looking for them costs no more than 2⌈log₂ n⌉ requests for each. Not counted are the request that fails, which is
// made anyway, and its two repeats, which only an outage could make useful.
func TestPoisonIsFound(t *testing.T) {
	for _, n := range []int{5000, 1000, 64, 3, 2, 1} {
		for bad := 1; bad <= min(n, 4); bad++ {
			t.Run(fmt.Sprintf("%d of %d", bad, n), func(t *testing.T) {
				runs := 3
				if n > 64 {
					runs = 1
				}
				for seed := range runs {
					synctest.Test(t, func(t *testing.T) { findPoison(t, n, bad, uint64(seed)) })
				}
			})
		}
	}
}

func findPoison(t *testing.T, n, bad int, seed uint64) {
	op := newSandbox(t, sandbox.Options{})
	ids := people(n)
	poison := choose(rand.New(rand.NewPCG(seed, uint64(n))), ids, bad)
	op.SetFaults(sandbox.Faults{Poison: poison})
	c := newClient(t, inMemory(op))
	var answers client.Answers
	if err := c.Map(t.Context(), ids, &answers); err != nil {
		t.Fatal(err)
	}
	check(t, op, ids, &answers, poison...)
	extra, bound := op.Stats().Requests-3, bad*2*bits.Len(uint(n-1))
	if n >= 64 && extra > bound {
		t.Errorf("seed %d: %d extra requests for %d of %d; want at most %d", seed, extra, bad, n, bound)
	}
}

func TestTooMuchPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := newSandbox(t, sandbox.Options{})
		ids := people(100)
		op.SetFaults(sandbox.Faults{Poison: ids[40:46]})
		opts := inMemory(op)
		opts.MaxPoison = 5
		var answers client.Answers
		err := newClient(t, opts).Map(t.Context(), ids, &answers)
		wantError(t, err, client.Unreachable, "more than 5 ", "--max-poison")
		opts.MaxPoison = 6
		if err := newClient(t, opts).Map(t.Context(), ids, &answers); err != nil {
			t.Fatal(err)
		}
		check(t, op, ids, &answers, ids[40:46]...)
	})
}

// TestNoiseMarksNobody has an operator fail by chance beside failing on some values. However often that is, only
// those values may be marked: an innocent one that is marked loses its raw UID.
func TestNoiseMarksNobody(t *testing.T) {
	for _, share := range []float64{0.02, 0.1, 0.2, 0.3} {
		for _, n := range []int{1, 3, 64, 150} {
			t.Run(fmt.Sprintf("%.0f percent of %d", share*100, n), func(t *testing.T) {
				for seed := range uint64(12) {
					synctest.Test(t, func(t *testing.T) { mapInNoise(t, n, share, seed) })
				}
			})
		}
	}
}

func mapInNoise(t *testing.T, n int, share float64, seed uint64) {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	op := newSandbox(t, sandbox.Options{})
	ids := people(n)
	poison := choose(r, ids, r.IntN(min(n, 3)+1))
	op.SetFaults(sandbox.Faults{Seed: seed, Poison: poison, Rules: []sandbox.Fault{
		{Do: sandbox.Fail, Share: share},
		{Do: sandbox.Fail, Status: http.StatusTooManyRequests, Share: 0.05},
		{Do: sandbox.Reset, Share: 0.05},
	}})
	c := newClient(t, inMemory(op))
	var answers client.Answers
	if err := c.Map(t.Context(), ids, &answers); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for i, id := range ids {
		marked := false
		for _, p := range poison {
			marked = marked || p == id
		}
		if problem := compare(op, id, &answers, i, marked); problem != "" {
			t.Errorf("seed %d, answer %d of %d, poison %v: %s", seed, i, n, marked, problem)
		}
	}
}

// TestOutageMarksNobody has all requests fail for ten minutes in the middle of the work of 20 callers.
func TestOutageMarksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := newSandbox(t, sandbox.Options{Latency: 300 * time.Millisecond, Jitter: 200 * time.Millisecond})
		opts := inMemory(op)
		opts.MaxBatch = 20
		c := newClient(t, opts)
		go func() {
			time.Sleep(3 * time.Second)
			op.SetFaults(sandbox.Faults{Outage: true})
			time.Sleep(10 * time.Minute)
			op.SetFaults(sandbox.Faults{})
		}()
		ids := people(20 * 200)
		var wg sync.WaitGroup
		for caller := range 20 {
			wg.Go(func() {
				mine := ids[caller*200 : (caller+1)*200]
				var answers client.Answers
				if err := c.Map(t.Context(), mine, &answers); err != nil {
					t.Errorf("caller %d: %v", caller, err)
					return
				}
				for i, id := range mine {
					if problem := compare(op, id, &answers, i, false); problem != "" {
						t.Errorf("caller %d, answer %d: %s", caller, i, problem)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestLongOutage outlasts GiveUpAfter: every caller gets an error then, not much later.
func TestLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := newSandbox(t, sandbox.Options{})
		op.SetFaults(sandbox.Faults{Outage: true})
		opts := inMemory(op)
		opts.Transport.GiveUpAfter = 4 * time.Minute
		c := newClient(t, opts)
		began := time.Now()
		var wg sync.WaitGroup
		for caller := range 20 {
			wg.Go(func() {
				var answers client.Answers
				err := c.Map(t.Context(), people(30)[caller:], &answers)
				wantErrorIn(t, err)
				if took := time.Since(began); took < 4*time.Minute || took > 5*time.Minute {
					t.Errorf("it gave up after %v; want 4 to 5 minutes", took)
				}
			})
		}
		wg.Wait()
	})
}

// wantErrorIn is wantError for an outage, from any goroutine.
func wantErrorIn(t *testing.T, err error) {
	t.Helper()
	if e := faultOf(err); e == nil || e.Fault != client.Unreachable {
		t.Errorf("the error is %v; want unreachable", err)
	}
}

// TestOutageDuringSearch starts an outage while a poisonous value is looked for, at each request in turn.
func TestOutageDuringSearch(t *testing.T) {
	for at := 3; at < 16; at++ {
		synctest.Test(t, func(t *testing.T) {
			op := newSandbox(t, sandbox.Options{})
			ids := people(64)
			poison := []normalize.ID{ids[37]}
			op.SetFaults(sandbox.Faults{Poison: poison, Rules: []sandbox.Fault{{Do: sandbox.Fail, Skip: at, First: 25}}})
			var answers client.Answers
			if err := newClient(t, inMemory(op)).Map(t.Context(), ids, &answers); err != nil {
				t.Fatal(err)
			}
			check(t, op, ids, &answers, poison...)
		})
	}
}
