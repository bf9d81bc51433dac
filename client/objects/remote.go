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
	case limited.Err() != nil && !errors.Is(err, ErrUnavailable):
		return &Error{URI: r.uri(key), Kind: ErrUnavailable, Err: err}
	}
	return err
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
	u, err := r.cloud.create(ctx, key, creator)
	if err != nil {
		return nil, err
	}
	return &claim{upload: u, ctx: ctx, remote: r, key: key, creator: creator}, nil
}

// claim is an upload that knows its own object when it meets it: a creation whose reply was lost and that is
// repeated finds an object in its way, which is the one it has created.
type claim struct {
	upload
	ctx     context.Context
	remote  *remote
	key     string
	creator string
}

// Close makes the object visible, unless somebody else has.
func (c *claim) Close() error {
	err := c.upload.Close()
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
