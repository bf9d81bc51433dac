package objects

import "context"

// hold gives signs of life until the lock is released or lost.
func (l *lease) hold(ctx context.Context) *Lock {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // the context of taking the lock may end before
	lost, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		l.live(ctx, lost)
	}()
	return &Lock{lost: lost, release: func() error {
		stop()
		<-ended
		select {
		case <-lost:
			return nil
		default:
			return l.free()
		}
	}}
}

// live gives signs of life. It does not matter why one fails: as long as nobody else has taken the lock, it is worth
// another.
func (l *lease) live(ctx context.Context, lost chan<- struct{}) {
	next := leaseBeat
	for pause(ctx, next) == nil {
		own, err := l.beat(ctx)
		switch {
		case err != nil:
			next = leaseRetry
		case !own:
			close(lost)
			return
		default:
			next = leaseBeat
		}
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
