package objects

import (
	"context"
	"io"
	"sync"
)

// The cache of a file that is read here and there, as Parquet is: a row group's columns lie apart, and each is read
// in small pieces from its beginning.
const (
	blockSize = 512 << 10
	maxBlocks = 48
)

// blocks reads a file at any place, through a cache of fixed size. When one block after another is wanted, the
// next is fetched before it is.
type blocks struct {
	fetch func(ctx context.Context, from, end int64) *resumed
	size  int64
	ctx   context.Context
	stop  context.CancelFunc

	mu     sync.Mutex
	cached map[int64]*block
	clock  int64
	all    sync.WaitGroup
}

type block struct {
	ready chan struct{}
	data  []byte
	err   error
	used  int64
}

func newBlocks(ctx context.Context, size int64, fetch func(ctx context.Context, from, end int64) *resumed) *blocks {
	b := &blocks{fetch: fetch, size: size, cached: map[int64]*block{}}
	b.ctx, b.stop = context.WithCancel(ctx)
	return b
}

// ReadAt is io.ReaderAt.
func (b *blocks) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= b.size {
			return n, io.EOF
		}
		number := at / blockSize
		got := b.want(number)
		<-got.ready
		if got.err != nil {
			b.forget(number, got)
			return n, got.err
		}
		n += copy(p[n:], got.data[at%blockSize:])
	}
	return n, nil
}

// want returns a block, which is there once it is ready, and begins to fetch the next one if the last one is here.
func (b *blocks) want(number int64) *block {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.get(number)
	if _, goesOn := b.cached[number-1]; goesOn && (number+1)*blockSize < b.size {
		b.get(number + 1)
	}
	return got
}

func (b *blocks) get(number int64) *block {
	b.clock++
	if got := b.cached[number]; got != nil {
		got.used = b.clock
		return got
	}
	b.makeRoom()
	got := &block{ready: make(chan struct{}), used: b.clock}
	b.cached[number] = got
	b.all.Go(func() {
		defer close(got.ready)
		from := number * blockSize
		got.data = make([]byte, min(blockSize, b.size-from))
		body := b.fetch(b.ctx, from, from+int64(len(got.data)))
		defer body.disconnect()
		_, got.err = io.ReadFull(body, got.data)
	})
	return got
}

// makeRoom drops the block that was not used for longest.
func (b *blocks) makeRoom() {
	if len(b.cached) < maxBlocks {
		return
	}
	var oldest int64
	least := b.clock
	for number, block := range b.cached {
		if block.used < least {
			oldest, least = number, block.used
		}
	}
	delete(b.cached, oldest)
}

// forget drops a block that could not be fetched, so that the next reader tries again.
func (b *blocks) forget(number int64, failed *block) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cached[number] == failed {
		delete(b.cached, number)
	}
}

// Close ends what is being fetched, and waits for it.
func (b *blocks) Close() {
	b.stop()
	b.all.Wait()
}
