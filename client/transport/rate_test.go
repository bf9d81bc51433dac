package transport

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// roundTrip is a service in memory: virtual time does not pass while somebody waits for a socket.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	defer func() { _ = r.Body.Close() }()
	return f(r)
}

func reply(status int, body string) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Header:        http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

// late waits for d as a request does, until its context ends.
func late(r *http.Request, d time.Duration) error { return sleep(r.Context(), d) }

func newCall() *Call {
	return &Call{Op: "test", URL: &url.URL{Scheme: "https", Host: "service.example", Path: "/map"}}
}

// bucket is a front end that lets perSecond requests a second pass, and burst at once. It counts what it sees.
type bucket struct {
	perSecond, burst float64
	latency          time.Duration

	mu                    sync.Mutex
	tokens                float64
	last                  time.Time
	accepted, refused     int
	inFlight, maxInFlight int
}

func newBucket(perSecond, burst float64) *bucket {
	return &bucket{perSecond: perSecond, burst: burst, tokens: burst, latency: 50 * time.Millisecond, last: time.Now()}
}

func (b *bucket) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	pass := b.arrive()
	err := late(r, b.latency)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	switch {
	case err != nil:
		return nil, err
	case !pass:
		return reply(http.StatusTooManyRequests, ""), nil
	}
	return reply(http.StatusOK, "ok"), nil
}

func (b *bucket) arrive() (pass bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.inFlight++
	b.maxInFlight = max(b.maxInFlight, b.inFlight)
	b.tokens = min(b.burst, b.tokens+b.perSecond*now.Sub(b.last).Seconds())
	b.last = now
	if pass = b.tokens >= 1; pass {
		b.tokens--
		b.accepted++
	} else {
		b.refused++
	}
	return pass
}

// askFor lets n callers ask for d, one call after the other.
func askFor(t *testing.T, tr *Transport, n int, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			for ctx.Err() == nil {
				if _, err := tr.Do(ctx, newCall(), nil); err != nil && ctx.Err() == nil {
					t.Errorf("Do: %v", err)
				}
			}
		})
	}
	callers.Wait()
}

// TestRateFindsTheLimit runs against token buckets. What is wanted: at least 90 % of what the service allows, and no
// more than 1.3 requests for each that it accepts.
func TestRateFindsTheLimit(t *testing.T) {
	for _, limit := range []struct {
		perSecond, burst float64
		long             time.Duration
	}{
		{1, 1, 10 * time.Minute},
		{3, 1, 10 * time.Minute},
		{3, 3, 10 * time.Minute},
		{20, 1, 5 * time.Minute},
		{20, 2, 5 * time.Minute},
		{20, 20, 5 * time.Minute},
		{200, 1, 90 * time.Second},
		{200, 20, 90 * time.Second},
		{200, 200, 90 * time.Second},
	} {
		t.Run(fmt.Sprintf("%v a second, burst %v", limit.perSecond, limit.burst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := newBucket(limit.perSecond, limit.burst)
				tr := New(Options{RoundTripper: service})
				askFor(t, tr, 20, limit.long)
				used := float64(service.accepted) / (limit.perSecond * limit.long.Seconds())
				each := float64(service.accepted+service.refused) / float64(service.accepted)
				s := tr.Stats()
				t.Logf("used %.3f, %.3f requests each, paused %v, rate %.2f", used, each, s.ThrottledFor, s.Rate)
				if used < 0.9 {
					t.Errorf("used %.3f of what the service allows; want at least 0.9", used)
				}
				if each > 1.3 {
					t.Errorf("%.3f requests for each accepted; want at most 1.3", each)
				}
				if service.maxInFlight > 20 || s.MaxInFlight != service.maxInFlight {
					t.Errorf("%d in flight, counted %d; want at most 20", service.maxInFlight, s.MaxInFlight)
				}
				if int(s.Throttled) > service.refused || int(s.Throttled) < service.refused-20 {
					t.Errorf("counted %d throttled of %d", s.Throttled, service.refused)
				}
			})
		})
	}
}

// TestRateShortRun is the first minute, in which the limit has to be found.
func TestRateShortRun(t *testing.T) {
	for _, c := range []struct{ perSecond, burst, used, each float64 }{
		{1, 1, 0.78, 1.7},
		{1, 60, 0.95, 1.6},
		{3, 1, 0.85, 1.3},
		{3, 10, 0.95, 1.2},
		{20, 1, 0.9, 1.1},
		{20, 20, 0.97, 1.1},
		{200, 1, 0.9, 1.02},
		{200, 50, 0.97, 1.02},
	} {
		for _, latency := range []time.Duration{50 * time.Millisecond, 300 * time.Millisecond} {
			t.Run(fmt.Sprintf("%v a second, burst %v, latency %v", c.perSecond, c.burst, latency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					service := newBucket(c.perSecond, c.burst)
					service.latency = latency
					const long = time.Minute
					askFor(t, New(Options{RoundTripper: service}), 20, long)
					can := min(c.perSecond*long.Seconds()+c.burst, 20/latency.Seconds()*long.Seconds())
					used := float64(service.accepted) / can
					each := float64(service.accepted+service.refused) / float64(service.accepted)
					if used < c.used || each > c.each {
						t.Errorf("used %.3f of what the service allows, want at least %v; %.3f requests each, want at most %v", used, c.used, each, c.each)
					}
				})
			})
		}
	}
}

// TestRateFollowsANewLimit changes the limit in the middle of a run.
func TestRateFollowsANewLimit(t *testing.T) {
	for _, c := range []struct{ before, after float64 }{{200, 20}, {20, 100}, {5, 1}} {
		t.Run(fmt.Sprintf("%v then %v", c.before, c.after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := newBucket(c.before, max(1, c.before/10))
				tr := New(Options{RoundTripper: service})
				askFor(t, tr, 20, time.Minute)
				service.mu.Lock()
				service.perSecond, service.burst = c.after, max(1, c.after/10)
				service.mu.Unlock()
				askFor(t, tr, 20, 3*time.Minute) // to get used to it
				accepted, refused := service.accepted, service.refused
				askFor(t, tr, 20, 3*time.Minute)
				accepted, refused = service.accepted-accepted, service.refused-refused
				used := float64(accepted) / (c.after * 180)
				if used < 0.9 || float64(accepted+refused) > 1.3*float64(accepted) {
					t.Errorf("used %.3f of the new limit, %d accepted, %d refused", used, accepted, refused)
				}
			})
		})
	}
}

// TestRateWithoutRefusal shows that a service that never says 429 is not slowed down for: 20 in flight, always.
func TestRateWithoutRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newBucket(1e9, 1e9)
		tr := New(Options{RoundTripper: service})
		askFor(t, tr, 25, 10*time.Second)
		if want := 10 * 20 / 0.05; float64(service.accepted) < want {
			t.Errorf("%d requests; want %v", service.accepted, want)
		}
		if s := tr.Stats(); s.MaxInFlight != 20 || s.Rate != 0 || s.ThrottledFor != 0 || s.InFlight != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestRateRefusalsByChance is a front end that sheds half of everything, however slow we are. Waiting does not help, so
// the only promises are to get done and to ask no more often than chance makes necessary.
func TestRateRefusalsByChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chance := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		sent, accepted := 0, 0
		tr := New(Options{RoundTripper: roundTrip(func(r *http.Request) (*http.Response, error) {
			if err := late(r, 50*time.Millisecond); err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			sent++
			if chance.IntN(2) == 0 {
				return reply(http.StatusTooManyRequests, ""), nil
			}
			accepted++
			return reply(http.StatusOK, ""), nil
		})})
		began := time.Now()
		work := make(chan int)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for range work {
					if _, err := tr.Do(t.Context(), newCall(), nil); err != nil {
						t.Errorf("Do: %v", err)
					}
				}
			})
		}
		const n = 2000
		for i := range n {
			work <- i
		}
		close(work)
		callers.Wait()
		t.Logf("%d requests for %d in %v", sent, accepted, time.Since(began))
		if accepted != n || float64(sent) > 2.2*n {
			t.Errorf("%d requests for %d accepted of %d; want at most 2.2 each", sent, accepted, n)
		}
	})
}

// TestMaxRPS shows that the user's rate binds, refusals or not.
func TestMaxRPS(t *testing.T) {
	for _, perSecond := range []float64{1e9, 30, 5} {
		synctest.Test(t, func(t *testing.T) {
			service := newBucket(perSecond, max(1, perSecond/10))
			tr := New(Options{RoundTripper: service, MaxRPS: 10})
			askFor(t, tr, 20, 2*time.Minute)
			if sent, want := float64(service.accepted+service.refused), 10*120.0; sent > want*1.001 || sent < min(perSecond, 10)*120*0.9 {
				t.Errorf("service allows %v: sent %v requests; want at most %v", perSecond, sent, want)
			}
		})
	}
}
