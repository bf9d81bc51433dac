package objects

import (
	"context"
	"sync/atomic"
	"time"
)

// hold gives signs of life until the lock is released or lost.
func (l *lease) hold(ctx context.Context) *Lock {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // the context of taking the lock may end before
	h := &holding{lease: l, lost: make(chan struct{}), asked: make(chan chan<- struct{})}
	h.beaten.Store(time.Now())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.live(ctx)
	}()
	return &Lock{lost: h.lost, sure: h.sure, release: func() error {
		stop()
		<-ended
		select {
		case <-h.lost:
			return nil
		default:
			return l.free()
		}
	}}
}

// holding is a lease that this process holds.
type holding struct {
	*lease
	lost   chan struct{}
	asked  chan chan<- struct{} // for a sign of life at once; closed is what comes back when there was one, or none
	beaten atomic.Value         // time.Time: since when nobody can have overtaken this process, but for others' clocks
}

// live gives signs of life. It does not matter why one fails: as long as nobody else has taken the lock, it is worth
// another.
func (h *holding) live(ctx context.Context) {
	next := time.NewTimer(leaseBeat)
	defer next.Stop()
	for {
		var reply chan<- struct{}
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case reply = <-h.asked:
		}
		began := time.Now()
		own, err := h.beat(ctx)
		switch {
		case err != nil:
			next.Reset(leaseRetry)
		case !own:
			close(h.lost)
			return
		default:
			h.beaten.Store(began)
			next.Reset(leaseBeat)
		}
		if reply != nil {
			close(reply)
		}
	}
}

// sure waits for a sign of life if the last one was so long ago that this process may have been overtaken.
func (h *holding) sure(ctx context.Context) {
	if time.Since(h.beaten.Load().(time.Time)) < leaseStale-leaseLimit {
		return
	}
	reply := make(chan struct{})
	select {
	case h.asked <- reply:
	case <-h.lost:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-reply:
	case <-h.lost:
	case <-ctx.Done():
	}
}

// beat is one step of a holder.
func (l *lease) beat(ctx context.Context) (own bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	if own, err = l.step(ctx); own {
		l.tidy(ctx)
	}
	return own, err
}

// free is the last step of a holder. What an earlier beat has begun, and is still on its way, will find that in its
// place or above it.
func (l *lease) free() error {
	ctx, cancel := context.WithTimeout(context.Background(), freeLimit)
	defer cancel()
	l.sign.Free = true
	_, err := l.advance(ctx)
	for err != nil && pause(ctx, leaseRetry) == nil {
		_, err = l.advance(ctx)
	}
	if err != nil {
		return err
	}
	if _, err := l.list(ctx); err == nil {
		l.tidy(ctx)
	}
	return nil // it is free, and that some objects are left is of no importance
}
