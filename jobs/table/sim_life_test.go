package table

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
)

// The rules of runs that replace others, each of which is needed.
const (
	compactStays       sabotage = "a compact gives way to nobody"
	compactSeesPlans   sabotage = "a compact gives way to unfinished runs only"
	compactSeesEnds    sabotage = "a compact gives way to committed runs only"
	forgetStays        sabotage = "a forget gives way to nobody"
	forgetSeesPlans    sabotage = "a forget gives way to unfinished runs only"
	forgetSeesEnds     sabotage = "a forget gives way to committed runs only"
	forgetIsIgnored    sabotage = "nobody gives way to a forget"
	forgetIsOver       sabotage = "nobody gives way to a forget that is committed"
	lacksAreIgnored    sabotage = "nobody gives way to a run that replaces what its base lacks"
	compactCountsUp    sabotage = "a compact is one run more, and no older than others of its seq"
	listsOnce          sabotage = "a listing that lacks a run is believed"
	erasesOnlyReplaced sabotage = "a forget leaves what earlier compacts have replaced"
)

// TestLifeSimulation tries to lose and to resurrect rows, with runs of all kinds that overlap as they like, on the storage
// of [TestSimulation].
func TestLifeSimulation(t *testing.T) {
	schedules := number(t, "MAPPER_SIM_SCHEDULES", defaultLives)
	totals, bucket := map[string]int{}, leases(t)
	for seed := range schedules {
		if err := live(t, newLife(seed, "", bucket, totals)); err != nil {
			t.Errorf("schedule %d (replay: MAPPER_SIM_SEED=%d go test -run TestLifeSimulationAgain -v ./jobs/table): %v", seed, seed, err)
		}
	}
	var lines []string
	for _, event := range slices.Sorted(maps.Keys(totals)) {
		lines = append(lines, fmt.Sprintf("%9d %s", totals[event], event))
	}
	t.Logf("what happened:\n%s", strings.Join(lines, "\n"))
	expected := []string{"gave way: compact", "gave way: forget", "gave way to a committed run", "busy", "a view read"}
	for _, kind := range lifeKinds {
		expected = append(expected, "committed: "+kind)
	}
	for _, event := range expected {
		if totals[event] == 0 {
			t.Errorf("it never happened: %s", event)
		}
	}
}

// TestLifeSimulationAgain tells what happens in one schedule, as [TestSimulationAgain] does.
func TestLifeSimulationAgain(t *testing.T) {
	w := newLife(number(t, "MAPPER_SIM_SEED", 7), sabotage(os.Getenv("MAPPER_SIM_SABOTAGE")), leases(t), map[string]int{})
	var story strings.Builder
	w.log = func(format string, args ...any) { fmt.Fprintf(&story, format+"\n", args...) }
	err := live(t, w)
	t.Log(story.String())
	if err != nil {
		t.Error(err)
	}
}

// TestLifeSimulationNotices: see [TestSimulationNotices]. Each begins a little before the schedule that is the first to
// notice; with MAPPER_SIM_FROM, there.
func TestLifeSimulationNotices(t *testing.T) {
	const schedules = 5_000
	for s, from := range map[sabotage]uint64{
		compactStays: 92, compactSeesPlans: 92, compactSeesEnds: 550, forgetStays: 53, forgetSeesPlans: 53, forgetSeesEnds: 185,
		forgetIsIgnored: 160, forgetIsOver: 160, lacksAreIgnored: 755, compactCountsUp: 55, listsOnce: 148, erasesOnlyReplaced: 0,
	} {
		t.Run(string(s), func(t *testing.T) {
			bucket, from := leases(t), number(t, "MAPPER_SIM_FROM", from)
			for seed := from; seed < from+schedules; seed++ {
				if err := live(t, newLife(seed, s, bucket, map[string]int{})); err != nil {
					t.Logf("schedule %d: %v", seed, err)
					return
				}
			}
			t.Errorf("%d schedules, and nothing was noticed", schedules)
		})
	}
}

// lifeKinds are the kinds of commands, some of which are kinds of runs.
var lifeKinds = []string{KindMap, "incremental", "full base", KindRemap, KindCompact, KindForget}

// newLife makes up runs, and what they find to begin with.
func newLife(seed uint64, s sabotage, bucket *objects.Bucket, totals map[string]int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 2)), sabotage: s, leases: bucket, totals: totals,
		objects: map[string]simObject{}, manifests: map[string]simManifest{}, named: map[string]bool{}, read: map[string][]byte{}}
	w.trouble = []float64{0, 0.01, 0.03, 0.1}[w.rng.IntN(4)]
	w.loyalty = []float64{0.5, 0.9, 0.97}[w.rng.IntN(3)]
	w.life = &life{runs: map[string]*lifeRun{}, createdAt: map[string]int{}, erased: map[string]bool{}, tiesGoByID: s == compactCountsUp}
	for i := range w.life.service {
		w.life.service[i] = lifeRow{Identity: i, Says: saysUID}
	}
	kinds := append([]string{KindMap, KindCompact, KindCompact, KindForget}, lifeKinds...)
	if w.rng.IntN(3) == 0 {
		kinds = []string{KindMap, "full base", "full base", KindCompact}
	}
	for range 3 + w.rng.IntN(5) {
		w.commands = append(w.commands, w.command(kinds[w.rng.IntN(len(kinds))]))
	}
	for _, c := range w.commands {
		if w.rng.IntN(4) == 0 {
			w.others = append(w.others, simCommand{kind: "abort", run: c.run})
		}
	}
	w.others = append(w.others, simCommand{kind: "read"}, simCommand{kind: "read"}, simCommand{kind: "clean", grace: time.Hour})
	return w
}

// command makes up a command for a new run. The order of ids says nothing about the order of runs.
func (w *world) command(kind string) simCommand {
	w.life.names++
	return simCommand{kind: kind, run: string(rune('a'+w.rng.IntN(8))) + strconv.Itoa(w.life.names), shards: 1}
}

// liveLife is what the world lives when it is about what runs hold.
func (w *world) liveLife() {
	for range 1 + w.rng.IntN(2) {
		w.carryOut(w.command([]string{KindMap, KindMap, "full base", KindCompact}[w.rng.IntN(4)]))
	}
	w.life.hesitation = []float64{0, 0, 0.5}[w.rng.IntN(3)]
	for end := w.step + 100 + w.rng.IntN(500); w.step < end && w.violation == nil; w.step++ {
		w.chaosStep(30)
	}
	w.life.hesitation = 0
	w.finish()
	w.endRuns()
	for len(w.late) > 0 {
		w.happenLate()
	}
	w.life.checkFiles(w, true)
	w.endRuns() // those that were planned late
	for _, kind := range []string{KindForget, KindMap, KindCompact, "read"} {
		if p := w.carryOut(w.command(kind)); p.err != nil {
			w.violated("%s: at the end: %w", p, p.err)
		}
	}
	for _, kind := range []string{"clean", "read"} {
		if p := w.carryOut(simCommand{kind: kind}); p.err != nil {
			w.violated("%s: at the end: %w", p, p.err)
		}
	}
	w.life.checkFiles(w, false)
}

// carryOut lets a command be carried out without faults.
func (w *world) carryOut(c simCommand) *simProcess {
	p := w.start(c)
	w.drain()
	return p
}

// endRuns gives commands again until every run has a manifest that has a plan.
func (w *world) endRuns() {
	for range 3 {
		w.rng.Shuffle(len(w.commands), func(i, j int) { w.commands[i], w.commands[j] = w.commands[j], w.commands[i] })
		for _, c := range w.commands {
			if w.violation == nil {
				w.carryOut(c)
			}
		}
	}
	for _, c := range w.commands {
		if _, over := w.manifests[c.run]; !over && w.planOf(c.run) != nil && w.violation == nil {
			w.violated("wedged: run %s has no manifest", c.run)
		}
	}
}
