package sandbox

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"mapper/normalize"
)

// drainLimit is how much of a body that is too large is still read, so that its sender sees the reply and not a
// broken pipe.
const drainLimit = 64 << 20

// exchange is the memory of one request and its reply. It is pooled: only its room is reused.
type exchange struct {
	body  []byte // of the request, as received
	text  []byte // the body decoded, or the reply encoded, as base64
	reply []byte
	query query
	asked []normalize.ID // who is answered, with Options.Trace
	users []id5Who       // the same, of signals
}

// ServeHTTP serves the paths of the operator and of Partner Signals.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	switch {
	case r.URL.Path == "/ops/healthcheck":
		s.healthcheck(w)
	case r.URL.Path != "/v3/identity/map" && !isID5(r.URL.Path):
		http.Error(w, "Not Found", http.StatusNotFound)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	default:
		s.serveCall(w, r)
	}
}

func (s *Sandbox) healthcheck(w http.ResponseWriter) {
	if s.plan.Load().Outage {
		http.Error(w, "Unhealthy", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "OK") // a client that has gone needs no answer
}

// serveCall serves what has its rate, faults and counts: identity/map and signals.
func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request) {
	s.stats.begin()
	x := s.exchanges.Get().(*exchange)
	x.asked, x.users = x.asked[:0], x.users[:0]
	defer s.exchanges.Put(x)

	plan := s.plan.Load()
	n := plan.requests.Add(1)
	fault := plan.pick(n)
	out, err := s.respond(x, r, plan, &fault)
	if err == nil {
		err = sleep(r.Context(), s.delay(plan, &fault, n))
	}
	if err != nil { // the client has gone
		s.stats.end(0)
		return
	}
	s.deliver(w, r, x, &out, &fault)
}

// respond makes the reply to a request, in the order in which the front end and the operator look at it. An
// error means that the request could not be read.
func (s *Sandbox) respond(x *exchange, r *http.Request, plan *plan, fault *Fault) (reply, error) {
	var fits bool
	var err error
	if x.body, fits, err = readBody(x.body, r, plan.bodyLimit(r.URL.Path)); err != nil {
		return reply{}, err
	}
	now := s.now()
	switch {
	case plan.Outage:
		return (&Fault{}).reply(now), nil
	case !plan.limiter.Allow():
		return plan.Limit.reply(now), nil
	case fault.Do == Fail:
		return fault.reply(now), nil
	case fault.Do == Reset:
		return reply{}, nil
	case !fits:
		return plainReply(&refusal{status: http.StatusRequestEntityTooLarge}), nil
	case isID5(r.URL.Path):
		return s.signals(x, r, plan, fault.Do), nil
	case !s.authorized(r):
		return plainReply(&refusal{status: http.StatusUnauthorized}), nil
	}
	out, refused := s.identityMap(x, r.Header.Get("Content-Type"), now, plan, fault.Do)
	if refused != nil {
		return plainReply(refused), nil
	}
	return out, nil
}

func (s *Sandbox) authorized(r *http.Request) bool {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && key == s.opts.APIKey && slices.Contains(s.opts.Roles, RoleMapper)
}

// identityMap answers the call in x.body.
func (s *Sandbox) identityMap(x *exchange, contentType string, now time.Time, plan *plan, fate Action) (reply, *refusal) {
	var c call
	var refused *refusal
	if c, x.text, refused = s.open(x.body, x.text, contentType); refused != nil {
		return reply{}, refused
	}
	if drifted(c.sent, now) {
		return reply{}, badRequest("Invalid timestamp: Request too old or client time drift." + s.docs())
	}
	if refused = x.query.read(c.payload); refused != nil {
		return reply{}, refused
	}
	if fate == WrongNonce {
		c.nonce[nonceSize-1] ^= 1
	}
	b := batch{s: s, plan: plan, at: instantOf(now), fate: fate, asked: x.asked}
	x.reply = b.appendReply(beginReply(x.reply, now, c.nonce), &x.query)
	x.asked = b.asked
	if b.poisoned {
		return reply{}, &refusal{http.StatusInternalServerError, unknownError}
	}
	x.reply = sealReply(s.aead, x.reply)
	if fate == Garble {
		x.reply[len(x.reply)-1] ^= 1
	}
	out := reply{status: http.StatusOK, contentType: c.reply, body: x.reply, answered: b.counts}
	if c.reply == textType {
		x.text = base64.StdEncoding.AppendEncode(x.text[:0], x.reply)
		out.body = x.text
	}
	return out, nil
}

// readBody reads a request body into dst, which it empties. It reports false for one of more than limit bytes,
// of which dst then holds only a part.
func readBody(dst []byte, r *http.Request, limit int) (body []byte, fits bool, err error) {
	dst = dst[:0]
	if n := r.ContentLength; n > 0 {
		dst = grow(dst, int(min(n, int64(limit)))+1)
	}
	for len(dst) <= limit {
		dst = grow(dst, 1+len(dst)/4)
		n, err := r.Body.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, len(dst) <= limit, nil
		}
		if err != nil {
			return dst, false, err
		}
	}
	_, err = io.CopyN(io.Discard, r.Body, drainLimit)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return dst, false, err
}

// sleep waits, or returns an error when the client has gone.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
