package uid2

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/normalize"
)

// outages are the ways in which a service can be down for everybody.
var outages = []struct {
	name  string
	fault fault
}{
	{"500", fault{status: 500, body: `{"status":"unknown","message":"Unknown error"}`}},
	{"503", fault{status: 503}},
	{"connection refused", fault{err: errors.New("dial tcp 192.0.2.1:443: connect: connection refused")}},
}

// down lets everything fail from begin to end.
func down(f fault, begin, end time.Time) func(int, []normalize.ID) *fault {
	return func(int, []normalize.ID) *fault {
		if now := time.Now(); now.Before(begin) || !now.Before(end) {
			return nil
		}
		return &f
	}
}

const (
	outageCallers = 20
	outageRounds  = 12 // calls of Map by each caller, one after the other
	outageBatch   = 10
	outageLatency = 500 * time.Millisecond
)

// run lets the callers ask for everybody in ids. It returns when each call of Map was over, and what it said.
func run(t *testing.T, c *Client, ids []normalize.ID) (ends []time.Time, errs []error) {
	t.Helper()
	var mu sync.Mutex
	var callers sync.WaitGroup
	for caller := range outageCallers {
		callers.Go(func() {
			for round := range outageRounds {
				from := (caller*outageRounds + round) * outageBatch
				mine := ids[from : from+outageBatch]
				var ans client.Answers
				err := c.Map(t.Context(), mine, &ans)
				if err == nil {
					checkStandard(t, mine, &ans)
				}
				mu.Lock()
				ends, errs = append(ends, time.Now()), append(errs, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	callers.Wait()
	return ends, errs
}

// TestOutageInTheRun: the service is away for ten minutes in the middle of a run. Everybody is answered in the end, nobody is
// taken for a value that makes the service fail, and the run goes on within a minute.
func TestOutageInTheRun(t *testing.T) {
	for _, kind := range outages {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(t)
				o.latency = outageLatency
				begin := time.Now().Add(3 * time.Second)
				end := begin.Add(10 * time.Minute)
				o.fault = down(kind.fault, begin, end)
				c := newClient(t, testOptions(o))
				ends, errs := run(t, c, people(outageCallers*outageRounds*outageBatch))
				if err := errors.Join(errs...); err != nil {
					t.Fatal(err)
				}
				before, last := 0, begin
				next := end.Add(time.Hour)
				for _, at := range ends {
					switch {
					case at.Before(begin):
						before++
					case at.After(end) && at.Before(next):
						next = at
					}
					if at.After(last) {
						last = at
					}
				}
				if len(ends) != outageCallers*outageRounds || before == 0 || before == len(ends) {
					t.Errorf("%d batches answered, %d before the outage; want %d, some before", len(ends), before, outageCallers*outageRounds)
				}
				t.Logf("goes on %v after the outage, done %v after it, %d requests", next.Sub(end), last.Sub(end), len(o.requests))
				if went := next.Sub(end); went > 30*time.Second {
					t.Errorf("the run went on %v after the outage", went)
				}
				if took := last.Sub(end); took > time.Minute {
					t.Errorf("all were answered %v after the outage; want at most a minute", took)
				}
				if got := c.Stats().Poisoned; got != 0 {
					t.Errorf("%d values were marked", got)
				}
			})
		})
	}
}

// TestOutageTooLong: after 15 minutes the callers stop and say so.
func TestOutageTooLong(t *testing.T) {
	for _, kind := range outages {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(t)
				o.latency = outageLatency
				begin := time.Now().Add(3 * time.Second)
				o.fault = down(kind.fault, begin, begin.Add(16*time.Minute))
				c := newClient(t, testOptions(o))
				ends, errs := run(t, c, people(outageCallers*outageRounds*outageBatch))
				failed := 0
				for i, err := range errs {
					if err == nil {
						continue
					}
					failed++
					var e *client.Error
					if !errors.As(err, &e) || e.Fault != client.Unreachable || e.Remedy == "" || !strings.Contains(err.Error(), "no success for 15m") {
						t.Errorf("error %v", err)
					}
					if e != nil && e.Status != kind.fault.status {
						t.Errorf("status %d; want %d", e.Status, kind.fault.status)
					}
					if after := ends[i].Sub(begin); after < 15*time.Minute || after > 16*time.Minute {
						t.Errorf("gave up %v after the outage began", after)
					}
				}
				if failed != outageCallers {
					t.Errorf("%d of %d callers gave up: %s", failed, outageCallers, fmt.Sprint(errs))
				}
				if got := c.Stats().Poisoned; got != 0 {
					t.Errorf("%d values were marked", got)
				}
			})
		})
	}
}
