package jobs_test

import (
	"maps"
	"os"
	"path/filepath"

	"mapper/jobs"
)

// downstream is who holds raw UIDs outside of the table, and knows of it by diffs alone: after an export, until files
// that the next diff would need are gone.
type downstream struct {
	since string         // the run that stands for what is held; empty: an export is needed
	holds map[int]string // raw UID by member
	diffs int
}

// follow brings the downstream up to date, and compares what it holds with what the table has to say.
func (y *year) follow() {
	y.t.Helper()
	want := map[int]string{}
	for h := range y.oracle.live {
		if uid := y.oracle.known[h.member].uid; uid != "" {
			want[h.member] = uid
		}
	}
	if y.below.since == "" { // as compare has seen, an export holds just that
		y.below.since, y.below.holds = y.lastRun, want
		return
	}
	out := filepath.Join(y.work, "diff")
	d, err := jobs.Diff{From: y.out, Since: y.below.since, Out: out, Store: y.store, Memory: yearMemory}.Do(y.t.Context())
	if err != nil {
		y.t.Fatal(err)
	}
	if len(d.Files) != 1 {
		y.t.Fatalf("day %d: a diff of %d files", y.today, len(d.Files))
	}
	for _, c := range changes(y.t, out) {
		member, ok := y.byHash[c.hash]
		if !ok || c.former != y.below.holds[member] || c.former == c.current {
			y.t.Fatalf("day %d: %+v, but held is %q", y.today, c, y.below.holds[member])
		}
		if y.below.holds[member] = c.current; c.current == "" {
			delete(y.below.holds, member)
		}
	}
	if !maps.Equal(y.below.holds, want) {
		y.t.Fatalf("day %d: after a diff %d raw UIDs are held, want %d, or others", y.today, len(y.below.holds), len(want))
	}
	if err := os.RemoveAll(out); err != nil {
		y.t.Fatal(err)
	}
	y.below.since = d.NextSince
	y.below.diffs++
}
