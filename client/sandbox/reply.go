package sandbox

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// reply is what goes back for one request.
type reply struct {
	status      int
	contentType string
	retryAfter  string
	location    string
	body        []byte
	answered    tally // for status 200
}

// plainReply returns what comes with a status other than 200: JSON from the operator's handlers, nothing or a
// reason phrase from what stands in front of them.
func plainReply(r *refusal) reply {
	var word string
	switch r.status {
	case http.StatusBadRequest:
		word = "client_error"
	case http.StatusUnauthorized:
		word = "unauthorized"
	case http.StatusInternalServerError:
		word = "unknown"
	case http.StatusTooManyRequests:
		return reply{status: r.status}
	default:
		return reply{status: r.status, contentType: textType, body: []byte(http.StatusText(r.status))}
	}
	body, err := json.Marshal(struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}{word, r.message})
	if err != nil {
		panic("sandbox: two strings have no JSON: " + err.Error())
	}
	return reply{status: r.status, contentType: "application/json", body: body}
}

// deliver sends a reply, whole or as a fault wants it, and counts the request.
//
// It is counted before its last byte or the end of its connection can be seen, so that a client that starts its
// next request at once never looks as if it had two in flight.
func (s *Sandbox) deliver(w http.ResponseWriter, r *http.Request, x *exchange, out *reply, fault *Fault) {
	if fault.Do == Reset {
		s.stats.end(0)
		reset(w)
		return
	}
	out.writeHeader(w)
	if out.status != http.StatusOK {
		s.stats.end(out.status)
		_, _ = w.Write(out.body) // a client that has gone needs no answer
		return
	}
	switch fault.Do {
	case Truncate, ResetMidway:
		_, _ = w.Write(out.body[:len(out.body)/2])
		s.stats.spoiled()
		if fault.Do == ResetMidway {
			reset(w)
		}
	case SlowBody:
		half := len(out.body) / 2
		if err := pause(w, r, out.body[:half], fault.Delay); err != nil {
			s.stats.end(0)
			return
		}
		s.deliverWhole(w, x, out, half, Slow)
	default:
		s.deliverWhole(w, x, out, 0, fault.Do)
	}
}

// pause sends the beginning of a reply and waits.
func pause(w http.ResponseWriter, r *http.Request, begin []byte, d time.Duration) error {
	if _, err := w.Write(begin); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	return sleep(r.Context(), d)
}

// deliverWhole sends what is left of a reply of which some was sent.
func (s *Sandbox) deliverWhole(w http.ResponseWriter, x *exchange, out *reply, sent int, fate Action) {
	last := len(out.body) - 1
	if _, err := w.Write(out.body[sent:last]); err != nil {
		s.stats.end(0)
		return
	}
	if fate == Slow {
		s.stats.answered(out.answered, x)
	} else {
		s.stats.spoiled()
	}
	_, _ = w.Write(out.body[last:]) // buffered: it leaves when the handler returns
}

func (out *reply) writeHeader(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Length", strconv.Itoa(len(out.body)))
	if out.contentType != "" {
		header.Set("Content-Type", out.contentType)
	}
	if out.retryAfter != "" {
		header.Set("Retry-After", out.retryAfter)
	}
	if out.location != "" {
		header.Set("Location", out.location)
	}
	w.WriteHeader(out.status)
}

// reset ends the connection so that the client sees a reset, where the server allows it, else by closing it.
func reset(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = buffered.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
