package table

import (
	"context"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mapper/sinks"
)

func planned(t *testing.T, tb *Table, run, kind string) *Plan {
	t.Helper()
	p, err := tb.CreatePlan(t.Context(), Plan{RunID: run, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

func committed(t *testing.T, tb *Table, p *Plan) {
	t.Helper()
	m := Manifest{RunID: p.RunID, Kind: p.Kind, Seq: p.Seq, Base: p.Base, Replaces: p.Replaces, FinishedAt: time.Now()}
	path := sinks.PartName{Dataset: sinks.DatasetMapped, Run: p.RunID, Part: 1, Random: "aaaa"}.String()
	if err := tb.Bucket.CreateIfAbsent(t.Context(), path, []byte(p.RunID)); err != nil {
		t.Fatal(err)
	}
	m.Parts = []sinks.File{{Path: path, Dataset: sinks.DatasetMapped, Rows: 1}}
	if _, _, err := tb.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestPlansOfRunsThatReplace(t *testing.T) {
	for _, kind := range []string{KindCompact, KindForget} {
		tb := open(t, t.TempDir())
		if p := planned(t, tb, "empty", kind); p.Seq != 1 || len(p.Replaces) != 0 {
			t.Errorf("%s of nothing: %+v", kind, p)
		}
		committed(t, tb, planned(t, tb, "a", KindMap))
		committed(t, tb, planned(t, tb, "b", KindMap))
		p := planned(t, tb, "c", kind)
		if want := []string{"a", "b"}; p.Seq != 2 || !slices.Equal(p.Base, want) || !slices.Equal(p.Replaces, want) {
			t.Errorf("%s: %+v", kind, p)
		}
		committed(t, tb, p)
		if p := planned(t, tb, "d", KindMap); p.Seq != 3 || !slices.Equal(p.Base, []string{"c"}) || p.Replaces != nil {
			t.Errorf("map after %s: %+v", kind, p)
		}
	}
}

// TestYield: a run of one kind is planned, then another one is, and is unfinished or committed when the first one looks.
func TestYield(t *testing.T) {
	for _, c := range []struct {
		name, kind, other string
		committed, yields bool
	}{
		{"compact, unfinished map", KindCompact, KindMap, false, true},
		{"compact, unfinished compact", KindCompact, KindCompact, false, true},
		{"compact, unfinished forget", KindCompact, KindForget, false, true},
		{"compact, later map", KindCompact, KindMap, true, false},
		{"compact, committed compact", KindCompact, KindCompact, true, true},
		{"compact, committed forget", KindCompact, KindForget, true, true},
		{"forget, unfinished remap", KindForget, KindRemap, false, true},
		{"forget, later map", KindForget, KindMap, true, true},
		{"forget, committed forget", KindForget, KindForget, true, true},
		{"map, unfinished map", KindMap, KindMap, false, false},
		{"map, committed map", KindMap, KindMap, true, false},
		{"map, unfinished compact of its base", KindMap, KindCompact, false, false},
		{"map, committed compact of its base", KindMap, KindCompact, true, false},
		{"map, unfinished forget", KindMap, KindForget, false, true},
		{"map, committed forget", KindMap, KindForget, true, true},
		{"remap, unfinished forget", KindRemap, KindForget, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := open(t, t.TempDir())
			committed(t, tb, planned(t, tb, "first", KindMap))
			committed(t, tb, planned(t, tb, "folded", KindCompact))
			p, other := planned(t, tb, "p", c.kind), planned(t, tb, "other", c.other)
			if c.committed {
				committed(t, tb, other)
			}
			checkYield(t, tb, p, "other", c.yields)
		})
	}
}

func checkYield(t *testing.T, tb *Table, p *Plan, other string, yields bool) {
	t.Helper()
	err := tb.Yield(t.Context(), p)
	if errors.Is(err, ErrYielded) != yields || !yields && err != nil || yields && !strings.Contains(err.Error(), "run "+other+" (") {
		t.Fatalf("yields: %v", err)
	}
	m, err := tb.Manifest(t.Context(), p.RunID)
	if yields && (err != nil || !m.Aborted) || !yields && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its manifest: %+v, %v", m, err)
	}
}

// TestYieldToWhatTheBaseLacks: a run that was planned without one that is folded into another would come after both.
func TestYieldToWhatTheBaseLacks(t *testing.T) {
	for _, kind := range []string{KindMap, KindCompact} {
		for _, over := range []bool{false, true} {
			tb := open(t, t.TempDir())
			p := planned(t, tb, "p", kind)
			committed(t, tb, planned(t, tb, "unknown", KindMap))
			other := planned(t, tb, "compact", KindCompact)
			if over {
				committed(t, tb, other)
			}
			checkYield(t, tb, p, "compact", true)
		}
	}
}

// TestCompactYieldsToWhatItsBaseLacks: rows of a run that does not know the base may be earlier than those of the base.
func TestCompactYieldsToWhatItsBaseLacks(t *testing.T) {
	tb := open(t, t.TempDir())
	slow := planned(t, tb, "slow", KindMap)
	committed(t, tb, planned(t, tb, "a", KindMap))
	p := planned(t, tb, "p", KindCompact)
	committed(t, tb, slow)
	checkYield(t, tb, p, "slow", true)
}

// TestYieldOfACommittedRun: what came later is no reason any more.
func TestYieldOfACommittedRun(t *testing.T) {
	tb := open(t, t.TempDir())
	p := planned(t, tb, "p", KindCompact)
	committed(t, tb, p)
	planned(t, tb, "other", KindForget)
	if err := tb.Yield(t.Context(), p); err != nil {
		t.Error(err)
	}
	if err := tb.giveWay(t.Context(), p, &rival{id: "other"}); err != nil { // it has been committed since the look
		t.Error(err)
	}
}

func TestClear(t *testing.T) {
	tb := open(t, t.TempDir())
	check := func(kind, continued, busy string) {
		t.Helper()
		err := tb.Clear(t.Context(), kind, continued)
		if busy == "" && err != nil || busy != "" && (!errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), busy)) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	nothing := func() {
		t.Helper()
		if err := tb.Clear(t.Context(), KindCompact, ""); !errors.Is(err, ErrCompacted) {
			t.Errorf("nothing to compact: %v", err)
		}
	}
	nothing()
	committed(t, tb, planned(t, tb, "m", KindMap))
	check(KindCompact, "", "")
	check(KindForget, "", "")
	planned(t, tb, "u", KindMap)
	check(KindCompact, "", "mapper clean "+tb.Bucket.URI("")+" --run u --yes")
	check(KindForget, "", "run u (map)")
	check(KindMap, "", "")
	if err := tb.Abort(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	check(KindCompact, "", "")
	planned(t, tb, "f", KindForget)
	check(KindMap, "", "run f (forget)")
	check(KindRemap, "", "run f (forget)")
	check(KindForget, "f", "")
	if err := errors.Join(tb.Abort(t.Context(), "f"), tb.Bucket.CreateIfAbsent(t.Context(), planKey("d"), []byte("{"))); err != nil {
		t.Fatal(err)
	}
	check(KindCompact, "", "cannot be continued")
	check(KindMap, "", "")
}

// TestErase: what a forget stands for goes at once, what has been folded long before too; and it can be done again.
func TestErase(t *testing.T) {
	tb := open(t, t.TempDir())
	committed(t, tb, planned(t, tb, "a", KindMap))
	committed(t, tb, planned(t, tb, "folded", KindCompact))
	planned(t, tb, "aborted", KindMap)
	if err := tb.Abort(t.Context(), "aborted"); err != nil {
		t.Fatal(err)
	}
	straggler := sinks.PartName{Dataset: sinks.DatasetUnmapped, Run: "aborted", Part: 1, Random: "aaaa"}.String()
	if err := tb.Bucket.CreateIfAbsent(t.Context(), straggler, nil); err != nil {
		t.Fatal(err)
	}
	if removed, err := tb.Erase(t.Context()); err != nil || len(removed.Files) != 1 || removed.Files[0].Key != straggler {
		t.Fatalf("without a forget: %+v, %v", removed, err)
	}
	committed(t, tb, planned(t, tb, "f", KindForget))
	waste, err := tb.Waste(t.Context(), WasteOptions{Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		removed, err := tb.Erase(t.Context())
		if err != nil || !again && !reflect.DeepEqual(removed.Files, waste.Files) || (len(removed.Files) == 0) != again {
			t.Errorf("again %v: %+v, %v; of it a clean knew %+v", again, removed, err, waste)
		}
	}
	left, err := tb.Bucket.List(t.Context(), "")
	want := []string{"_runs/a/manifest.json", "_runs/aborted/manifest.json", "_runs/f/manifest.json", "_runs/folded/manifest.json",
		"mapped/run=f/_SUCCESS", "mapped/run=f/part-0-1-aaaa.parquet", "refresh_from/run=f/_SUCCESS", "unmapped/run=f/_SUCCESS"}
	if slices.Sort(left); err != nil || !slices.Equal(left, want) {
		t.Errorf("left: %v, %v", left, err)
	}
	m, err := tb.Manifest(t.Context(), "a")
	if err == nil {
		err = tb.Finish(t.Context(), m) // by a process that comes late
	}
	if again, failed := tb.Bucket.List(t.Context(), "mapped/run=a/"); err != nil || failed != nil || len(again) > 0 {
		t.Errorf("Finish brought back %v, %v, %v", again, err, failed)
	}
}

// TestLaterFilesStay: a forget is no reason to remove what a compact has replaced after it.
func TestLaterFilesStay(t *testing.T) {
	tb := open(t, t.TempDir())
	committed(t, tb, planned(t, tb, "f", KindForget))
	committed(t, tb, planned(t, tb, "m", KindMap))
	committed(t, tb, planned(t, tb, "c", KindCompact))
	for _, look := range []func() (*Waste, error){
		func() (*Waste, error) { return tb.Erase(t.Context()) },
		func() (*Waste, error) { return tb.Waste(t.Context(), WasteOptions{Grace: time.Hour}) },
	} {
		w, err := look()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range w.Files {
			if f.Key != planKey("f") { // which goes with what it erases
				t.Errorf("%+v", f)
			}
		}
	}
}

// lateStorage lists a run only after some looks.
type lateStorage struct {
	storage
	late  string
	looks int
}

func (s *lateStorage) Folders(ctx context.Context, folder string) ([]string, error) {
	names, err := s.storage.Folders(ctx, folder)
	if s.looks--; s.looks >= 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return name == s.late })
	}
	return names, err
}

// TestListingsThatLackRuns: a run that another was built on, or replaces, is looked for again.
func TestListingsThatLackRuns(t *testing.T) {
	for _, kind := range []string{KindMap, KindCompact} {
		synctest.Test(t, func(t *testing.T) {
			tb := open(t, t.TempDir())
			committed(t, tb, planned(t, tb, "a", KindMap))
			committed(t, tb, planned(t, tb, "b", kind))
			late := &lateStorage{storage: tb.in, late: "a", looks: 3}
			tb.in = late
			if runs, err := tb.Runs(t.Context()); err != nil || len(runs) != 2 {
				t.Errorf("%+v, %v", runs, err)
			}
			late.looks = 1000
			began := time.Now()
			if _, err := tb.CreatePlan(t.Context(), Plan{RunID: "p"}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "run b is built on run a") {
				t.Errorf("lost: %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errKilled)
			if _, err := tb.Runs(ctx); !errors.Is(err, errKilled) {
				t.Errorf("canceled: %v", err)
			}
		})
	}
}
