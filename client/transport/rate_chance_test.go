package transport

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shedder refuses a share of everything by chance, and what is left goes through a bucket.
type shedder struct {
	*bucket
	mu     sync.Mutex
	chance *rand.Rand
	share  float64
	shed   int

	after time.Duration // said in Retry-After
	quiet time.Time     // nothing may arrive until then
	early int           // requests that did
}

func newShedder(seed uint64, share, perSecond, burst float64) *shedder {
	return &shedder{bucket: newBucket(perSecond, burst), chance: rand.New(rand.NewPCG(seed, 7)), share: share}
}

func (s *shedder) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	if now := time.Now(); now.Before(s.quiet) && now.After(s.quiet.Add(-s.after)) { // at the instant of the reply is not after it
		s.early++
	}
	shed := s.chance.Float64() < s.share
	if shed {
		s.shed++
	}
	s.mu.Unlock()
	if !shed {
		return s.bucket.RoundTrip(r)
	}
	_ = r.Body.Close()
	if err := late(r, s.latency); err != nil {
		return nil, err
	}
	answer := reply(http.StatusTooManyRequests, "")
	if s.after > 0 {
		answer.Header.Set("Retry-After", fmt.Sprint(int(s.after.Seconds())))
		s.mu.Lock()
		s.quiet = time.Now().Add(s.after)
		s.mu.Unlock()
	}
	return answer, nil
}

// set changes what the service does.
func (s *shedder) set(share, perSecond, burst float64) {
	s.mu.Lock()
	s.share = share
	s.mu.Unlock()
	s.bucket.mu.Lock()
	defer s.bucket.mu.Unlock()
	s.perSecond, s.burst = perSecond, burst
	s.tokens = min(s.tokens, burst)
}

// measure asks for d and returns what was accepted in a second, and how many requests each took.
func (s *shedder) measure(t *testing.T, tr *Transport, d time.Duration) (perSecond, each float64) {
	accepted, refused := s.accepted, s.refused+s.shed
	askFor(t, tr, 20, d)
	accepted, refused = s.accepted-accepted, s.refused+s.shed-refused
	return float64(accepted) / d.Seconds(), float64(accepted+refused) / float64(accepted)
}

// TestRateChance meets refusals that do not depend on our rate. Waiting does not help there, so the rate must get back to a
// large part of what 20 in flight can do. How long that takes is chance, too: most runs need half a minute.
func TestRateChance(t *testing.T) {
	for _, share := range []float64{0.05, 0.2, 0.5} {
		t.Run(fmt.Sprintf("share %v", share), func(t *testing.T) {
			const runs = 5
			var took []time.Duration
			for seed := range uint64(runs) {
				synctest.Test(t, func(t *testing.T) {
					service := newShedder(seed, share, 1e9, 1e9)
					tr := New(Options{RoundTripper: service})
					took = append(took, service.recover(t, tr, 400*(1-share)/2))
					perSecond, each := service.measure(t, tr, 5*time.Second)
					t.Logf("after %v %.1f a second, %.3f requests each", took[seed], perSecond, each)
					if want := 1.1 / (1 - share); each > want {
						t.Errorf("%.3f requests for each accepted; want at most %.2f", each, want)
					}
				})
			}
			slices.Sort(took)
			if took[runs/2] > 90*time.Second || took[runs-1] > 10*time.Minute {
				t.Errorf("half of the speed after %v; want 90 s in most cases", took)
			}
		})
	}
}

// recover asks until perSecond are accepted, and returns how long that took.
func (s *shedder) recover(t *testing.T, tr *Transport, perSecond float64) time.Duration {
	began := time.Now()
	for time.Since(began) < 15*time.Minute {
		if now, _ := s.measure(t, tr, 5*time.Second); now >= perSecond {
			break
		}
	}
	return time.Since(began)
}

// TestRateChanceRetryAfter: what the service says about waiting is done, by chance or not.
func TestRateChanceRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newShedder(1, 0.2, 1e9, 1e9)
		service.after = time.Second
		service.measure(t, New(Options{RoundTripper: service}), 2*time.Minute)
		t.Logf("%d accepted, %d refused", service.accepted, service.shed)
		if service.early > 0 || service.shed < 20 || service.accepted < 4*20 {
			t.Errorf("%d requests too early; %d refused, %d accepted", service.early, service.shed, service.accepted)
		}
	})
}

// TestRateRefusesAll is a service that for a while refuses everything, after it did by chance. That is no chance.
func TestRateRefusesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newShedder(1, 0.5, 1e9, 1e9)
		tr := New(Options{RoundTripper: service, GiveUpAfter: time.Hour})
		service.measure(t, tr, 20*time.Second)
		service.set(1, 1e9, 1e9)
		service.measure(t, tr, time.Minute) // to get used to it
		before := service.shed
		service.measure(t, tr, 10*time.Minute)
		t.Logf("%d requests in ten minutes", service.shed-before)
		if sent := service.shed - before; sent > 300 {
			t.Errorf("%d requests in ten minutes", sent)
		}
		service.set(0.5, 1e9, 1e9)
		if took := service.recover(t, tr, 100); took > 10*time.Minute { // the pauses have become long
			t.Errorf("half of the speed %v afterwards", took)
		}
	})
}

// TestRateChanceAndLimit meets both at once. The wanted part of the limit is for the mean of several runs. A bucket
// that keeps one token loses those that chance takes the request from, and a few requests a second are not enough to
// know chance by.
func TestRateChanceAndLimit(t *testing.T) {
	for _, c := range []struct{ share, perSecond, burst, used, each float64 }{
		{0.05, 20, 1, 0.3, 1.4},
		{0.05, 20, 20, 0.5, 1.4},
		{0.2, 20, 2, 0.7, 2.2},
		{0.05, 3, 1, 0.25, 5},
	} {
		t.Run(fmt.Sprintf("share %v, %v a second, burst %v", c.share, c.perSecond, c.burst), func(t *testing.T) {
			const runs = 8
			var used, more float64
			for seed := range uint64(runs) {
				synctest.Test(t, func(t *testing.T) {
					service := newShedder(seed, c.share, c.perSecond, c.burst)
					tr := New(Options{RoundTripper: service})
					first, firstEach := service.measure(t, tr, time.Minute)
					perSecond, each := service.measure(t, tr, 2*time.Minute)
					t.Logf("first minute %.1f a second, %.3f each; then %.1f a second, %.3f requests each", first, firstEach, perSecond, each)
					used += perSecond / c.perSecond / runs
					more += each * (1 - c.share) / runs
				})
			}
			if used < c.used || more > c.each {
				t.Errorf("used %.3f of the limit, want at least %v; %.3f times the requests that chance makes necessary, want at most %v", used, c.used, more, c.each)
			}
		})
	}
}

// TestRateChanceChanges lets chance and limit come and go.
func TestRateChanceChanges(t *testing.T) {
	type state struct{ share, perSecond, burst float64 }
	const free = 1e9
	for _, c := range []struct {
		name          string
		before, after state
	}{
		{"a limit comes instead of chance", state{0.2, free, free}, state{0, 20, 2}},
		{"a limit comes besides chance", state{0.2, free, free}, state{0.2, 20, 2}},
		{"chance comes besides a limit", state{0, 20, 2}, state{0.1, 20, 2}},
		{"chance comes instead of a limit", state{0, 20, 2}, state{0.2, free, free}},
		{"chance becomes rarer", state{0.5, free, free}, state{0.05, free, free}},
		{"chance becomes more", state{0.05, free, free}, state{0.5, free, free}},
		{"all becomes well", state{0.2, 20, 2}, state{0, 60, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := newShedder(1, c.before.share, c.before.perSecond, c.before.burst)
				tr := New(Options{RoundTripper: service})
				service.recover(t, tr, min(0.5*c.before.perSecond, 400*(1-c.before.share)/2))
				service.set(c.after.share, c.after.perSecond, c.after.burst)
				service.measure(t, tr, 5*time.Second)
				took := service.recover(t, tr, min(0.5*c.after.perSecond, 400*(1-c.after.share)/2))
				perSecond, each := service.measure(t, tr, 15*time.Second)
				t.Logf("used to it after %v; then %.1f a second, %.3f requests each", took, perSecond, each)
				if took > 10*time.Minute {
					t.Errorf("used to it after %v", took)
				}
				if want := 4 / (1 - c.after.share); each > want {
					t.Errorf("%.3f requests for each accepted; want at most %.2f", each, want)
				}
			})
		})
	}
}
