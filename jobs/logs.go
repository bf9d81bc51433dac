package jobs

import (
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"mapper/client/transport"
)

// logger returns the log of a run: each of its lines says which run it is about.
func (r *run) logger(log *slog.Logger) *slog.Logger {
	return log.With("run_id", r.plan.RunID, "shard", r.shard)
}

// logBegin says that work on the run begins.
func (r *run) logBegin(log *slog.Logger) {
	log.Info("run begins", "shards", len(r.plan.Shards), "inputs", len(r.inputs), "lines_done", r.chain.Last().Cursor.Lines)
}

// logEnd says how the work on the run has ended. Nothing in the error is personal or secret: it is what the command
// ends with.
func (r *run) logEnd(log *slog.Logger, s *Summary, err error) {
	c := &s.Counts
	args := []any{
		"status", string(s.Status), "lines", c.Lines, "rows", c.Rows, "malformed", c.Malformed, "identifiers", c.Identifiers,
		"mapped", c.Mapped, "unmapped", c.UnmappedTotal(), "requests", c.Requests, "retries", c.Retries,
		"throttled", c.Throttled, "parts", s.Parts, "seconds", round(s.Seconds),
	}
	if err != nil {
		log.Warn("run ends", append(args, "error", err)...)
		return
	}
	log.Info("run ends", args...)
}

// round drops what is below a millisecond: nobody reads it.
func round(seconds float64) float64 { return math.Round(seconds*1000) / 1000 }

// partLog says what sealed parts hold, one line each.
type partLog struct {
	log  *slog.Logger
	last time.Time // when the part before was sealed, or the run began
}

func (l *partLog) sealed(p SealedPart) {
	counts, bytes := p.Sum(), int64(0)
	for _, f := range p.Files {
		bytes += f.Bytes
	}
	now := time.Now()
	l.log.Info("part sealed", "part", p.N, "lines", counts.Lines, "rows", counts.Rows, "malformed", counts.Malformed,
		"mapped", counts.Mapped, "unmapped", counts.UnmappedTotal(), "bytes", bytes,
		"requests", p.Totals.Requests, "retries", p.Totals.Retries, "throttled", p.Totals.Throttled,
		"seconds", round(now.Sub(l.last).Seconds()), "seal_seconds", round(p.Seal.Seconds()), "lines_done", p.Cursor.Lines)
	l.last = now
}

const (
	// retriesLogged is how often an episode of retries that goes on is logged: not once for each request.
	retriesLogged = 30 * time.Second
	// retriesOver is how long nothing may have failed for an episode to be over. Until then a success means little:
	// a service that sheds a share of its load lets the others pass.
	retriesOver = 10 * time.Second
)

// retryLog says when requests begin to fail, that they still do, and when they no longer do. Its methods may be called
// by several goroutines at once.
type retryLog struct {
	mu                 sync.Mutex
	log                *slog.Logger
	began, last        time.Time // of the episode: its first and its last retry; began is zero outside of one
	logged             time.Time
	retries, throttled int // in the episode, as in the counts of a run
}

// repeat takes note that a request has to be repeated.
func (l *retryLog) repeat(r transport.Retry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.endIfOver(now)
	first := l.began.IsZero()
	if first {
		l.began, l.retries, l.throttled = now, 0, 0
	}
	l.last = now
	if r.Status == http.StatusTooManyRequests {
		l.throttled++
	} else {
		l.retries++
	}
	switch {
	case first:
		l.logged = now
		l.say("requests have to be repeated", why(r)...)
	case now.Sub(l.logged) >= retriesLogged:
		l.logged = now
		l.say("requests still have to be repeated", why(r)...)
	}
}

// why says what happened to the request that is repeated.
func why(r transport.Retry) []any {
	args := []any{"http_status", r.Status, "wait_seconds", round(r.Wait.Seconds())}
	if r.Err != nil {
		args = append(args, "error", r.Err)
	}
	return args
}

// attempt takes note that a request has ended.
func (l *retryLog) attempt(a transport.Attempt) {
	if a.Outcome != transport.OK {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endIfOver(time.Now())
}

// endIfOver ends the episode if nothing has failed for long enough.
func (l *retryLog) endIfOver(now time.Time) {
	if now.Sub(l.last) >= retriesOver {
		l.end()
	}
}

// close ends the episode because no more requests are sent.
func (l *retryLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
}

func (l *retryLog) end() {
	if l.began.IsZero() {
		return
	}
	l.say("requests had to be repeated")
	l.began = time.Time{}
}

// say logs the counts of the episode, and how long it has lasted: from its first retry to its last.
func (l *retryLog) say(message string, more ...any) {
	args := []any{"retries", l.retries, "throttled", l.throttled, "seconds", round(l.last.Sub(l.began).Seconds())}
	l.log.Warn(message, append(args, more...)...)
}
