package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// keeper keeps a table fresh, with an operator whose clock it sets.
type keeper struct {
	*sandbox.Sandbox
	t     *testing.T
	url   string
	out   string
	store *objects.Store
	clock atomic.Int64 // Unix milliseconds
}

func newKeeper(t *testing.T, o sandbox.Options) *keeper {
	k := &keeper{t: t, out: filepath.Join(t.TempDir(), "ids"), store: new(objects.Store)}
	k.clock.Store(time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC).UnixMilli())
	o.Now, o.Trace = k.now, true
	k.Sandbox, k.url = operator(t, o)
	t.Cleanup(func() { k.store.Close() })
	return k
}

func (k *keeper) now() time.Time { return time.UnixMilli(k.clock.Load()) }

func (k *keeper) days(n int) { k.clock.Add(int64(n) * 24 * time.Hour.Milliseconds()) }

// input writes a CSV and returns its name.
func (k *keeper) input(lines ...string) string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// list writes a list of identifiers and returns its name.
func (k *keeper) list(lines ...string) string {
	k.t.Helper()
	path := filepath.Join(k.t.TempDir(), "list.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func (k *keeper) job(input string) jobs.Map {
	m := job(k.Sandbox, k.url, input, k.out)
	m.Columns.ID, m.Now, m.Store = "id", k.now, k.store
	return m
}

// mapped runs a map job and fails the test if it fails.
func (k *keeper) mapped(m jobs.Map) *jobs.Summary {
	k.t.Helper()
	s, err := m.Run(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

func (k *keeper) remap(change func(*jobs.Remap)) *jobs.Summary {
	k.t.Helper()
	r := jobs.Remap{Map: k.job("")}
	r.Inputs, r.Columns = nil, jobs.Columns{}
	if change != nil {
		change(&r)
	}
	s, err := r.Run(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// live returns the rows of an export, by id.
func (k *keeper) live() map[string]output {
	k.t.Helper()
	out := filepath.Join(k.t.TempDir(), "export")
	if _, err := (jobs.Export{From: k.out, Out: out, Store: k.store}).Do(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	rows := map[string]output{}
	for o := range partRows(k.t, out+"/part-00001.parquet") {
		rows[o.id+" "+o.kind] = o
	}
	return rows
}

// verify sees that the table is whole.
func (k *keeper) verify() {
	k.t.Helper()
	if v, err := jobs.Verify(k.t.Context(), k.store, k.out); err != nil {
		k.t.Fatalf("%v\n%v", err, v)
	}
}

func idOf(t *testing.T, email string) normalize.ID {
	t.Helper()
	id, _, reason := normalize.New(normalize.Options{}).Identity(normalize.FormEmail, normalize.RawString(email))
	if reason != normalize.ReasonNone {
		t.Fatal(reason)
	}
	return id
}

func people(from, to int) (lines []string) {
	lines = []string{"id,email,plan"}
	for i := from; i < to; i++ {
		lines = append(lines, fmt.Sprintf("c%d,person%d@example.com,p%d", i, i, i%3))
	}
	return lines
}

// TestRemap asks for exactly what is due, says what has changed, and asks for nothing twice.
func TestRemap(t *testing.T) {
	const rows = 300
	k := newKeeper(t, sandbox.Options{RotationDays: 30, OptOutShare: 0.1})
	k.mapped(k.job(k.input(people(0, rows)...)))
	before := k.live()
	k.days(10)
	due := map[string]bool{}
	for key, o := range before {
		if o.uid != "" && int64(o.refresh) <= k.clock.Load() {
			due[key] = true
		}
	}
	if len(due) < 50 || len(due) > 150 {
		t.Fatalf("%d of %d are due after 10 days", len(due), rows)
	}
	plan, err := jobs.Remap{Map: jobs.Map{BaseURL: k.url, Out: k.out, Now: k.now}}.Plan(t.Context())
	if err != nil || plan.Asked != int64(len(due)) {
		t.Fatalf("%v, %+v: want %d", err, plan, len(due))
	}
	s := k.remap(nil)
	if c := s.Counts; c.Asked != int64(len(due)) || c.Identifiers != c.Asked || c.Mapped != c.Asked {
		t.Errorf("%v, want %d due", s, len(due))
	}
	k.verify()
	for key, o := range k.live() {
		was := before[key]
		if asked := o.at != was.at; asked != due[key] || asked == (o.uid == was.uid) || asked && o.previous != was.uid || o.column != was.column || o.row != was.row {
			t.Errorf("due %v: %+v, before %+v", due[key], o, was)
		}
	}
	changes := k.changes(s.RunID)
	if len(changes) != len(due) {
		t.Errorf("%d rows written, want %d", len(changes), len(due))
	}
	for key, c := range changes {
		if c.change != "rotated" || c.former != before[key].uid {
			t.Errorf("%s: %+v, before %+v", key, c, before[key])
		}
	}
	if s := k.remap(nil); s.Counts.Asked != 0 || s.Counts.Identifiers != 0 || s.Counts.Requests != 0 {
		t.Errorf("again: %v", s)
	}
}

// TestRemapAsOf looks ahead, in bites.
func TestRemapAsOf(t *testing.T) {
	k := newKeeper(t, sandbox.Options{RotationDays: 30})
	k.mapped(k.job(k.input(people(0, 100)...)))
	if s := k.remap(func(r *jobs.Remap) { r.AsOf = k.now().AddDate(0, 0, 60); r.MaxRows = 30 }); s.Counts.Asked != 30 {
		t.Errorf("%v, want 30", s)
	}
	if s := k.remap(func(r *jobs.Remap) { r.AsOf = k.now().AddDate(0, 0, 60) }); s.Counts.Asked != 100 {
		t.Errorf("%v, want all, as answers of today are due by then too", s)
	}
	k.verify()
}

// TestRemapOptOut: who has opted out is asked again after a while, and their raw UIDs come back if they opt in.
func TestRemapOptOut(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	out := idOf(t, "person1@example.com")
	k.OptOut(out)
	k.mapped(k.job(k.input(people(0, 3)...)))
	if o := k.live()["c1 email"]; o.reason != "OPTOUT" {
		t.Fatalf("%+v", o)
	}
	k.OptIn(out)
	k.OptOut(idOf(t, "person2@example.com"))
	asked := k.Asked(out)
	for range 29 {
		k.days(1)
		k.remap(nil)
	}
	if k.Asked(out) != asked {
		t.Errorf("asked %d times within 30 days", k.Asked(out)-asked)
	}
	k.days(1)
	s := k.remap(nil)
	if c := k.changes(s.RunID)["c1 email"]; c.change != "restored" || c.former != "" {
		t.Errorf("%+v", c)
	}
	live := k.live()
	if live["c1 email"].uid == "" || live["c2 email"].reason != "OPTOUT" || live["c0 email"].uid == "" {
		t.Errorf("%+v", live)
	}
	k.verify()
}

// TestRemapOfNothing: a folder that is no table, one of another service, and an empty one.
func TestRemapOfNothing(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	if _, err := (jobs.Remap{Map: k.job("")}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is no table") {
		t.Errorf("%v", err)
	}
	k.mapped(k.job(k.input(people(0, 3)...)))
	other := jobs.Remap{Map: k.job("")}
	other.Environment = "elsewhere"
	if _, err := other.Run(t.Context()); !errors.Is(err, table.ErrOtherTable) {
		t.Errorf("%v", err)
	}
	if s := k.remap(nil); s.Counts.Identifiers != 0 || s.Status != jobs.StatusCommitted {
		t.Errorf("%v", s)
	}
}

// TestIncremental asks only for what is not known, and writes only what is new.
func TestIncremental(t *testing.T) {
	k := newKeeper(t, sandbox.Options{RotationDays: 30})
	first := k.job(k.input(people(0, 100)...))
	first.Incremental = true
	if s := k.mapped(first); s.Counts.Asked != 100 || s.Counts.Mapped != 100 {
		t.Fatalf("into an empty table: %v", s)
	}
	// 20 new people, a known one under another id as well, one twice, and one who is none.
	lines := append(people(10, 120), "z1,person50@example.com,p9", "c60,person60@example.com,p9", "z2,nobody,p9")
	m := k.job(k.input(lines...))
	m.Incremental, m.Columns.Keep = true, []string{"plan"}
	plan, err := m.Plan(t.Context())
	if err != nil || plan.Asked != 20 || plan.Withheld != 91 {
		t.Errorf("%v, %+v", err, plan)
	}
	s := k.mapped(m)
	if c := s.Counts; c.Lines != 113 || c.Asked != 20 || c.Mapped != 21 || c.Withheld != 91 || c.Unmapped["INVALID_IDENTIFIER"] != 1 {
		t.Errorf("%v %+v", s, c)
	}
	k.verify()
	live := k.live()
	if len(live) != 121 || live["z1 email"].uid != live["c50 email"].uid || live["z1 email"].at != live["c50 email"].at {
		t.Errorf("%d live rows: %+v, %+v", len(live), live["z1 email"], live["c50 email"])
	}
	if s := k.mapped(m); s.Counts.Asked != 0 || s.Counts.Withheld != 112 || s.Counts.Mapped != 0 {
		t.Errorf("again: %v", s)
	}
	k.days(31)
	if s := k.mapped(m); s.Counts.Asked != 110 || s.Counts.Withheld != 1 {
		t.Errorf("all are due: %v", s)
	}
	if len(k.live()) != 121 {
		t.Error("rows are gone")
	}
	k.verify()
}

// TestFullBase removes who has left, unless it is too many.
func TestFullBase(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(people(0, 100)...)))
	m := k.job(k.input(people(30, 100)...))
	m.Incremental, m.FullBase = true, true
	if _, err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--max-removed 0.2") || !strings.Contains(err.Error(), "30 of 100 live pairs") {
		t.Fatalf("%v", err)
	}
	if n := len(k.live()); n != 100 {
		t.Errorf("%d live rows after a refused run", n)
	}
	share := 0.3
	m.MaxRemoved = &share
	before := k.live()
	s := k.mapped(m)
	if c := s.Counts; c.Asked != 0 || c.Withheld != 70 || c.Unmapped["REMOVED"] != 30 {
		t.Errorf("%v", s)
	}
	if c := k.changes(s.RunID)["c3 email"]; c.change != "removed" || c.former != before["c3 email"].uid {
		t.Errorf("%+v", c)
	}
	if n := len(k.live()); n != 70 {
		t.Errorf("%d live rows", n)
	}
	// Who comes back is known still.
	back := k.job(k.input(people(20, 100)...))
	back.Incremental = true
	if s := k.mapped(back); s.Counts.Asked != 0 || s.Counts.Mapped != 10 || s.Counts.Withheld != 70 {
		t.Errorf("%v", s)
	}
	if n := len(k.live()); n != 80 {
		t.Errorf("%d live rows", n)
	}
	k.verify()
}

// TestSuppress asks nobody who is on the list, and they are live no more, whichever kind of run it is.
func TestSuppress(t *testing.T) {
	id := idOf(t, "person1@example.com")
	var hash []byte
	hash = idOfHash(t, "person2@example.com").AppendBase64(hash)
	for _, kind := range []string{"map", "incremental", "remap"} {
		t.Run(kind, func(t *testing.T) {
			k := newKeeper(t, sandbox.Options{RotationDays: 30})
			k.mapped(k.job(k.input(people(0, 5)...)))
			asked := k.Asked(id)
			k.days(40)
			list := k.list("Person1@example.com", "", string(hash))
			var s *jobs.Summary
			if kind == "remap" {
				s = k.remap(func(r *jobs.Remap) { r.Suppress = list })
			} else {
				m := k.job(k.input(people(0, 5)...))
				m.Suppress, m.Incremental = list, kind == "incremental"
				s = k.mapped(m)
			}
			if c := s.Counts; c.Asked != 3 || c.Unmapped["SUPPRESSED"] != 2 || c.Mapped != 3 || k.Asked(id) != asked {
				t.Errorf("%v; asked %d times", s, k.Asked(id)-asked)
			}
			if live := k.live(); len(live) != 3 || live["c1 email"].uid != "" {
				t.Errorf("%+v", live)
			}
			k.verify()
		})
	}
}

// TestCompact: a table says the same after it, of which old files go.
func TestCompact(t *testing.T) {
	k := newKeeper(t, sandbox.Options{RotationDays: 30, OptOutShare: 0.2})
	m := k.job(k.input(people(0, 200)...))
	m.Columns.Keep = []string{"plan"}
	k.mapped(m)
	k.days(12)
	k.remap(nil)
	m = k.job(k.input(append(people(20, 230), "z,person7@example.com,p9", ",person8@example.com,p9")...))
	m.Columns.Keep, m.Incremental, m.FullBase = []string{"plan"}, true, true
	k.mapped(m)
	before := k.live()
	c := jobs.Compact{From: k.out, Store: k.store, PartRows: 70}
	s, err := c.Run(t.Context())
	if err != nil || s.Counts.Identifiers != int64(len(before)) || s.Counts.Requests != 0 || len(s.Removed.Files) != 0 {
		t.Fatalf("%v, %v", err, s)
	}
	k.verify()
	after := k.live()
	if len(after) != len(before) {
		t.Errorf("%d live rows, before %d", len(after), len(before))
	}
	for key, o := range after {
		if before[key] != o { // row, column, previous and all
			t.Errorf("%+v\nbefore %+v", o, before[key])
		}
	}
	if again, err := c.Run(t.Context()); err != nil || again.Status != jobs.StatusNothingToDo || again.RunID != s.RunID {
		t.Errorf("%v, %v", err, again)
	}
	// The files of the runs before stay until they have been replaced for long enough.
	files := func() (n int) {
		if err := filepath.WalkDir(k.out, func(path string, _ os.DirEntry, _ error) error {
			if strings.HasSuffix(path, ".parquet") && !strings.Contains(path, s.RunID) {
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if files() == 0 {
		t.Error("the files of replaced runs are gone at once")
	}
	c.Grace = -1
	if s, err := c.Run(t.Context()); err != nil || files() != 0 || len(s.Removed.Files) == 0 {
		t.Errorf("%v, %v: %d files are left", err, s, files())
	}
	k.verify()
	k.days(20)
	if s := k.remap(nil); s.Counts.Asked == 0 {
		t.Errorf("nothing of a compacted table is due: %v", s)
	}
}

// TestForget leaves nothing of a person in the files of the table.
func TestForget(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(append(people(0, 50), "z,person7@example.com,p1")...)))
	k.days(1)
	m := k.job(k.input(people(0, 60)...))
	m.Incremental = true
	k.mapped(m)
	if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var hash []byte
	hash = idOfHash(t, "person7@example.com").AppendBase64(hash)
	if !k.holds(string(hash)) {
		t.Fatal("nothing holds the hash before")
	}
	f := jobs.Forget{Compact: jobs.Compact{From: k.out, Store: k.store}, Identifiers: strings.NewReader("PERSON7@example.com\nstranger@example.com\n")}
	done, err := f.Run(t.Context())
	if err != nil || done.Pairs != 2 || done.Identifiers != 2 || len(done.Removed.Files) == 0 || len(done.Beyond) == 0 {
		t.Fatalf("%v, %v", err, done)
	}
	k.verify()
	if k.holds(string(hash)) || k.holds("person7") {
		t.Error("the table still holds the person")
	}
	if live := k.live(); len(live) != 59 {
		t.Errorf("%d live rows", len(live))
	}
	if _, err := (jobs.Forget{Compact: f.Compact, Identifiers: strings.NewReader("\n")}).Run(t.Context()); !isUsage(err) {
		t.Errorf("nobody to forget: %v", err)
	}
	if _, err := (jobs.Forget{Compact: f.Compact, Identifiers: strings.NewReader("a@example.com\nnobody\n")}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "standard input:2: ") {
		t.Errorf("a line that is no identifier: %v", err)
	}
}

// TestReplacingWaits: a run that replaces others begins only when no run is unfinished.
func TestReplacingWaits(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(people(0, 50)...)))
	m := k.job(k.input(people(0, 60)...))
	m.PartRows, m.MaxBatch, m.MaxInFlight, m.RunID = 10, 10, 1, "cut"
	interruptAfter(t, m, 2)
	_, err := jobs.Compact{From: k.out, Store: k.store}.Run(t.Context())
	if !errors.Is(err, table.ErrBusy) || !strings.Contains(err.Error(), "run cut ") {
		t.Errorf("%v", err)
	}
	k.mapped(m)
	if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
		t.Error(err)
	}
	k.verify()
}

func idOfHash(t *testing.T, email string) *normalize.ID {
	id := idOf(t, email)
	return &id
}

// holds says whether a file of the table holds a text.
func (k *keeper) holds(text string) (found bool) {
	k.t.Helper()
	if err := filepath.WalkDir(k.out, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || strings.Contains(string(data), text)
		return err
	}); err != nil {
		k.t.Fatal(err)
	}
	return found
}

// changed is what a row says of the change.
type changed struct{ change, former string }

// changes returns the changes that a run has written, by id and kind.
func (k *keeper) changes(run string) map[string]changed {
	k.t.Helper()
	all := map[string]changed{}
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		files, err := filepath.Glob(filepath.Join(k.out, dataset, "run="+run, "*.parquet"))
		if err != nil {
			k.t.Fatal(err)
		}
		for _, f := range files {
			for o := range partRows(k.t, f) {
				all[o.id+" "+o.kind] = changed{o.change, o.former}
			}
		}
	}
	return all
}

// TestRemapExample runs the job file that the project shows for keeping a table fresh.
func TestRemapExample(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(people(0, 60)...)))
	k.days(10)
	file, err := jobs.ReadFile("examples/remap.yaml", jobs.FileOptions{Env: func(name string) (string, bool) {
		return k.out, name == "TABLE"
	}})
	if err != nil {
		t.Fatal(err)
	}
	remap := file.Remap()
	remap.BaseURL, remap.APIKey, remap.ClientSecret, remap.Now = k.url, client.NewSecret(k.APIKey()), client.NewSecret(k.ClientSecret()), k.now
	s, err := remap.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Counts; s.Kind != "remap" || c.Asked < 5 || c.Asked > 40 || c.Mapped != c.Asked {
		t.Errorf("%v", s)
	}
	k.verify()
}

// TestFullBaseOfNothing: an export of which nothing but the header is left removes nobody.
func TestFullBaseOfNothing(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(people(0, 50)...)))
	m := k.job(k.input("id,email,plan"))
	m.Columns.Email, m.Incremental, m.FullBase, m.AllowEmpty = []string{"email"}, true, true, true
	plan, err := m.Plan(t.Context())
	if err != nil || !plan.TooMany || plan.Removed != 50 {
		t.Errorf("%v, %+v", err, plan)
	}
	if _, err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "50 of 50 live pairs") {
		t.Errorf("%v", err)
	}
	m.Inputs = append(m.Inputs, filepath.Join(t.TempDir(), "gone.csv"))
	if _, err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "gone.csv") {
		t.Errorf("a part of the base is missing: %v", err)
	}
	if n := len(k.live()); n != 50 {
		t.Errorf("%d live rows", n)
	}
}

// TestOverlappingBases: a run by a whole base that was planned before another one cannot take back what that has
// confirmed.
func TestOverlappingBases(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.mapped(k.job(k.input(people(0, 100)...)))
	old := k.job(k.input(people(0, 39)...))
	old.Incremental, old.FullBase, old.RunID = true, true, "old"
	if _, err := old.Run(t.Context()); err == nil {
		t.Fatal("61 of 100 were removed")
	}
	whole := k.job(k.input(people(0, 100)...))
	whole.Incremental, whole.FullBase = true, true
	k.mapped(whole)
	all := 1.0
	old.MaxRemoved = &all
	if _, err := old.Run(t.Context()); !errors.Is(err, table.ErrYielded) {
		t.Errorf("%v", err)
	}
	if n := len(k.live()); n != 100 {
		t.Errorf("%d live rows", n)
	}
	k.verify()
}

// TestRunIDsOfOthers: a run id that is used up is no success of another kind of run, and never one of a forget.
func TestRunIDsOfOthers(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	m := k.job(k.input(people(0, 20)...))
	m.RunID = "used"
	k.mapped(m)
	r := jobs.Remap{Map: k.job("")}
	r.RunID = "used"
	if _, err := r.Run(t.Context()); !isUsage(err) {
		t.Errorf("%v", err)
	}
	f := jobs.Forget{Compact: jobs.Compact{From: k.out, Store: k.store, RunID: "f"}, Identifiers: strings.NewReader("person1@example.com\n")}
	if _, err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Identifiers = strings.NewReader("person2@example.com\n")
	if _, err := f.Run(t.Context()); !isUsage(err) {
		t.Errorf("%v", err)
	}
	k.verify()
}

// TestForgetLeavesNoTrace: what tells apart whom a forget was for, or stood in many rows, is in no file that stays.
func TestForgetLeavesNoTrace(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	lines := people(0, 40)
	for range 5 {
		lines = append(lines, "x,person7@example.com,p")
	}
	k.mapped(k.job(k.input(lines...)))
	id := idOf(t, "person7@example.com")
	f := jobs.Forget{Compact: jobs.Compact{From: k.out, Store: k.store, RunID: "f"}, Identifiers: strings.NewReader("person7@example.com\n")}
	if _, err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.holds(fmt.Sprintf("%x", id.Hash[:8])) || k.holds(`"identifiers": "`) {
		t.Error("the table still tells of the person")
	}
	k.verify()
	if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKeptTypesInTable: a kept column of another type than in the table is refused before there is a run.
func TestKeptTypesInTable(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	m := k.job(k.input(people(0, 20)...))
	m.Columns.Keep = []string{"plan"}
	k.mapped(m)
	if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "email", Type: arrow.BinaryTypes.String}, {Name: "Plan", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, text := range []string{"1", "a@example.com", "7"} {
		if err := b.Field(i).AppendValueFromString(text); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "people.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ipc.NewFileWriter(f, ipc.WithSchema(schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b.NewRecord()), w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	m = k.job(path)
	m.Columns.Keep = []string{"Plan"}
	if _, err := m.Run(t.Context()); !isUsage(err) || !strings.Contains(err.Error(), "of type utf8 in run") {
		t.Errorf("%v", err)
	}
	if len(k.live()) != 20 {
		t.Error("the table cannot be exported")
	}
}
