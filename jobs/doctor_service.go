package jobs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"

	"mapper/client"
	"mapper/client/transport"
	"mapper/client/uid2"
	"mapper/normalize"
)

// patient is UID2 or EUID, and what is known of it so far.
type patient struct {
	*Doctor
	way
	answers client.Answers
}

// checks examines the way to the service, and the credentials by asking it for the test identities.
func (d *Doctor) checks(ctx context.Context) []Check {
	p := &patient{Doctor: d, way: newWay()}
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

func (p *patient) credentials() Check {
	prefix := strings.ToUpper(p.Service.String())
	return credentials(p.Unread, credential{prefix + "_API_KEY", !p.APIKey.IsZero()}, credential{prefix + "_SECRET_KEY", !p.ClientSecret.IsZero()})
}

// format looks whether key and secret can be what they are meant to be. It leaves the base URL aside.
func (p *patient) format() Check {
	if _, err := uid2.New(uid2.Options{Service: p.Service, APIKey: p.APIKey, ClientSecret: p.ClientSecret}); err != nil {
		return failed(err)
	}
	return fine("the key is plain text, the secret 32 bytes in base64")
}

// address looks whether the base URL can be one.
func (p *patient) address() Check {
	if err := checkBaseURL(p.Service, p.BaseURL); err != nil {
		return failed(err)
	}
	base, dropped := uid2.CleanBaseURL(p.BaseURL)
	var err error
	if p.url, err = url.Parse(base); err != nil { // it has been read already
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
	return p.question(ctx, "identity/map", func(ctx context.Context, o transport.Options) (string, error) {
		api, err := uid2.New(uid2.Options{
			Service: p.Service, BaseURL: p.BaseURL, APIKey: p.APIKey, ClientSecret: p.ClientSecret, Version: p.Version,
			MaxPoison: -1, Transport: o,
		})
		if err != nil {
			return "", err
		}
		accepted := "the key is known in " + p.Environment + " and has the MAPPER role, the secret belongs to it"
		return accepted, api.Map(ctx, testIdentities(), &p.answers)
	})
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
