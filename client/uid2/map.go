package uid2

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"mapper/client"
	"mapper/client/jsonscan"
	"mapper/client/transport"
	"mapper/normalize"
)

// Map asks for the raw UIDs of ids, any number of them, in requests of at most MaxBatch, one after the other. ans gets
// one answer for each, in the same order; what it held before is overwritten, its memory reused. Afterwards it belongs to
// the caller again. Duplicates are asked and answered once per occurrence.
//
// An opted-out, refused or unknown identity is an answer, not an error. After an error ans means nothing. Errors are
// *client.Error, or wrap the cause of ctx.
func (c *Client) Map(ctx context.Context, ids []normalize.ID, ans *client.Answers) error {
	ans.Reset(len(ids))
	all := part{ids: ids, ans: ans}
	for from := 0; from < len(ids); from += c.opts.MaxBatch {
		if err := c.batch(ctx, all.slice(from, min(from+c.opts.MaxBatch, len(ids)))); err != nil {
			return err
		}
	}
	return nil
}

// part is some neighbouring identities of one Map and where their answers go.
type part struct {
	ids   []normalize.ID
	first int // which of the answers is that of ids[0]
	ans   *client.Answers
}

func (p part) slice(from, to int) part {
	return part{ids: p.ids[from:to], first: p.first + from, ans: p.ans}
}

// errFailing says that the service answers a part with 500.
var errFailing = errors.New("HTTP 500")

// ask answers a part with one request, or with several if the service finds it too large. A 500 that is the max500-th in
// a row ends it with errFailing; max500 of 0 means to go on until the transport gives up.
func (c *Client) ask(ctx context.Context, p part, max500 int) error {
	x := exchange{client: c, part: p}
	call := &transport.Call{Op: c.op, URL: c.url, Header: c.header(), Build: x.build, Accept: x.accept, Max500: max500}
	r, err := c.transport.Do(ctx, call, p.ans.Text)
	if err == nil && isTooOld(r) {
		// Built in time and yet too old: perhaps it was held up on the way, so one more is worth it.
		r, err = c.transport.Do(ctx, call, p.ans.Text)
	}
	switch n := len(p.ids); {
	case err != nil:
		return err
	case r.Status == http.StatusOK:
		return x.final
	case r.Status == http.StatusInternalServerError:
		return errFailing
	case r.Status == http.StatusRequestEntityTooLarge && n > 1:
		if err := c.ask(ctx, p.slice(0, n/2), max500); err != nil {
			return err
		}
		return c.ask(ctx, p.slice(n/2, n), max500)
	}
	return c.rejected(r)
}

// exchange is the body of a request and what is made of the reply to it.
type exchange struct {
	client *Client
	part
	nonce nonce // of the last attempt

	final error // what a reply said that was believed and is no success
}

// build makes the body of one attempt. It runs when the request is about to leave, so the time in it is right.
func (x *exchange) build(dst []byte) ([]byte, error) {
	var v iv
	v, x.nonce = seed()
	dst = beginEnvelope(dst, v, x.nonce, x.client.opts.Now().UnixMilli())
	return seal(x.client.aead, appendRequest(dst, x.ids)), nil
}

const mediaBinary = "application/octet-stream"

// isBinary says whether a reply is an envelope as it is. The service may answer in base64 whatever was sent.
func isBinary(h http.Header) bool {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), mediaBinary)
}

// accept decrypts and reads a reply of status 200. The texts of the answers stay where they were received.
func (x *exchange) accept(r transport.Response) (err error) {
	x.final = nil
	buffer, begin := r.Buffer, len(r.Buffer)-len(r.Body)
	if r.Status != http.StatusOK {
		return fmt.Errorf("HTTP %d is not a status of this service", r.Status)
	}
	if !isBinary(r.Header) {
		begin = len(buffer)
		if buffer, err = base64.StdEncoding.AppendDecode(buffer, r.Body); err != nil {
			return errPadding
		}
	}
	at, from, to, err := open(x.client.aead, buffer[begin:], x.nonce)
	if err != nil {
		return err
	}
	if len(buffer) > math.MaxUint32/2 {
		x.final = x.client.refused("too many identities for one call: their answers need more than 2 GB", "ask for them in several calls")
		return nil
	}
	x.ans.Text = buffer[:begin+to]
	return x.read(reply{Scanner: jsonscan.Scanner{Data: x.ans.Text, Pos: begin + from}, part: x.part, at: at})
}

// read puts a reply into the answers.
func (x *exchange) read(r reply) error {
	c := x.client
	if err := r.read(); err != nil {
		return err
	}
	if r.status != statusSuccess {
		x.final = &client.Error{Fault: client.Broken, Op: c.op, Status: http.StatusOK,
			Message: fmt.Sprintf("the service answered with status %q", c.printable(r.status))}
		return nil
	}
	if r.odd > 0 && c.oddTime.Add(int64(r.odd)) == int64(r.odd) { // the first time only: there may be millions
		c.opts.Logger.Warn("the service sent refresh_from times that cannot be; they are taken as unknown", "in_this_reply", r.odd)
	}
	return nil
}
