package id5

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"mapper/client"
	"mapper/client/transport"
)

// Production is the base URL of ID5.
const Production = "https://api.id5-sync.com"

// How many users go into a request.
const (
	DefaultBatch = 1000  // what the documentation states as the limit
	MaxUsers     = 10000 // what its table of errors says instead
)

// Options describes a Client. Partner and Token are required; other zero fields mean their default.
type Options struct {
	BaseURL string        // scheme and host, and a path in front of /partners if there is one; default Production
	Partner string        // the number that ID5 assigned, digits only
	Token   client.Secret // that ID5 issued; sent in the query of the URL

	MaxBatch  int // users in a request, 1 to MaxUsers; default DefaultBatch
	MaxPoison int // users that the service refuses without naming them, before the Client stops; default 20, negative is none

	Version   string            // of the program, told to the service; default "dev"
	Transport transport.Options // retries, requests at once (default 4), rate
	Logger    *slog.Logger      // for warnings, never with a hash; default none
}

// Client asks for ids with one token. It is safe for use by many goroutines; how many requests are under way at once is
// up to them and to Options.Transport.MaxInFlight.
type Client struct {
	opts      Options
	base      *url.URL
	transport *transport.Transport
	exchanges sync.Pool // of *exchange

	refusals atomic.Int64 // requests refused because of some of their users
	marked   atomic.Int64 // users found bad without being named, that which was one too many included
	extra    atomic.Int64
}

// New returns a Client. It sends nothing. Errors are *client.Error Refused, and show no secret.
func New(opts Options) (*Client, error) {
	c := &Client{opts: opts.withDefaults()}
	if err := c.setURL(c.opts.BaseURL); err != nil {
		return nil, err
	}
	if err := c.opts.checkCredentials(); err != nil {
		return nil, err
	}
	if c.opts.MaxBatch < 1 || c.opts.MaxBatch > MaxUsers {
		return nil, refused("a batch of more than 10000 or less than 1 users is not allowed", "set MaxBatch to 1 to 10000")
	}
	c.transport = transport.New(c.opts.Transport)
	c.exchanges.New = func() any { return new(exchange) }
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.BaseURL == "" {
		o.BaseURL = Production
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = DefaultBatch
	}
	if o.MaxPoison == 0 {
		o.MaxPoison = 20
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Transport.MaxInFlight == 0 {
		o.Transport.MaxInFlight = 4
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// setURL takes the base URL apart. Its errors show none of it but scheme and host: people put credentials into URLs.
func (c *Client) setURL(base string) error {
	u, err := url.Parse(strings.TrimSpace(base))
	if err != nil {
		return refused("the base URL cannot be read", "it looks like "+Production)
	}
	if err := transport.CheckURL(u); err != nil {
		return refused(err.Error(), "")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return refused("the base URL holds a user, a query or a fragment", "give the token by Options.Token (the command reads ID5_TOKEN)")
	}
	// Not JoinPath: on an empty path it makes one without a slash in front, which no server takes.
	u.Path = strings.TrimRight(u.Path, "/") + "/partners/v1/" + c.opts.Partner + "/signals"
	c.base = u
	return nil
}

func (o *Options) checkCredentials() error {
	token := o.Token.Reveal()
	switch {
	case o.Partner == "":
		return refused("there is no partner number", "set Options.Partner (the command reads ID5_PARTNER)")
	case strings.Trim(o.Partner, "0123456789") != "":
		return refused("the partner number holds something other than digits", "look at ID5_PARTNER: it is the number that ID5 assigned")
	case token == "":
		return refused("there is no token", "set Options.Token (the command reads ID5_TOKEN)")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return refused("the token holds white space or something that is not ASCII", "look for a line end in ID5_TOKEN")
	}
	return nil
}

// endpoint is made for every call: kept in the Client it would show the token to whoever prints one.
func (c *Client) endpoint() *url.URL {
	u := *c.base
	u.RawQuery = "token=" + url.QueryEscape(c.opts.Token.Reveal())
	return &u
}

func (c *Client) header() http.Header {
	return http.Header{
		"Content-Type": {"application/json; charset=UTF-8"},
		"User-Agent":   {"mapper/" + c.opts.Version},
	}
}

// Environment names what the uids of a base URL belong to: its host, without the port.
func Environment(baseURL string) string {
	u, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}

// Stats is what a Client has done so far.
type Stats struct {
	transport.Stats
	Refusals int64 // requests that the service refused because of some of their users
	Poisoned int64 // users marked because they alone make it refuse a request, though it does not name them
	Extra    int64 // users in replies that nobody had asked for, or that were there twice
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	return Stats{
		Stats:    c.transport.Stats(),
		Refusals: c.refusals.Load(),
		Poisoned: min(c.marked.Load(), int64(max(0, c.opts.MaxPoison))),
		Extra:    c.extra.Load(),
	}
}

// CloseIdleConnections closes the connections that no request uses now.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }
