package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mapper/client/objects"
	"mapper/pipeline"
	"mapper/sinks"
)

func open(t *testing.T, root string) *Table {
	t.Helper()
	tb, err := Open(context.Background(), new(objects.Store), root)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func TestClaim(t *testing.T) {
	root := t.TempDir()
	a, b := open(t, root), open(t, root)
	if _, err := a.About(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a table that is not there: %v", err)
	}
	if err := a.Claim(context.Background(), "uid2", "uid2-prod"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Claim(context.Background(), "uid2", "uid2-prod"), b.Claim(context.Background(), "uid2", "uid2-prod")); err != nil {
		t.Errorf("claiming again: %v", err)
	}
	for _, other := range [][2]string{{"euid", "uid2-prod"}, {"uid2", "uid2-integ"}} {
		err := b.Claim(context.Background(), other[0], other[1])
		if !errors.Is(err, ErrOtherTable) || !strings.Contains(err.Error(), "uid2-prod") {
			t.Errorf("claimed as %v: %v", other, err)
		}
	}
}

func TestLaterVersionsAreRefused(t *testing.T) {
	root := t.TempDir()
	tb := open(t, root)
	if err := tb.Bucket.CreateIfAbsent(context.Background(), "_runs/table.json", []byte(`{"version": 99}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := tb.About(context.Background()); err == nil || !strings.Contains(err.Error(), "newer mapper") {
		t.Errorf("got %v", err)
	}
	if err := tb.Bucket.CreateIfAbsent(context.Background(), "_runs/r/plan.json", []byte(`{"version": `)); err != nil {
		t.Fatal(err)
	}
	if _, err := tb.Plan(context.Background(), "r"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

// TestOnePlanForAll: whoever plans second gets the plan of the first.
func TestOnePlanForAll(t *testing.T) {
	root := t.TempDir()
	a, b := open(t, root), open(t, root)
	first, err := a.CreatePlan(context.Background(), Plan{RunID: "r", Fingerprint: "a"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.CreatePlan(context.Background(), Plan{RunID: "r", Fingerprint: "b"})
	if err != nil || !reflect.DeepEqual(first, second) || second.Fingerprint != "a" || second.Seq != 1 {
		t.Errorf("plans\n%+v\n%+v, %v", first, second, err)
	}
}

// TestCreateAgain: a creation whose reply was lost looks like "exists"; the creator's own object is a success.
func TestCreateAgain(t *testing.T) {
	tb := open(t, t.TempDir())
	doc := About{Version: Version, Writer: tb.Writer}
	for range 2 {
		if own, err := tb.create(context.Background(), "x", &doc); err != nil || !own {
			t.Errorf("own %v, %v", own, err)
		}
	}
	other := open(t, tb.Bucket.URI(""))
	doc.Writer = other.Writer
	if own, err := other.create(context.Background(), "x", &doc); err != nil || own {
		t.Errorf("another's object: own %v, %v", own, err)
	}
}

func seal(t *testing.T, tb *Table, c *Chain, n int, name string) error {
	t.Helper()
	path := sinks.PartName{Dataset: sinks.DatasetMapped, Run: c.run, Part: n, Random: name}.String()
	if err := tb.Bucket.CreateIfAbsent(context.Background(), path, []byte(name)); err != nil {
		t.Fatal(err)
	}
	return c.Append(context.Background(), pipeline.Part{N: n, Files: []sinks.File{{Path: path, Dataset: sinks.DatasetMapped, Rows: 1}}})
}

// TestFencing: of processes that seal the same part, one wins; the others stop and delete their own files only.
func TestFencing(t *testing.T) {
	for range 50 {
		root := t.TempDir()
		var won, fenced atomic.Int64
		var all sync.WaitGroup
		for _, name := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
			tb := open(t, root)
			chain, err := tb.Chain(context.Background(), "r", 0)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				switch err := seal(t, tb, chain, 1, name); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ErrFenced):
					fenced.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || fenced.Load() != 3 {
			t.Fatalf("%d won, %d were fenced", won.Load(), fenced.Load())
		}
		tb := open(t, root)
		chain, err := tb.Chain(context.Background(), "r", 0)
		if err != nil || len(chain.Links) != 1 {
			t.Fatal(chain, err)
		}
		left, err := tb.Bucket.List(context.Background(), "mapped/")
		if err != nil || !reflect.DeepEqual(left, []string{chain.Links[0].Files[0].Path}) {
			t.Fatalf("left: %v, %v; the chain names %v", left, err, chain.Links[0].Files)
		}
	}
}

func TestChainIsReadBack(t *testing.T) {
	tb := open(t, t.TempDir())
	chain, err := tb.Chain(context.Background(), "r", 0)
	if err != nil || chain.Last().N != 0 {
		t.Fatal(chain, err)
	}
	for n, name := range []string{"aaaa", "bbbb", "cccc"} {
		if err := seal(t, tb, chain, n+1, name); err != nil {
			t.Fatal(err)
		}
	}
	again, err := open(t, tb.Bucket.URI("")).Chain(context.Background(), "r", 0)
	if err != nil || !reflect.DeepEqual(again.Last(), chain.Last()) || len(again.Links) != 3 {
		t.Errorf("read back %+v, %v", again, err)
	}
}

func TestCommit(t *testing.T) {
	root := t.TempDir()
	a, b := open(t, root), open(t, root)
	for _, tb := range []*Table{a, b} {
		if _, err := tb.CreatePlan(context.Background(), Plan{RunID: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	chain, err := a.Chain(context.Background(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal(t, a, chain, 1, "aaaa"); err != nil {
		t.Fatal(err)
	}
	stray := sinks.PartName{Dataset: sinks.DatasetMapped, Run: "r", Part: 1, Random: "bbbb"}.String()
	if err := a.Bucket.CreateIfAbsent(context.Background(), stray, nil); err != nil {
		t.Fatal(err)
	}
	killed, err := a.Bucket.Create(context.Background(), stray+"x") // never closed
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = killed.Abort() }()
	m := Manifest{RunID: "r", Parts: chain.Last().Files, Seq: 1}
	first, own, err := a.Commit(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	if !own {
		t.Error("the first commit is not its own")
	}
	second, own, err := b.Commit(context.Background(), m)
	if err != nil || own || second.Writer != first.Writer {
		t.Errorf("a second commit: %+v, %v", second, err)
	}
	left, err := a.Bucket.List(context.Background(), "mapped/")
	if err != nil || !reflect.DeepEqual(left, []string{"mapped/run=r/_SUCCESS", chain.Last().Files[0].Path}) {
		t.Errorf("left after the commit: %v, %v", left, err)
	}
	for _, dataset := range sinks.Datasets() {
		if _, err := a.Bucket.ReadAll(context.Background(), dataset+"/run=r/_SUCCESS"); err != nil {
			t.Error(err)
		}
	}
	if err := a.Bucket.Delete(context.Background(), "mapped/run=r/_SUCCESS"); err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Bucket.ReadAll(context.Background(), "mapped/run=r/_SUCCESS"); err != nil {
		t.Errorf("the marker was not restored: %v", err)
	}
	if hidden, err := filepath.Glob(filepath.Join(root, "mapped", "run=r", ".tmp-*")); err != nil || hidden != nil {
		t.Errorf("left hidden: %v, %v", hidden, err)
	}
}

func TestAbortExcludesCommit(t *testing.T) {
	tb := open(t, t.TempDir())
	data, err := Encode(Manifest{Version: Version, RunID: "r", Aborted: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := tb.Bucket.CreateIfAbsent(context.Background(), manifestKey("r"), data); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tb.Commit(context.Background(), Manifest{RunID: "r"}); !errors.Is(err, ErrAborted) {
		t.Errorf("got %v", err)
	}
}

func TestRunsAndBase(t *testing.T) {
	tb := open(t, t.TempDir())
	commit := func(m Manifest) {
		t.Helper()
		if _, _, err := tb.Commit(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	commit(Manifest{RunID: "a", Seq: 1})
	commit(Manifest{RunID: "b", Seq: 2, Base: []string{"a"}})
	commit(Manifest{RunID: "c", Seq: 3, Replaces: []string{"a"}})
	if _, err := tb.CreatePlan(context.Background(), Plan{RunID: "open"}); err != nil {
		t.Fatal(err)
	}
	runs, err := tb.Runs(context.Background())
	if err != nil || len(runs) != 4 || runs[3].Committed() {
		t.Fatal(runs, err)
	}
	p, err := tb.CreatePlan(context.Background(), Plan{RunID: "d"})
	if err != nil || !reflect.DeepEqual(p.Base, []string{"b", "c"}) || p.Seq != 4 {
		t.Errorf("plan %+v, %v", p, err)
	}
}

// TestDamagedRuns: a manifest that cannot be read is an error for those who need a sound table; those who look
// for damage see the run, and all others.
func TestDamagedRuns(t *testing.T) {
	root := t.TempDir()
	tb := open(t, root)
	for key, text := range map[string]string{
		"_runs/table.json":                `{"version": 1}`,
		"_runs/aborted/manifest.json":     `{"version": 1, "aborted": true}`,
		"_runs/broken/manifest.json":      `{"version": 1, "par`,
		"_runs/broken/plan.json":          `{"version": 1}`,
		"_runs/good/manifest.json":        `{"version": 1, "seq": 7}`,
		"_runs/good-2/manifest.json":      `{"version": 1, "seq": 8}`,
		"_runs/good/progress/0-1.json":    `{"version": 1}`,
		"_runs/planned/plan.json":         `{"ver`, // read by those who continue it
		"_runs/unplanned/progress/0-1":    `{"version": 1}`,
		"_runs/unplanned/x/manifest.json": `{"version": 1}`,
	} {
		data := []byte(text)
		if json.Valid(data) {
			var err error
			if data, err = Encode(json.RawMessage(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tb.Bucket.CreateIfAbsent(context.Background(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := tb.Survey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.ID)
		if (r.Err != nil) != (r.ID == "broken") || r.Committed() != strings.HasPrefix(r.ID, "good") {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{"aborted", "broken", "good", "good-2", "planned"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("runs %v, want %v", ids, want)
	}
	if live := Live(runs); len(live) != 2 {
		t.Errorf("live: %+v", live)
	}
	if _, err := tb.Runs(context.Background()); err == nil || !strings.Contains(err.Error(), "run broken: ") || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("Runs: %v", err)
	}
	if _, err := tb.CreatePlan(context.Background(), Plan{RunID: "new"}); err == nil || !strings.Contains(err.Error(), "run broken: ") {
		t.Errorf("CreatePlan: %v", err)
	}
}

// TestRunsDoesNotWalk: a run has thousands of links, which are of no interest to who lists runs.
func TestRunsDoesNotWalk(t *testing.T) {
	tb := open(t, t.TempDir())
	if _, err := tb.CreatePlan(context.Background(), Plan{RunID: "r"}); err != nil {
		t.Fatal(err)
	}
	list := func() {
		if runs, err := tb.Runs(context.Background()); err != nil || len(runs) != 1 {
			t.Fatal(runs, err)
		}
	}
	before := testing.AllocsPerRun(5, list)
	progress := filepath.Join(tb.Bucket.URI(""), "_runs", "r", "progress")
	if err := os.Mkdir(progress, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		if err := os.WriteFile(filepath.Join(progress, fmt.Sprintf("0-%d.json", n+1)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if after := testing.AllocsPerRun(5, list); after > before+20 {
		t.Errorf("%g allocations with 200 links, %g without", after, before)
	}
}

func TestValidRunID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "2026-11-22T04.05_x": true, strings.Repeat("a", 63): true,
		"": false, ".": false, "-a": false, "a/b": false, "a b": false, strings.Repeat("a", 64): false, "ü": false,
	} {
		if ValidRunID(id) != want {
			t.Errorf("ValidRunID(%q) = %v", id, !want)
		}
	}
}

// TestNoWritableFolder: what cannot be written is an error that names the place.
func TestNoWritableFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "file")
	tb := open(t, filepath.Join(root, "table"))
	if err := os.WriteFile(root, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tb.Claim(context.Background(), "uid2", "x"); err == nil || !strings.Contains(err.Error(), root) {
		t.Errorf("got %v", err)
	}
}
