package uid2

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/normalize"
)

// poisoned lets requests with one of these values fail.
func poisoned(bad map[normalize.ID]bool) func(int, []normalize.ID) *fault {
	return func(_ int, ids []normalize.ID) *fault {
		for _, id := range ids {
			if bad[id] {
				return &fault{status: 500, body: `{"status":"unknown","message":"Unknown error"}`}
			}
		}
		return nil
	}
}

// checkPoisoned expects the bad ones to be marked and all others to be answered.
func checkPoisoned(t *testing.T, ids []normalize.ID, bad map[normalize.ID]bool, ans *client.Answers) {
	t.Helper()
	for i, id := range ids {
		if !bad[id] {
			checkOne(t, i, id, ans)
			continue
		}
		if item := ans.Items[i]; item.Status != client.Unknown || string(ans.Word(i)) != "HTTP 500 for this identity alone" || len(ans.UID(i)) > 0 || item.At == 0 {
			t.Errorf("bad value %d: %+v %q", i, item, ans.Word(i))
		}
	}
}

// budget is what bad values may cost beyond the three requests that raise the suspicion: search, probes and confirmation.
func budget(n, bad int) int { return bad * 2 * bits.Len(uint(n-1)) }

// TestPoisonCost puts one bad value everywhere.
func TestPoisonCost(t *testing.T) {
	worst := map[int]int{}
	for _, n := range []int{64, 65, 1000, 5000} {
		ids := people(n)
		positions := []int{1777 % n} // at the large sizes one must do
		for i := 0; n == 64 && i < n; i++ {
			positions = append(positions, i)
		}
		for _, at := range positions {
			synctest.Test(t, func(t *testing.T) {
				bad := map[normalize.ID]bool{ids[at]: true}
				o := newOperator(t)
				o.fault = poisoned(bad)
				c := newClient(t, testOptions(o))
				var ans client.Answers
				if err := c.Map(t.Context(), ids, &ans); err != nil {
					t.Fatal(err)
				}
				checkPoisoned(t, ids, bad, &ans)
				extra := len(o.requests) - failures
				worst[n] = max(worst[n], extra)
				if extra > budget(n, 1) {
					t.Errorf("%d values, bad is %d: %d extra requests; want at most %d", n, at, extra, budget(n, 1))
				}
				if c.Stats().Poisoned != 1 {
					t.Errorf("counted %d", c.Stats().Poisoned)
				}
			})
		}
	}
	t.Logf("extra requests at worst: %v", worst)
}

// TestPoisonMany puts several bad values anywhere, neighbours too.
func TestPoisonMany(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	for round := range 32 {
		n := []int{1, 2, 3, 5, 8, 64, 100, 300}[round%8]
		ids := people(n)
		bad := map[normalize.ID]bool{}
		for range 1 + chance.IntN(min(n, 8)) {
			at := chance.IntN(n)
			bad[ids[at]] = true
			if round%3 == 0 {
				bad[ids[(at+1)%n]] = true
			}
		}
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(t)
			o.fault = poisoned(bad)
			var ans client.Answers
			if err := newClient(t, testOptions(o)).Map(t.Context(), ids, &ans); err != nil {
				t.Fatal(err)
			}
			checkPoisoned(t, ids, bad, &ans)
			if extra := len(o.requests) - failures; n >= 64 && extra > budget(n, len(bad)) {
				t.Errorf("%d values, %d bad: %d extra requests; want at most %d", n, len(bad), extra, budget(n, len(bad)))
			}
		})
	}
}

// TestPoisonOtherFaults: while the search goes on, 429, 502, cut connections and spoiled replies are no verdict.
func TestPoisonOtherFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := people(500)
		bad := map[normalize.ID]bool{ids[123]: true, ids[400]: true}
		o := newOperator(t)
		o.fault = func(n int, ids []normalize.ID) *fault {
			switch n % 6 {
			case 0:
				return &fault{status: 502}
			case 1:
				return &fault{status: 429}
			case 2:
				return &fault{err: errors.New("reset")}
			}
			return poisoned(bad)(n, ids)
		}
		var ans client.Answers
		if err := newClient(t, testOptions(o)).Map(t.Context(), ids, &ans); err != nil {
			t.Fatal(err)
		}
		checkPoisoned(t, ids, bad, &ans)
	})
}

// TestPoisonProof looks at the order of requests: a value is marked only if it failed alone, then something without it
// succeeded, then it failed alone again.
func TestPoisonProof(t *testing.T) {
	for _, at := range []int{0, 1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			ids := people(4)
			bad := map[normalize.ID]bool{ids[at]: true}
			o := newOperator(t)
			o.fault = poisoned(bad)
			if err := newClient(t, testOptions(o)).Map(t.Context(), ids, new(client.Answers)); err != nil {
				t.Fatal(err)
			}
			history := ""
			for _, request := range o.requests {
				switch failed := poisoned(bad)(0, request) != nil; {
				case failed && len(request) == 1:
					history += "X"
				case failed:
					history += "x"
				default:
					history += "."
				}
			}
			first, last := strings.Index(history, "X"), strings.LastIndex(history, "X")
			if first == last || !strings.Contains(history[first:last], ".") {
				t.Errorf("bad value %d: %s", at, history)
			}
		})
	}
}

// TestFlaky fails by chance, not by value: nothing is marked.
func TestFlaky(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 1))
			o := newOperator(t)
			o.fault = func(int, []normalize.ID) *fault {
				if chance.IntN(3) == 0 {
					return &fault{status: 500}
				}
				return nil
			}
			ids := people(200)
			var ans client.Answers
			if err := newClient(t, testOptions(o)).Map(t.Context(), ids, &ans); err != nil {
				t.Fatal(err)
			}
			checkStandard(t, ids, &ans)
		})
	}
}

// TestOutage: ten minutes of 500 in the middle of a run with many callers, and one bad value besides. Nothing else is
// marked, all is answered.
func TestOutage(t *testing.T) {
	for _, poison := range []bool{false, true} {
		t.Run(fmt.Sprint("poison ", poison), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ids := people(4000)
				bad := map[normalize.ID]bool{}
				if poison {
					bad[ids[700]] = true
				}
				o := newOperator(t)
				o.latency = 100 * time.Millisecond
				began := time.Now()
				o.fault = func(n int, ids []normalize.ID) *fault {
					if since := time.Since(began); since > time.Second && since < 10*time.Minute+time.Second {
						return &fault{status: 500}
					}
					return poisoned(bad)(n, ids)
				}
				opts := testOptions(o)
				opts.MaxBatch = 10
				opts.Transport.MaxInFlight = 10
				c := newClient(t, opts)
				var callers sync.WaitGroup
				for caller := range 10 {
					callers.Go(func() {
						mine := ids[caller*400 : (caller+1)*400]
						var ans client.Answers
						if err := c.Map(t.Context(), mine, &ans); err != nil {
							t.Error(err)
							return
						}
						checkPoisoned(t, mine, bad, &ans)
					})
				}
				callers.Wait()
				if took := time.Since(began); took < 10*time.Minute || took > 12*time.Minute {
					t.Errorf("took %v", took)
				}
				if got := c.Stats().Poisoned; got != int64(len(bad)) {
					t.Errorf("%d values were marked; want %d", got, len(bad))
				}
			})
		})
	}
}

// TestOutageInTheSearch starts the outage at each request of a search in turn. The bad value is found, nothing else marked.
func TestOutageInTheSearch(t *testing.T) {
	for start := range 25 {
		synctest.Test(t, func(t *testing.T) {
			ids := people(64)
			bad := map[normalize.ID]bool{ids[37]: true}
			o := newOperator(t)
			var until time.Time
			o.fault = func(n int, ids []normalize.ID) *fault {
				if n == start {
					until = time.Now().Add(5 * time.Minute)
				}
				if time.Now().Before(until) {
					return &fault{status: 500}
				}
				return poisoned(bad)(n, ids)
			}
			c := newClient(t, testOptions(o))
			var ans client.Answers
			if err := c.Map(t.Context(), ids, &ans); err != nil {
				t.Fatal(err)
			}
			checkPoisoned(t, ids, bad, &ans)
			if c.Stats().Poisoned != 1 {
				t.Errorf("outage at request %d: %d marked", start, c.Stats().Poisoned)
			}
		})
	}
}

// TestMaxPoison stops when more values are bad than allowed, over the life of the Client.
func TestMaxPoison(t *testing.T) {
	for _, limit := range []int{-1, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			ids := people(100)
			bad := map[normalize.ID]bool{}
			for i := 0; i < 100; i += 20 {
				bad[ids[i]] = true
			}
			o := newOperator(t)
			o.fault = poisoned(bad)
			var log bytes.Buffer
			opts := testOptions(o)
			opts.MaxBatch, opts.MaxPoison, opts.Logger = 20, limit, slog.New(slog.NewTextHandler(&log, nil))
			c := newClient(t, opts)
			for range 2 {
				err := c.Map(t.Context(), ids, new(client.Answers))
				var failed *client.Error
				if !errors.As(err, &failed) || failed.Fault != client.Unreachable || !strings.Contains(err.Error(), "--max-poison") {
					t.Errorf("limit %d: %v", limit, err)
				}
			}
			allowed := max(limit, 0)
			if got := int(c.Stats().Poisoned); got != allowed || strings.Count(log.String(), "WARN") != allowed {
				t.Errorf("limit %d: counted %d, logged %q", limit, got, log.String())
			}
		})
	}
}
