package objects

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Lock takes the lock of a key, which is held until release is called or the process dies. It waits for another
// holder until ctx ends; then held is false. Locks only save work: nothing in a table may depend on one being
// honoured. Clouds have none, there everybody holds it.
func (b *Bucket) Lock(ctx context.Context, key string) (release func() error, held bool, err error) {
	l, ok := b.in.(local)
	if !ok {
		return func() error { return nil }, true, nil
	}
	path := l.path(key)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, false, err
	}
	lock := flock.New(path)
	if held, err = lock.TryLock(); !held && err == nil {
		held, err = lock.TryLockContext(ctx, 20*time.Millisecond)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	if !held {
		return nil, false, errors.Join(err, lock.Close())
	}
	return lock.Close, true, nil
}
