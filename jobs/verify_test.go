package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
)

// peopleTable is a table with the runs r1 and r2 of made-up people, the same in both.
type peopleTable struct{ root string }

func newPeopleTable(t *testing.T, rows int) peopleTable {
	t.Helper()
	s, url := operator(t, sandbox.Options{Seed: "verify", OptOutShare: 0.1, RotationDays: 270})
	out := filepath.Join(t.TempDir(), "out")
	for _, id := range []string{"r1", "r2"} {
		j := job(s, url, writePeople(t, rows), out)
		j.RunID, j.Columns.ID, j.MaxBatch, j.PartRows = id, "id", 100, 500
		if _, err := j.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return peopleTable{out}
}

func (p peopleTable) copy(t *testing.T) peopleTable {
	t.Helper()
	root := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(root, os.DirFS(p.root)); err != nil {
		t.Fatal(err)
	}
	return peopleTable{root}
}

func (p peopleTable) path(key string) string { return filepath.Join(p.root, filepath.FromSlash(key)) }

func (p peopleTable) write(t *testing.T, key string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(key)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(key), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p peopleTable) read(t *testing.T, key string) []byte {
	t.Helper()
	data, err := os.ReadFile(p.path(key))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p peopleTable) remove(t *testing.T, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := os.RemoveAll(p.path(key)); err != nil {
			t.Fatal(err)
		}
	}
}

// flip changes one byte in the middle of a file.
func (p peopleTable) flip(t *testing.T, key string) {
	t.Helper()
	data := p.read(t, key)
	data[len(data)/2] ^= 1
	p.write(t, key, data)
}

// manifest returns what r1's manifest says.
func (p peopleTable) manifest(t *testing.T) *table.Manifest {
	t.Helper()
	m := new(table.Manifest)
	if err := json.Unmarshal(p.read(t, manifestOfR1), m); err != nil {
		t.Fatal(err)
	}
	return m
}

const manifestOfR1 = "_runs/r1/manifest.json"

// part returns the key of a part of r1.
func (p peopleTable) part(t *testing.T, dataset string, n int) string {
	t.Helper()
	for _, f := range p.manifest(t).Parts {
		if name, err := sinks.ParsePartName(f.Path); err != nil {
			t.Fatal(err)
		} else if name.Dataset == dataset && name.Part == n {
			return f.Path
		}
	}
	t.Fatalf("no part %d in %s", n, dataset)
	return ""
}

// check verifies the table and compares what is found: every line has to hold one of the texts, in order.
func (p peopleTable) check(t *testing.T, damage, remarks []string) *jobs.Verification {
	t.Helper()
	v, err := jobs.Verify(t.Context(), new(objects.Store), p.root)
	if v == nil {
		t.Fatal(err)
	}
	if wrong := len(damage) > 0; errors.Is(err, jobs.ErrDamaged) != wrong || !wrong && err != nil {
		t.Errorf("error %v", err)
	}
	matches := func(kind string, got, want []string) {
		if !slices.EqualFunc(got, want, strings.Contains) {
			t.Errorf("%s:\n%s\nwant:\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	matches("damage", v.Damage, damage)
	matches("remarks", v.Remarks, remarks)
	return v
}

// TestVerify damages a table in one way after another. Each has to be found, and nothing else.
func TestVerify(t *testing.T) {
	whole := newPeopleTable(t, 1500) // several parts
	mapped, unmapped, refresh := whole.part(t, sinks.DatasetMapped, 1), whole.part(t, sinks.DatasetUnmapped, 2), whole.part(t, sinks.DatasetRefreshFrom, 3)
	seen := whole.check(t, nil, nil)
	if seen.Runs != 2 || seen.Rows == 0 {
		t.Fatalf("a whole table: %s", seen)
	}
	stray := sinks.PartName{Dataset: sinks.DatasetMapped, Run: "r1", Part: 1, Random: "stray"}.String()
	for _, tt := range []struct {
		name            string
		spoil           func(t *testing.T, p peopleTable)
		damage, remarks []string
		lostPart        bool // one file cannot be read
		lostRun         bool // r1 is not checked
	}{
		{name: "three parts, and a stray", spoil: func(t *testing.T, p peopleTable) {
			p.flip(t, mapped)
			p.remove(t, unmapped)
			p.write(t, refresh, p.read(t, refresh)[:100])
			p.write(t, stray, nil)
		}, damage: []string{mapped + ": its content is not", unmapped + ": ", refresh + ": its content is not"},
			remarks: []string{stray + ": no manifest names it"}, lostPart: true},
		{name: "nothing but the files of a run", spoil: func(t *testing.T, p peopleTable) {
			p.remove(t, "_runs/r1")
		}, damage: []string{"run r1: it has "}, lostRun: true},
		{name: "nothing but a marker", spoil: func(t *testing.T, p peopleTable) {
			p.write(t, "unmapped/run=lost/_SUCCESS", nil)
		}, damage: []string{"run lost: it has 1 files in unmapped/run=lost, but no manifest and no plan"}},
		{name: "nothing but an empty folder", spoil: func(t *testing.T, p peopleTable) {
			if err := os.Mkdir(p.path("mapped/run=empty"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no manifest, but markers", spoil: func(t *testing.T, p peopleTable) {
			p.remove(t, manifestOfR1, "mapped/run=r1/_SUCCESS")
		}, damage: []string{"unmapped/run=r1/_SUCCESS: it says", "refresh_from/run=r1/_SUCCESS: it says"},
			remarks: []string{"run r1 is not committed"}, lostRun: true},
		{name: "unfinished", spoil: func(t *testing.T, p peopleTable) {
			p.remove(t, manifestOfR1, "mapped/run=r1/_SUCCESS", "unmapped/run=r1/_SUCCESS", "refresh_from/run=r1/_SUCCESS")
		}, remarks: []string{"run r1 is not committed"}, lostRun: true},
		{name: "unfinished, with a damaged plan", spoil: func(t *testing.T, p peopleTable) {
			p.write(t, "_runs/r3/plan.json", []byte(`{"version`))
		}, damage: []string{"run r3: it cannot be continued"}, remarks: []string{"run r3 is not committed"}},
		{name: "aborted, but a marker", spoil: func(t *testing.T, p peopleTable) {
			data, err := table.Encode(table.Manifest{Version: table.Version, RunID: "r3", Aborted: true})
			if err != nil {
				t.Fatal(err)
			}
			p.write(t, "_runs/r3/manifest.json", data)
			p.write(t, "mapped/run=r3/_SUCCESS", nil)
		}, damage: []string{"mapped/run=r3/_SUCCESS: it says"}, remarks: []string{"run r3 is not committed"}},
		{name: "a missing marker", spoil: func(t *testing.T, p peopleTable) {
			p.remove(t, "unmapped/run=r1/_SUCCESS")
		}, remarks: []string{"unmapped/run=r1/_SUCCESS: missing; the next command on the run restores it"}},
		{name: "a truncated manifest", spoil: func(t *testing.T, p peopleTable) {
			data := p.read(t, manifestOfR1)
			p.write(t, manifestOfR1, data[:len(data)/2])
			p.flip(t, strings.Replace(manifestOfR1, "r1/manifest", "r1/plan", 1))
		}, damage: []string{"run r1: its manifest cannot be read"}, lostRun: true},
		{name: "a manifest that is a folder", spoil: func(t *testing.T, p peopleTable) {
			p.remove(t, manifestOfR1)
			p.write(t, manifestOfR1+"/x", nil)
		}, damage: []string{"run r1: its manifest cannot be read"}, lostRun: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := whole.copy(t)
			tt.spoil(t, p)
			v := p.check(t, tt.damage, tt.remarks)
			runs, parts := seen.Runs, seen.Parts
			if tt.lostPart {
				parts--
			}
			if tt.lostRun {
				runs, parts = runs/2, parts/2
			}
			if v.Runs != runs || v.Parts != parts {
				t.Errorf("%d runs and %d parts read, want %d and %d", v.Runs, v.Parts, runs, parts)
			}
		})
	}
}

// TestVerifyFindsAnyChangedByte flips a byte of one file after another, whatever the file.
func TestVerifyFindsAnyChangedByte(t *testing.T) {
	p := newPeopleTable(t, 300)
	var files []string
	for _, folder := range []string{"_runs", "mapped", "unmapped", "refresh_from"} {
		err := filepath.WalkDir(p.path(folder), func(path string, d fs.DirEntry, err error) error {
			if info, failed := d.Info(); failed == nil && !d.IsDir() && info.Size() > 0 {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 10 {
		t.Fatalf("only %d files", len(files))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			changed, at := slices.Clone(data), random.IntN(len(data))
			changed[at] ^= 1 << random.IntN(8)
			if err := os.WriteFile(file, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := jobs.Verify(t.Context(), new(objects.Store), p.root)
			if err == nil || v != nil && len(v.Damage) == 0 {
				t.Errorf("%s, byte %d of %d: %v, %v", file, at, len(data), v, err)
			}
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.check(t, nil, nil)
}

// TestVerifyManifest changes what a manifest says. Each change has to be found, and nothing else.
func TestVerifyManifest(t *testing.T) {
	whole := newPeopleTable(t, 1500) // several parts
	first := func(m *table.Manifest) *pipeline.Counts { return &m.Inputs[0].Counts }
	const sum = "run r1: the manifest's counts are not the sum of those of its inputs"
	for name, tt := range map[string]struct {
		change func(*table.Manifest)
		damage []string
	}{
		"run id":      {func(m *table.Manifest) { m.RunID = "r2" }, []string{`run r1: the manifest is of run "r2"`}},
		"service":     {func(m *table.Manifest) { m.Service = "euid" }, []string{`run r1: the manifest is of service "euid"`}},
		"environment": {func(m *table.Manifest) { m.Environment = "x" }, []string{"run r1: the manifest is of service"}},
		"lines":       {func(m *table.Manifest) { m.Counts.Lines++ }, []string{sum}},
		"malformed":   {func(m *table.Manifest) { m.Counts.Malformed++ }, []string{sum}},
		"rows":        {func(m *table.Manifest) { m.Counts.Rows++ }, []string{sum}},
		"empty rows":  {func(m *table.Manifest) { m.Counts.EmptyRows++ }, []string{sum}},
		"identifiers": {func(m *table.Manifest) { m.Counts.Identifiers++ }, []string{sum}},
		"mapped":      {func(m *table.Manifest) { m.Counts.Mapped++ }, []string{sum}},
		"reasons that add up": {func(m *table.Manifest) {
			m.Counts.Unmapped["OPTOUT"]--
			m.Counts.Unmapped["INVALID_IDENTIFIER"]++
		}, []string{sum}},
		"an input that does not add up": {func(m *table.Manifest) {
			m.Counts.Lines++
			first(m).Lines++
		}, []string{"do not add up"}},
		"an input that the parts do not bear out": {func(m *table.Manifest) {
			for _, c := range []*pipeline.Counts{&m.Counts.Counts, first(m)} {
				c.Unmapped["OPTOUT"]--
				c.Mapped++
			}
		}, []string{"the parts hold"}},
		"a part twice": {func(m *table.Manifest) { m.Parts = append(m.Parts, m.Parts[0]) },
			[]string{"run r1: the manifest names mapped/run=r1/part-"}},
		"a part of another run": {func(m *table.Manifest) { m.Parts[0].Path = strings.Replace(m.Parts[0].Path, "run=r1", "run=r2", 1) },
			[]string{`run r1: the manifest names "mapped/run=r2/part-`}},
		"a part outside": {func(m *table.Manifest) { m.Parts[0].Path = "../" + m.Parts[0].Path },
			[]string{`run r1: the manifest names "../mapped/run=r1/part-`}},
		"a part of another dataset": {func(m *table.Manifest) { m.Parts[0].Dataset = sinks.DatasetUnmapped },
			[]string{"which is no part of it in unmapped"}},
		"the rows of a part": {func(m *table.Manifest) { m.Parts[0].Rows++ }, []string{"rows, the manifest says"}},
		"an early day":       {func(m *table.Manifest) { m.Calendar["2001-01-01"] = 1 }, []string{`run r1: the refresh calendar goes from "2001-01-01"`}},
		"a late day":         {func(m *table.Manifest) { m.Calendar["2101-01-01"] = 1 }, []string{"run r1: the refresh calendar goes from"}},
		"no first day": {func(m *table.Manifest) { delete(m.Calendar, slices.Min(slices.Collect(maps.Keys(m.Calendar)))) },
			[]string{"run r1: the refresh calendar goes from"}},
		"no calendar": {func(m *table.Manifest) { m.Calendar = nil }, []string{`run r1: the refresh calendar goes from "" to ""`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := whole.copy(t)
			m := p.manifest(t)
			tt.change(m)
			data, err := table.Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			p.write(t, manifestOfR1, data)
			var remarks []string
			if name == "a part of another run" || name == "a part outside" {
				remarks = []string{"no manifest names it"}
			}
			p.check(t, tt.damage, remarks)
		})
	}
}

// TestDamagedManifestStopsCommands: whoever needs to know which runs are live does not go by a part of them.
func TestDamagedManifestStopsCommands(t *testing.T) {
	p := newPeopleTable(t, 50)
	p.write(t, manifestOfR1, []byte(`{"version": 1, "parts": [`))
	_, inspected := jobs.Inspect(context.Background(), p.root, jobs.InspectOptions{Store: new(objects.Store)})
	_, listed := jobs.LiveFiles(context.Background(), new(objects.Store), p.root, sinks.DatasetMapped)
	s, url := operator(t, sandbox.Options{Seed: "verify"})
	j := job(s, url, writePeople(t, 10), p.root)
	j.Environment = p.environment(t)
	_, mapped := j.Run(t.Context())
	for name, err := range map[string]error{"Inspect": inspected, "LiveFiles": listed, "Map": mapped} {
		if err == nil || !strings.Contains(err.Error(), manifestOfR1+" is damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (p peopleTable) environment(t *testing.T) string {
	t.Helper()
	var about table.About
	if err := json.Unmarshal(p.read(t, "_runs/table.json"), &about); err != nil {
		t.Fatal(err)
	}
	return about.Environment
}

// endsAfter is a context that ends after it has been asked a number of times whether it has.
type endsAfter struct {
	context.Context
	left int
}

// Err counts.
func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestVerifyStops ends the context at any moment: Verify stops there, within a part too, and takes nothing that
// it could not read any more for damaged.
func TestVerifyStops(t *testing.T) {
	p := newPeopleTable(t, 50)
	for asked := 0; ; asked++ {
		v, err := jobs.Verify(&endsAfter{t.Context(), asked}, new(objects.Store), p.root)
		if v == nil || len(v.Damage) > 0 {
			t.Fatal(fmt.Errorf("after %d: %w\n%s", asked, err, v))
		}
		if err == nil {
			if asked < 4*v.Parts {
				t.Errorf("asked %d times in %d parts: not within a part", asked, v.Parts)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// TestVerifyStopsInALargeFile: the checksum is taken of all there is, however much.
func TestVerifyStopsInALargeFile(t *testing.T) {
	p := newPeopleTable(t, 50)
	for _, part := range p.manifest(t).Parts {
		p.write(t, part.Path, make([]byte, 4<<20))
	}
	v, err := jobs.Verify(&endsAfter{t.Context(), 50}, new(objects.Store), p.root)
	if !errors.Is(err, context.Canceled) || v.Parts > 0 || len(v.Damage) > 0 {
		t.Errorf("%v\n%s", err, v)
	}
}
