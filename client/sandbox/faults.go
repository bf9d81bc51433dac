package sandbox

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"mapper/normalize"
)

// Faults is how the services and what stands in front of them misbehave. The zero value is: not at all.
type Faults struct {
	Rules []Fault // for each request to identity/map or signals the first that applies decides
	Seed  uint64  // chooses the requests that Fault.Share hits, and the jitter

	Limit   Limit         // the rate that the front end lets through
	MaxBody int           // bytes of a request body, above which 413; default 1 MiB, for signals 16 MiB
	Skew    time.Duration // how far the operator's clock is ahead of Options.Now
	Outage  bool          // every request gets 500, and the health check 503

	Poison []normalize.ID          // a request to identity/map that holds one of them gets 500
	Words  map[normalize.ID]string // the operator's word for why these have no raw UID

	ID5 ID5Faults // of Partner Signals
}

// Limit is a token bucket: above it requests get 429. It runs by the real clock. The zero value lets all pass.
type Limit struct {
	PerSecond      float64
	Burst          int           // default 1
	RetryAfter     time.Duration // sent with the 429; default: no such header
	RetryAfterDate bool          // as a date, not as seconds
}

// Action is what a Fault does.
type Action int

// The actions. Those from WrongNonce on hit only replies of status 200, whose work was done.
const (
	Slow  Action = iota // nothing beyond Fault.Delay
	Fail                // answer with Fault.Status and do no work
	Reset               // reset the connection and do no work

	WrongNonce  // echo another nonce (identity/map only)
	ShortArrays // leave out the last answer of each array that is not empty
	LongArrays  // give the first answer of each array that is not empty twice
	Garble      // a reply that cannot be decrypted, or is no JSON
	Truncate    // promise the whole reply, send half of it and close
	ResetMidway // send half of the reply and reset the connection
	SlowBody    // send half of the reply, and after Fault.Delay the rest
)

// Fault is one way to misbehave and the requests it applies to: those for which all of Skip, First, Every and
// Share hold. With none of them set it applies to every request. Requests to identity/map and signals are numbered in the
// order in which they arrive, from 1 at each SetFaults.
type Fault struct {
	Do Action

	Skip  int     // leave the first Skip requests alone; what follows counts from there
	First int     // only the first First
	Every int     // only each Every-th
	Share float64 // only this share, 0 to 1, chosen by chance that Faults.Seed repeats

	Delay time.Duration // wait before the reply, beside Options.Latency; SlowBody: in the middle of it

	Status         int           // Fail: default 500
	RetryAfter     time.Duration // Fail: sent as Retry-After; default: no such header
	RetryAfterDate bool          // as a date, not as seconds
	Location       string        // Fail: sent as Location, for a redirect
	Body           string        // Fail: in place of what usually comes with the status
}

// SetFaults puts other faults in force, for requests that arrive from now on, and counts them from 1.
func (s *Sandbox) SetFaults(f Faults) { s.plan.Store(newPlan(f)) }

// plan is Faults made ready for use. Only the counts change.
type plan struct {
	Faults
	limiter  *rate.Limiter
	marks    map[normalize.ID]mark
	requests atomic.Int64 // to identity/map and signals
	signals  atomic.Int64 // answers of signals
}

// mark is what a plan has in store for one identity.
type mark struct {
	poison bool
	word   string // quoted for JSON
}

func newPlan(f Faults) *plan {
	p := &plan{Faults: f, limiter: rate.NewLimiter(rate.Inf, 0), marks: map[normalize.ID]mark{}}
	if f.Limit.PerSecond > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(f.Limit.PerSecond), max(1, f.Limit.Burst))
	}
	for id, word := range f.Words {
		quoted, err := json.Marshal(word)
		if err != nil {
			panic("sandbox: a string has no JSON: " + err.Error())
		}
		p.marks[id] = mark{word: string(quoted)}
	}
	for _, id := range f.Poison {
		p.marks[id] = mark{poison: true, word: p.marks[id].word}
	}
	return p
}

// bodyLimit is how long a request may be. That of identity/map is the operator's. Of signals none is documented: 10,000 users
// have to fit.
func (p *plan) bodyLimit(path string) int {
	switch {
	case p.MaxBody > 0:
		return p.MaxBody
	case isID5(path):
		return 16 << 20
	}
	return 1 << 20
}

func (p *plan) mark(who *identity) mark {
	if len(p.marks) == 0 {
		return mark{}
	}
	id, ok := who.id()
	if !ok {
		return mark{}
	}
	return p.marks[id]
}

// pick returns the fault for the n-th request, or one that does nothing.
func (p *plan) pick(n int64) Fault {
	for i, f := range p.Rules {
		if f.applies(n, share(mix(p.Seed+uint64(i), uint64(n)))) {
			return f
		}
	}
	return Fault{}
}

func (f *Fault) applies(n int64, chance float64) bool {
	n -= int64(f.Skip)
	return n > 0 &&
		(f.First == 0 || n <= int64(f.First)) &&
		(f.Every == 0 || n%int64(f.Every) == 0) &&
		(f.Share == 0 || chance < f.Share)
}

// delay returns how long the n-th request has to wait for its reply.
func (s *Sandbox) delay(p *plan, f *Fault, n int64) time.Duration {
	jitter := share(mix(^p.Seed, uint64(n))) * float64(s.opts.Jitter)
	wait := s.opts.Latency + time.Duration(jitter)
	if f.Do != SlowBody {
		wait += f.Delay
	}
	return wait
}

// reply is the answer that a Fail gives.
func (f *Fault) reply(now time.Time) reply {
	r := refusal{status: f.Status}
	switch f.Status {
	case 0, http.StatusInternalServerError:
		r = refusal{http.StatusInternalServerError, unknownError}
	case http.StatusBadRequest:
		r.message = incorrectFormat
	}
	out := plainReply(&r)
	out.retryAfter = retryAfter(f.RetryAfter, f.RetryAfterDate, now)
	out.location = f.Location
	if f.Body != "" {
		out.body = []byte(f.Body)
	}
	return out
}

func (l *Limit) reply(now time.Time) reply {
	out := plainReply(&refusal{status: http.StatusTooManyRequests})
	out.retryAfter = retryAfter(l.RetryAfter, l.RetryAfterDate, now)
	return out
}

// retryAfter returns the value of the header, rounded up to whole seconds, or nothing.
func retryAfter(wait time.Duration, asDate bool, now time.Time) string {
	if wait == 0 {
		return ""
	}
	if asDate {
		return now.Add(wait + time.Second - time.Nanosecond).UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(int64(math.Ceil(wait.Seconds())), 10)
}
