package objects

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// How many simulations there are. Nights are long.
const races, nights = 1000, 250

// TestLeaseRaces: of all who try at the same time, exactly one gets the lock and the others are refused; whatever state
// it is in before, whatever takes how long, and whosever replies are lost.
func TestLeaseRaces(t *testing.T) {
	for seed := range uint64(races) {
		synctest.Test(t, func(t *testing.T) {
			m := &memory{objects: map[string]stored{}}
			chance := rand.New(rand.NewPCG(seed, 0))
			before(t, m, chance.IntN(4))
			var mu sync.Mutex
			var held []*Lock
			var all sync.WaitGroup
			for i := range 2 + chance.Uint64N(8) {
				p := newProcess(m, seed<<8+i)
				p.delay, p.lost = time.Duration(1+chance.Int64N(int64(time.Second))), 0.3
				start := time.Duration(chance.Int64N(int64(p.delay)))
				all.Go(func() {
					time.Sleep(start)
					switch l, err := p.try(t); {
					case err == nil:
						mu.Lock()
						held = append(held, l)
						mu.Unlock()
					case !errors.Is(err, ErrLocked):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if len(held) != 1 || isLost(held[0]) {
				t.Fatalf("race %d: %d hold the lock", seed, len(held))
			}
			mustRelease(t, held[0])
		})
	}
}

// before puts the lock in a state: new, free, held by a dead process, or free with objects that one has left below.
func before(t *testing.T, m *memory, state int) {
	p := newProcess(m, 0)
	switch state {
	case 1:
		mustRelease(t, p.mustTry(t))
	case 2:
		p.die(p.mustTry(t))
	case 3:
		l := p.mustTry(t)
		time.Sleep(time.Minute)
		mustRelease(t, l)
		if err := p.bucket().CreateIfAbsent(t.Context(), "l/000000000002", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeaseNights: processes that want the lock one after the other, while requests are slow, lost and late, and holders
// die or sleep. Two that believe to hold it at the same moment are an error, unless one of them has slept for so long
// that it had to be taken for dead; and every process that does not die has its turn in the end.
func TestLeaseNights(t *testing.T) {
	var overtaken, died, turns int
	for seed := range uint64(nights) {
		synctest.Test(t, func(t *testing.T) {
			n := &night{T: t, memory: &memory{objects: map[string]stored{}}, seed: seed, believers: map[*sleeper]bool{}}
			var all sync.WaitGroup
			for i := range 2 + seed%4 {
				s := &sleeper{process: newProcess(n.memory, seed<<8+i)}
				s.delay, s.lost, s.late = 300*time.Millisecond, 0.1, 0.03
				all.Go(func() { n.live(s) })
			}
			all.Wait()
			overtaken, died, turns = overtaken+n.overtaken, died+n.died, turns+n.turns
		})
	}
	if overtaken < nights/10 || died < nights/10 || turns < nights {
		t.Errorf("%d were overtaken, %d died, %d had their turn: too few to show anything", overtaken, died, turns)
	}
}

// night is one simulation.
type night struct {
	*testing.T
	memory *memory
	seed   uint64

	mu                     sync.Mutex
	believers              map[*sleeper]bool // who believe to hold the lock
	overtaken, died, turns int
}

// sleeper is a process that may have slept too long.
type sleeper struct {
	*process
	slept bool
}

// live is a process that wants the lock until it has had it.
func (n *night) live(s *sleeper) {
	time.Sleep(20 * s.soon())
	for began := time.Now(); ; {
		l, err := n.take(s)
		if err == nil {
			n.hold(s, l)
			return
		}
		if time.Since(began) > 30*time.Minute {
			n.Errorf("night %d: no turn in half an hour: %v", n.seed, err)
			return
		}
		if !errors.Is(err, ErrLocked) && !errors.Is(err, errLost) {
			n.Error(err)
		}
		time.Sleep(10 * s.soon())
	}
}

// take waits for the lock, or is refused and comes again.
func (n *night) take(s *sleeper) (*Lock, error) {
	if s.likely(0.1) {
		n.nap(s)
	}
	met := refuse
	if s.likely(0.5) {
		met = wait
	}
	return foreign(s.bucket()).lock(n.Context(), LockOptions{}, met)
}

func (n *night) hold(s *sleeper, l *Lock) {
	n.believe(s)
	for range 8 {
		switch {
		case s.likely(0.05):
			n.doubt(s, &n.died)
			s.die(l)
			return
		case s.likely(0.1):
			time.Sleep(n.nap(s))
		}
		select {
		case <-l.Lost():
			n.doubt(s, &n.overtaken)
			mustRelease(n.T, l)
			return
		case <-time.After(10 * s.soon()):
		}
	}
	n.doubt(s, &n.turns)
	if err := l.Release(); err != nil && !s.slept {
		n.Errorf("night %d: %v", n.seed, err)
	}
}

// nap pauses a process: for less than others have patience for, or for more.
func (n *night) nap(s *sleeper) time.Duration {
	d := 20*time.Second + 50*s.soon()
	if s.likely(0.5) {
		d = 15 * s.soon()
	}
	n.mu.Lock()
	s.slept = s.slept || d > leaseStale
	n.mu.Unlock()
	s.set(func(p *process) { p.asleep = time.Now().Add(d) })
	return d
}

func (n *night) believe(s *sleeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for other := range n.believers {
		if !other.slept && !s.slept {
			n.Errorf("night %d: two hold the lock", n.seed)
		}
	}
	n.believers[s] = true
}

func (n *night) doubt(s *sleeper, count *int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.believers, s)
	*count++
}
