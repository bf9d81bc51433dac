package uid2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"mapper/client"
	"mapper/client/transport"
	"mapper/normalize"
)

// MaxItems is the most identities that the API takes in a request.
const MaxItems = 5000

// Options describes a client. Service, BaseURL, APIKey and ClientSecret say whom to ask and as whom; a zero value
// of the rest means its default.
type Options struct {
	Service      Service
	BaseURL      string        // https, or http to this machine; default: the service's production
	APIKey       client.Secret // required
	ClientSecret client.Secret // required: standard base64 of 32 bytes

	MaxBatch  int    // identities in a request; default and at most MaxItems
	MaxPoison int    // identities that alone make the operator fail, before Map gives up; default 20
	Version   string // of the caller, told to the operator

	Transport transport.Options
	Log       *slog.Logger // warnings about odd replies; default: none
}

// Client asks one operator. It is safe for concurrent use.
type Client struct {
	opts      Options
	op        string // names the call in errors
	url       *url.URL
	header    http.Header
	sealer    *sealer
	transport *transport.Transport
	replies   sync.Pool // of *[]byte
	now       func() time.Time

	lastSuccess atomic.Int64 // Unix nanoseconds
	poison      atomic.Int64 // identities marked so far
	warned      sync.Map     // oddities that have been logged
}

// New returns a client. What is wrong with its options is a *[client.Error] with the fault Refused.
func New(opts Options) (*Client, error) {
	if opts.BaseURL == "" {
		opts.BaseURL = opts.Service.Production()
	}
	if opts.MaxBatch <= 0 || opts.MaxBatch > MaxItems {
		opts.MaxBatch = MaxItems
	}
	if opts.MaxPoison <= 0 {
		opts.MaxPoison = 20
	}
	if opts.Version == "" {
		opts.Version = "dev"
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{opts: opts, op: opts.Service.String() + " identity/map", transport: transport.New(opts.Transport), now: time.Now}
	base, _ := CleanBaseURL(opts.BaseURL)
	var err error
	if c.url, err = url.Parse(base + "/v3/identity/map"); err != nil {
		return nil, c.refused("the base URL is no URL", "write https:// and a host") // the cause would quote it
	}
	if err := transport.CheckURL(c.url); err != nil {
		return nil, c.refused(err.Error(), "")
	}
	if opts.APIKey.IsZero() {
		return nil, c.refused("there is no API key", "set it; the operator's administrator gives it out")
	}
	if c.sealer, err = newSealer(opts.ClientSecret.Reveal()); err != nil {
		return nil, c.refused(err.Error(), "copy the secret whole, as it was given out with the API key")
	}
	c.header = http.Header{
		"Authorization":         {"Bearer " + opts.APIKey.Reveal()},
		"Content-Type":          {"application/octet-stream"},
		"X-Uid2-Client-Version": {"mapper-" + opts.Version},
	}
	return c, nil
}

// Stats returns what the client has sent so far.
func (c *Client) Stats() transport.Stats { return c.transport.Stats() }

// Map asks for the raw UIDs of identities and fills answers with one answer for each, in the order given. Any
// number of identities may be given: they are asked in requests of MaxBatch, one after the other, so that a call
// never has more than one request in flight. Call it from many goroutines to have more. answers is overwritten
// and its memory used again; after an error it means nothing.
//
// Errors: *[client.Error], or one that wraps the cause of ctx.
func (c *Client) Map(ctx context.Context, ids []normalize.ID, answers *client.Answers) error {
	answers.Reset(len(ids))
	for from := 0; from < len(ids); from += c.opts.MaxBatch {
		b := batch{ids, from, min(len(ids), from+c.opts.MaxBatch), answers}
		if err := c.batch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// batch is some consecutive identities of a call of Map, and where their answers go.
type batch struct {
	ids      []normalize.ID
	from, to int
	answers  *client.Answers
}

func (b batch) len() int { return b.to - b.from }

// halves tears a batch in two.
func (b batch) halves() (left, right batch) {
	left, right = b, b
	left.to = b.from + b.len()/2
	right.from = left.to
	return left, right
}

// batch has a batch answered, whatever it takes.
func (c *Client) batch(ctx context.Context, b batch) error {
	return c.settle(ctx, b, c.ask(ctx, b, max500))
}

// settle deals with what ask returned for a batch.
func (c *Client) settle(ctx context.Context, b batch, err error) error {
	var large *tooLargeError
	var failing *failing500Error
	switch {
	case errors.As(err, &large) && b.len() == 1:
		return c.broken(http.StatusRequestEntityTooLarge, "a request of one identity is too large", "")
	case errors.As(err, &large):
		left, right := b.halves()
		if err := c.batch(ctx, left); err != nil {
			return err
		}
		return c.batch(ctx, right)
	case errors.As(err, &failing):
		return c.suspect(ctx, b, failing.at)
	}
	return err
}

// ask sends a batch and reads its answers. It returns *tooLargeError after 413, *failing500Error after so many
// replies 500 in a row, and else what Map may return.
func (c *Client) ask(ctx context.Context, b batch, max500 int) error {
	buffer := c.buffer()
	defer c.replies.Put(buffer)
	for clockTried := false; ; clockTried = true {
		var sent nonce
		response, err := c.transport.Do(ctx, &transport.Call{
			Op:     c.op,
			URL:    c.url,
			Header: c.header,
			Max500: max500,
			Build: func(dst []byte) ([]byte, error) {
				dst, sent = c.sealer.begin(dst, c.now())
				return c.sealer.seal(appendRequest(dst, b.ids[b.from:b.to])), nil
			},
			Accept: func(r transport.Response) error { return c.accept(&r, sent, b) },
		}, (*buffer)[:0])
		if err != nil {
			return err
		}
		*buffer = response.Buffer
		switch {
		case response.Status == http.StatusOK:
			c.lastSuccess.Store(time.Now().UnixNano())
			return nil
		case response.Status == http.StatusInternalServerError:
			return &failing500Error{at: time.Now()}
		case response.Status == http.StatusRequestEntityTooLarge:
			return &tooLargeError{}
		}
		err = c.statusError(&response)
		if !isClock(err) || clockTried {
			return err
		}
	}
}

func (c *Client) buffer() *[]byte {
	if b, ok := c.replies.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// accept reads the answers of a reply into the batch. Its error means that nothing of the reply is believed.
func (c *Client) accept(r *transport.Response, sent nonce, b batch) error {
	if r.Status != http.StatusOK {
		return fmt.Errorf("HTTP %d is no reply to this call", r.Status)
	}
	body := r.Body
	if r.Header.Get("Content-Type") != "application/octet-stream" {
		var err error
		if body, err = text(body); err != nil {
			return err
		}
	}
	a := b.answers
	before := len(a.Text)
	plain, at, err := c.sealer.open(a.Text, body, sent)
	if err != nil {
		return err
	}
	a.Text = plain
	s := scanner{text: plain, pos: before + headLen, ids: b.ids[b.from:b.to], first: b.from, answers: a, at: at.UnixMilli()}
	if err := s.reply(); err != nil {
		clear(a.Items[b.from:b.to])
		a.Text = a.Text[:before]
		return err
	}
	if s.oddRefresh > 0 {
		c.warnOnce("the operator sent refresh times that are no Unix seconds; they are converted or left out")
	}
	return nil
}

func (c *Client) warnOnce(message string) {
	if _, done := c.warned.LoadOrStore(message, true); !done {
		c.opts.Log.Warn(message)
	}
}

// appendRequest appends the JSON of a request: {"email_hash":[...],"phone_hash":[...]}, each with the identities
// of its kind in order.
func appendRequest(dst []byte, ids []normalize.ID) []byte {
	dst = append(dst, `{"email_hash":[`...)
	dst = appendKind(dst, ids, normalize.KindEmail)
	dst = append(dst, `],"phone_hash":[`...)
	dst = appendKind(dst, ids, normalize.KindPhone)
	return append(dst, `]}`...)
}

func appendKind(dst []byte, ids []normalize.ID, kind normalize.Kind) []byte {
	first := true
	for i := range ids {
		if ids[i].Kind != kind {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = ids[i].AppendBase64(dst)
		dst = append(dst, '"')
	}
	return dst
}
