package transport

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"mapper/client"
)

// Call is one call of a service: how to ask, and what to make of the reply.
type Call struct {
	Op     string      // names the call in errors, e.g. "uid2 identity/map"
	Method string      // default POST
	URL    *url.URL    // https, or http to this machine
	Header http.Header // sent as it is; it may be shared between calls

	// Build appends the body of one attempt to dst and returns it. It is called anew for every attempt, when
	// the request is about to leave: after every wait. The memory is the Transport's.
	Build func(dst []byte) ([]byte, error)

	// Accept looks at a reply of status 2xx. An error means that the reply cannot be believed. That is a failed
	// attempt, as a broken connection is, but only maxSpoiled of them are repeated. Default: believe it.
	Accept func(Response) error

	// Max500 hands a reply of status 500 back to the caller when it is that many-th in a row in this call.
	// Default: 500 is retried like other failures.
	Max500 int
}

// Response is a whole reply.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // the reply; for a status other than 2xx only its first 64 KiB
	Buffer []byte // the buffer given to Do with Body at its end: grown, if it had to
}

// maxSpoiled is how many unbelievable replies in one call are retried. A proxy sends one now and then; a service
// that does it every time is broken.
const maxSpoiled = 8

// Do sends a call until it has a reply that is worth the caller's attention: a believed 2xx, or a status that
// means something to the caller. Network errors, timeouts, cut-off replies, 500, 502, 503 and 504 are retried with
// back-off; a 429, or a 503 with Retry-After, pauses all callers and is not a failure. Redirects are not followed.
//
// The reply is read into buf behind what buf already holds. Its owner must not use it meanwhile.
//
// Errors: *client.Error Unreachable after Options.GiveUpAfter without a success by anybody, Broken for replies that
// cannot be believed, Refused for a URL that would show the credentials; the error of Build; an error that wraps
// the cause of ctx. None of them shows the URL's query or user, or the header Authorization.
func (t *Transport) Do(ctx context.Context, call *Call, buf []byte) (Response, error) {
	if err := CheckURL(call.URL); err != nil {
		return Response{}, &client.Error{Fault: client.Refused, Op: call.Op, Message: err.Error()}
	}
	t.outage.begin()
	defer t.outage.end()

	var past history
	for {
		a, err := t.attempt(ctx, call, buf)
		again := false
		if err == nil {
			again, err = t.judge(call, &past, &a)
		}
		t.leave(&a)
		switch {
		case err != nil:
			return Response{}, err
		case !again:
			return a.Response, nil
		}
		buf = a.Buffer[:len(buf)]
		if err := sleep(ctx, a.wait); err != nil {
			return Response{}, interrupted(ctx, call)
		}
	}
}

// history is what happened to a call so far.
type history struct {
	attempts int
	failures int // of them, 429 and 503 with Retry-After not counted
	spoiled  int // of them, replies that could not be believed
	row500   int // replies of status 500 in a row, up to now
}

// judge says whether an attempt has to be repeated, after a.wait, and does what it means for other callers.
func (t *Transport) judge(call *Call, past *history, a *attempt) (again bool, err error) {
	past.attempts++
	if a.Status == http.StatusInternalServerError {
		past.row500++
	} else {
		past.row500 = 0
	}
	switch {
	case a.succeeded():
		t.outage.succeeded()
		t.gate.accepted(a.episode)
		return false, nil
	case a.err == nil && !retryable(a.Status), past.row500 > 0 && past.row500 == call.Max500:
		return false, nil
	case a.spoiled && past.spoiled == maxSpoiled:
		return false, &client.Error{
			Fault: client.Broken, Op: call.Op, Status: a.Status, Err: a.err,
			Message: fmt.Sprintf("%d replies that cannot be believed", past.spoiled+1),
		}
	}
	if t.outage.failed() >= t.opts.GiveUpAfter {
		return false, t.unreachable(call, a)
	}
	t.slowDown(past, a)
	t.opts.OnRetry(Retry{Op: call.Op, Attempt: past.attempts, Status: a.Status, Err: a.err, Wait: a.wait})
	if a.paused {
		a.wait = 0 // the gate sees to it, and to all others
	}
	return true, nil
}

// slowDown decides how long to wait before a failed attempt is repeated, and whether the others wait too.
func (t *Transport) slowDown(past *history, a *attempt) {
	after := retryAfter(a.Header)
	switch {
	case a.Status == http.StatusTooManyRequests:
		t.throttled.Add(1)
		a.paused, a.wait = true, t.gate.refused(a.episode, after)
	case a.Status == http.StatusServiceUnavailable && after > 0:
		a.paused, a.wait = true, t.gate.hold(after)
	default:
		t.retries.Add(1)
		past.failures++
		if a.spoiled {
			past.spoiled++
		}
		a.wait = jitter(backOffBase, past.failures)
	}
}

// retryable says whether a status means that the same request may succeed later.
func retryable(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// unreachable is the error after GiveUpAfter.
func (t *Transport) unreachable(call *Call, last *attempt) error {
	e := &client.Error{
		Fault:   client.Unreachable,
		Op:      call.Op,
		Status:  last.Status,
		Message: fmt.Sprintf("no success for %v", t.opts.GiveUpAfter),
		Remedy:  "look at the network and at the status page of the service, then run the same command again",
		Err:     last.err,
	}
	if last.err == nil {
		e.Message += fmt.Sprintf(", lastly HTTP %d", last.Status)
	}
	return e
}

// interrupted is the error after the caller's context has ended.
func interrupted(ctx context.Context, call *Call) error {
	return fmt.Errorf("%s: %w", call.Op, context.Cause(ctx))
}
