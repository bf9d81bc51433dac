package objects

import (
	"context"
	"io"
)

// The window of a file that is read from its beginning: so much is fetched before it is asked for. It opens as the file
// is read, because many a file is only looked into.
const (
	aheadChunk  = 256 << 10
	aheadFirst  = 4
	aheadChunks = 16
)

// ahead reads a stream before it is asked to, in a goroutine of its own and into memory of fixed size.
type ahead struct {
	cancel context.CancelFunc
	free   chan []byte
	full   chan []byte // closed at the end
	err    error       // why it ended; set before full is closed
	size   int         // of a chunk
	opened int         // chunks of the window
	chunk  []byte      // being handed out
	rest   []byte      // of chunk
}

// newAhead begins to read so many bytes. open is called in the goroutine.
func newAhead(ctx context.Context, size int64, open func(context.Context) *resumed) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	// A byte more than there is shows that nothing follows.
	a := &ahead{cancel: cancel, size: int(min(aheadChunk, size+1)), free: make(chan []byte, aheadChunks), full: make(chan []byte, aheadChunks)}
	for range aheadFirst {
		a.open()
	}
	go func() {
		defer close(a.full)
		a.err = a.fill(ctx, open(ctx))
	}()
	return a
}

// open makes the window larger by a chunk, as far as it goes. The memory comes when it is needed: most files are small.
func (a *ahead) open() {
	if a.opened < aheadChunks {
		a.opened++
		a.free <- nil
	}
}

func (a *ahead) fill(ctx context.Context, from *resumed) error {
	defer from.disconnect()
	for {
		var chunk []byte
		select {
		case chunk = <-a.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if chunk == nil {
			chunk = make([]byte, a.size)
		}
		n, err := io.ReadFull(from, chunk[:a.size])
		if n > 0 {
			a.full <- chunk[:n] // there is room for all chunks
		}
		if err == io.ErrUnexpectedEOF { // ReadFull's own, and no other: from has ended with EOF
			err = io.EOF
		}
		if err != nil {
			return err
		}
	}
}

// Read hands out what was read.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.chunk != nil {
			a.free <- a.chunk
			a.chunk = nil
			a.open()
		}
		chunk, ok := <-a.full
		if !ok {
			return 0, a.err
		}
		a.chunk, a.rest = chunk, chunk
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close ends the goroutine, and waits until it has.
func (a *ahead) Close() {
	a.cancel()
	for range a.full {
	}
}
