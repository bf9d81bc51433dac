package jobs_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
)

// signalled is a row of an input of the tests here: a person in a country, as an id of its own.
type signalled struct {
	person  int
	country string
	known   string
}

// in returns rows for people in each of some countries.
func in(from, to int, countries ...string) (rows []signalled) {
	for _, country := range countries {
		for person := from; person < to; person++ {
			row := signalled{person: person, country: country}
			if person%3 == 0 {
				row.known = fmt.Sprintf("ID5*known%d", person)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func (s signalled) email() string { return fmt.Sprintf("person%d@example.com", s.person) }

func (s signalled) id() string { return fmt.Sprintf("c%d%s", s.person, s.country) }

// hash returns the hash that ID5 takes.
func (s signalled) hash(t *testing.T) [32]byte {
	t.Helper()
	return idOfID5(t, s.email()).Hash
}

// signals returns a job that writes rows into the keeper's table.
func (k *keeper) signals(rows []signalled) jobs.Signals {
	k.t.Helper()
	lines := []string{"id,email,cc,uids,plan"}
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%s,%s,%s,%s,p%d", r.id(), r.email(), r.country, r.known, r.person%3))
	}
	j := signalsJob(k.Sandbox, k.url, k.input(lines...), k.out)
	j.Now, j.Store, j.Columns.Keep, j.RefreshAfter = k.now, k.store, []string{"plan"}, 24*time.Hour
	return j
}

// signalled runs such a job.
func (k *keeper) signalled(j jobs.Signals) *jobs.Summary {
	k.t.Helper()
	s, err := j.Run(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// remapID5 returns a remap of the keeper's table.
func (k *keeper) remapID5() jobs.Remap {
	return jobs.Remap{
		Map: jobs.Map{BaseURL: k.url, Out: k.out, Now: k.now, Store: k.store},
		ID5: jobs.ID5{Partner: k.ID5Partner(), Token: client.NewSecret(k.ID5Token())},
	}
}

// remapped runs a remap.
func (k *keeper) remapped(r jobs.Remap) *jobs.Summary {
	k.t.Helper()
	s, err := r.Run(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// asked returns how often each row's identity was asked.
func (k *keeper) asked(rows []signalled) (asked []int) {
	for _, r := range rows {
		asked = append(asked, k.ID5Asked(r.hash(k.t), r.country))
	}
	return asked
}

// checkLive compares the live rows with what the service has for those that are to be there.
func (k *keeper) checkLive(rows []signalled) map[string]output {
	k.t.Helper()
	live := k.live()
	if len(live) != len(rows) {
		k.t.Errorf("%d live rows, want %d", len(live), len(rows))
	}
	for _, r := range rows {
		hash := r.hash(k.t)
		o := live[r.id()+" email"]
		if o.hash != hex.EncodeToString(hash[:]) || o.country != r.country || !strings.HasPrefix(o.uid, k.ID5UID(hash, r.country)) || o.previous != "" {
			k.t.Fatalf("%s is %+v", r.id(), o)
		}
	}
	return live
}

// TestSignalsRemap takes up exactly what is due, by hash and country and without known uids; uids that have changed are no
// change.
func TestSignalsRemap(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.SetFaults(sandbox.Faults{ID5: sandbox.ID5Faults{Changing: true}})
	early, late := in(0, 80, "", "DE"), in(40, 120, "US")
	k.signalled(k.signals(early))
	k.clock.Add((12 * time.Hour).Milliseconds())
	k.signalled(k.signals(late))
	before, joined := k.checkLive(slices.Concat(early, late)), k.Stats().Joined
	if joined == 0 {
		t.Fatal("no known uids were sent")
	}
	k.clock.Add((12*time.Hour - time.Second).Milliseconds())
	if s := k.remapped(k.remapID5()); s.Counts.Asked != 0 {
		t.Fatalf("a second too early: %v", s)
	}
	k.clock.Add(time.Second.Milliseconds())
	plan, err := k.remapID5().Plan(t.Context())
	if err != nil || plan.Asked != int64(len(early)) || plan.InFlight != jobs.DefaultInFlightID5 {
		t.Errorf("%v: %+v", err, plan)
	}
	askedEarly, askedLate := k.asked(early), k.asked(late)
	s := k.remapped(k.remapID5())
	if c := s.Counts; c.Asked != int64(len(early)) || c.Mapped != c.Asked || s.Service != "id5" {
		t.Errorf("%v", s)
	}
	for i, n := range k.asked(early) {
		if n != askedEarly[i]+1 {
			t.Errorf("%s was asked %d times", early[i].id(), n-askedEarly[i])
		}
	}
	if !slices.Equal(k.asked(late), askedLate) || k.Stats().Joined != joined {
		t.Errorf("somebody was asked who is not due, or known uids were sent: %+v", k.Stats())
	}
	changes := k.changes(s.RunID)
	for key, c := range changes {
		if c != (changed{change: "same"}) {
			t.Errorf("%s: %+v", key, c)
		}
	}
	if len(changes) != len(early) {
		t.Errorf("%d rows were written, want %d", len(changes), len(early))
	}
	after := k.checkLive(slices.Concat(early, late))
	for _, r := range early {
		if o := after[r.id()+" email"]; o.uid == before[r.id()+" email"].uid || int64(o.refresh) != k.clock.Load()+24*time.Hour.Milliseconds() {
			t.Errorf("%s: %+v", r.id(), o)
		}
	}
	k.verify()
	if s := k.remapped(k.remapID5()); s.Counts.Asked != 0 || s.Counts.Identifiers != 0 {
		t.Errorf("again: %v", s)
	}
}

// TestSignalsNeverDue: without RefreshAfter nothing says when a uid is old. Who was called invalid is asked again all the
// same, in the country in which they were.
func TestSignalsNeverDue(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	rows := in(0, 20, "", "DE")
	invalid := map[[32]byte]string{rows[3].hash(t): "signal_not_allowed"}
	k.SetFaults(sandbox.Faults{ID5: sandbox.ID5Faults{Reject: invalid}})
	j := k.signals(rows)
	j.RefreshAfter = 0
	if s := k.signalled(j); s.Counts.Unmapped["INVALID_IDENTIFIER"] != 2 {
		t.Fatalf("%v", s)
	}
	for key, o := range k.live() {
		if o.refresh != 0 {
			t.Errorf("%s is due at %d", key, o.refresh)
		}
	}
	k.SetFaults(sandbox.Faults{})
	k.days(29)
	if s := k.remapped(k.remapID5()); s.Counts.Asked != 0 {
		t.Errorf("after 29 days: %v", s)
	}
	k.days(1)
	s := k.remapped(k.remapID5())
	if s.Counts.Asked != 2 || s.Counts.Mapped != 2 {
		t.Errorf("after 30 days: %v", s)
	}
	for key, c := range k.changes(s.RunID) {
		if c != (changed{change: "restored"}) {
			t.Errorf("%s: %+v", key, c)
		}
	}
	k.checkLive(rows)
	k.verify()
}

// TestSignalsRefreshAfter: a remap makes uids due after as long as the latest signals run did, also when that has been
// folded, unless it is told otherwise.
func TestSignalsRefreshAfter(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	rows := in(0, 30, "FR")
	for _, age := range []time.Duration{time.Hour, 48 * time.Hour} {
		j := k.signals(rows)
		j.RefreshAfter = age
		k.signalled(j)
		k.days(1)
	}
	refreshed := func(want time.Duration) {
		t.Helper()
		for key, o := range k.checkLive(rows) {
			if got := time.Duration(o.refresh-o.at) * time.Millisecond; got != want || int64(o.at) != k.clock.Load() {
				t.Fatalf("%s is due %s after the answer, want %s: %+v", key, got, want, o)
			}
		}
	}
	k.days(1)
	k.remapped(k.remapID5())
	refreshed(48 * time.Hour)
	if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.days(2)
	k.remapped(k.remapID5())
	refreshed(48 * time.Hour)
	k.days(2)
	other := k.remapID5()
	other.RefreshAfter = 10 * time.Hour
	k.remapped(other)
	refreshed(10 * time.Hour)
}

// TestSignalsInterrupted goes on where it was stopped, and asks nobody again who is sealed.
func TestSignalsInterrupted(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	rows := in(0, 150, "", "US")
	j := k.signals(rows)
	j.PartRows, j.MaxBatch, j.MaxInFlight = 30, 10, 1
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	j.Monitor = &jobs.Monitor{OnPart: func(p jobs.SealedPart) {
		if p.N == 3 {
			stop()
		}
	}}
	if _, err := j.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("it was not interrupted: %v", err)
	}
	before := k.Stats().Identities
	if before < 90 || before > 250 {
		t.Fatalf("%d were asked before", before)
	}
	j.Monitor = nil
	s := k.signalled(j)
	if s.Counts.Mapped != int64(len(rows)) || k.Stats().Identities-before > len(rows)-90 {
		t.Errorf("%v; %d were asked now", s, k.Stats().Identities-before)
	}
	k.checkLive(rows)
	k.verify()
}

// TestSignalsInShards leaves the rows of a run without shards.
func TestSignalsInShards(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	rows := in(0, 60, "", "DE", "US")
	folder := t.TempDir()
	for n, some := range [][]signalled{rows[:100], rows[100:130], rows[130:]} {
		from := k.signals(some).Inputs[0]
		if err := os.Rename(from, filepath.Join(folder, fmt.Sprint(n, ".csv"))); err != nil {
			t.Fatal(err)
		}
	}
	for shard := range 2 {
		j := k.signals(nil)
		j.Inputs, j.Shard, j.RunID = []string{folder}, jobs.Shard{K: shard, N: 2}, "r"
		if s := k.signalled(j); shard == 1 && (s.Status != jobs.StatusCommitted || s.Counts.Mapped != int64(len(rows))) {
			t.Errorf("%v", s)
		}
	}
	k.checkLive(rows)
	k.verify()
}

// TestSignalsCompacted: the table says the same after a compaction, with which later runs go on.
func TestSignalsCompacted(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.SetFaults(sandbox.Faults{ID5: sandbox.ID5Faults{Changing: true}})
	k.signalled(k.signals(in(0, 100, "", "DE")))
	k.days(1)
	k.remapped(k.remapID5())
	k.signalled(k.signals(in(50, 120, "DE", "US")))
	before := k.live()
	done, err := jobs.Compact{From: k.out, Store: k.store, PartRows: 70, Grace: -1}.Run(t.Context())
	if err != nil || done.Counts.Identifiers != int64(len(before)) || done.Counts.Requests != 0 {
		t.Fatalf("%v, %v", err, done)
	}
	k.verify()
	after := k.live()
	if len(before) != 290 || len(after) != len(before) {
		t.Errorf("%d live rows, before %d", len(after), len(before))
	}
	for key, o := range after {
		if before[key] != o {
			t.Errorf("%+v\nbefore %+v", o, before[key])
		}
	}
	k.days(1)
	if s := k.remapped(k.remapID5()); s.Counts.Asked != 290 {
		t.Errorf("%v", s)
	}
	all := slices.Concat(in(0, 100, "", "DE"), in(100, 120, "DE"), in(50, 120, "US"))
	k.checkLive(all)
	k.verify()
}

// TestSignalsInspected counts identities and the requests for them as ID5 takes them.
func TestSignalsInspected(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.clock.Store(time.Now().UnixMilli()) // of which an inspection goes by
	j := k.signals(in(0, 1500, "", "DE"))
	k.signalled(j)
	sorted := func() *jobs.Inspection {
		t.Helper()
		i, err := jobs.Inspect(t.Context(), k.out, jobs.InspectOptions{Store: k.store})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for range 2 { // from the rows, and then from a manifest
		i := sorted()
		due := i.Overdue + i.Later
		for _, n := range i.RefreshCalendar {
			due += n
		}
		if i.Service != "id5" || i.LiveRows != 3000 || i.Mapped != 3000 || due != 3000 || i.Tomorrow.Requests != 3 || i.Tomorrow.InFlight != jobs.DefaultInFlightID5 {
			t.Errorf("%+v", i)
		}
		if _, err := (jobs.Compact{From: k.out, Store: k.store}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSignalsDiff tells who has got a uid and who has lost it, and nothing of other uids.
func TestSignalsDiff(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.SetFaults(sandbox.Faults{ID5: sandbox.ID5Faults{Changing: true}})
	rows := in(0, 40, "", "DE")
	first := k.signalled(k.signals(rows))
	k.days(1)
	refused := rows[5].hash(t)
	k.SetFaults(sandbox.Faults{ID5: sandbox.ID5Faults{Changing: true, Reject: map[[32]byte]string{refused: "signal_not_allowed"}}})
	k.remapped(k.remapID5())
	joined := in(10, 12, "US")
	k.signalled(k.signals(joined))
	d, got := diff(t, k.out, first.RunID)
	if d.Adds != 2 || d.Removes != 2 || d.Replaces != 0 || d.Unchanged != 78 || len(got) != 4 {
		t.Errorf("%v: %+v", d, got)
	}
	live, order := k.live(), []string{}
	for _, c := range got {
		order = append(order, c.hash)
		switch c.action {
		case "remove":
			if c.hash != hex.EncodeToString(refused[:]) || c.former == "" || c.current != "" || c.reason != "INVALID_IDENTIFIER" {
				t.Errorf("%+v", c)
			}
		case "add":
			if !slices.ContainsFunc(joined, func(r signalled) bool { return live[r.id()+" email"].uid == c.current }) {
				t.Errorf("%+v", c)
			}
		default:
			t.Errorf("%+v", c)
		}
	}
	if !slices.IsSorted(order) {
		t.Errorf("the order is %v", order)
	}
}

// TestSignalsForget forgets a person in all countries, by the email as ID5 has it normalized.
func TestSignalsForget(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	rows := in(0, 30, "", "DE", "US")
	k.signalled(k.signals(rows))
	k.days(1)
	k.remapped(k.remapID5())
	hash := rows[7].hash(t)
	text := hex.EncodeToString(hash[:])
	if !k.holds(text) {
		t.Fatal("nothing holds the hash before")
	}
	done, err := jobs.Forget{Compact: jobs.Compact{From: k.out, Store: k.store}, Identifiers: strings.NewReader(" PERSON7@example.com\n")}.Run(t.Context())
	if err != nil || done.Pairs != 3 || done.Identifiers != 1 {
		t.Fatalf("%v, %v", err, done)
	}
	if k.holds(text) {
		t.Error("the table still holds the person")
	}
	k.checkLive(slices.DeleteFunc(rows, func(r signalled) bool { return r.person == 7 }))
	k.verify()
}

// TestSignalsSuppress asks nobody who is on the list, in no country, and they are live no more.
func TestSignalsSuppress(t *testing.T) {
	for _, kind := range []string{"signals", "remap"} {
		t.Run(kind, func(t *testing.T) {
			k := newKeeper(t, sandbox.Options{})
			rows := in(0, 10, "", "DE")
			k.signalled(k.signals(rows))
			k.days(1)
			asked := k.asked(rows)
			hash := rows[2].hash(t)
			list := k.list("Person1@example.com", hex.EncodeToString(hash[:]))
			var s *jobs.Summary
			if kind == "remap" {
				r := k.remapID5()
				r.Suppress = list
				s = k.remapped(r)
			} else {
				j := k.signals(rows)
				j.Suppress = list
				s = k.signalled(j)
			}
			if c := s.Counts; c.Asked != 16 || c.Unmapped["SUPPRESSED"] != 4 || c.Mapped != 16 {
				t.Errorf("%v", s)
			}
			for i, n := range k.asked(rows) {
				want := asked[i] + 1
				if rows[i].person == 1 || rows[i].person == 2 {
					want--
				}
				if n != want {
					t.Errorf("%s was asked %d times, want %d", rows[i].id(), n, want)
				}
			}
			k.checkLive(slices.DeleteFunc(rows, func(r signalled) bool { return r.person == 1 || r.person == 2 }))
			k.verify()
		})
	}
}

// TestSignalsExport writes rows in the order of hash and country.
func TestSignalsExport(t *testing.T) {
	k := newKeeper(t, sandbox.Options{})
	k.signalled(k.signals(in(0, 50, "", "DE")))
	out := filepath.Join(t.TempDir(), "export")
	e := jobs.Export{From: k.out, Out: out, Store: k.store}
	done, err := e.Do(t.Context())
	if err != nil || done.Rows != 100 || done.Mapped != 100 {
		t.Fatalf("%v, %v", err, done)
	}
	before := ""
	for o := range partRows(t, filepath.Join(out, "part-00001.parquet")) {
		if now := o.hash + o.country; now <= before {
			t.Fatalf("%s comes behind %s", now, before)
		} else {
			before = now
		}
	}
	if v, err := jobs.Verify(t.Context(), new(objects.Store), k.out); err != nil {
		t.Errorf("%v\n%v", err, v)
	}
}
