package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"iter"
	"slices"
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
	return r.unavailable(key, err)
}

// unavailable returns an error that says that the store has no patience any more, and what the storage said last.
func (r *remote) unavailable(key string, err error) error {
	var said *Error
	if errors.As(err, &said) {
		err = said.Err
	}
	return &Error{URI: r.uri(key), Kind: ErrUnavailable, Err: err}
}

// patiently goes through a list for as long as the store has patience for each page of it.
func patiently[T any](ctx context.Context, r *remote, key string, list func(context.Context, string) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		limited, cancel := context.WithCancel(ctx)
		defer cancel()
		patience := time.AfterFunc(r.giveUpAfter, cancel)
		defer patience.Stop()
		for item, err := range list(limited, key) {
			patience.Stop() // the consumer may take its time
			if err = r.explain(ctx, limited, key, err); !yield(item, err) || err != nil {
				return
			}
			patience.Reset(r.giveUpAfter)
		}
	}
}

func (r *remote) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return patiently(ctx, r, prefix, r.cloud.list)
}

func (r *remote) folders(ctx context.Context, folder string) ([]string, error) {
	var names []string
	for name, err := range patiently(ctx, r, folder, r.cloud.folders) {
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names) // they came in the order of "name/"
	return names, nil
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

func (r *remote) create(ctx context.Context, key string) (upload, error) { return r.claim(ctx, key) }

func (r *remote) claim(ctx context.Context, key string) (*claim, error) {
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

// Abort drops the object. What a storage that does not answer keeps of it is seen by nobody.
func (c *claim) Abort() error {
	defer c.cancel()
	_ = c.to.Abort()
	return nil
}

// lookLimit is for how long it is looked whose object is there, when the store has run out of patience before.
const lookLimit = 10 * time.Second

// Close makes the object visible, unless somebody else has. Whatever the last attempt came to, one before it, whose
// reply was lost, may have succeeded.
func (c *claim) Close() error {
	defer c.cancel()
	err := c.patient(c.to.Close)
	if err == nil || c.ctx.Err() != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, min(lookLimit, c.remote.giveUpAfter))
	defer cancel()
	_, creator, looked := c.remote.cloud.stat(ctx, c.key)
	switch {
	case looked == nil && creator == c.creator:
		return nil
	case looked == nil:
		return &Error{URI: c.remote.uri(c.key), Kind: fs.ErrExist}
	case errors.Is(err, fs.ErrExist):
		// It cannot be seen whose it is, or it has been deleted since.
		return c.remote.unavailable(c.key, looked)
	}
	return err
}

// put creates an object from all its bytes at once, in one request where the cloud takes it so.
func (r *remote) put(ctx context.Context, key string, data []byte) error {
	u, err := r.claim(ctx, key)
	if err != nil {
		return err
	}
	if c, ok := u.to.(*chunked); ok {
		c.filling = data
	} else if _, err := u.Write(data); err != nil {
		return errors.Join(err, u.Abort())
	}
	return u.Close()
}
