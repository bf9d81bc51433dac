package jobs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mapper/client/sandbox"
	"mapper/jobs"
)

// year keeps a table for a customer base that changes, day after day.
type year struct {
	*keeper
	*customers
	t      *testing.T // of the two that are embedded
	oracle *oracle
	work   string // a folder for exports

	today      int
	base       string
	suppressed map[int]bool
	lastAsked  time.Time
	lastRun    string
	below      downstream

	compared, unheard int            // rows
	did               map[string]int // jobs, by kind
}

// yearMemory is the least that a job takes, so that a large base is sorted in many pieces.
const yearMemory = 32_000_000

// TestYear keeps a table fresh with map --incremental --full-base and remap, compacts it and forgets people. Each evening
// it compares the table with an operator of whom it knows the rules, and now and then what is held downstream by diffs
// alone. By default it is five weeks of 3,000 people: MAPPER_YEAR_DAYS, MAPPER_YEAR_PEOPLE and MAPPER_YEAR_SEED make it
// another time; `make year` is a year of 200,000.
func TestYear(t *testing.T) {
	days, people, seed := setting(t, "MAPPER_YEAR_DAYS", 35), setting(t, "MAPPER_YEAR_PEOPLE", 3000), setting(t, "MAPPER_YEAR_SEED", 1)
	y := newYear(t, uint64(seed), people)
	temporary := filepath.Join(y.work, "temporary")
	if err := os.Mkdir(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	for y.today = range days {
		y.day()
		if y.today%30 == 29 {
			t.Log(y)
		}
	}
	y.verify()
	y.compareAsked()
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("%v: temporary files are left: %v", err, left)
	}
	t.Log(y)
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number from 1 on", name, text)
	}
	return n
}

func newYear(t *testing.T, seed uint64, people int) *year {
	// A salt lives 90 days on average, so that some have a previous raw UID and some do not.
	k := newKeeper(t, sandbox.Options{Seed: "year", RotationDays: 90, OptOutShare: 0.02})
	k.clock.Store(time.Date(2024, 1, 10, 0, 0, 0, 0, time.UTC).UnixMilli())
	c := newCustomers(t, seed, people)
	y := &year{keeper: k, customers: c, t: t, work: t.TempDir(), suppressed: map[int]bool{}, did: map[string]int{}}
	y.base = filepath.Join(y.work, "base.csv")
	y.oracle = &oracle{customers: c, operator: k.Sandbox, now: k.now, recheck: 12 * 24 * time.Hour, live: map[holding]source{}}
	return y
}

// day is one day: the base changes, and then, on most days, jobs run, each some hours after the one before.
func (y *year) day() {
	y.customers.day(y.Sandbox)
	y.SetFaults(sandbox.Faults{Words: y.words})
	midnight := time.Date(2024, 1, 10+y.today, 0, 0, 0, 0, time.UTC)
	y.clock.Store(midnight.UnixMilli())
	if !y.one(4) { // the others begin at the moment at which identities become due
		y.later()
	}
	todo := y.plan()
	for _, do := range todo {
		do(y)
		y.later()
	}
	if len(todo) == 0 {
		y.did["day off"]++
		return
	}
	y.compare(y.lastAsked)
	if y.one(3) {
		y.follow()
	}
	if y.today%7 == 2 {
		y.verify()
	}
}

func (y *year) later() {
	y.clock.Add(time.Hour.Milliseconds() + y.chance.Int64N(2*time.Hour.Milliseconds()))
}

// plan says what is to be done today. If anything is, then map or remap are among it, so that nothing is due behind them.
func (y *year) plan() (todo []func(*year)) {
	what := y.chance.IntN(20)
	switch {
	case y.today == 0: // there is no table
		return []func(*year){(*year).runMap}
	case what < 2 || y.today%90 > 80 && y.today%90 < 86: // a missed day, and once in a while a week of them
		return nil
	case what < 4:
		todo = append(todo, (*year).runRemap)
	case what < 8:
		todo = append(todo, (*year).runMap)
	default:
		todo = append(todo, (*year).runMap, (*year).runRemap)
	}
	if y.today%7 == 6 {
		todo = append(todo, (*year).runCompact)
	}
	if y.one(10) {
		todo = append(todo, (*year).runForget)
	}
	if y.one(10) {
		todo = append(todo, (*year).changeSuppressed)
	}
	y.chance.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	return todo
}

func (y *year) runMap() {
	export, refused := y.export(y.base)
	m := y.job(y.base)
	m.Columns = jobs.Columns{ID: "id", Email: []string{"email", "alt_email"}, Phone: []string{"phone"}, Keep: []string{"plan"}}
	m.Incremental, m.FullBase, m.OptoutRecheck, m.Suppress = true, true, y.oracle.recheck, y.suppressionList()
	m.Memory = yearMemory
	before := y.Stats().Identities
	s := y.mapped(m)
	want := y.oracle.mapped(export, y.suppressed)
	want.told += refused
	y.check(s, before, want)
	y.lastAsked = y.now()
}

func (y *year) runRemap() {
	before := y.Stats().Identities
	s := y.remap(func(r *jobs.Remap) {
		r.OptoutRecheck, r.Suppress, r.Memory = y.oracle.recheck, y.suppressionList(), yearMemory
	})
	y.check(s, before, y.oracle.remapped(y.suppressed))
	y.lastAsked = y.now()
}

// check compares what a run has done with what it had to do.
func (y *year) check(s *jobs.Summary, before int, want work) {
	y.t.Helper()
	y.did[s.Kind]++
	y.lastRun = s.RunID
	c := &s.Counts
	told := c.Mapped + c.Unmapped[reasonOptOut] + c.Unmapped[reasonUnknown] + c.Unmapped[reasonInvalid]
	got := work{int(c.Asked), int(c.Unmapped["SUPPRESSED"]), int(c.Unmapped["REMOVED"]), int(told), int(c.Withheld)}
	if got != want {
		y.t.Fatalf("day %d, %s: %+v, want %+v", y.today, s.Kind, got, want)
	}
	if asked := y.Stats().Identities - before; asked != want.asked {
		y.t.Fatalf("day %d, %s: the service was asked for %d, want %d", y.today, s.Kind, asked, want.asked)
	}
}

func (y *year) runCompact() {
	s, err := jobs.Compact{From: y.out, Store: y.store, Grace: -1, Memory: yearMemory}.Run(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	y.did[s.Kind]++
	y.lastRun, y.below.since = s.RunID, "" // the files before it are gone
	y.oracle.compacted()
	if s.Counts.Identifiers-s.Counts.Withheld != int64(len(y.oracle.live)) || s.Counts.Requests != 0 {
		y.t.Fatalf("day %d: %v, want %d live pairs", y.today, s, len(y.oracle.live))
	}
}

// runForget forgets some people. Of some the next export has no row, some are suppressed from then on, and of some
// nobody has thought: they are customers again when the base is mapped next.
func (y *year) runForget() {
	forget := map[int]bool{}
	for range 1 + y.chance.IntN(3) {
		i := y.chance.IntN(len(y.here))
		who := y.here[i]
		for _, m := range who.members() {
			forget[m] = true
		}
		switch y.chance.IntN(3) {
		case 0:
			y.drop(i)
		case 1:
			for _, m := range who.members() {
				y.suppressed[m] = true
			}
		}
	}
	if len(forget) == 0 {
		return
	}
	y.oracle.grow()
	f := jobs.Forget{Compact: jobs.Compact{From: y.out, Store: y.store, Memory: yearMemory}, Identifiers: strings.NewReader(y.list(forget))}
	s, err := f.Run(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	y.did[s.Kind]++
	y.lastRun, y.below.since = s.RunID, ""
	if pairs := y.oracle.forgot(forget); s.Pairs != int64(pairs) || s.Identifiers != len(forget) {
		y.t.Fatalf("day %d: %v, want %d pairs of %d identifiers", y.today, s, pairs, len(forget))
	}
	for m := range forget {
		if id := y.members[m].id; y.holds(string(id.AppendBase64(nil))) {
			y.t.Fatalf("day %d: a file of the table still holds member %d", y.today, m)
		}
	}
}

// changeSuppressed takes some people off the list of those who are never to be asked, and puts others on it.
func (y *year) changeSuppressed() {
	for _, m := range slices.Sorted(maps.Keys(y.suppressed)) {
		if y.one(8) {
			delete(y.suppressed, m)
		}
	}
	for range 1 + y.chance.IntN(3) {
		y.suppressed[y.someMember()] = true
	}
}

func (y *year) list(members map[int]bool) string {
	var b strings.Builder
	for _, m := range slices.Sorted(maps.Keys(members)) {
		b.WriteString(y.members[m].text + "\n")
	}
	return b.String()
}

// suppressionList writes the list of those who are never to be asked, and returns its name; none when there is nobody.
func (y *year) suppressionList() string {
	if len(y.suppressed) == 0 {
		return ""
	}
	path := filepath.Join(y.work, "suppress.txt")
	if err := os.WriteFile(path, []byte(y.list(y.suppressed)), 0o600); err != nil {
		y.t.Fatal(err)
	}
	return path
}

// compareAsked compares how often each member was asked with how often there was a reason to.
func (y *year) compareAsked() {
	for m, times := range y.oracle.times {
		if asked := y.Asked(y.members[m].id); asked != times {
			y.t.Errorf("member %d was asked %d times, want %d", m, asked, times)
		}
	}
	if asked := y.Stats().Identities; float64(asked) > 1.05*float64(y.oracle.ideal) || asked < y.oracle.ideal {
		y.t.Errorf("the service was asked for %d, and %d would do for a table that forgets nothing", asked, y.oracle.ideal)
	}
}

// String says how it went.
func (y *year) String() string {
	asked := y.Stats().Identities
	return fmt.Sprintf("day %d: %d customers, %d live pairs; asked %d, ideal %d (%+.2f%%); %d rows compared, of which %d wait for a change of opt-out; %d diffs; %v",
		y.today+1, len(y.here), len(y.oracle.live), asked, y.oracle.ideal, 100*float64(asked-y.oracle.ideal)/float64(y.oracle.ideal), y.compared, y.unheard, y.below.diffs, y.did)
}
