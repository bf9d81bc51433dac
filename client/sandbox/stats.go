package sandbox

import (
	"maps"
	"net/http"
	"sync"

	"mapper/normalize"
)

// Stats counts calls of identity/map and signals. Elements of a request are counted once its reply was written whole and
// unspoiled, just before its last byte goes out: who has read a reply finds it counted.
type Stats struct {
	Requests    int         // that arrived
	InFlight    int         // being answered now
	MaxInFlight int         // the most that ever were
	Status      map[int]int // replies by HTTP status; 0: none, because the connection was reset or the client had gone
	Spoiled     int         // of the replies of status 200, those that a Fault made useless

	Identities int // elements answered; the sum of the next four
	Mapped     int
	OptedOut   int
	Invalid    int
	Other      int // with a word of Faults.Words
	Distinct   int // different identities among them; only with Options.Trace
	Joined     int // users that arrived with known_uids, whatever they were answered
}

// tally is what one reply adds to the elements of Stats.
type tally struct{ identities, mapped, optedOut, invalid, other int }

type stats struct {
	mu    sync.Mutex
	now   Stats
	asked map[normalize.ID]int
	users map[id5Who]id5Trace
}

// Stats returns the counts so far.
func (s *Sandbox) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	now := s.stats.now
	now.Status = maps.Clone(now.Status)
	now.Distinct = len(s.stats.asked)
	return now
}

// Asked returns how often an identity was answered in a whole and unspoiled reply, counting each occurrence
// within a request. It needs Options.Trace, without which it is always 0.
func (s *Sandbox) Asked(id normalize.ID) int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.asked[id]
}

func newStats() *stats {
	return &stats{now: Stats{Status: map[int]int{}}, asked: map[normalize.ID]int{}, users: map[id5Who]id5Trace{}}
}

func (s *stats) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Requests++
	s.now.InFlight++
	s.now.MaxInFlight = max(s.now.MaxInFlight, s.now.InFlight)
}

// end counts a request that got no reply or one that does not answer its identities.
func (s *stats) end(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(status)
}

// spoiled counts a request whose reply of status 200 is useless.
func (s *stats) spoiled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(http.StatusOK)
	s.now.Spoiled++
}

// answered counts a request that was answered as it should, and who was in it.
func (s *stats) answered(t tally, x *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(http.StatusOK)
	s.now.Identities += t.identities
	s.now.Mapped += t.mapped
	s.now.OptedOut += t.optedOut
	s.now.Invalid += t.invalid
	s.now.Other += t.other
	for _, id := range x.asked {
		s.asked[id]++
	}
	for _, who := range x.users {
		trace := s.users[who]
		trace.answered++
		s.users[who] = trace
	}
}

func (s *stats) count(status int) {
	s.now.InFlight--
	s.now.Status[status]++
}
