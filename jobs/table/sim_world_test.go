package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"mapper/client/objects"
)

// world is one schedule: a table, commands, the processes that carry them out, and who comes next. It is the same
// whenever it is made of the same seed. It lives in a synctest bubble, where it can be seen that every goroutine of
// every process waits for its turn, and time is no chance either.
type world struct {
	rng      *rand.Rand
	sabotage sabotage
	leases   *objects.Bucket // real ones, which only cleaners take
	totals   map[string]int
	log      func(format string, args ...any) // or nil

	objects   map[string]simObject
	manifests map[string]simManifest // the first of each run
	named     map[string]bool        // files that committed runs name
	read      map[string][]byte      // what processes have read under _runs/
	life      *life                  // what runs hold, in the simulation of that; or nil
	late      []*simOperation        // that will happen at some moment
	processes []*simProcess          // not yet over
	started   int
	step      int
	last      *simProcess // that had the last turn
	violation error       // the first

	commands []simCommand // of users who want runs
	others   []simCommand // of those who look, clean and abort
	trouble  float64      // how likely a fault is
	loyalty  float64      // how likely the process that had the last turn has the next

	mu sync.Mutex
}

type simManifest struct {
	*Manifest
	raw []byte
}

// newWorld makes up who does what, and how bad it gets.
func newWorld(seed uint64, s sabotage, leases *objects.Bucket, totals map[string]int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), sabotage: s, leases: leases, totals: totals,
		objects: map[string]simObject{}, manifests: map[string]simManifest{}, named: map[string]bool{}, read: map[string][]byte{}}
	w.trouble = []float64{0, 0.02, 0.1, 0.25}[w.rng.IntN(4)]
	w.loyalty = []float64{0, 0.5, 0.9}[w.rng.IntN(3)]
	for run := range 1 + w.rng.IntN(4)/3 {
		c := simCommand{kind: "map", run: fmt.Sprintf("named%d", run), shards: 1 + w.rng.IntN(5)/2}
		for c.shard = range c.shards {
			w.commands = append(w.commands, c)
		}
		if w.rng.IntN(2) == 0 {
			w.others = append(w.others, simCommand{kind: "abort", run: c.run}, simCommand{kind: "clean", run: c.run})
		}
	}
	if w.rng.IntN(4) == 0 {
		w.commands = append(w.commands, simCommand{kind: "map", shards: 1})
		w.others = append(w.others, simCommand{kind: "clean", grace: time.Duration(w.rng.IntN(3)) * time.Minute})
	}
	w.others = append(w.others, simCommand{kind: "read"})
	return w
}

func (w *world) total(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.totals[event]++
}

func (w *world) trace(format string, args ...any) {
	if w.log != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log("%4d "+format, append([]any{w.step}, args...)...)
	}
}

func (w *world) violated(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.violation == nil {
		w.violation = fmt.Errorf(format, args...)
	}
}

// submit lets an operation wait for its turn, unless its process is dead.
func (w *world) submit(o *simOperation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !o.by.dead {
		o.by.pending = append(o.by.pending, o)
	}
	return !o.by.dead
}

// start starts a process.
func (w *world) start(c simCommand) *simProcess {
	w.started++
	p := &simProcess{id: w.started, does: c, world: w, ctx: context.Background(), rng: rand.New(rand.NewPCG(w.rng.Uint64(), 1))}
	p.table = &Table{Bucket: w.leases, Writer: p.next("writer"), in: &simBucket{world: w, by: p}}
	_, ended := w.manifests[c.run]
	p.unknown = !ended && w.planOf(c.run) == nil
	w.trace("%s begins", p)
	for _, q := range w.processes {
		if c.kind == "map" && q.does == c {
			w.total("a command started while another process carries it out")
		}
	}
	w.processes = append(w.processes, p)
	go func() {
		err := p.work()
		w.mu.Lock()
		defer w.mu.Unlock()
		p.err, p.over = err, true
	}()
	return p
}

// kill ends a process. What waits of it only returns.
func (w *world) kill(p *simProcess) {
	w.trace("%s dies", p)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.dead = true
	for _, o := range p.pending {
		o.reply <- errKilled
	}
	p.pending = nil
}

// settle waits until every process waits for its turn or is over, and forgets the latter.
func (w *world) settle() {
	synctest.Wait()
	w.processes = slices.DeleteFunc(w.processes, func(p *simProcess) bool {
		if p.over {
			w.trace("%s is over: %v", p, p.err)
			w.checkError(p)
		}
		return p.over
	})
}

// sleep lets time pass, and who sleeps wake up. In a bubble that happens only while nobody runs. The race detector does not
// know it: what the scheduler has read until now, it has read before the lock that total takes and a process takes next.
func (w *world) sleep(d time.Duration) {
	w.total("time passes")
	time.Sleep(d)
}

// turn lets one operation happen of a process.
func (w *world) turn(p *simProcess, trouble float64) {
	// Goroutines of one process come in any order.
	slices.SortFunc(p.pending, func(a, b *simOperation) int {
		return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.key, b.key))
	})
	if len(p.pending) == 0 { // it sleeps
		w.sleep(longestPause)
		return
	}
	i := w.rng.IntN(len(p.pending))
	o, f := p.pending[i], noFault
	switch {
	case !o.changes:
		trouble /= 4 // there are more of those, and less to see
	case strings.HasSuffix(o.key, ".json"):
		trouble *= 2 // these decide
	}
	if w.life != nil && w.life.hesitates(w, o) {
		p.pausedUntil = w.step + 50 + w.rng.IntN(350)
		w.trace("%s: hesitates", o)
		return
	}
	if w.rng.Float64() < trouble {
		possible := faults(o.changes)
		f = possible[w.rng.IntN(len(possible))]
	}
	if f == pausedBefore {
		p.pausedUntil = w.step + 20 + w.rng.IntN(150)
		w.total(string(f))
		w.trace("%s: %s", o, f)
		return
	}
	p.pending = slices.Delete(p.pending, i, i+1)
	if err := context.Cause(o.ctx); err != nil { // another goroutine has failed: it may happen or not
		if w.rng.IntN(2) == 0 {
			_ = o.effect()
		}
		w.total("an operation given up for another")
		w.trace("%s: given up", o)
		o.reply <- err
		return
	}
	w.perform(o, f)
}

// happenLate lets an operation happen whose process has given it up.
func (w *world) happenLate() {
	i := w.rng.IntN(len(w.late))
	o := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	err := o.effect()
	w.trace("%s: late: %v", o, err)
	w.total("an operation happened late")
}

// next picks the process whose turn it is, or nil when all are over or paused.
func (w *world) next() *simProcess {
	var ready []*simProcess
	for _, p := range w.processes {
		if p.pausedUntil <= w.step {
			ready = append(ready, p)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	if w.rng.Float64() >= w.loyalty || !slices.Contains(ready, w.last) {
		w.last = ready[w.rng.IntN(len(ready))]
	}
	return w.last
}

// chaos lets commands be given at any time, while everything goes wrong.
func (w *world) chaos() {
	for end := 20 + w.rng.IntN(120); w.step < end && w.violation == nil; w.step++ {
		w.chaosStep(8)
	}
}

// chaosStep lets anything happen, and a command be given about once in so many steps.
func (w *world) chaosStep(seldom int) {
	w.settle()
	switch p := w.next(); {
	case len(w.processes) < 6 && w.rng.IntN(seldom) == 0:
		w.start(w.commands[w.rng.IntN(len(w.commands))])
	case len(w.processes) < 6 && w.rng.IntN(5*seldom/2) == 0:
		w.start(w.others[w.rng.IntN(len(w.others))])
	case len(w.late) > 0 && w.rng.IntN(20) == 0:
		w.happenLate()
	case w.rng.IntN(30) == 0:
		w.sleep(time.Minute)
	case p != nil:
		w.turn(p, w.trouble)
	}
}

// finish lets go on who is still there, without faults; half of them die first.
func (w *world) finish() {
	w.settle()
	for _, p := range w.processes {
		if p.pausedUntil = 0; w.rng.IntN(2) == 0 {
			w.kill(p)
		}
	}
	w.drain()
}

// drain lets all processes end. It takes a bounded number of turns, or the table is wedged.
func (w *world) drain() {
	for range 10_000 {
		w.settle()
		w.step++
		p := w.next()
		if p == nil || w.violation != nil {
			return
		}
		w.turn(p, 0)
		if len(w.late) > 0 && w.rng.IntN(20) == 0 {
			w.happenLate()
		}
	}
	w.violated("wedged: processes do not end")
}

// recover gives every command again, one after the other, on a storage without faults: then every run has to end.
func (w *world) recover() {
	w.rng.Shuffle(len(w.commands), func(i, j int) { w.commands[i], w.commands[j] = w.commands[j], w.commands[i] })
	for _, c := range w.commands {
		for err := errors.New("not tried"); err != nil && w.violation == nil; {
			late := len(w.late)
			p := w.start(c)
			w.drain()
			if err = p.err; errors.Is(err, ErrAborted) {
				break
			}
			if err != nil && late == len(w.late) { // nothing else has happened
				w.violated("wedged: %s: %w", p, err)
			}
		}
	}
	for _, c := range w.commands {
		if _, over := w.manifests[c.run]; c.run != "" && !over {
			w.violated("wedged: run %s has no manifest, and all its shards have ended", c.run)
		}
	}
}

// clean removes what is left of the chaos, and looks that nothing else is.
func (w *world) clean() {
	for len(w.late) > 0 {
		w.happenLate()
	}
	for _, kind := range []string{"clean", "read", "look for waste"} {
		p := w.start(simCommand{kind: kind})
		if w.drain(); p.err != nil {
			w.violated("%s: %w", p, p.err)
		}
	}
	w.checkEnd()
}

// live lives the world, and returns what has gone wrong with the table.
func (w *world) live() error {
	phases := []func(){w.chaos, w.finish, w.recover, w.clean}
	if w.life != nil {
		phases = []func(){w.liveLife}
	}
	for _, phase := range phases {
		if w.violation == nil {
			phase()
		}
	}
	for _, p := range w.processes { // none is left unless the table is broken
		w.kill(p)
	}
	w.settle()
	return w.violation
}
