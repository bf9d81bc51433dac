package objectstest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a storage's client and its server and breaks what it is told to.
type Proxy struct {
	URL string // of the proxy

	server  *httptest.Server
	mu      sync.Mutex
	forward http.Handler // the way to the server
	faults  []*fault
	late    sync.WaitGroup
}

// fault is something that happens to requests.
type fault struct {
	to    func(*http.Request) bool
	times int // how often it still happens; negative is always
	do    func(w http.ResponseWriter, r *http.Request, forward http.Handler)
	hits  int
}

// NewProxy starts a proxy, whose server is told later. It ends with the test.
func NewProxy(t testing.TB) *Proxy {
	p := &Proxy{}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	p.URL = p.server.URL
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		p.late.Wait()
	})
	return p
}

// Forward tells the proxy where requests go.
func (p *Proxy) Forward(to string) error {
	target, err := url.Parse(to)
	if err != nil {
		return err
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // signatures are made over it
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 200},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forward = forward
	return nil
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	f, forward := p.wayOf(r)
	if f != nil {
		f.do(w, r, forward)
		return
	}
	forward.ServeHTTP(w, r)
}

// wayOf returns what happens to a request, if it is not just handed on.
func (p *Proxy) wayOf(r *http.Request) (*fault, http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.times != 0 && f.to(r) {
			f.times--
			f.hits++
			return f, p.forward
		}
	}
	return nil, p.forward
}

// add makes a fault happen to the next requests of a kind, so many times; negative is always. hits says how often
// it has happened.
func (p *Proxy) add(times int, to func(*http.Request) bool, do func(http.ResponseWriter, *http.Request, http.Handler)) (hits func() int) {
	f := &fault{to: to, times: times, do: do}
	p.mu.Lock()
	p.faults = append(p.faults, f)
	p.mu.Unlock()
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return f.hits
	}
}

// Heal ends all faults.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// IsRead says whether a request reads something.
func IsRead(r *http.Request) bool { return r.Method == http.MethodGet }

// IsWrite says whether a request writes something.
func IsWrite(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPost }

// IsAny is all requests.
func IsAny(*http.Request) bool { return true }

// Around makes all requests go through what outer makes of the way to the server.
func (p *Proxy) Around(outer func(forward http.Handler) http.Handler) {
	p.add(-1, IsAny, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		outer(forward).ServeHTTP(w, r)
	})
}

// Refuse answers with a status, and the server hears nothing.
func (p *Proxy) Refuse(times int, to func(*http.Request) bool, status int) (hits func() int) {
	return p.add(times, to, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body) // a server that refuses may well have read the request
		w.WriteHeader(status)
	})
}

// LoseReply hands requests on, and breaks the connection instead of answering.
func (p *Proxy) LoseReply(times int, to func(*http.Request) bool) (hits func() int) {
	return p.add(times, to, func(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
}

// Delay breaks the connection at once and hands the request on when release is closed.
func (p *Proxy) Delay(times int, to func(*http.Request) bool, release <-chan struct{}) (hits func() int) {
	return p.add(times, to, func(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		p.late.Go(func() {
			<-release
			defer func() { _ = recover() }() // the reverse proxy's, when its server is gone
			forward.ServeHTTP(httptest.NewRecorder(), late)
		})
		panic(http.ErrAbortHandler)
	})
}

// Cut breaks the connection after so many bytes of the reply's body.
func (p *Proxy) Cut(times int, to func(*http.Request) bool, after func() int64) (hits func() int) {
	return p.add(times, to, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(&cutter{ResponseWriter: w, left: after()}, r)
	})
}

// cutter is a reply that breaks off.
type cutter struct {
	http.ResponseWriter
	left int64
}

// Write writes until it is time to break off.
func (c *cutter) Write(p []byte) (int, error) {
	if int64(len(p)) < c.left {
		n, err := c.ResponseWriter.Write(p)
		c.left -= int64(n)
		return n, err
	}
	_, _ = c.ResponseWriter.Write(p[:c.left]) // the connection breaks anyway
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// Unwrap is for http.ResponseController.
func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Stall says nothing more after so many bytes of the reply's body, until the client goes away.
func (p *Proxy) Stall(times int, to func(*http.Request) bool, after int64) (hits func() int) {
	return p.add(times, to, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(&staller{ResponseWriter: w, left: after, gone: r.Context().Done()}, r)
	})
}

// staller is a reply that goes silent.
type staller struct {
	http.ResponseWriter
	left int64
	gone <-chan struct{}
}

// Write writes until it is time to be silent.
func (s *staller) Write(p []byte) (int, error) {
	if int64(len(p)) <= s.left {
		n, err := s.ResponseWriter.Write(p)
		s.left -= int64(n)
		return n, err
	}
	_, _ = s.ResponseWriter.Write(p[:s.left]) // nobody waits for what comes of it
	_ = http.NewResponseController(s.ResponseWriter).Flush()
	<-s.gone
	panic(http.ErrAbortHandler)
}

// Unwrap is for http.ResponseController.
func (s *staller) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Wait hands requests on after a while.
func (p *Proxy) Wait(times int, to func(*http.Request) bool, while time.Duration) (hits func() int) {
	return p.add(times, to, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		time.Sleep(while)
		forward.ServeHTTP(w, r)
	})
}

// Slow makes replies dribble.
func (p *Proxy) Slow(times int, to func(*http.Request) bool, piece int, pause time.Duration) (hits func() int) {
	return p.add(times, to, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		forward.ServeHTTP(&dribbler{ResponseWriter: w, piece: piece, pause: pause}, r)
	})
}

// dribbler is a reply that comes in small pieces.
type dribbler struct {
	http.ResponseWriter
	piece int
	pause time.Duration
}

// Write writes piece by piece.
func (d *dribbler) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		var m int
		m, err = d.ResponseWriter.Write(p[:min(len(p), d.piece)])
		p, n = p[m:], n+m
		if err == nil {
			err = http.NewResponseController(d.ResponseWriter).Flush()
		}
		time.Sleep(d.pause)
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (d *dribbler) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// Corrupt flips a bit in the middle of request bodies that are at least so long, or do not say how long they are.
func (p *Proxy) Corrupt(times int, to func(*http.Request) bool, atLeast int64) (hits func() int) {
	long := func(r *http.Request) bool { return to(r) && (r.ContentLength >= atLeast || r.ContentLength < 0) }
	return p.add(times, long, func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		body[len(body)/2] ^= 1
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	})
}
