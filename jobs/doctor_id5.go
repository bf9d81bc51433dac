package jobs

import (
	"context"
	"net/url"
	"strings"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/objects"
	"mapper/client/transport"
)

// ID5Doctor finds out why a job for ID5 Partner Signals would fail, before it does. Its zero value but for the credentials
// examines production. [Doctor] is its like for UID2 and EUID.
type ID5Doctor struct {
	BaseURL     string // default: production
	Environment string // that the table has to be of; default: the host of BaseURL
	Partner     string
	Token       client.Secret
	Unread      error // why the credentials could not be read, if so; it then stands in their place

	Out     string         // a table, or where one is to be; default: storage is not examined
	Store   *objects.Store // how to reach storages; default: one that gives up within seconds
	Version string         // of the program, for the service
}

// Examine looks at everything, within 20 seconds whatever is broken. It sends the service one request for nobody, which
// shows whether it accepts the credentials, and at Out creates a small object and deletes it. It shows no secret.
func (d ID5Doctor) Examine(ctx context.Context) *Diagnosis {
	if d.BaseURL == "" {
		d.BaseURL = id5.Production
	}
	if d.Environment == "" {
		d.Environment = id5.Environment(d.BaseURL)
	}
	s := subject{service: "id5", environment: d.Environment, out: d.Out, store: d.Store}
	return s.examine(ctx, d.checks)
}

// id5Patient is ID5, and what is known of it so far.
type id5Patient struct {
	*ID5Doctor
	way
}

func (d *ID5Doctor) checks(ctx context.Context) []Check {
	p := &id5Patient{ID5Doctor: d, way: newWay()}
	defer p.http.CloseIdleConnections()
	var r rounds
	r.check("credentials", p.credentials)
	r.check("partner and token", p.format, "credentials")
	r.check("base url", p.address)
	r.check("dns", func() Check { return p.resolve(ctx) }, "base url")
	r.check("connection", func() Check { return p.connect(ctx) }, "dns")
	r.check("clock", p.clock, "connection")
	r.check("signals", func() Check { return p.ask(ctx) }, "partner and token", "connection")
	return r.done
}

func (p *id5Patient) credentials() Check {
	return credentials(p.Unread, credential{"ID5_PARTNER", p.Partner != ""}, credential{"ID5_TOKEN", !p.Token.IsZero()})
}

// format looks whether partner and token can be what they are meant to be. It leaves the base URL aside.
func (p *id5Patient) format() Check {
	if _, err := id5.New(id5.Options{Partner: p.Partner, Token: p.Token}); err != nil {
		return failed(err)
	}
	return fine("the partner number is digits, the token plain text")
}

// address looks whether the base URL can be one. It leaves the credentials aside: those here are of nobody.
func (p *id5Patient) address() Check {
	if _, err := id5.New(id5.Options{BaseURL: p.BaseURL, Partner: "0", Token: client.NewSecret("nobody")}); err != nil {
		return failed(baseURLError("id5", err))
	}
	base := strings.TrimRight(strings.TrimSpace(p.BaseURL), "/")
	var err error
	if p.url, err = url.Parse(base); err != nil { // New has read it already
		return failed(err)
	}
	return fine("%s, environment %s", base, p.Environment)
}

// clock only warns: nothing that is sent has a time in it.
func (p *id5Patient) clock() Check {
	switch s, shown := p.skew(); {
	case !shown:
		return noTime()
	case s.off >= skewFail:
		return doubtful("set it, by NTP if there is; ID5 does not look at it, but certificates and storages do", "%s", s.text)
	default:
		return fine("%s", s.text)
	}
}

func (p *id5Patient) ask(ctx context.Context) Check {
	return p.question(ctx, "signals", func(ctx context.Context, o transport.Options) (string, error) {
		api, err := id5.New(id5.Options{BaseURL: p.BaseURL, Partner: p.Partner, Token: p.Token, Version: p.Version, Transport: o})
		if err != nil {
			return "", err
		}
		return "partner number and token are accepted at " + p.url.Host, api.Check(ctx)
	})
}
