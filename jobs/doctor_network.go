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
	"strings"
	"time"

	"mapper/client"
)

// unreachable is a failure that may pass.
func unreachable(err error, message, remedy string) Check {
	return failed(&client.Error{Fault: client.Unreachable, Op: "network", Message: message, Err: err, Remedy: remedy})
}

// resolve looks up the host to be connected to: the service, or the proxy in front of it.
func (p *patient) resolve(ctx context.Context) Check {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: p.url})
	if err != nil { // which may quote a password
		return failed(&client.Error{Fault: client.Refused, Op: "proxy", Message: "the proxy that the environment names cannot be read", Remedy: "look at HTTPS_PROXY"})
	}
	host, of := p.url.Hostname(), ""
	if proxy != nil {
		p.proxy, host, of = proxy, proxy.Hostname(), "the proxy "
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
func (p *patient) connect(ctx context.Context) Check {
	limited, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	health := *p.url
	health.Path = strings.TrimRight(health.Path, "/") + "/ops/healthcheck" // any path would do
	request := (&http.Request{Method: http.MethodGet, URL: &health, Header: http.Header{"Cache-Control": {"no-cache"}}}).WithContext(limited)
	// The first reply may take long, for the connection; the second shows the time of the way alone.
	began := time.Now()
	first, err := p.http.RoundTrip(request)
	if err != nil {
		return unreachable(err, "no connection to "+p.url.Host, p.connectRemedy(err))
	}
	drain(first)
	p.note(first, began)
	took := time.Since(began)
	began = time.Now()
	if second, err := p.http.RoundTrip(request); err == nil {
		drain(second)
		p.note(second, began)
	}
	how := "plain http to this machine"
	if first.TLS != nil {
		how = tls.VersionName(first.TLS.Version) + ", certificate until " + first.TLS.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
	}
	if p.proxy != nil {
		how += ", through the proxy " + p.proxy.Host
	}
	return fine("%s, first reply in %v", how, took.Round(time.Millisecond))
}

// drain makes the connection of a reply ready for the next request, if the reply is a short one.
func drain(reply *http.Response) {
	_, _ = io.CopyN(io.Discard, reply.Body, 64<<10) // what cannot be read costs a connection, no more
	_ = reply.Body.Close()
}

// note remembers both clocks at a reply.
func (p *patient) note(reply *http.Response, began time.Time) {
	way := time.Since(began)
	p.date, p.read, p.blur = reply.Header.Get("Date"), began.Add(way/2), way/2
}

// connectRemedy says what to do about a connection that there is not.
func (p *patient) connectRemedy(err error) string {
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
	case p.proxy != nil:
		return "look at the proxy that the environment names, " + p.proxy.Host
	}
	return "look at host and port of the base URL, at the firewall, and whether a proxy is needed (HTTPS_PROXY)"
}

// An envelope lives for 60 s by the service's clock: what it takes to send one has to fit too.
const (
	skewWarn = 5 * time.Second
	skewFail = 30 * time.Second
)

// clock compares our clock with the service's.
func (p *patient) clock() Check {
	date, err := http.ParseTime(p.date)
	if err != nil {
		return doubtful("compare it with another clock", "the service does not say what time it is")
	}
	// The header shows whole seconds, cut off.
	ahead := p.read.Sub(date.Add(time.Second / 2)).Round(time.Second)
	off, side := max(ahead, -ahead), "ahead"
	if ahead < 0 {
		side = "behind"
	}
	const remedy = "set it, by NTP if there is: a request is refused when its time is a minute off"
	text := fmt.Sprintf("the local clock is off by %.0f s, %s", off.Seconds(), side)
	switch {
	case off-p.blur >= skewFail:
		return failed(&client.Error{Fault: client.Refused, Op: "clock", Message: text, Remedy: remedy})
	case off >= skewWarn:
		return doubtful(remedy, "%s", text)
	case off == 0:
		return fine("the local clock agrees with the service's")
	}
	return fine("%s", text)
}
