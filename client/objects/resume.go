package objects

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"
)

// stalledAfter is for how long a body may say nothing before it is given up for broken.
const stalledAfter = 30 * time.Second

// How long to wait before another attempt, from the first to the last.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 30 * time.Second
)

// resumed reads a span of an object in the cloud. When the connection breaks, is cut or goes silent, it goes on
// at the byte where that happened, of the same version.
type resumed struct {
	ctx    context.Context
	remote *remote
	entry  entry
	at     int64 // the next byte
	end    int64
	stall  time.Duration

	body   io.ReadCloser // nil before the first byte and after a break
	cancel context.CancelFunc
	watch  *time.Timer   // cancels body
	wait   time.Duration // before the next attempt, after a failure
	since  time.Time     // of the first of the failures since the last byte
}

func (r *remote) resumed(ctx context.Context, e entry, from, end int64) *resumed {
	return &resumed{ctx: ctx, remote: r, entry: e, at: from, end: end, stall: min(stalledAfter, r.giveUpAfter), wait: firstWait}
}

// Read reads on, however often it takes to connect.
func (r *resumed) Read(p []byte) (int, error) {
	for r.at < r.end {
		if err := r.connect(); err != nil {
			return 0, err
		}
		r.watch.Reset(r.stall)
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
		r.watch.Stop()
		r.at += int64(n)
		if n > 0 {
			r.since, r.wait = time.Time{}, firstWait
		}
		if err != nil && r.at < r.end {
			r.disconnect()
		}
		if n > 0 {
			return n, nil
		}
		if err := r.pause(err); err != nil {
			return 0, err
		}
	}
	return 0, r.finish()
}

// connect opens a body at the next byte, unless there is one.
func (r *resumed) connect() error {
	if r.body != nil {
		return nil
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(r.ctx)
	// The patience of the store counts from the first failure, not from here: a body may be read for hours.
	patience := time.AfterFunc(r.remote.giveUpAfter, r.cancel)
	body, err := r.remote.cloud.read(ctx, r.entry, r.at, r.end-r.at)
	if !patience.Stop() || err != nil {
		err = r.remote.explain(r.ctx, ctx, r.entry.key, err)
		r.cancel()
		if err == nil { // it came too late
			_ = body.Close()
			err = r.remote.unavailable(r.entry.key, nil)
		}
		return err
	}
	r.body, r.watch = body, time.AfterFunc(r.stall, r.cancel)
	return nil
}

func (r *resumed) disconnect() {
	if r.body == nil {
		return
	}
	r.watch.Stop()
	r.cancel()
	_ = r.body.Close() // what it says was said by Read
	r.body = nil
}

// pause waits before the next attempt, if the last one brought nothing.
func (r *resumed) pause(cause error) error {
	switch {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case cause == nil: // nothing, and no error: readers may do that
		return nil
	case errors.Is(cause, ErrChanged), errors.Is(cause, fs.ErrNotExist), errors.Is(cause, fs.ErrPermission):
		return cause
	case r.since.IsZero():
		r.since = time.Now()
	case time.Since(r.since) > r.remote.giveUpAfter:
		return r.remote.unavailable(r.entry.key, cause)
	}
	timer := time.NewTimer(r.wait/2 + rand.N(r.wait/2))
	r.wait = min(2*r.wait, lastWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// finish reads the end of the last body: there some clouds check that the bytes add up to their checksum.
func (r *resumed) finish() error {
	if r.body == nil {
		return io.EOF
	}
	r.watch.Reset(r.stall)
	n, err := r.body.Read(make([]byte, 1))
	r.disconnect()
	switch {
	case n > 0:
		return &Error{URI: r.remote.uri(r.entry.key), Kind: ErrChanged}
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, context.Canceled): // silent, but all bytes are here
		return io.EOF
	}
	return &Error{URI: r.remote.uri(r.entry.key), Err: err}
}
