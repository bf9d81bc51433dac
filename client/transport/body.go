package transport

import (
	"io"
	"sync"
)

// build lets the caller make the body, in memory that held a body before.
func (t *Transport) build(call *Call) (*requestBody, error) {
	b := &requestBody{pool: &t.bodies}
	if used, ok := t.bodies.Get().(*[]byte); ok {
		b.data = *used
	}
	var err error
	if b.data = b.data[:0]; call.Build != nil {
		b.data, err = call.Build(b.data)
	}
	return b, err
}

// requestBody is a body that gives its memory back when the RoundTripper closes it. That may be after the reply,
// as a server can answer before it has read everything; nobody else knows when the memory is free.
type requestBody struct {
	pool *sync.Pool

	mu   sync.Mutex // HTTP/2 closes a body while it is being read
	data []byte
	read int
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read == len(b.data) {
		return 0, io.EOF
	}
	n := copy(p, b.data[b.read:])
	b.read += n
	return n, nil
}

// Close implements io.Closer. It may be called more than once.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.data != nil {
		data := b.data
		b.pool.Put(&data)
		b.data, b.read = nil, 0
	}
	return nil
}
