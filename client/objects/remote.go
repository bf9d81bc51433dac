package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"iter"
	"time"
)

// remote makes a backend of a cloud: what all clouds have in common.
type remote struct {
	cloud       cloud
	giveUpAfter time.Duration
}

func (r *remote) uri(key string) string { return r.cloud.uri(key) }

// patient runs one operation of the cloud for as long as the store has patience.
func (r *remote) patient(ctx context.Context, key string, do func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, r.giveUpAfter)
	defer cancel()
	return r.explain(ctx, limited, key, do(limited))
}

// explain says of an operation that ran out of time why it did.
func (r *remote) explain(ctx, limited context.Context, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() == nil || errors.Is(err, ErrUnavailable):
		return err
	}
	var said *Error
	if errors.As(err, &said) {
		err = said.Err
	}
	return &Error{URI: r.uri(key), Kind: ErrUnavailable, Err: err}
}

func (r *remote) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		limited, cancel := context.WithTimeout(ctx, r.giveUpAfter)
		defer cancel()
		for e, err := range r.cloud.list(limited, prefix) {
			if err = r.explain(ctx, limited, prefix, err); !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func (r *remote) folders(ctx context.Context, folder string) (names []string, err error) {
	err = r.patient(ctx, folder, func(ctx context.Context) (err error) {
		names, err = r.cloud.folders(ctx, folder)
		return err
	})
	return names, err
}

func (r *remote) stat(ctx context.Context, key string) (e entry, err error) {
	err = r.patient(ctx, key, func(ctx context.Context) (err error) {
		e, _, err = r.cloud.stat(ctx, key)
		return err
	})
	return e, err
}

func (r *remote) open(ctx context.Context, e entry) (File, error) {
	return newRemoteFile(ctx, r, e), nil
}

func (r *remote) remove(ctx context.Context, key string) error {
	return r.patient(ctx, key, func(ctx context.Context) error { return r.cloud.remove(ctx, key) })
}

func (r *remote) create(ctx context.Context, key string) (upload, error) {
	creator := rand.Text()
	limited, cancel := context.WithCancel(ctx)
	u, err := r.cloud.create(limited, key, creator)
	if err != nil {
		cancel()
		return nil, err
	}
	return &claim{to: u, ctx: ctx, limited: limited, cancel: cancel, remote: r, key: key, creator: creator}, nil
}

// claim is an upload that knows its own object when it meets it: a creation whose reply was lost and that is
// repeated finds an object in its way, which is the one it has created.
type claim struct {
	to      upload
	ctx     context.Context
	limited context.Context // ends when the storage has been silent for too long
	cancel  context.CancelFunc
	remote  *remote
	key     string
	creator string
}

// Write appends to the object.
func (c *claim) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), chunkSize)] // each is a success, after which patience begins anew
		err = c.patient(func() error {
			wrote, err := c.to.Write(piece)
			n += wrote
			return err
		})
		p = p[len(piece):]
	}
	return n, err
}

// patient waits for one step of the upload for as long as the store has patience. It counts from here: whoever
// writes may take hours from one step to the next.
func (c *claim) patient(do func() error) error {
	patience := time.AfterFunc(c.remote.giveUpAfter, c.cancel)
	defer patience.Stop()
	return c.remote.explain(c.ctx, c.limited, c.key, do())
}

// Abort drops the object.
func (c *claim) Abort() error {
	defer c.cancel()
	return c.to.Abort()
}

// Close makes the object visible, unless somebody else has.
func (c *claim) Close() error {
	defer c.cancel()
	err := c.patient(c.to.Close)
	if !errors.Is(err, fs.ErrExist) && !errors.Is(err, ErrUnavailable) || c.ctx.Err() != nil {
		return err
	}
	var creator string
	looked := c.remote.patient(c.ctx, c.key, func(ctx context.Context) (err error) {
		_, creator, err = c.remote.cloud.stat(ctx, c.key)
		return err
	})
	switch {
	case looked == nil && creator == c.creator:
		return nil
	case looked == nil:
		return &Error{URI: c.remote.uri(c.key), Kind: fs.ErrExist}
	case errors.Is(looked, fs.ErrNotExist) && errors.Is(err, fs.ErrExist):
		// It has been deleted since. Whether it was ours cannot be known any more.
		return &Error{URI: c.remote.uri(c.key), Kind: ErrUnavailable, Err: err}
	}
	return err
}
