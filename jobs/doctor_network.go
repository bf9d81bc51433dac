package jobs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mapper/client"
)

// way is the way to a service that is examined, and what is known of it so far.
type way struct {
	url   *url.URL
	proxy *url.URL // on the way, or nil
	http  *http.Transport

	date string        // what the service's clock shows
	read time.Time     // ours at that moment
	blur time.Duration // how far either may be off by the way between them
}

func newWay() way {
	return way{http: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectWithin}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: connectWithin,
	}}
}

// unreachable is a failure that may pass.
func unreachable(err error, message, remedy string) Check {
	return failed(&client.Error{Fault: client.Unreachable, Op: "network", Message: message, Err: err, Remedy: remedy})
}

// resolve looks up the host to be connected to: the service, or the proxy in front of it.
func (w *way) resolve(ctx context.Context) Check {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: w.url})
	if err != nil { // which may quote a password
		return failed(&client.Error{Fault: client.Refused, Op: "proxy", Message: "the proxy that the environment names cannot be read", Remedy: "look at HTTPS_PROXY"})
	}
	host, of := w.url.Hostname(), ""
	if proxy != nil {
		w.proxy, host, of = proxy, proxy.Hostname(), "the proxy "
	}
	limited, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(limited, host)
	if err != nil {
		return unreachable(err, of+host+" has no address", "look for a typing mistake in the name, and at the DNS of this machine")
	}
	return fine("%s%s is %s", of, host, strings.Join(addresses[:min(3, len(addresses))], ", "))
}

// connect gets any reply from the host, and with it the time by its clock.
func (w *way) connect(ctx context.Context) Check {
	limited, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	health := *w.url
	health.Path = strings.TrimRight(health.Path, "/") + "/ops/healthcheck" // any path would do
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request := (&http.Request{Method: http.MethodGet, URL: &health, Header: http.Header{"Cache-Control": {"no-cache"}}}).WithContext(traced)
	// The first reply may take long, for the connection; the second shows the time of the way alone.
	began := time.Now()
	first, err := w.http.RoundTrip(request)
	switch {
	case err != nil && connected.Load() && errors.Is(err, context.DeadlineExceeded):
		return unreachable(nil, fmt.Sprintf("connected to %s, but no reply within %.0f s", w.url.Host, connectWithin.Seconds()),
			"look whether it is the service that listens there (host and port of the base URL), and try again later if it is")
	case err != nil:
		return unreachable(err, "no connection to "+w.url.Host, w.connectRemedy(err))
	}
	drain(first)
	w.note(first, began)
	took := time.Since(began)
	began = time.Now()
	if second, err := w.http.RoundTrip(request); err == nil {
		drain(second)
		w.note(second, began)
	}
	how := "plain http to this machine"
	if first.TLS != nil {
		how = tls.VersionName(first.TLS.Version) + ", certificate until " + first.TLS.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
	}
	if w.proxy != nil {
		how += ", through the proxy " + w.proxy.Host
	}
	return fine("%s, first reply in %v", how, took.Round(time.Millisecond))
}

// drain makes the connection of a reply ready for the next request, if the reply is a short one.
func drain(reply *http.Response) {
	_, _ = io.CopyN(io.Discard, reply.Body, 64<<10) // what cannot be read costs a connection, no more
	_ = reply.Body.Close()
}

// note remembers both clocks at a reply.
func (w *way) note(reply *http.Response, began time.Time) {
	took := time.Since(began)
	w.date, w.read, w.blur = reply.Header.Get("Date"), began.Add(took/2), took/2
}

// connectRemedy says what to do about a connection that there is not.
func (w *way) connectRemedy(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var noTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return "use the host name that the certificate is for"
	case errors.As(err, &authority):
		return "if it is a private operator or a proxy that opens TLS, add its authority to those that this machine trusts (SSL_CERT_FILE); otherwise send no credentials there"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "set the local clock if it is wrong, otherwise the certificate has to be renewed"
	case errors.As(err, &noTLS):
		return "nobody speaks TLS there: look at the port of the base URL"
	case w.proxy != nil:
		return "look at the proxy that the environment names, " + w.proxy.Host
	}
	return "look at host and port of the base URL, at the firewall, and whether a proxy is needed (HTTPS_PROXY)"
}

// An envelope lives for 60 s by the service's clock: what it takes to send one has to fit too.
const (
	skewWarn = 5 * time.Second
	skewFail = 30 * time.Second
)

// skew is how far our clock is from the service's.
type skew struct {
	text string
	off  time.Duration // whole seconds, not negative
}

// skew compares the clocks, unless the service does not show its own.
func (w *way) skew() (s skew, shown bool) {
	date, err := http.ParseTime(w.date)
	if err != nil {
		return skew{}, false
	}
	// The header shows whole seconds, cut off.
	ahead := w.read.Sub(date.Add(time.Second / 2)).Round(time.Second)
	s.off = max(ahead, -ahead)
	switch {
	case ahead == 0:
		s.text = "the local clock agrees with the service's"
	case ahead < 0:
		s.text = fmt.Sprintf("the local clock is off by %.0f s, behind", s.off.Seconds())
	default:
		s.text = fmt.Sprintf("the local clock is off by %.0f s, ahead", s.off.Seconds())
	}
	return s, true
}

// noTime is the check of a clock that nothing is known of.
func noTime() Check {
	return doubtful("compare it with another clock", "the service does not say what time it is")
}

// clock looks whether a service that refuses requests of another time would refuse ours.
func (w *way) clock() Check {
	const remedy = "set it, by NTP if there is: a request is refused when its time is a minute off"
	s, shown := w.skew()
	switch {
	case !shown:
		return noTime()
	case s.off-w.blur >= skewFail:
		return failed(&client.Error{Fault: client.Refused, Op: "clock", Message: s.text, Remedy: remedy})
	case s.off >= skewWarn:
		return doubtful(remedy, "%s", s.text)
	}
	return fine("%s", s.text)
}
