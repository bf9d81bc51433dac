package sources

import (
	"context"
	"io"
	"sync"
)

// Interruptible returns a reader of standard input, or of anything else that may have nothing to say for long, which
// fails with the cause of ctx once that has ended, also while a read waits. It begins with the first read. letGo ends
// it; a read of r that is waiting then cannot be called off: it goes on in the background until there is something to
// read, or the process ends.
func Interruptible(ctx context.Context, r io.Reader) (interruptible io.Reader, letGo func()) {
	from, to := io.Pipe()
	unhook := context.AfterFunc(ctx, func() { to.CloseWithError(context.Cause(ctx)) })
	begin := sync.OnceFunc(func() {
		go func() {
			_, err := io.Copy(to, r)
			to.CloseWithError(err)
		}()
	})
	return &lazyReader{Reader: from, begin: begin}, func() {
		unhook()
		_ = from.Close() // never fails
	}
}

// lazyReader begins with the first read.
type lazyReader struct {
	io.Reader
	begin func()
}

// Read reads from the Reader, once it has begun.
func (l *lazyReader) Read(p []byte) (int, error) {
	l.begin()
	return l.Reader.Read(p)
}
