package transport

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// gate is what every request passes before its body is built: one at a time, when a place in flight is free, no
// pause is on, and the rate has a token for it.
type gate struct {
	turn  chan struct{} // held by the one that goes next, so that a new rate or pause has nobody to overtake it
	slots chan struct{} // one for each request in flight

	mu       sync.Mutex
	rate     rate
	opens    time.Time     // end of the last pause
	paused   time.Duration // in all, up to opens
	inFlight int
	most     int // in flight at once, ever
}

func newGate(maxInFlight int, maxRPS float64) *gate {
	return &gate{
		turn:  make(chan struct{}, 1),
		slots: make(chan struct{}, maxInFlight),
		rate:  rate{cap: maxRPS},
	}
}

// enter waits until a request may leave and returns the episode that it belongs to. leave must follow.
func (g *gate) enter(ctx context.Context) (episode int, err error) {
	if err := take(ctx, g.turn); err != nil {
		return 0, err
	}
	defer func() { <-g.turn }()
	if err := take(ctx, g.slots); err != nil {
		return 0, err
	}
	for {
		episode, wait := g.try(time.Now())
		if wait <= 0 {
			return episode, nil
		}
		if err := sleep(ctx, wait); err != nil {
			<-g.slots
			return 0, err
		}
	}
}

// try lets a request go, or says how long it has to wait before it tries again.
func (g *gate) try(now time.Time) (episode int, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait = max(g.opens.Sub(now), g.rate.wait(now)); wait > 0 {
		return 0, wait
	}
	g.rate.sent(now)
	g.inFlight++
	g.most = max(g.most, g.inFlight)
	return g.rate.episode, 0
}

// leave gives the place in flight back.
func (g *gate) leave() {
	g.mu.Lock()
	g.inFlight--
	g.mu.Unlock()
	<-g.slots
}

// accepted counts a request that had its answer.
func (g *gate) accepted(episode int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rate.accepted(time.Now(), episode)
}

// refused lowers the rate after a 429 and pauses everybody, unless it was by chance, and returns how long the pause lasts
// from now. If the service said how long it wants to be left alone, that is always done.
//
// The requests that were in flight together are refused together. Only the first of them can lower the rate; that
// starts an episode, and the others belong to an earlier one by their number.
func (g *gate) refused(episode int, retryAfter time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	cut := g.rate.refuse(now, episode)
	pause := retryAfter
	if cut {
		if pause == 0 {
			pause = jitter(g.rate.pause(), g.rate.streak)
		}
	}
	g.pause(now, pause)
	if cut {
		g.rate.climbFrom(g.opens)
	}
	return max(0, g.opens.Sub(now))
}

// hold pauses everybody, without a lower rate: a 503 that names a time.
func (g *gate) hold(d time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.pause(now, d)
	return g.opens.Sub(now)
}

// pause makes sure that nothing leaves for d. A longer pause that is already on stays.
func (g *gate) pause(now time.Time, d time.Duration) {
	until := now.Add(d)
	if !until.After(g.opens) {
		return
	}
	from := now
	if g.opens.After(now) {
		from = g.opens
	}
	g.paused += until.Sub(from)
	g.opens = until
}

const (
	backOffBase = 500 * time.Millisecond
	backOffCap  = 30 * time.Second
)

// jitter returns how long to wait after the n-th failure in a row, from 1: anything between nothing and base · 2ⁿ⁻¹,
// at most 30 s ("full jitter"), so that callers that failed together do not come back together.
func jitter(base time.Duration, n int) time.Duration {
	limit := backOffCap
	if n < 32 && base<<(n-1) < backOffCap {
		limit = base << (n - 1)
	}
	return rand.N(limit)
}

// take puts a token into a semaphore.
func take(ctx context.Context, sem chan struct{}) error {
	if err := ctx.Err(); err != nil { // select would choose by chance
		return err
	}
	select {
	case sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
