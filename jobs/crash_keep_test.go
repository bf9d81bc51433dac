package jobs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

const (
	keptPartRows = 50
	keptBatch    = 10
	keptInFlight = 2

	// What a kill makes a job ask again at most, as crashAgain.
	keptAgain = keptPartRows + (keptInFlight+2)*keptBatch
)

// keptKinds are the jobs that work on what a table holds.
var keptKinds = []childKind{childRemap, childFullBase, childCompact, childForget}

// keptKindsID5 are those whose questions to ID5 are others than those to UID2.
var keptKindsID5 = []childKind{childSignals, childRemap}

// keptAge is for how long uids of ID5 are good.
const keptAge = 24 * time.Hour

// keptForgotten are people of the table, one of whom is in it twice, and a stranger.
var keptForgotten = []string{"person7@example.com", "person20@example.com", "person203@example.com", "person399@example.com", "stranger@example.com"}

// keptTable is a table of several runs, of which copies are made, and what comes of each kind of job that nobody kills.
type keptTable struct {
	folder string // on the local disk
	ofID5  bool
	input  string // the whole base of today
	clock  int64  // Unix milliseconds
	ids    []normalize.ID
	view   []byte // the export
	whole  map[childKind]keptWhole
}

// keptWhole is what comes of a job that nobody kills.
type keptWhole struct {
	view  []byte
	asked map[normalize.ID]int
}

// keptOperator is the operator of the table, with another clock each time.
func keptOperator(now func() time.Time) sandbox.Options {
	return sandbox.Options{Seed: "kept", ID5: sandbox.ID5Options{Seed: "kept"}, OptOutShare: 0.1, RotationDays: 30, Trace: true, Now: now}
}

// newKeptTable makes the table: a map, a remap and an incremental map, after which a part of it is due.
func newKeptTable(t *testing.T) *keptTable {
	t.Helper()
	k := newKeeper(t, keptOperator(nil))
	m := k.job(k.input(people(0, 300)...))
	m.Columns.Keep = []string{"plan"}
	k.mapped(m)
	k.days(12)
	k.remap(nil)
	m = k.job(k.input(append(people(150, 400), "z,person7@example.com,p9", ",person8@example.com,p9")...))
	m.Columns.Keep, m.Incremental = []string{"plan"}, true
	k.mapped(m)
	k.days(19) // the first opt-outs are due too
	kept := &keptTable{folder: k.out, input: k.input(people(100, 550)...), clock: k.clock.Load(), whole: map[childKind]keptWhole{}}
	for i := range 550 {
		kept.ids = append(kept.ids, idOf(t, fmt.Sprintf("person%d@example.com", i)))
	}
	kept.view = exportOf(t, kept.folder)
	return kept
}

// newKeptID5 makes a table of ID5: two runs, of which the first is due.
func newKeptID5(t *testing.T) *keptTable {
	t.Helper()
	k := newKeeper(t, keptOperator(nil))
	k.signalled(k.signals(in(0, 150, "", "DE")))
	k.clock.Add((keptAge / 2).Milliseconds())
	k.signalled(k.signals(in(100, 160, "US")))
	k.clock.Add((keptAge / 2).Milliseconds())
	today := in(120, 300, "", "FR")
	kept := &keptTable{folder: k.out, ofID5: true, input: k.signals(today).Inputs[0], clock: k.clock.Load(), whole: map[childKind]keptWhole{}}
	for _, r := range in(0, 300, "", "DE", "US", "FR") {
		id := idOfID5(t, r.email())
		copy(id.Country[:], r.country)
		kept.ids = append(kept.ids, id)
	}
	kept.view = exportOf(t, kept.folder)
	return kept
}

// askedIn returns how often a service was asked for an identity.
func (k *keptTable) askedIn(s *sandbox.Sandbox, id *normalize.ID) int {
	if k.ofID5 {
		return s.ID5Asked(id.Hash, countryOf(id))
	}
	return s.Asked(*id)
}

// textOf returns the hash of an identity, and its country, as an export writes them.
func (k *keptTable) textOf(id *normalize.ID) string {
	if k.ofID5 {
		return hex.EncodeToString(id.Hash[:]) + countryOf(id)
	}
	return base64.StdEncoding.EncodeToString(id.Hash[:])
}

func countryOf(id *normalize.ID) string { return strings.TrimRight(string(id.Country[:]), "\x00") }

// keptCopy is a copy of the table, of which a job is killed.
type keptCopy struct {
	crashTable
	of   *keptTable
	temp string
}

// copy copies the table to a storage.
func (k *keptTable) copy(t *testing.T, kind childKind, storage string) *keptCopy {
	t.Helper()
	return k.copyTo(t, kind, storages[storage](t), storage == "files")
}

// copyBetween copies the table to S3, with a handler before it.
func (k *keptTable) copyBetween(t *testing.T, kind childKind, handle func(http.ResponseWriter, *http.Request, http.Handler)) *keptCopy {
	t.Helper()
	return k.copyTo(t, kind, between(t, handle), false)
}

func (k *keptTable) copyTo(t *testing.T, kind childKind, target objectstest.Target, local bool) *keptCopy {
	t.Helper()
	s, err := sandbox.New(keptOperator(func() time.Time { return time.UnixMilli(k.clock) }))
	if err != nil {
		t.Fatal(err)
	}
	c := &keptCopy{crashTable{s: s, steps: newSteps(), traced: local}, k, t.TempDir()}
	service := httptest.NewServer(c.steps.front(s))
	t.Cleanup(service.Close)
	out := target.URI + "/table"
	if c.traced {
		err = os.CopyFS(out, os.DirFS(k.folder))
	} else {
		err = uploadAll(t.Context(), k.folder, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if target.Proxy != nil {
		target.Proxy.Around(c.steps.front)
	}
	c.job = childJob{
		Kind: kind, URL: service.URL, Key: s.APIKey(), Secret: s.ClientSecret(), Input: k.input, Out: out,
		Forget: strings.Join(keptForgotten, "\n"), Clock: k.clock,
		MaxBatch: keptBatch, MaxInFlight: keptInFlight, PartRows: keptPartRows,
	}
	if k.ofID5 {
		c.job.Partner, c.job.Token = s.ID5Partner(), s.ID5Token()
	}
	if kind == childSignals {
		c.job.RunID = "signals" // a run that is not compared with the table would begin anew after its commit
	}
	t.Setenv("TMPDIR", c.temp) // after the folders of the test itself
	return c
}

// uploadAll puts a folder with all that is below it into a bucket.
func uploadAll(ctx context.Context, folder, uri string) error {
	store := new(objects.Store)
	defer store.Close()
	bucket, err := store.Bucket(ctx, uri)
	if err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS(folder), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") { // those are leases
			return err
		}
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		return bucket.CreateIfAbsent(ctx, path, data)
	})
}

// exportOf returns the view of a table, which is written the same way each time.
func exportOf(t *testing.T, from string) []byte {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	out := filepath.Join(t.TempDir(), "export")
	if _, err := (jobs.Export{From: from, Out: out, Store: store}).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(out, "part-00001.parquet"))
	if err == nil {
		err = os.RemoveAll(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rowsOfExport returns the rows of what exportOf has returned.
func rowsOfExport(t *testing.T, data []byte) (rows []output) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export.parquet")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(partRows(t, path))
}

// kill runs the job in a process and kills it at a step; 0 is never.
func (c *keptCopy) kill(t *testing.T, at int) (n int, killed bool, last string) {
	t.Helper()
	c.steps.begin(at, os.Kill)
	if err := c.child(c.job.command(t)); err != nil {
		t.Fatal(err)
	}
	return c.steps.end()
}

// again runs the same command once more, some minutes later.
func (c *keptCopy) again(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(c.temp)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(-10 * time.Minute)
	for _, e := range left {
		if err := os.Chtimes(filepath.Join(c.temp, e.Name()), later, later); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.job.run(t.Context())
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	if s.Status != jobs.StatusCommitted && s.Status != jobs.StatusAlreadyCommitted && s.Status != jobs.StatusNothingToDo {
		t.Fatalf("again: it is %s", s.Status)
	}
}

// asked is how often each identity was asked.
func (c *keptCopy) asked() map[normalize.ID]int {
	asked := map[normalize.ID]int{}
	for _, id := range c.of.ids {
		if n := c.of.askedIn(c.s, &id); n > 0 {
			asked[id] = n
		}
	}
	return asked
}

// check compares what there is with what a job that nobody killed leaves, and expects nothing beside it.
func (c *keptCopy) check(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(c.temp); err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
	if got, want := exportOf(t, c.job.Out), c.of.whole[c.job.Kind].view; !bytes.Equal(got, want) {
		t.Errorf("the view is not that of a job that nobody killed: %d rows, want %d", len(rowsOfExport(t, got)), len(rowsOfExport(t, want)))
	}
	store := new(objects.Store)
	defer store.Close()
	if v, err := jobs.Verify(t.Context(), store, c.job.Out); err != nil || len(v.Damage) > 0 {
		t.Errorf("%v\n%s", err, v)
	}
	tb, err := table.Open(t.Context(), store, c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tb.Waste(t.Context(), table.WasteOptions{Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	// The lease of a process that was killed after its commit, when it was letting go of it, stays for Clean.
	w.Files = slices.DeleteFunc(w.Files, func(f table.Wasted) bool { return strings.Contains(f.Key, "/.lease-") })
	if len(w.Files)+len(w.Uploads) > 0 {
		t.Errorf("left behind: %+v", w)
	}
	runs, err := tb.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if !r.Committed() {
			t.Errorf("run %s is not committed", r.ID)
		}
	}
	if c.traced {
		c.checkTemporary(t)
	}
	if c.job.Kind == childForget {
		c.checkForgotten(t, store)
	}
}

// checkForgotten reads all that there is of the table, whether a manifest names it or not.
func (c *keptCopy) checkForgotten(t *testing.T, store *objects.Store) {
	t.Helper()
	if found := c.holding(t, store); len(found) > 0 {
		t.Errorf("these still hold who is forgotten: %s", found)
	}
}

// holding returns the files of the table that hold somebody of keptForgotten: as text, or as a hash in any form.
func (c *keptCopy) holding(t *testing.T, store *objects.Store) (found []string) {
	t.Helper()
	bucket, err := store.Bucket(t.Context(), c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := bucket.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var marks [][]byte
	hashes := map[string]bool{}
	for _, email := range keptForgotten {
		id := idOf(t, email)
		hash := base64.StdEncoding.EncodeToString(id.Hash[:])
		hashes[hash] = true
		marks = append(marks, []byte(email), []byte(hash), []byte(hex.EncodeToString(id.Hash[:])), id.Hash[:])
	}
	for _, key := range keys {
		data, err := bucket.ReadAll(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		holds := slices.ContainsFunc(marks, func(mark []byte) bool { return bytes.Contains(data, mark) })
		if strings.HasSuffix(key, ".parquet") && !strings.HasPrefix(key, sinks.DatasetRefreshFrom+"/") {
			for o := range partRows(t, bucket.URI(key)) {
				holds = holds || hashes[o.hash]
			}
		}
		if holds {
			found = append(found, key)
		}
	}
	return found
}

// checkAsked expects that nobody was asked whom a job that nobody killed does not ask, everybody else was, and at most
// one part again.
func (c *keptCopy) checkAsked(t *testing.T) {
	t.Helper()
	asked, want, again := c.asked(), c.of.whole[c.job.Kind].asked, 0
	for id, n := range asked {
		if want[id] == 0 {
			t.Errorf("an identity was asked %d times that was not to be asked", n)
		}
		again += n - want[id]
	}
	if len(asked) != len(want) {
		t.Errorf("%d identities were asked, want %d", len(asked), len(want))
	}
	if again > keptAgain {
		t.Errorf("%d were asked again, %d at most expected", again, keptAgain)
	}
}

// checkDue runs a remap and expects that it asks whom the view says to be due, and nobody else.
func (c *keptCopy) checkDue(t *testing.T) {
	t.Helper()
	due := map[string]bool{}
	for _, o := range rowsOfExport(t, c.of.whole[c.job.Kind].view) {
		recheck := o.uid == "" && int64(o.at)+jobs.DefaultOptoutRecheck.Milliseconds() <= c.of.clock
		if o.uid != "" && int64(o.refresh) <= c.of.clock || recheck {
			due[o.hash+o.country] = true
		}
	}
	before := c.asked()
	remap := c.job
	remap.Kind, remap.RunID, remap.MaxBatch, remap.PartRows = childRemap, "", 1000, 1000
	s, err := remap.run(t.Context())
	if err != nil || s.Counts.Asked != int64(len(due)) {
		t.Errorf("%v, %v: want %d that are due", err, s, len(due))
	}
	for id, n := range c.asked() {
		if asked := n > before[id]; asked != due[c.of.textOf(&id)] {
			t.Errorf("an identity was asked (%v) in a remap, or not, against what is due", asked)
		}
	}
}

// TestCrashKeep does to the jobs that work on what a table holds what TestCrashMatrix does to a map: it kills them at one
// step after the other, and runs the same command again. The table has to be the one of a job that nobody killed.
func TestCrashKeep(t *testing.T) {
	if !canTrace {
		t.Skip("the system calls of a process can be seen on Linux alone, on amd64 and arm64")
	}
	newKeptTable(t).crashAll(t, keptKinds)
	t.Run("id5", func(t *testing.T) { newKeptID5(t).crashAll(t, keptKindsID5) })
}

// crashAll does it to jobs of some kinds, on all storages.
func (k *keptTable) crashAll(t *testing.T, kinds []childKind) {
	for i, kind := range kinds {
		on := []string{"files", "gs", "s3"}
		if os.Getenv("MAPPER_CRASH") == "" { // the default suite has little time: one of the clouds for each kind
			on = []string{"files", on[1+i%2]}
		}
		for _, storage := range on {
			t.Run(strings.ReplaceAll(string(kind), " ", "-")+"/"+storage, func(t *testing.T) {
				points := k.points(t, kind, storage)
				began, killed := time.Now(), 0
				for _, p := range points {
					t.Run(fmt.Sprint(p), func(t *testing.T) {
						if k.crash(t, kind, storage, p) {
							killed++
						}
					})
				}
				if killed != len(points) {
					t.Errorf("killed at %d of %d steps", killed, len(points))
				}
				t.Logf("killed at %d steps in %s", killed, time.Since(began).Round(time.Second))
			})
		}
	}
}

// points runs the job without killing it, and says at which of its steps to kill it.
func (k *keptTable) points(t *testing.T, kind childKind, storage string) (points []int) {
	t.Helper()
	n := 0
	t.Run("whole", func(t *testing.T) {
		c := k.copy(t, kind, storage)
		if kind == childForget {
			store := new(objects.Store)
			if found := c.holding(t, store); len(found) == 0 {
				t.Error("nothing holds who is to be forgotten")
			}
			store.Close()
		}
		n, _, _ = c.kill(t, 0)
		whole := keptWhole{exportOf(t, c.job.Out), c.asked()}
		if have, ok := k.whole[kind]; !ok {
			k.whole[kind] = whole
			whole.check(t, k, kind)
		} else if !bytes.Equal(have.view, whole.view) || !maps.Equal(have.asked, whole.asked) {
			t.Error("what comes of the job depends on the storage")
		}
		c.checkParts(t)
		c.check(t)
		c.checkDue(t)
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d steps", n)
	points = spread(t, n, inTurn)
	if os.Getenv("MAPPER_CRASH") == "" {
		points = points[1:] // the first one is alike everywhere
		if storage != "files" {
			points = points[:1]
		}
	}
	return points
}

// check looks whether the job has done what it is there for.
func (w *keptWhole) check(t *testing.T, k *keptTable, kind childKind) {
	t.Helper()
	rows, before := len(rowsOfExport(t, w.view)), len(rowsOfExport(t, k.view))
	ok := false
	switch kind {
	case childSignals:
		ok = rows == before+330 && len(w.asked) == 360 // 30 of them were there before
	case childRemap:
		ok = rows == before && len(w.asked) > 4*keptPartRows
	case childFullBase:
		ok = rows == 450 && len(w.asked) > 150
	case childCompact:
		ok = bytes.Equal(w.view, k.view) && len(w.asked) == 0
	case childForget:
		ok = rows == before-len(keptForgotten) && len(w.asked) == 0 // who is there twice makes up for the stranger
	}
	if !ok {
		t.Errorf("%d rows, before %d; %d identities were asked", rows, before, len(w.asked))
	}
}

// checkParts expects that the last run has sealed some parts.
func (c *keptCopy) checkParts(t *testing.T) {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	tb, err := table.Open(t.Context(), store, c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	runs, err := tb.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := slices.MaxFunc(runs, func(a, b table.Run) int { return a.Manifest.FinishedAt.Compare(b.Manifest.FinishedAt) })
	chain, err := tb.Chain(t.Context(), last.ID, 0)
	if err != nil || len(chain.Links) < 5 {
		t.Errorf("%d parts are sealed, %v", len(chain.Links), err)
	}
}

// crash kills the job at a step, runs it again and checks what came of it.
func (k *keptTable) crash(t *testing.T, kind childKind, storage string, at int) (killed bool) {
	c := k.copy(t, kind, storage)
	n, killed, last := c.kill(t, at)
	if !killed {
		t.Errorf("the job was over after %d steps", n)
		return false
	}
	c.again(t)
	c.check(t)
	c.checkAsked(t)
	c.checkDue(t)
	if t.Failed() {
		t.Logf("killed %s", last)
	}
	return true
}
