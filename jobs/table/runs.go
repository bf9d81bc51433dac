package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run is one run of a table. Exactly one of its states holds: unfinished (no manifest), committed, aborted, or
// damaged (a manifest that cannot be read).
type Run struct {
	ID       string
	Manifest *Manifest // nil while the run is unfinished, and when Err is set
	Err      error     // why the manifest, or whether there is one, cannot be read
}

// Committed says whether a reader sees the run.
func (r Run) Committed() bool { return r.Manifest != nil && !r.Manifest.Aborted }

// Runs returns all runs of the table that have a plan or a manifest, in the order of their ids. It fails when
// one of them is damaged: without its manifest nobody knows which runs are live.
//
// It is no look at one moment: a storage lists page by page, and manifests are read one by one. So a run can be missing
// that another one, which is not, was built on. Then it looks again; after some time the run is lost, which is damage.
func (t *Table) Runs(ctx context.Context) ([]Run, error) {
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		runs, err := t.Survey(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			if r.Err != nil {
				return nil, fmt.Errorf("run %s: %w", r.ID, r.Err)
			}
		}
		if err = t.gap(runs); err == nil {
			return runs, nil
		}
		if pause > longestPause {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// longestPause is between the last two looks at the runs of a table.
const longestPause = 400 * time.Millisecond

// gap says which run is missing. A run that another names was committed before that one was planned, and manifests
// stay for ever: without it the runs are not what they have been at any moment.
func (t *Table) gap(runs []Run) error {
	committed := map[string]bool{}
	for _, r := range runs {
		committed[r.ID] = r.Committed()
	}
	for _, r := range runs {
		if !r.Committed() {
			continue
		}
		for _, id := range slices.Concat(r.Manifest.Base, r.Manifest.Replaces) {
			if !committed[id] {
				return fmt.Errorf("%s %w: run %s is built on run %s, and that has no manifest of a commit any more; "+
					"bring %s back from a backup", t.in.URI(""), ErrDamaged, r.ID, id, manifestKey(id))
			}
		}
	}
	return nil
}

// Survey is Runs for those who look for damage: it returns damaged runs too.
func (t *Table) Survey(ctx context.Context) ([]Run, error) {
	ids, err := t.in.Folders(ctx, "_runs")
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !ValidRunID(id) }) // that of a lease is no run
	runs := make([]Run, len(ids))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, id := range ids {
		group.Go(func() error {
			runs[i] = t.run(ctx, id)
			return nil
		})
	}
	_ = group.Wait() // each run has its own error
	return slices.DeleteFunc(runs, func(r Run) bool { return errors.Is(r.Err, fs.ErrNotExist) }), nil
}

// atOnce is how many runs are looked at side by side: a storage far away takes its time for each.
const atOnce = 16

// run reads the state of a run. Without a manifest and without a plan it does not exist: a process was killed before it
// had planned anything.
func (t *Table) run(ctx context.Context, id string) Run {
	m, err := t.Manifest(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		m = nil
		// What the plan says is for those who need it.
		_, err = t.in.ReadAll(ctx, planKey(id))
	}
	if errors.Is(err, fs.ErrNotExist) { // or an abort has deleted it, after its manifest had come
		m, err = t.Manifest(ctx, id)
	}
	if err != nil {
		return Run{ID: id, Err: err}
	}
	return Run{ID: id, Manifest: m}
}

// Replaced says which runs a committed run replaces. Their files stay for a while, for readers that know them.
func Replaced(runs []Run) map[string]bool {
	replaced := map[string]bool{}
	for _, r := range runs {
		if r.Committed() {
			for _, id := range r.Manifest.Replaces {
				replaced[id] = true
			}
		}
	}
	return replaced
}

// Live returns the committed runs that no other committed run replaces.
func Live(runs []Run) []Run {
	replaced := Replaced(runs)
	var live []Run
	for _, r := range runs {
		if r.Committed() && !replaced[r.ID] {
			live = append(live, r)
		}
	}
	return live
}
