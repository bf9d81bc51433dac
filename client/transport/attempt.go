package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// attempt is one request and what came of it.
type attempt struct {
	Response
	err     error // why there is no whole reply, or why it cannot be believed
	spoiled bool  // there is one, but it cannot be believed
	took    time.Duration

	inFlight bool          // it has not given its place back
	episode  int           // the gate's, when the request left
	wait     time.Duration // before the next attempt
	paused   bool          // everybody waits
}

func (a *attempt) succeeded() bool { return a.err == nil && a.Status/100 == 2 }

// outcome is what came of the attempt. ctx is that of the call.
func (a *attempt) outcome(ctx context.Context) Outcome {
	switch {
	case a.spoiled:
		return Spoiled
	case a.err != nil && ctx.Err() != nil:
		return Interrupted
	case errors.Is(a.err, context.DeadlineExceeded):
		return Timeout
	case a.err != nil:
		return NetworkError
	case a.succeeded():
		return OK
	case a.Status == http.StatusTooManyRequests:
		return Throttled
	case a.Status/100 == 5:
		return ServerError
	}
	return Rejected
}

// attempt sends a call once. Its error ends the call; what the service or the network did is in the attempt.
//
// An attempt that succeeded gives its place in flight back at once, as Accept may take a while. Every other keeps it until
// it is judged, so that nobody takes the place before the pause that it asks for is on.
func (t *Transport) attempt(ctx context.Context, call *Call, buf []byte) (attempt, error) {
	episode, err := t.gate.enter(ctx)
	if err != nil {
		return attempt{}, interrupted(ctx, call)
	}
	a, err := t.send(ctx, call, buf)
	a.episode, a.inFlight = episode, true
	if err != nil {
		return a, err
	}
	if a.succeeded() {
		t.leave(&a)
		if call.Accept != nil {
			a.err = call.Accept(a.Response)
			a.spoiled = a.err != nil
		}
	}
	outcome := a.outcome(ctx)
	t.opts.OnAttempt(Attempt{Outcome: outcome, Status: a.Status, Took: a.took})
	if outcome == Interrupted {
		return a, interrupted(ctx, call)
	}
	return a, nil
}

// leave gives the attempt's place in flight back, if it still has one.
func (t *Transport) leave(a *attempt) {
	if a.inFlight {
		a.inFlight = false
		t.gate.leave()
	}
}

// send builds the body, sends it and reads the reply. It fails only if Build does.
func (t *Transport) send(ctx context.Context, call *Call, buf []byte) (attempt, error) {
	body, err := t.build(call)
	if err != nil {
		return attempt{}, err
	}
	limited, cancel := context.WithTimeout(ctx, t.opts.AttemptTimeout)
	defer cancel()
	t.requests.Add(1)
	sent := time.Now()
	a := attempt{Response: Response{Buffer: buf}}
	reply, err := t.opts.RoundTripper.RoundTrip(newRequest(call, body).WithContext(limited))
	if err == nil {
		defer func() { _ = reply.Body.Close() }() // what it would say is of bytes that nobody wants
		a.Status, a.Header = reply.StatusCode, reply.Header
		err = t.read(&a, reply)
	}
	a.took = time.Since(sent)
	switch {
	case err == nil:
	case limited.Err() != nil:
		a.err = fmt.Errorf("no whole reply within %v: %w", t.opts.AttemptTimeout, limited.Err())
	default:
		a.err = redact(err, call)
	}
	return a, nil
}

func newRequest(call *Call, body *requestBody) *http.Request {
	request := &http.Request{
		Method:        call.Method,
		URL:           call.URL,
		Header:        call.Header,
		Body:          body,
		ContentLength: int64(len(body.data)),
	}
	if request.Method == "" {
		request.Method = http.MethodPost
	}
	if request.Header == nil {
		request.Header = http.Header{}
	}
	return request
}

// maxErrorBody bounds the body of a reply that is no success: a message, or the HTML of a front end.
const maxErrorBody = 64 << 10

var errTooLong = errors.New("the reply is too long")

// read reads the body of a reply behind what is in the buffer.
func (t *Transport) read(a *attempt, reply *http.Response) (err error) {
	limit, begin := t.opts.MaxResponse, len(a.Buffer)
	if !a.succeeded() {
		limit = maxErrorBody
	}
	a.Buffer, err = appendAll(a.Buffer, reply.Body, reply.ContentLength, limit)
	a.Body = a.Buffer[begin:]
	switch {
	case errors.Is(err, errTooLong) && a.succeeded():
		a.spoiled = true
		return fmt.Errorf("%w: over %d bytes", err, limit)
	case errors.Is(err, errTooLong), retryable(a.Status):
		return nil // the status says what to do; the body is only for people
	}
	return err
}

// appendAll reads r to its end, or until it has read limit bytes. size is how much to expect, or negative.
func appendAll(dst []byte, r io.Reader, size, limit int64) ([]byte, error) {
	end := len(dst) + int(limit)
	// One byte more than expected, so that there is room to see the end in.
	dst = slices.Grow(dst, int(min(max(size, 512), limit))+1)
	for {
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > end:
			return dst[:end], errTooLong
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		case len(dst) == cap(dst):
			dst = slices.Grow(dst, 1)
		}
	}
}
