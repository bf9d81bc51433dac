package uid2

import (
	"crypto/cipher"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mapper/client"
	"mapper/client/transport"
)

// Options describes a Client. APIKey and ClientSecret are required; other zero fields mean their default.
type Options struct {
	Service Service // default UID2

	// BaseURL is scheme and host of the operator, and a path in front of /v3 if it has one. Default: the service's
	// production. A slash, /v2 or /v3 at its end is dropped, with a warning.
	BaseURL string

	APIKey       client.Secret // sent as it is
	ClientSecret client.Secret // standard base64 of 32 bytes

	// What messages call the two; default: the variables that the command reads.
	APIKeyName, ClientSecretName string

	MaxBatch  int // identities in a request, 1 to MaxItems; default MaxItems
	MaxPoison int // values that alone make the service fail, before the Client stops; default 20, negative is none

	Version   string            // of the program, told to the service; default "dev"
	Transport transport.Options // retries, requests at once, rate
	Logger    *slog.Logger      // for warnings, never with an identity; default none
	Now       func() time.Time  // the clock, for the time in requests; default time.Now
}

// Client maps identities with one API key. It is safe for use by many goroutines; how many requests are under way at
// once is up to them and to Options.Transport.MaxInFlight.
type Client struct {
	opts      Options
	op        string // what errors begin with
	url       *url.URL
	aead      cipher.AEAD
	transport *transport.Transport

	marked  atomic.Int64 // values found bad, that which was one too many included
	flaky   atomic.Bool  // the service was seen to fail by chance
	oddTime atomic.Int64
}

// New returns a Client. It sends nothing. Errors are *client.Error Refused, and show no secret.
func New(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	c := &Client{opts: opts, op: opts.Service.String() + " identity/map"}
	base, dropped := CleanBaseURL(opts.BaseURL)
	if dropped != "" {
		opts.Logger.Warn("the base URL ends in a path that belongs to the calls; it is left out", "dropped", dropped)
	}
	if err := c.setURL(base); err != nil {
		return nil, err
	}
	if err := c.setCredentials(); err != nil {
		return nil, err
	}
	if opts.MaxBatch < 1 || opts.MaxBatch > MaxItems {
		return nil, c.refused("a batch of more than 5000 or less than 1 identities is not allowed", "set MaxBatch to 1 to 5000")
	}
	c.transport = transport.New(opts.Transport)
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.BaseURL == "" {
		o.BaseURL = o.Service.Production()
	}
	variables := strings.ToUpper(o.Service.String())
	if o.APIKeyName == "" {
		o.APIKeyName = variables + "_API_KEY"
	}
	if o.ClientSecretName == "" {
		o.ClientSecretName = variables + "_SECRET_KEY"
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = MaxItems
	}
	if o.MaxPoison == 0 {
		o.MaxPoison = 20
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// setURL takes the base URL apart. Its errors show none of it but scheme and host: people put credentials into URLs.
func (c *Client) setURL(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return c.refused("the base URL cannot be read", "it looks like "+c.opts.Service.Production())
	}
	if err := transport.CheckURL(u); err != nil {
		return c.refused(err.Error(), "")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return c.refused("the base URL holds a user, a query or a fragment", "give the key by Options.APIKey (the command reads "+c.opts.APIKeyName+")")
	}
	for _, other := range []Service{UID2, EUID} {
		if name := other.environment(hostOf(u)); name != "" && other != c.opts.Service {
			return c.refused("the base URL is that of "+name, "choose the service and the base URL that belong to the key")
		}
	}
	// Not JoinPath: on an empty path it makes one without a slash in front, which no server takes.
	u.Path = strings.TrimRight(u.Path, "/") + "/v3/identity/map"
	c.url = u
	return nil
}

// setCredentials looks at key and secret as they are: nobody is asked, so the errors name no call.
func (c *Client) setCredentials() error {
	key, secret := c.opts.APIKey.Reveal(), c.opts.ClientSecret.Reveal()
	refused := func(message, remedy string) error {
		return &client.Error{Fault: client.Refused, Op: "credentials", Message: message, Remedy: remedy}
	}
	switch {
	case key == "":
		return refused("there is no API key", "set Options.APIKey (the command reads "+c.opts.APIKeyName+")")
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return refused("the API key holds white space or something that is not ASCII", "look for a line end in "+c.opts.APIKeyName)
	case secret == "":
		return refused("there is no client secret", "set Options.ClientSecret (the command reads "+c.opts.ClientSecretName+")")
	}
	aead, err := newAEAD(secret)
	if err != nil {
		return refused(err.Error(), "look at "+c.opts.ClientSecretName+": the secret is 44 characters that end in =")
	}
	c.aead = aead
	return nil
}

// header is made for every call: kept in the Client it would show the API key to whoever prints one.
func (c *Client) header() http.Header {
	return http.Header{
		"Authorization": {"Bearer " + c.opts.APIKey.Reveal()},
		// The bare type: the service compares the whole value, and takes anything else for base64.
		"Content-Type":          {mediaBinary},
		"X-Uid2-Client-Version": {"mapper-" + c.opts.Version},
	}
}

// Stats is what a Client has done so far.
type Stats struct {
	transport.Stats
	Poisoned        int64 // values marked because they alone make the service fail
	OddRefreshTimes int64 // refresh_from times that cannot be, taken as unknown
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	return Stats{
		Stats:           c.transport.Stats(),
		Poisoned:        min(c.marked.Load(), int64(max(0, c.opts.MaxPoison))),
		OddRefreshTimes: c.oddTime.Load(),
	}
}

// CloseIdleConnections closes the connections that no request uses now.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// seed returns what makes an envelope unique.
func seed() (v iv, n nonce) {
	_, _ = rand.Read(v[:]) // documented never to fail
	_, _ = rand.Read(n[:])
	return v, n
}
