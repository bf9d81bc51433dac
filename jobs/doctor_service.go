package jobs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mapper/client"
	"mapper/client/transport"
	"mapper/client/uid2"
	"mapper/normalize"
)

// How long the Doctor waits for each of its questions to the service. Together they stay below 20 s.
const (
	resolveWithin = 3 * time.Second
	connectWithin = 5 * time.Second
	mapWithin     = 7 * time.Second
	attemptWithin = 6 * time.Second
	retryFor      = 3 * time.Second // a service that fails
)

// patient is a service that is examined, and what is known of it so far.
type patient struct {
	*Doctor
	url   *url.URL
	proxy *url.URL // on the way to it, or nil
	http  *http.Transport

	date    string        // what the service's clock shows
	read    time.Time     // ours at that moment
	blur    time.Duration // how far either may be off by the way between them
	answers client.Answers
}

// service examines the way to the service, and the credentials by asking it for the test identities.
func (d *Doctor) service(ctx context.Context) []Check {
	p := &patient{Doctor: d, http: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectWithin}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: connectWithin,
	}}
	defer p.http.CloseIdleConnections()
	var r rounds
	r.check("credentials", p.credentials)
	r.check("key and secret", p.format, "credentials")
	r.check("base url", p.address)
	r.check("dns", func() Check { return p.resolve(ctx) }, "base url")
	r.check("connection", func() Check { return p.connect(ctx) }, "dns")
	r.check("clock", p.clock, "connection")
	r.check("identity/map", func() Check { return p.ask(ctx) }, "key and secret", "connection")
	r.check("answers", p.mapped, "identity/map")
	r.check("opt-out", p.optedOut, "identity/map")
	return r.done
}

// credentials looks whether there are any.
func (p *patient) credentials() Check {
	prefix := strings.ToUpper(p.Service.String())
	key, secret := prefix+"_API_KEY", prefix+"_SECRET_KEY"
	var missing []string
	if p.APIKey.IsZero() {
		missing = append(missing, key)
	}
	if p.ClientSecret.IsZero() {
		missing = append(missing, secret)
	}
	switch {
	case p.Unread != nil:
		return failed(p.Unread)
	case len(missing) > 0:
		return failed(&client.Error{Fault: client.Refused, Op: "credentials", Message: strings.Join(missing, " and ") + " not set",
			Remedy: "set them in the environment, or name files that hold them by " + strings.Join(missing, "_FILE and ") + "_FILE"})
	}
	return fine("%s and %s are set", key, secret)
}

// format looks whether key and secret can be what they are meant to be. It leaves the base URL aside.
func (p *patient) format() Check {
	if _, err := uid2.New(uid2.Options{Service: p.Service, APIKey: p.APIKey, ClientSecret: p.ClientSecret}); err != nil {
		return failed(err)
	}
	return fine("the key is plain text, the secret 32 bytes in base64")
}

// address looks whether the base URL can be one. It leaves the credentials aside: those here are of nobody.
func (p *patient) address() Check {
	nobody := client.NewSecret(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if _, err := uid2.New(uid2.Options{Service: p.Service, BaseURL: p.BaseURL, APIKey: nobody, ClientSecret: nobody}); err != nil {
		return failed(err)
	}
	base, dropped := uid2.CleanBaseURL(p.BaseURL)
	var err error
	if p.url, err = url.Parse(base); err != nil { // New has read it already
		return failed(err)
	}
	if strings.Trim(dropped, "/") != "" {
		return doubtful("leave it out of the base URL", "%s, environment %s; the %q at its end belongs to the calls and is ignored", base, p.Environment, dropped)
	}
	return fine("%s, environment %s", base, p.Environment)
}

// testIdentities are documented: the first two are never opted out, the others always.
func testIdentities() []normalize.ID {
	email := func(text string) normalize.ID {
		return normalize.ID{Kind: normalize.KindEmail, Hash: sha256.Sum256([]byte(text))}
	}
	phone := func(text string) normalize.ID {
		return normalize.ID{Kind: normalize.KindPhone, Hash: sha256.Sum256([]byte(text))}
	}
	return []normalize.ID{email("validate@example.com"), phone("+12345678901"), email("optout@example.com"), phone("+00000000000")}
}

// ask asks for the test identities, which shows whether key, secret and role belong together.
func (p *patient) ask(ctx context.Context) Check {
	var retried int
	var last transport.Retry
	limited, cancel := context.WithTimeout(ctx, mapWithin)
	defer cancel()
	began := time.Now()
	api, err := uid2.New(uid2.Options{
		Service: p.Service, BaseURL: p.BaseURL, APIKey: p.APIKey, ClientSecret: p.ClientSecret, Version: p.Version, MaxPoison: -1,
		Transport: transport.Options{
			RoundTripper: p.http, MaxInFlight: 1, AttemptTimeout: attemptWithin, GiveUpAfter: retryFor,
			OnRetry: func(r transport.Retry) {
				if retried, last = retried+1, r; time.Since(began)+r.Wait > mapWithin {
					cancel() // what the service wants us to wait for comes too late
				}
			},
		},
	})
	if err != nil {
		return failed(err)
	}
	err = api.Map(limited, testIdentities(), &p.answers)
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err != nil && ctx.Err() == nil:
		return failed(p.explain(err, last))
	case err != nil:
		return failed(err)
	case retried > 0:
		return doubtful("look at the network and at the status of the service if this goes on",
			"the key, its role and the secret are right, but %d requests failed before, lastly with %s", retried, outcome(last))
	}
	return fine("the key is known in %s and has the MAPPER role, the secret belongs to it; answered in %v", p.Environment, took)
}

// explain makes the best of an error after which a job would have gone on asking.
func (p *patient) explain(err error, last transport.Retry) error {
	var e *client.Error
	final := errors.As(err, &e)
	switch {
	case final && e.Fault != client.Unreachable:
		return err
	case last.Status == http.StatusOK:
		return &client.Error{Fault: client.Broken, Op: "identity/map", Status: last.Status, Message: "the replies are not those of an operator", Err: last.Err,
			Remedy: "look at the base URL, and whether something in between answers in the service's place"}
	case final && last.Status == 0:
		return err
	case last.Status == http.StatusTooManyRequests:
		return &client.Error{Fault: client.Unreachable, Op: "identity/map", Status: last.Status, Message: "HTTP 429, as often as it was asked",
			Remedy: "the key or this address is over its rate: stop what else uses it, or wait"}
	}
	return &client.Error{Fault: client.Unreachable, Op: "identity/map", Status: last.Status, Message: "no answer; lastly " + outcome(last),
		Remedy: "look at the network and at the status page of the service, then try again"}
}

// outcome says what came of an attempt.
func outcome(r transport.Retry) string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.Status == 0:
		return fmt.Sprintf("nothing within %v", mapWithin)
	}
	return fmt.Sprintf("HTTP %d", r.Status)
}

// mapped looks at the identities that always have a raw UID.
func (p *patient) mapped() Check {
	for i, name := range []string{"email", "phone"} {
		if got := p.answers.Items[i].Status; got != client.Mapped {
			return failed(&client.Error{Fault: client.Broken, Op: "answers", Message: fmt.Sprintf("the test %s that always has a raw UID is %s", name, statusName(got)),
				Remedy: "the operator is not set up as documented; ask those who run it"})
		}
	}
	return fine("the test email and phone have raw UIDs")
}

// optedOut looks at the identities that are always opted out. Operators of others need not know them.
func (p *patient) optedOut() Check {
	const remedy = "opt-outs may be ignored there; ask those who run the operator"
	for i, name := range []string{"email", "phone"} {
		got := p.answers.Items[2+i].Status
		message := fmt.Sprintf("the test %s that is always opted out is %s", name, statusName(got))
		switch {
		case got == client.OptOut:
		case p.isPublic():
			return failed(&client.Error{Fault: client.Broken, Op: "opt-out", Message: message, Remedy: remedy})
		default:
			return doubtful(remedy, "%s", message)
		}
	}
	return fine("the test email and phone are opted out")
}

// isPublic says whether the host is one of the service's own.
func (p *patient) isPublic() bool {
	name := uid2.Environment(p.Service, p.BaseURL)
	return name == p.Service.String()+"-prod" || name == p.Service.String()+"-integ"
}

func statusName(s client.Status) string {
	switch s {
	case client.Mapped:
		return "mapped"
	case client.OptOut:
		return "opted out"
	case client.Invalid:
		return "said to be invalid"
	}
	return "not answered"
}
