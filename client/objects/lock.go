package objects

import (
	"context"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Lock takes the lock of a key, which is held until release is called or the process dies. held is false when
// another process has it. Locks only save work: nothing in a table may depend on one being honoured.
func (b *Bucket) Lock(key string) (release func() error, held bool, err error) {
	l, err := b.lock(key)
	if err != nil {
		return nil, false, err
	}
	held, err = l.TryLock()
	return l.Close, held, err
}

// LockWait is Lock, but waits for the other process as long as ctx allows.
func (b *Bucket) LockWait(ctx context.Context, key string) (release func() error, err error) {
	l, err := b.lock(key)
	if err != nil {
		return nil, err
	}
	_, err = l.TryLockContext(ctx, 50*time.Millisecond)
	return l.Close, err
}

func (b *Bucket) lock(key string) (*flock.Flock, error) {
	path := b.path(key)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return flock.New(path), nil
}
