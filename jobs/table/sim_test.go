package table

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"mapper/client/objects"
)

// sabotage breaks a rule of the protocol, to see that the simulator notices.
type sabotage string

const (
	nothingIsHonoured     sabotage = "the storage replaces what it was asked not to replace"
	existsIsAVerdict      sabotage = "who finds an object in its way does not look whether it is its own"
	straysGoAtTakeover    sabotage = "who takes over a shard deletes files that no link names yet"
	deletesWhenUnknown    sabotage = "who does not know whether a part is sealed deletes its files"
	fencedGoesOn          sabotage = "who is fenced goes on"
	commitsEarly          sabotage = "the first shard that is done commits"
	ownPlan               sabotage = "each process goes by its own plan"
	abortsWithoutManifest sabotage = "an abort deletes files without a manifest"
)

// TestSimulation tries to break the protocol of a run, with thousands of schedules of processes that plan, work, commit,
// abort, clean and read, on a storage that fails, loses replies, and does things later; no lease is honoured. For
// more of it: make sim.
func TestSimulation(t *testing.T) {
	schedules := int(number(t, "MAPPER_SIM_SCHEDULES", defaultSchedules))
	var totals [2]map[string]int // one of each worker
	t.Run("schedules", func(t *testing.T) {
		for k := range totals {
			totals[k] = map[string]int{}
			t.Run(strconv.Itoa(k), func(t *testing.T) {
				t.Parallel()
				simulate(t, k*schedules/len(totals), (k+1)*schedules/len(totals), totals[k])
			})
		}
	})
	report(t, totals[:])
}

// TestSimulationAgain tells what happens in one schedule: MAPPER_SIM_SEED says in which. It happens again in just the
// same way, however goroutines run.
func TestSimulationAgain(t *testing.T) {
	seed, bucket := number(t, "MAPPER_SIM_SEED", 371), leases(t)
	var stories [2]strings.Builder
	var errs [2]error
	for i := range stories {
		w := newWorld(seed, sabotage(os.Getenv("MAPPER_SIM_SABOTAGE")), bucket, map[string]int{})
		w.log = func(format string, args ...any) { fmt.Fprintf(&stories[i], format+"\n", args...) }
		errs[i] = live(t, w)
	}
	t.Log(stories[0].String())
	if errs[0] != nil {
		t.Error(errs[0])
	}
	if stories[0].String() != stories[1].String() {
		t.Errorf("with the same seed it went otherwise:\n%s", &stories[1])
	}
}

// number returns the value of an environment variable.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// simulate lives through schedules, each of which may break its table.
func simulate(t *testing.T, from, to int, totals map[string]int) {
	bucket := leases(t)
	for seed := from; seed < to; seed++ {
		if err := live(t, newWorld(uint64(seed), "", bucket, totals)); err != nil {
			t.Errorf("schedule %d (replay: MAPPER_SIM_SEED=%d go test -run TestSimulationAgain -v ./jobs/table): %v", seed, seed, err)
		}
	}
}

func live(t *testing.T, w *world) (err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { err = w.live() })
	return err
}

func leases(t *testing.T) *objects.Bucket {
	t.Helper()
	tb, err := Open(context.Background(), new(objects.Store), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tb.Bucket
}

// report tells how often what has happened. What never does is not tested.
func report(t *testing.T, totals []map[string]int) {
	t.Helper()
	all := map[string]int{}
	for _, f := range faults(true) {
		all[string(f)] = 0
	}
	for _, event := range []string{
		"a command started while another process carries it out", "a shard taken over", "a process fenced",
		"not known whether a part is sealed", "an operation happened late", "an operation given up for another",
		"a run committed", "a commit found the run committed", "a commit found the run aborted", "a shard done before others",
		"a run aborted", "an abort found the run committed", "an abandoned run cleaned", "a live run read",
		"an object created after the abort: plan", "an object created after the abort: link", "an object created after the abort: part file",
		"cleaned: a file of an aborted run", "a run put in order by another process",
	} {
		all[event] = 0
	}
	for _, of := range totals {
		for event, n := range of {
			all[event] += n
		}
	}
	var lines []string
	for _, event := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, fmt.Sprintf("%9d %s", all[event], event))
		if all[event] == 0 {
			t.Errorf("it never happened: %s", event)
		}
	}
	t.Logf("what happened:\n%s", strings.Join(lines, "\n"))
}

// TestSimulationNotices: every rule is needed, and the simulator notices when one is broken.
func TestSimulationNotices(t *testing.T) {
	const schedules = 10_000
	for _, s := range []sabotage{
		nothingIsHonoured, existsIsAVerdict, straysGoAtTakeover, deletesWhenUnknown, fencedGoesOn, commitsEarly, ownPlan, abortsWithoutManifest,
	} {
		t.Run(string(s), func(t *testing.T) {
			bucket := leases(t)
			for seed := range uint64(schedules) {
				if err := live(t, newWorld(seed, s, bucket, map[string]int{})); err != nil {
					t.Logf("schedule %d: %v", seed, err)
					return
				}
			}
			t.Errorf("%d schedules, and nothing was noticed", schedules)
		})
	}
}
