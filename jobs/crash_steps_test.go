package jobs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
)

// steps counts what processes do that others can see, and kills them all at one of these steps, or sends them another
// signal.
type steps struct {
	mu       sync.Mutex
	n        int
	at       int // where to kill; 0 is never
	with     os.Signal
	last     string // what the step was at which all were killed
	dead     bool
	children []*os.Process
	handling int // requests
	idle     *sync.Cond
}

func newSteps() *steps {
	s := &steps{}
	s.idle = sync.NewCond(&s.mu)
	return s
}

// step is one more step. After the one at which all were killed there are no others.
func (s *steps) step(what string) (dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return true
	}
	s.n++
	if s.n == s.at {
		s.dead, s.last = s.with == os.Kill, what
		for _, p := range s.children {
			_ = p.Signal(s.with) // it may have ended just now
		}
	}
	return s.dead
}

// begin counts from now on, and sends a signal at a step.
func (s *steps) begin(at int, with os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.at, s.with, s.dead, s.children = 0, at, with, false, nil
}

// end waits until nothing is handled any more, and returns how many steps there were and whether the last one killed.
// After it nobody is killed.
func (s *steps) end() (n int, killed bool, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.handling > 0 {
		s.idle.Wait()
	}
	n, killed, last = s.n, s.dead, s.last
	s.at, s.dead = 0, false
	return n, killed, last
}

// add makes a process one of those to kill.
func (s *steps) add(p *os.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.children = append(s.children, p)
	if s.dead {
		_ = p.Kill() // it may have ended just now
	}
}

func (s *steps) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *steps) handle(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handling += more
	s.idle.Broadcast()
}

// front stands before a server. It is a step that a request has arrived, and one that the server has handled it and
// the reply is not sent yet. What the server has begun it ends, also when the client has gone.
func (s *steps) front(server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handle(1)
		defer s.handle(-1)
		what := r.Method + " " + r.URL.Path
		if s.step("before " + what) {
			panic(http.ErrAbortHandler)
		}
		reply := httptest.NewRecorder()
		server.ServeHTTP(reply, r.WithContext(context.WithoutCancel(r.Context())))
		if s.step("after " + what) {
			panic(http.ErrAbortHandler)
		}
		for name, values := range reply.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes()) // a client that is gone has not got it
	})
}
