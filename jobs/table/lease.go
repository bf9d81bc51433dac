package table

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mapper/client/objects"
)

// Lease is the right to be the only process that works on a shard of a run. It only saves work: if it is not honoured,
// the chain still lets only one process seal each part. The process's death ends it.
type Lease struct {
	fenced  error // what it means to have lost it
	lost    <-chan struct{}
	sure    func(context.Context)
	release func() error
}

// Lease takes the lease of a shard of a run, or fails with [ErrHeld] when a live process has it. One that may be dead is
// waited for, up to 15 s on object storage, which [Table.OnWait] is told.
func (t *Table) Lease(ctx context.Context, run string, shard int) (*Lease, error) {
	lock, err := t.Bucket.TryLock(ctx, fmt.Sprintf("%s%d", leasePrefix(run), shard), objects.LockOptions{OnWait: t.OnWait})
	if errors.Is(err, objects.ErrLocked) {
		err = fmt.Errorf("run %s: %w (%w)", run, ErrHeld, err)
	}
	if err != nil {
		return nil, err
	}
	return &Lease{fenced: fmt.Errorf("run %s: %w", run, ErrFenced), lost: lock.Lost(), sure: lock.Sure, release: lock.Release}, nil
}

// Context returns a context that ends with [ErrFenced] as its cause when another process has taken the lease over: what
// this one still does is in vain. The caller calls stop when the work is done.
func (l *Lease) Context(ctx context.Context) (working context.Context, stop context.CancelFunc) {
	working, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-l.lost:
			cancel(l.fenced)
		case <-working.Done():
		}
	}()
	return working, func() { cancel(nil) }
}

// Check returns what Context ends with if the lease is lost, and nothing while it is held. After a long pause of the
// process it finds out.
func (l *Lease) Check(ctx context.Context) error {
	l.sure(ctx)
	select {
	case <-l.lost:
		return l.fenced
	default:
		return nil
	}
}

// Release lets the next process work on the shard. It is called once, after the work. When it fails, the next process
// has to wait for 15 s.
func (l *Lease) Release() error { return l.release() }

// leaseName is what the names of leases begin with, in the folder of their run.
const leaseName = "/.lease-"

func leasePrefix(run string) string { return "_runs/" + run + leaseName }

// isLease says whether an object of a run is there for a lease.
func isLease(key string) bool { return strings.Contains(key, leaseName) }

// PlanningLease makes this process the only one that looks for a run to continue or plans a new one, so that
// of two equal commands the second finds the run of the first. It waits its turn.
func (t *Table) PlanningLease(ctx context.Context) (release func() error, err error) {
	lock, err := t.Bucket.Lock(ctx, "_runs/.planning", objects.LockOptions{OnWait: t.OnWait})
	if err != nil {
		return nil, err
	}
	return lock.Release, nil
}

// DropLeases deletes what the leases of a run have left on object storage. The run must have a manifest, after which
// nobody works on it.
func (t *Table) DropLeases(ctx context.Context, run string) error {
	return t.in.DropLocks(ctx, leasePrefix(run))
}
