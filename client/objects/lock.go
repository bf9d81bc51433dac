package objects

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked means that another process holds a lock and is alive.
var ErrLocked = errors.New("the lock is held")

// Lock is a lock that this process holds until Release is called or the process dies. Locks only save work: nothing
// in a table may depend on one being honoured.
type Lock struct {
	lost    <-chan struct{}
	sure    func(context.Context)
	release func() error
}

// Lost is closed when another process has taken the lock over, because this one showed no sign of life for 15 s: it
// was paused, or could not reach the storage. A local lock is never lost.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Sure waits until it is known whether the lock is still held, if that is not known at the moment: this process was
// paused for long, or could not reach the storage. It makes one attempt to find out, of 5 s at most; afterwards Lost says
// what is known.
func (l *Lock) Sure(ctx context.Context) { l.sure(ctx) }

// Release lets go of the lock. It is called once, also when the lock is lost. When it fails, which only a cloud can
// make it, others wait for 15 s before they take the lock.
func (l *Lock) Release() error { return l.release() }

// always is for locks that cannot be lost.
func always(context.Context) {}

// LockOptions tunes Lock and TryLock.
type LockOptions struct {
	// OnWait is told that the lock is waited for, and who holds it: a text for people. Patience is for how much longer
	// the holder is waited for if it stays silent, and then counts as dead; 0 means that it is alive. It is called
	// seldom: when the holder is first seen to be alive, and whenever it has been silent for a while.
	OnWait func(holder string, patience time.Duration)
}

func (o LockOptions) tell(holder string, patience time.Duration) {
	if o.OnWait != nil {
		o.OnWait(holder, patience)
	}
}

// Lock takes the lock of a key, and waits for its turn until ctx ends. Locally a file of that name is locked, and the
// kernel frees it when the process dies. In a cloud the lock is objects below the key, see [Bucket.DropLocks]; a holder
// that is silent for 15 s is overtaken, one on the same machine as soon as it is dead.
func (b *Bucket) Lock(ctx context.Context, key string, o LockOptions) (*Lock, error) {
	var once sync.Once
	wait := func(holder string) error {
		once.Do(func() { o.tell(holder, 0) })
		return nil
	}
	switch in := b.in.(type) {
	case local:
		return in.lock(ctx, key, wait)
	case *remote:
		return newLease(in, b.prefix+key).lock(ctx, o, wait)
	}
	return &Lock{sure: always, release: func() error { return nil }}, nil
}

// TryLock is Lock that fails with [ErrLocked] when another process holds the lock and is alive. It waits for those that
// may be dead: locally 2 s for the kernel to bury them, in a cloud 15 s for a sign of life.
func (b *Bucket) TryLock(ctx context.Context, key string, o LockOptions) (*Lock, error) {
	refuse := func(holder string) error { return fmt.Errorf("%s: %w by %s", b.URI(key), ErrLocked, holder) }
	switch in := b.in.(type) {
	case local:
		return in.tryLock(ctx, key, refuse)
	case *remote:
		return newLease(in, b.prefix+key).lock(ctx, o, refuse)
	}
	return &Lock{sure: always, release: func() error { return nil }}, nil
}

// DropLocks deletes what the locks of all keys that begin with prefix have left in a cloud: each leaves an object that
// says that it is free. Nobody may need these locks any more: they begin anew, and two processes may hold one for some
// seconds. Local files stay.
func (b *Bucket) DropLocks(ctx context.Context, prefix string) error {
	r, ok := b.in.(*remote)
	if !ok {
		return nil
	}
	for e, err := range r.list(ctx, b.prefix+prefix) {
		if err == nil && leaseNumber(e.key) > 0 {
			err = r.remove(ctx, e.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	// buryLimit is for how long the kernel may take to free the locks of a process that was killed.
	buryLimit = 2 * time.Second
	// localHolder is what is known of who holds a local lock.
	localHolder = "another process"
)

func (l local) tryLock(ctx context.Context, key string, refuse func(string) error) (*Lock, error) {
	patient, cancel := context.WithTimeout(ctx, buryLimit)
	defer cancel()
	lock, err := l.lock(patient, key, func(string) error { return nil })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = refuse(localHolder)
	}
	return lock, err
}

func (l local) lock(ctx context.Context, key string, wait func(string) error) (*Lock, error) {
	path := l.path(key)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock := flock.New(path)
	held, err := lock.TryLock()
	if !held && err == nil {
		if err = wait(localHolder); err == nil {
			held, err = lock.TryLockContext(ctx, 20*time.Millisecond)
		}
	}
	if !held {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, errors.Join(err, lock.Close())
	}
	return &Lock{sure: always, release: lock.Close}, nil
}
