package objects

import (
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// unstalled breaks off replies that go silent, so that the SDK repeats the request. It has no limit for that itself;
// the transport's own ends with the header.
type unstalled struct {
	http.RoundTripper
	after time.Duration
}

// RoundTrip makes a request.
func (u unstalled) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &unstalledBody{ReadCloser: resp.Body, after: u.after}
	}
	return resp, err
}

type unstalledBody struct {
	io.ReadCloser
	after   time.Duration
	stalled atomic.Bool
}

// Read reads on, or fails when nothing comes.
func (b *unstalledBody) Read(p []byte) (int, error) {
	watch := time.AfterFunc(b.after, func() {
		b.stalled.Store(true)
		_ = b.Close() // which ends the read
	})
	n, err := b.ReadCloser.Read(p)
	watch.Stop()
	if err != nil && b.stalled.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}
	return n, err
}
