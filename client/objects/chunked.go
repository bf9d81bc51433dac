package objects

// chunkSize is what S3 and Azure are sent at once: the least that S3 takes, since an open part has three uploads
// with two chunks each. 10,000 chunks, the most that S3 takes, are 52 GB.
const chunkSize = 5 << 20

// chunkSender is an object that is sent in chunks. All but the last are chunkSize long, and are numbered from 0.
type chunkSender interface {
	// put sends a chunk that is not the last.
	put(n int, chunk []byte) error
	// finish sends the last chunk, which may be empty, and makes the object visible; n chunks came before.
	finish(n int, last []byte) error
	// abort drops what was sent.
	abort() error
}

// chunked is an upload in chunks: while one is sent, the next one fills. It holds two chunks at most.
type chunked struct {
	to      chunkSender
	filling []byte
	spare   []byte
	n       int        // chunks handed to the sender
	sent    chan error // the result of the chunk that is being sent; nil when none is
	err     error      // the first that happened
}

func newChunked(to chunkSender) *chunked { return &chunked{to: to} }

// Write appends to the object.
func (c *chunked) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(c.filling) == chunkSize {
			if err := c.send(); err != nil {
				return n, err
			}
		}
		took := min(len(p), chunkSize-len(c.filling))
		c.filling = append(c.filling, p[:took]...)
		p, n = p[took:], n+took
	}
	return n, nil
}

// send begins to send the chunk that is full, once the one before it has been.
func (c *chunked) send() error {
	if err := c.wait(); err != nil {
		return err
	}
	full, n := c.filling, c.n
	c.filling, c.spare = c.spare[:0], full
	c.n++
	c.sent = make(chan error, 1)
	go func(sent chan<- error) { sent <- c.to.put(n, full) }(c.sent)
	return nil
}

func (c *chunked) wait() error {
	if c.sent != nil {
		if err := <-c.sent; c.err == nil {
			c.err = err
		}
		c.sent = nil
	}
	return c.err
}

// Close sends what is left and makes the object visible.
func (c *chunked) Close() error {
	if err := c.wait(); err != nil {
		_ = c.to.abort() // what stays of it is seen by nobody
		return err
	}
	return c.to.finish(c.n, c.filling)
}

// Abort drops the object.
func (c *chunked) Abort() error {
	_ = c.wait() // whatever came of it, it is dropped
	return c.to.abort()
}
