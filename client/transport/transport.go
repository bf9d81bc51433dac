package transport

import (
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options tunes a Transport. A zero field means its default.
type Options struct {
	// RoundTripper sends a request. It must not follow redirects. Default: an http.Transport of our own with
	// TLS 1.2 or later, a kept-alive connection for each request in flight, and the proxy of the environment.
	RoundTripper http.RoundTripper

	MaxInFlight    int           // requests at once; default 20
	MaxRPS         float64       // requests a second; default: none but what the service allows
	AttemptTimeout time.Duration // from sending a request to the last byte of its reply; default 60 s
	GiveUpAfter    time.Duration // without one success by any caller; default 15 min
	MaxResponse    int64         // bytes of a reply; default 16 MiB

	// OnRetry is told of every failed attempt that will be repeated, before the wait. It is called from the
	// goroutines of Do, several at once.
	OnRetry func(Retry)

	// OnAttempt is told of every request that has ended, whatever came of it: as many as Stats.Requests counts. It
	// is called before the wait and before OnRetry, from the goroutines of Do, several at once, and holds them up.
	OnAttempt func(Attempt)
}

// Retry is an attempt that failed and what happens next.
type Retry struct {
	Op      string
	Attempt int           // that failed, from 1. A 429 counts here too, though it is no failure.
	Status  int           // HTTP status; 0 when there was no reply
	Err     error         // why there was no whole reply, or why it cannot be believed; nil when Status says it
	Wait    time.Duration // until the next attempt; waiting for a place in flight and the rate comes on top
}

// Attempt is a request that has ended.
type Attempt struct {
	Outcome Outcome
	Status  int           // HTTP status; 0 when there was no reply
	Took    time.Duration // from sending the request to the last byte of the reply, or to what went wrong
}

// Outcome is what came of a request.
type Outcome string

// The outcomes.
const (
	OK           Outcome = "ok"            // a reply of status 2xx that is believed
	Throttled    Outcome = "throttled"     // 429
	ServerError  Outcome = "server_error"  // 5xx
	Rejected     Outcome = "rejected"      // any other status
	Spoiled      Outcome = "spoiled"       // a reply of status 2xx that cannot be believed
	Timeout      Outcome = "timeout"       // no whole reply in time
	NetworkError Outcome = "network_error" // no whole reply for another reason
	Interrupted  Outcome = "interrupted"   // the caller waited no longer
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OK, Throttled, ServerError, Rejected, Spoiled, Timeout, NetworkError, Interrupted}
}

// Transport sends the requests of one credential. It is safe for use by many goroutines.
type Transport struct {
	opts   Options
	gate   *gate
	outage outage
	bodies sync.Pool // of *[]byte, request bodies

	requests, retries, throttled atomic.Int64
}

// New returns a Transport.
func New(opts Options) *Transport {
	opts = opts.withDefaults()
	return &Transport{opts: opts, gate: newGate(opts.MaxInFlight, opts.MaxRPS)}
}

func (o Options) withDefaults() Options {
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 20
	}
	if o.MaxRPS <= 0 {
		o.MaxRPS = math.Inf(1)
	}
	if o.AttemptTimeout <= 0 {
		o.AttemptTimeout = time.Minute
	}
	if o.GiveUpAfter <= 0 {
		o.GiveUpAfter = 15 * time.Minute
	}
	if o.MaxResponse <= 0 {
		o.MaxResponse = 16 << 20
	}
	if o.RoundTripper == nil {
		o.RoundTripper = newRoundTripper(o.MaxInFlight)
	}
	if o.OnRetry == nil {
		o.OnRetry = func(Retry) {}
	}
	if o.OnAttempt == nil {
		o.OnAttempt = func(Attempt) {}
	}
	return o
}

// newRoundTripper stays with HTTP/1.1: over one HTTP/2 connection a lost packet would hold up every request in
// flight.
func newRoundTripper(maxInFlight int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConns:        maxInFlight,
		MaxIdleConnsPerHost: maxInFlight,
		IdleConnTimeout:     90 * time.Second,
	}
}

// CloseIdleConnections closes the connections that no request uses now, if the RoundTripper can.
func (t *Transport) CloseIdleConnections() {
	if rt, ok := t.opts.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		rt.CloseIdleConnections()
	}
}

// Stats is what a Transport has done so far.
type Stats struct {
	Requests     int64         // sent, retries included
	Retries      int64         // attempts that failed and were or will be repeated; without 429
	Throttled    int64         // replies of status 429
	ThrottledFor time.Duration // how long nothing was sent because of a pause; one that is on counts in full
	InFlight     int           // requests at this moment
	MaxInFlight  int           // the most there ever were
	Rate         float64       // requests a second allowed now; 0 when only the number in flight binds
}

// Stats returns the counts so far.
func (t *Transport) Stats() Stats {
	s := Stats{Requests: t.requests.Load(), Retries: t.retries.Load(), Throttled: t.throttled.Load()}
	g := t.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	s.ThrottledFor, s.InFlight, s.MaxInFlight = g.paused, g.inFlight, g.most
	if perSecond := g.rate.at(time.Now()); !math.IsInf(perSecond, 1) {
		s.Rate = perSecond
	}
	return s
}
