package jobs_test

import (
	"time"

	"mapper/client/sandbox"
)

// oracle says by plain rules what a table has to hold, and whom a job has to ask. It knows nothing of runs.
type oracle struct {
	*customers
	operator *sandbox.Sandbox
	now      func() time.Time
	recheck  time.Duration

	live  map[holding]source // the pairs that the table has to show, and the row that each is told by
	known []answer           // by member: what the operator said when it was asked last, unless a compaction dropped it
	best  []answer           // the same, for a table that forgets nothing unless it is told to
	times []int              // by member: how often it had to be asked

	asked, ideal int // how often somebody had to be asked, and would have been if nothing was dropped
}

// answer is what the operator has said of a member. The zero value is nothing.
type answer struct {
	uid, previous string
	refresh       int64 // Unix milliseconds, as at is
	reason, raw   string
	at            int64
}

const (
	reasonOptOut  = "OPTOUT"
	reasonInvalid = "INVALID_IDENTIFIER"
	reasonUnknown = "UNKNOWN"
)

// due says whether there is a reason to ask again.
func (a *answer) due(at time.Time, recheck time.Duration) bool {
	switch a.reason {
	case "":
		return a.at != 0 && a.refresh <= at.UnixMilli()
	case reasonOptOut, reasonInvalid:
		return a.at <= at.Add(-recheck).UnixMilli()
	}
	return false
}

func (a *answer) missing() bool { return a.at == 0 || a.reason == reasonUnknown }

// says returns what the operator says of a member now.
func (o *oracle) says(member int) answer {
	m, at := &o.members[member], o.now().UnixMilli()
	if m.word == wordInvalid {
		return answer{reason: reasonInvalid, raw: m.word, at: at}
	}
	if m.word != "" {
		return answer{reason: reasonUnknown, raw: m.word, at: at}
	}
	e := o.operator.Expect(m.id)
	if e.OptedOut {
		return answer{reason: reasonOptOut, raw: "optout", at: at}
	}
	return answer{uid: e.RawUID, previous: e.Previous, refresh: e.RefreshFrom.UnixMilli(), at: at}
}

// grow makes room for members that are new.
func (o *oracle) grow() {
	more := len(o.members) - len(o.known)
	o.known = append(o.known, make([]answer, more)...)
	o.best = append(o.best, make([]answer, more)...)
	o.times = append(o.times, make([]int, more)...)
}

// work is what a job has to do.
type work struct{ asked, suppressed, removed, told, withheld int }

// mapped is an incremental run of the whole base.
func (o *oracle) mapped(export []exported, suppressed map[int]bool) (w work) {
	o.grow()
	first := make(map[holding]bool, len(export))
	ask := map[int]bool{}
	for _, e := range export {
		if first[e.holding] {
			w.withheld++
			continue
		}
		first[e.holding] = true
		if suppressed[e.member] {
			w.suppressed++
			delete(o.live, e.holding)
			continue
		}
		asks, looked := ask[e.member]
		if !looked {
			asks = o.visit(e.member, (*answer).missing)
			ask[e.member] = asks
		}
		if _, live := o.live[e.holding]; asks || !live {
			w.told++
			o.live[e.holding] = e.source
		} else {
			w.withheld++
		}
	}
	for h := range o.live {
		if !first[h] {
			w.removed++
			delete(o.live, h)
		}
	}
	w.asked = count(ask)
	return w
}

// remapped is a run that asks for what is due.
func (o *oracle) remapped(suppressed map[int]bool) (w work) {
	ask := map[int]bool{}
	for h := range o.live {
		if suppressed[h.member] {
			w.suppressed++
			delete(o.live, h)
			continue
		}
		asks, looked := ask[h.member]
		if !looked {
			asks = o.visit(h.member, func(*answer) bool { return false })
			ask[h.member] = asks
		}
		if asks {
			w.told++
		}
	}
	w.asked = count(ask)
	return w
}

// visit looks at a live member, and asks if there is a reason to.
func (o *oracle) visit(member int, or func(*answer) bool) (asks bool) {
	needs := func(a *answer) bool { return a.due(o.now(), o.recheck) || or(a) }
	if needs(&o.best[member]) {
		o.best[member] = o.says(member)
		o.ideal++
	}
	if asks = needs(&o.known[member]); asks {
		o.known[member] = o.says(member)
		o.times[member]++
		o.asked++
	}
	return asks
}

// compacted drops the answers that no live pair needs.
func (o *oracle) compacted() {
	needed := make([]bool, len(o.known))
	for h := range o.live {
		needed[h.member] = true
	}
	for m := range o.known {
		if !needed[m] {
			o.known[m] = answer{}
		}
	}
}

// forgot drops all that is known of some members.
func (o *oracle) forgot(members map[int]bool) (pairs int) {
	for h := range o.live {
		if members[h.member] {
			delete(o.live, h)
			pairs++
		}
	}
	for m := range members {
		if m < len(o.best) {
			o.best[m] = answer{}
		}
	}
	o.compacted()
	return pairs
}

func count(set map[int]bool) (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}
