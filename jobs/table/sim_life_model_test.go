package table

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

const (
	lifeIdentities = 3
	lifeIDs        = 2 // of the caller; each may have each identity
	lifePairs      = lifeIdentities * lifeIDs
)

// What a row says.
const (
	saysUID        = "UID"
	saysOptout     = "OPTOUT"
	saysUnknown    = "UNKNOWN"
	saysRemoved    = "REMOVED"
	saysSuppressed = "SUPPRESSED"
)

// lifeRow is a row of a run: pair Pair is of identity Pair/lifeIDs.
type lifeRow struct {
	Pair, Identity int
	Says           string
	UID            int // tells the UIDs of an identity from each other
	At             int // when the service said so
}

func (r lifeRow) isAnswer() bool { return r.Says == saysUID || r.Says == saysOptout }
func (r lifeRow) ends() bool     { return r.Says == saysRemoved || r.Says == saysSuppressed }

// lifeRun is a committed run with its rows, which the model keeps when their files are gone.
type lifeRun struct {
	*Manifest
	rows []lifeRow
}

// view is the current state by the rules: what it says of each live pair.
func (l *life) view(runs []*lifeRun) map[int]lifeRow {
	runs = slices.SortedFunc(slices.Values(runs), func(a, b *lifeRun) int { return cmp.Compare(a.RunID, b.RunID) })
	answers := answersOf(runs)
	slices.SortStableFunc(runs, func(a, b *lifeRun) int {
		older := cmp.Compare(min(1, len(b.Replaces)), min(1, len(a.Replaces)))
		if l.tiesGoByID {
			older = 0
		}
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), older)
	})
	alive := map[int]lifeRow{}
	for _, r := range runs {
		for _, row := range r.rows {
			switch {
			case r.Kind == KindRemap:
			case row.ends():
				delete(alive, row.Pair)
			default:
				alive[row.Pair] = lifeRow{Pair: row.Pair, Identity: row.Identity, Says: saysUnknown}
			}
		}
	}
	for pair, row := range alive {
		if a, ok := answers[row.Identity]; ok {
			a.Pair = pair
			alive[pair] = a
		}
	}
	return alive
}

// answersOf returns what is known of identities. Runs come in the order of their ids.
func answersOf(runs []*lifeRun) map[int]lifeRow {
	answers := map[int]lifeRow{}
	for _, r := range runs {
		for _, row := range r.rows {
			have, ok := answers[row.Identity]
			if row.isAnswer() && (!ok || row.At > have.At || row.At == have.At && have.Says != saysOptout) {
				answers[row.Identity] = row
			}
		}
	}
	return answers
}

// life is what is true of the runs of a world, and the service that they ask.
type life struct {
	names     int
	clock     int
	service   [lifeIdentities]lifeRow
	runs      map[string]*lifeRun // committed
	createdAt map[string]int      // step of each object
	erased    map[string]bool     // forgets of which a process has finished all

	tiesGoByID bool    // sabotage
	hesitation float64 // how likely a process pauses before it creates the plan of a run that replaces nothing
}

// ask is what the service says at one moment. Now and then it changes its mind.
func (l *life) ask(w *world) (answers [lifeIdentities]lifeRow) {
	if w.rng.IntN(2) == 0 {
		l.clock++
	}
	for i := range l.service {
		switch w.rng.IntN(10) {
		case 0, 1:
			l.service[i].Says = saysOptout
		case 2, 3: // with a UID of its own
			l.clock++
			l.service[i] = lifeRow{Identity: i, Says: saysUID, UID: l.clock}
		}
	}
	for i := range answers {
		if answers[i] = l.service[i]; w.rng.IntN(12) == 0 {
			answers[i].Says = saysUnknown
		}
		answers[i].At = l.clock
	}
	return answers
}

// covers returns the committed runs that some stand for.
func (l *life) covers(ids []string) map[string]bool {
	all := map[string]bool{}
	var add func(id string)
	add = func(id string) {
		if r := l.runs[id]; r != nil && !all[id] {
			all[id] = true
			for _, id := range r.Replaces {
				add(id)
			}
		}
	}
	for _, id := range ids {
		add(id)
	}
	return all
}

// forgets returns the identity that a forget forgets.
func forgets(r *lifeRun) int {
	n, err := strconv.Atoi(r.Job["forget"])
	if err != nil {
		panic(err)
	}
	return n
}

// truth is what some runs say when nothing is ever compacted: each with the rows that no forget of them has taken.
func (l *life) truth(among map[string]bool) (runs []*lifeRun) {
	for id := range among {
		r := l.runs[id]
		if replaces(r.Kind) {
			continue
		}
		taken := map[int]bool{}
		for other := range among {
			if f := l.runs[other]; f.Kind == KindForget && l.covers(f.Replaces)[id] {
				taken[forgets(f)] = true
			}
		}
		rows := slices.DeleteFunc(slices.Clone(r.rows), func(row lifeRow) bool { return taken[row.Identity] })
		runs = append(runs, &lifeRun{r.Manifest, rows})
	}
	return runs
}

// check compares the view of runs with what is true of those that they stand for.
func (l *life) check(w *world, what string, ids []string) {
	var runs []*lifeRun
	for _, id := range ids {
		runs = append(runs, l.runs[id])
	}
	among := l.covers(ids)
	have, want := l.view(runs), l.view(l.truth(among))
	for pair := range lifePairs {
		h, live := have[pair]
		t, lives := want[pair]
		switch {
		case live && !lives:
			w.violated("%s: pair %d is resurrected by %v", what, pair, ids)
		case !live && lives:
			w.violated("%s: pair %d is lost by %v", what, pair, ids)
		case t.Says == saysOptout && h.Says == saysUID:
			w.violated("%s: pair %d shows a UID in spite of its opt-out, by %v", what, pair, ids)
		case h != t && (h.Says != saysUnknown || !l.everEnded(t.Identity)): // compact keeps nothing of identities without life
			w.violated("%s: pair %d is %v by %v and should be %v", what, pair, h, ids, t)
		}
	}
	for id := range among {
		for _, base := range l.runs[id].Base {
			if !among[base] {
				w.violated("%s: run %s is there, and run %s on which it is built is not", what, id, base)
			}
		}
	}
}

func (l *life) everEnded(identity int) bool {
	for _, r := range l.runs {
		if slices.ContainsFunc(r.rows, func(row lifeRow) bool { return row.Identity == identity && row.ends() }) {
			return true
		}
	}
	return false
}

// live returns the committed runs that no other replaces.
func (l *life) live() (ids []string) {
	replaced := map[string]bool{}
	for _, r := range l.runs {
		for _, id := range r.Replaces {
			replaced[id] = true
		}
	}
	for id := range l.runs {
		if !replaced[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// created is told of each object.
func (l *life) created(w *world, key string, data []byte) {
	l.createdAt[key] = w.step
	run, is := strings.CutSuffix(strings.TrimPrefix(key, "_runs/"), "/manifest.json")
	if !is {
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
	r := &lifeRun{Manifest: m}
	for _, p := range m.Parts {
		w.named[p.Path] = true
		rows, err := rowsOf(w.look(p.Path))
		if err != nil {
			w.violated("committed: run %s: %w", run, err)
		}
		r.rows = append(r.rows, rows...)
	}
	l.runs[run] = r
	w.total("committed: " + m.Job["command"])
	l.check(w, "run "+run+" is committed", l.live())
	l.checkForgotten(w)
}

// checkForgotten looks that no run brings back what a forget has forgotten, but one that was planned afterwards.
func (l *life) checkForgotten(w *world) {
	for id, f := range l.runs {
		if f.Kind != KindForget {
			continue
		}
		covered := l.covers([]string{id})
		for other, r := range l.runs {
			if !covered[other] && !l.covers(r.Base)[id] && r.has(forgets(f)) {
				w.violated("run %s knows nothing of forget %s and holds identity %d", other, id, forgets(f))
			}
		}
	}
}

func (r *lifeRun) has(identity int) bool {
	return slices.ContainsFunc(r.rows, func(row lifeRow) bool { return row.Identity == identity })
}

// checkFiles looks that no file holds what has been forgotten. One that came after the forget's manifest and belongs to a
// run that is over cannot be prevented, only cleaned.
func (l *life) checkFiles(w *world, stragglersMay bool) {
	for id, f := range l.runs {
		if !l.erased[id] {
			continue
		}
		for key, o := range w.objects {
			rows, err := rowsOf(o.data, nil)
			run := runOf(key)
			if err != nil || !strings.HasSuffix(key, ".parquet") || !(&lifeRun{rows: rows}).has(forgets(f)) || l.afterwards(w, run, id) {
				continue
			}
			if over, ok := w.manifests[run]; stragglersMay && ok && (over.Aborted || l.covers([]string{id})[run]) && l.createdAt[key] >= l.createdAt[manifestKey(id)] {
				w.total("left by a straggler")
				continue
			}
			w.violated("%s holds identity %d after forget %s", key, forgets(f), id)
		}
	}
}

// afterwards says whether a run was planned after a forget was committed.
func (l *life) afterwards(w *world, run, forget string) bool {
	if r := l.runs[run]; r != nil {
		return run == forget || l.covers(r.Base)[forget]
	}
	p := w.planOf(run)
	return p != nil && l.covers(p.Base)[forget]
}

func runOf(key string) string {
	_, rest, _ := strings.Cut(key, "/run=")
	run, _, _ := strings.Cut(rest, "/")
	return run
}

// isReplaced says whether a file is of a run that another has replaced.
func (l *life) isReplaced(key string) bool {
	return l.isPlanOfForget(key) || !strings.HasSuffix(key, "/manifest.json") && l.replaced(runOf(key))
}

// isPlanOfForget says whether a file is the plan of a forget that is over, which removes it; who comes late may make it
// once more.
func (l *life) isPlanOfForget(key string) bool {
	run, _, _ := strings.Cut(strings.TrimPrefix(key, "_runs/"), "/")
	r := l.runs[run]
	return r != nil && r.Kind == KindForget && key == planKey(r.RunID)
}

func (l *life) replaced(run string) bool {
	return l.runs[run] != nil && !slices.Contains(l.live(), run)
}

// excuses says which errors come of what others have done.
func (l *life) excuses(w *world, p *simProcess) bool {
	switch {
	case errors.Is(p.err, ErrBusy), errors.Is(p.err, ErrCompacted):
		w.total("busy")
	case errors.Is(p.err, ErrYielded):
		w.total("gave way: " + p.does.kind)
		if strings.Contains(p.err.Error(), "committed meanwhile") {
			w.total("gave way to a committed run")
		}
	case errors.Is(p.err, fs.ErrNotExist):
		return w.manifests[p.does.run].Manifest != nil // what it reads goes when its run is over
	default:
		return false
	}
	return true
}

func marshalRows(rows []lifeRow) []byte {
	data, err := json.Marshal(rows)
	if err != nil {
		panic(err)
	}
	return data
}

func rowsOf(data []byte, err error) (rows []lifeRow, _ error) {
	if err == nil {
		if err = json.Unmarshal(data, &rows); err != nil {
			err = fmt.Errorf("no rows: %w", err)
		}
	}
	return rows, err
}

// hesitates says whether a process pauses between its look at the table and its plan, so that the table is another then.
func (l *life) hesitates(w *world, o *simOperation) bool {
	return o.what == "create" && strings.HasSuffix(o.key, "/plan.json") && !replaces(o.by.does.kind) && w.rng.Float64() < l.hesitation
}
