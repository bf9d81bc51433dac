package sandbox

import (
	"encoding/hex"
	"slices"

	"mapper/normalize"
)

// id5Who is a user by what he is told apart by: the hash as it was sent, and the country, which is never empty.
type id5Who struct{ hash, country string }

func newID5Who(hash, country string) id5Who {
	if country == "" {
		country = worldwide
	}
	return id5Who{hash, country}
}

// id5Trace is what there is to know of a user who was asked for.
type id5Trace struct {
	answered int
	known    []string
}

// ID5Asked returns how often a user was answered in a whole and unspoiled reply, counting each occurrence in a request. It
// needs Options.Trace. No country is the same as AA.
func (s *Sandbox) ID5Asked(hash [32]byte, country string) int {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return s.stats.users[newID5Who(hex.EncodeToString(hash[:]), country)].answered
}

// ID5Known returns the known_uids that have come with a user, in the order of their arrival and each of them once, from
// every request that could be read and whose token was valid, whatever it was answered. It needs Options.Trace.
func (s *Sandbox) ID5Known(hash [32]byte, country string) []string {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return slices.Clone(s.stats.users[newID5Who(hex.EncodeToString(hash[:]), country)].known)
}

// id5Notice keeps the known_uids of a request.
func (s *Sandbox) id5Notice(asked []id5User) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	for i := range asked {
		u := &asked[i]
		if len(u.Known) == 0 {
			continue
		}
		s.stats.now.Joined++
		if s.opts.Trace {
			s.stats.join(newID5Who(u.Hash, u.Country), u.Known)
		}
	}
}

func (s *stats) join(who id5Who, known []knownID) {
	trace := s.users[who]
	for _, k := range known {
		if !slices.Contains(trace.known, k.UID) {
			trace.known = append(trace.known, k.UID)
		}
	}
	s.users[who] = trace
}

// id5Count counts the users of a reply, and keeps who they are if that is of interest.
func (s *Sandbox) id5Count(x *exchange, users []id5User) (t tally) {
	t.identities = len(users)
	for i := range users {
		u := &users[i]
		switch {
		case u.UID != "":
			t.mapped++
		case u.Error != nil:
			t.invalid++
		default:
			t.other++
		}
		if !s.opts.Trace {
			continue
		}
		x.users = append(x.users, newID5Who(u.Hash, u.Country))
		if hash, ok := id5Hash(u.Hash); ok {
			x.asked = append(x.asked, normalize.ID{Kind: normalize.KindEmail, Hash: hash})
		}
	}
	return t
}
