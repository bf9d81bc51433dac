package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"mapper/sinks"
)

// simRows is what a simulated part file holds: rows of a shard of a draft.
type simRows struct {
	Draft string
	Shard int
	From  int
	To    int
}

func (r simRows) marshal() []byte {
	return fmt.Appendf(nil, "%s %d %d %d", r.Draft, r.Shard, r.From, r.To)
}

// whole says whether a committed run holds every row of its plan exactly once.
func whole(m *Manifest, read func(key string) ([]byte, error)) error {
	var want, have [][]int // how often each row of each shard is there
	for _, n := range strings.Fields(m.Job["rows"]) {
		rows, err := strconv.Atoi(n)
		if err != nil {
			return err
		}
		have, want = append(have, make([]int, rows)), append(want, slices.Repeat([]int{1}, rows))
	}
	for _, p := range m.Parts {
		data, err := read(p.Path)
		if err != nil {
			return fmt.Errorf("run %s: %w", m.RunID, err)
		}
		var r simRows
		if _, err := fmt.Sscanf(string(data), "%s %d %d %d", &r.Draft, &r.Shard, &r.From, &r.To); err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		if r.Draft != m.Job["draft"] || r.Shard >= len(have) || r.To > len(have[r.Shard]) {
			return fmt.Errorf("%s is of another plan than %s: %s", p.Path, m.Job["draft"], data)
		}
		for i := r.From; i < r.To; i++ {
			have[r.Shard][i]++
		}
	}
	if !slices.EqualFunc(want, have, slices.Equal) {
		return fmt.Errorf("run %s: rows are there %v times", m.RunID, have)
	}
	return nil
}

// look reads without a process, at one moment.
func (w *world) look(key string) ([]byte, error) {
	o, ok := w.objects[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return o.data, nil
}

// created checks what a creation may not do. The first manifest of a run is the one for ever.
func (w *world) created(key, creator string, data []byte) {
	if w.life != nil {
		w.life.created(w, key, data)
		return
	}
	w.putInOrder(key, creator)
	run, is := strings.CutSuffix(strings.TrimPrefix(key, "_runs/"), "/manifest.json")
	if !is {
		w.afterTheEnd(key)
		return
	}
	if first, ok := w.manifests[run]; ok && string(first.raw) != string(data) {
		w.violated("the manifest of run %s has changed", run)
		return
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		w.violated("%s: %w", key, err)
	}
	w.manifests[run] = simManifest{Manifest: m, raw: data}
	if m.Aborted {
		return
	}
	for _, p := range m.Parts {
		w.named[p.Path] = true
	}
	if err := whole(m, w.look); err != nil {
		w.violated("committed: %w", err)
	}
	if plan := w.planOf(run); plan == nil || plan.Job["draft"] != m.Job["draft"] {
		w.violated("run %s is committed by another plan than its own", run)
	}
}

// afterTheEnd counts what comes to an aborted run afterwards.
func (w *world) afterTheEnd(key string) {
	for run, m := range w.manifests {
		if m.Aborted && strings.Contains(key, run+"/") {
			w.total("an object created after the abort: " + kindOf(key))
		}
	}
}

// putInOrder counts the runs that are finished by another process than the one that has committed them.
func (w *world) putInOrder(key, creator string) {
	var by, committer, attempt, n int
	for run, m := range w.manifests {
		if key != sinks.DatasetRefreshFrom+"/run="+run+"/_SUCCESS" {
			continue
		}
		_, err1 := fmt.Sscanf(creator, "attempt%dx%d", &by, &attempt)
		_, err2 := fmt.Sscanf(m.Writer, "writer%dx%d", &committer, &n)
		if errors.Join(err1, err2) == nil && by != committer {
			w.total("a run put in order by another process")
		}
	}
}

func kindOf(key string) string {
	switch {
	case strings.HasSuffix(key, "plan.json"):
		return "plan"
	case strings.Contains(key, "/progress/"):
		return "link"
	}
	return "part file"
}

func (w *world) planOf(run string) *Plan {
	data, err := w.look("_runs/" + run + "/plan.json")
	p := new(Plan)
	if err != nil || json.Unmarshal(data, p) != nil {
		return nil
	}
	return p
}

// saw checks that a decision that somebody has read stays. Of an aborted run nothing counts any more but its manifest.
func (w *world) saw(key string, data []byte) {
	run, _, _ := strings.Cut(strings.TrimPrefix(key, "_runs/"), "/")
	if m, ok := w.manifests[run]; !strings.HasPrefix(key, "_runs/") || ok && m.Aborted && key != manifestKey(run) {
		return
	}
	if w.life != nil && (key != manifestKey(run) && w.life.replaced(run) || w.life.isPlanOfForget(key)) {
		return // once that is erased, who comes late may plan it again, and then finds the manifest
	}
	if before, ok := w.read[key]; ok && string(before) != string(data) {
		w.violated("%s was\n%s\nand is\n%s", key, before, data)
	}
	w.read[key] = data
}

// removed checks what may not be deleted.
func (w *world) removed(key string) {
	if w.life != nil && w.life.isReplaced(key) {
		return
	}
	switch {
	case w.named[key]:
		w.violated("%s is deleted, and a committed run names it", key)
	case strings.HasSuffix(key, "/manifest.json"):
		w.violated("%s is deleted", key)
	}
}

// checkError checks why a process has stopped: because of the storage, or because of what another process has done and
// the error says.
func (w *world) checkError(p *simProcess) {
	if w.life != nil && w.life.excuses(w, p) {
		return
	}
	for _, fine := range []error{nil, errKilled, errOutOfReach, ErrFenced, ErrAborted, ErrCommitted} {
		if errors.Is(p.err, fine) {
			return
		}
	}
	if errors.Is(p.err, fs.ErrNotExist) && p.does.kind == "clean" && p.unknown {
		return // the user has mistyped the run, or it comes later
	}
	w.violated("%s stops: %w", p, p.err)
}

// checkEnd looks at a table in which everything has been done and cleaned.
func (w *world) checkEnd() {
	var left []string
	for key := range w.objects {
		left = append(left, key)
	}
	slices.Sort(left)
	var want []string
	if _, ok := w.objects["_runs/table.json"]; ok || len(w.named) > 0 { // all runs may have been aborted before they began
		want = append(want, "_runs/table.json")
	}
	for run, m := range w.manifests {
		want = append(want, manifestKey(run))
		if m.Aborted {
			continue
		}
		if err := whole(m.Manifest, w.look); err != nil {
			w.violated("at the end: %w", err)
		}
		want = append(want, w.belongings(m.Manifest)...)
	}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		w.violated("at the end there is\n%v\nand should be\n%v", left, want)
	}
}

// belongings returns the objects of a committed run, but for its manifest. Its links name what its manifest names.
func (w *world) belongings(m *Manifest) []string {
	keys := []string{"_runs/" + m.RunID + "/plan.json"}
	var parts []string
	for shard := range strings.Fields(m.Job["rows"]) {
		for n, done := 1, false; !done; n++ {
			key := fmt.Sprintf("_runs/%s/progress/%d-%d.json", m.RunID, shard, n)
			var l Link
			data, err := w.look(key)
			if err = errors.Join(err, json.Unmarshal(data, &l)); err != nil {
				w.violated("at the end: %w", err)
				return nil
			}
			for _, f := range l.Files {
				parts = append(parts, f.Path)
			}
			keys, done = append(keys, key), l.Done
		}
	}
	var named []string
	for _, p := range m.Parts {
		named = append(named, p.Path)
	}
	if !slices.Equal(parts, named) {
		w.violated("run %s: the links name %v, the manifest names %v", m.RunID, parts, named)
	}
	for _, dataset := range sinks.Datasets() {
		keys = append(keys, dataset+"/run="+m.RunID+"/_SUCCESS")
	}
	return append(keys, parts...)
}
