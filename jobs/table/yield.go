package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// ErrCompacted means that there is nothing to compact: the table is one sorted run, or has none.
var ErrCompacted = errors.New("the table is one sorted run already, or has none")

// Clear says whether a run of a kind may be planned now: one that replaces others fails with [ErrBusy] while any run is
// unfinished, and a compact with [ErrCompacted] when it would change nothing; others fail while a forget is unfinished. The unfinished run that the caller is going to continue is no hindrance; it may
// be "". What comes up afterwards, Yield sees; but then the id of the run is used up.
func (t *Table) Clear(ctx context.Context, kind, continued string) error {
	runs, err := t.Runs(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.Manifest != nil || r.ID == continued {
			continue
		}
		other, err := t.rival(ctx, r)
		if err != nil {
			return err
		}
		if other != nil && other.unfinished && (replaces(kind) || other.kind == KindForget) {
			return fmt.Errorf("%w: no %s can begin next to %s; %s", ErrBusy, kind, other, t.remedy(other))
		}
	}
	if live := Live(runs); kind == KindCompact && (len(live) == 0 || len(live) == 1 && replaces(live[0].Manifest.Kind)) {
		return ErrCompacted
	}
	return nil
}

// Yield looks whether a run can be next to the others. If not, it aborts the run and fails with [ErrYielded]. It is
// called for the plan that stands, after its creation and by each process that continues the run, before anything else
// is done for it. Of two runs that cannot be together, the one whose plan came second sees the other; if both see each
// other, both may give way. When the run has been committed meanwhile, all is well.
func (t *Table) Yield(ctx context.Context, p *Plan) error {
	others, err := t.rivals(ctx, p)
	if err != nil || len(others) == 0 {
		return err
	}
	return t.giveWay(ctx, p, others[0])
}

// rivals returns the runs that a planned run cannot be next to.
func (t *Table) rivals(ctx context.Context, p *Plan) (others []*rival, err error) {
	runs, err := t.Runs(ctx)
	if err != nil {
		return nil, err
	}
	known := covered(p.Base, runs)
	for _, r := range runs {
		if r.ID == p.RunID && r.Committed() {
			return nil, nil
		}
		if r.ID == p.RunID || known[r.ID] {
			continue
		}
		other, err := t.rival(ctx, r)
		if err != nil {
			return nil, err
		}
		if other != nil && p.yields(other, known, covered(other.base, runs)) {
			others = append(others, other)
		}
	}
	return others, nil
}

func (t *Table) giveWay(ctx context.Context, p *Plan, other *rival) error {
	switch err := t.Abort(ctx, p.RunID); {
	case errors.Is(err, ErrCommitted):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("run %s: %w: %s; %s, then start this %s again (a run id that was given is used up: choose another --run-id)",
		p.RunID, ErrYielded, other, t.remedy(other), p.Kind)
}

// rival is another run, as far as it matters to whether a run can be next to it.
type rival struct {
	id, kind       string
	base, replaces []string
	unfinished     bool
	damaged        error // why nobody can read its plan
}

func (o *rival) String() string {
	switch {
	case o.damaged != nil:
		return fmt.Sprintf("run %s, which is unfinished and cannot be continued: %v", o.id, o.damaged)
	case o.unfinished:
		return fmt.Sprintf("run %s (%s), which is unfinished", o.id, o.kind)
	}
	return fmt.Sprintf("run %s (%s), which was committed meanwhile", o.id, o.kind)
}

// remedy says how a rival is out of the way.
func (t *Table) remedy(o *rival) string {
	giveUp := fmt.Sprintf("give it up: mapper clean %s --run %s --yes", t.in.URI(""), o.id)
	switch {
	case o.damaged != nil:
		return giveUp
	case o.unfinished:
		return "finish it with the command that began it, or " + giveUp
	}
	return "there is nothing to do about that one"
}

// rival looks into another run. One that is aborted is none.
func (t *Table) rival(ctx context.Context, r Run) (*rival, error) {
	if r.Manifest == nil {
		p, err := t.Plan(ctx, r.ID)
		switch {
		case err == nil:
			return &rival{id: r.ID, kind: p.Kind, base: p.Base, replaces: p.Replaces, unfinished: true}, nil
		case errors.Is(err, ErrDamaged):
			return &rival{id: r.ID, unfinished: true, damaged: err}, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		if r.Manifest, err = t.Manifest(ctx, r.ID); err != nil { // plans go after the manifest has come
			return nil, err
		}
	}
	if m := r.Manifest; !m.Aborted {
		return &rival{id: r.ID, kind: m.Kind, base: m.Base, replaces: m.Replaces}, nil
	}
	return nil, nil
}

// yields says whether the planned run cannot be next to another one, which its base does not cover. It knows the
// runs that its base covers, and those that the other one's base does.
func (p *Plan) yields(o *rival, known, knownToOther map[string]bool) bool {
	unknownTo := func(known map[string]bool) func(string) bool { return func(id string) bool { return !known[id] } }
	switch {
	case p.Kind == KindForget:
		return true // what it does not read it cannot forget
	case p.Kind == KindCompact:
		// Rows of a run that knows all of the base are later than those of the base, and so than those written here.
		return o.unfinished || replaces(o.kind) || slices.ContainsFunc(p.Base, unknownTo(knownToOther))
	case o.kind == KindForget:
		return true // it removes what this run reads, and this run may bring back what it forgets
	}
	return slices.ContainsFunc(o.replaces, unknownTo(known))
}

// Covers returns the runs that a base stands for: its own, those that they replace, and so on.
func Covers(base []string, runs []Run) map[string]bool { return covered(base, runs) }

// covered returns the runs that a base stands for: its own, those that they replace, and so on.
func covered(base []string, runs []Run) map[string]bool {
	replaced := map[string][]string{}
	for _, r := range runs {
		if r.Committed() {
			replaced[r.ID] = r.Manifest.Replaces
		}
	}
	known := map[string]bool{}
	for todo := slices.Clone(base); len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !known[id] {
			known[id] = true
			todo = append(todo, replaced[id]...)
		}
	}
	return known
}
