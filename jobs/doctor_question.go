package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mapper/client"
	"mapper/client/transport"
)

// How long a doctor waits for each of its questions to the service. Together they stay below 20 s.
const (
	resolveWithin = 3 * time.Second
	connectWithin = 5 * time.Second
	askWithin     = 7 * time.Second
	attemptWithin = 6 * time.Second
	retryFor      = 3 * time.Second // a service that fails
)

// credential is one of those that a service asks for, by the variable that it comes from.
type credential struct {
	name string
	set  bool
}

// credentials looks whether there are any. unread is why one could not be read, if so.
func credentials(unread error, wanted ...credential) Check {
	var names, missing []string
	for _, c := range wanted {
		names = append(names, c.name)
		if !c.set {
			missing = append(missing, c.name)
		}
	}
	switch {
	case unread != nil:
		return failed(unread)
	case len(missing) > 0:
		remedy := "set it in the environment, or name a file that holds it by "
		if len(missing) > 1 {
			remedy = "set them in the environment, or name files that hold them by "
		}
		return failed(&client.Error{Fault: client.Refused, Op: "credentials", Message: strings.Join(missing, " and ") + " not set",
			Remedy: remedy + strings.Join(missing, "_FILE and ") + "_FILE"})
	}
	return fine("%s are set", strings.Join(names, " and "))
}

// question is a call of a service that is given up within seconds, and what came of its attempts.
type question struct {
	op      string
	retried int
	last    transport.Retry // the last attempt that failed, if one did
}

// question makes a call, by way of the given Transport, and judges what came of it. The call returns what its success shows.
func (w *way) question(ctx context.Context, op string, call func(context.Context, transport.Options) (string, error)) Check {
	q := question{op: op}
	limited, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	began := time.Now()
	shown, err := call(limited, transport.Options{
		RoundTripper: w.http, MaxInFlight: 1, AttemptTimeout: attemptWithin, GiveUpAfter: retryFor,
		OnRetry: func(r transport.Retry) {
			if q.retried, q.last = q.retried+1, r; time.Since(began)+r.Wait > askWithin {
				cancel() // what the service wants us to wait for comes too late
			}
		},
	})
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err != nil && ctx.Err() == nil:
		return failed(q.explain(err))
	case err != nil:
		return failed(err)
	case q.retried > 0:
		return doubtful("look at the network and at the status of the service if this goes on",
			"%s, but %d requests failed before, lastly with %s", shown, q.retried, outcome(q.last))
	}
	return fine("%s; answered in %v", shown, took)
}

// explain makes the best of an error after which a job would have gone on asking.
func (q *question) explain(err error) error {
	var e *client.Error
	final := errors.As(err, &e)
	switch {
	case final && e.Fault != client.Unreachable:
		return err
	case q.last.Status == http.StatusOK:
		return &client.Error{Fault: client.Broken, Op: q.op, Status: q.last.Status, Message: "the replies are not those of the service", Err: q.last.Err,
			Remedy: "look at the base URL, and whether something in between answers in the service's place"}
	case final && q.last.Status == 0:
		return err
	case q.last.Status == http.StatusTooManyRequests:
		return &client.Error{Fault: client.Unreachable, Op: q.op, Status: q.last.Status, Message: "HTTP 429, as often as it was asked",
			Remedy: "the credentials or this address are over their rate: stop what else uses them, or wait"}
	}
	return &client.Error{Fault: client.Unreachable, Op: q.op, Status: q.last.Status, Message: "no answer; lastly " + outcome(q.last),
		Remedy: "look at the network and at the status page of the service, then try again"}
}

// outcome says what came of an attempt.
func outcome(r transport.Retry) string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.Status == 0:
		return fmt.Sprintf("nothing within %v", askWithin)
	}
	return fmt.Sprintf("HTTP %d", r.Status)
}
