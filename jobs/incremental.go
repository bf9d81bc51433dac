package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
)

// shuffling compares what is read with the view of the table that the run builds on.
type shuffling struct {
	*view.Shuffle
	known *view.View
	kept  []arrow.Field
}

// shuffle opens the view of the run's base, which is sorted for it.
func (m *mapping) shuffle(ctx context.Context, r *run) (merge, error) {
	kept, err := keptFields(r.inputs)
	if err != nil {
		return nil, err
	}
	known, err := r.known(ctx, m.Map, view.Options{AnswersOnly: true})
	if err != nil {
		return nil, err
	}
	s, err := view.NewShuffle(known, view.ShuffleOptions{
		Due: m.due(r), FullBase: m.FullBase, Suppressed: memberOf(m.suppressed), Kept: kept, Memory: m.Memory / 6,
	})
	if err != nil {
		return nil, closing(err, known)
	}
	return &shuffling{s, known, kept}, nil
}

// known opens the view of the run's base, with a share of the memory.
func (r *run) known(ctx context.Context, m *Map, o view.Options) (*view.View, error) {
	base, err := r.base(ctx)
	if err != nil {
		return nil, err
	}
	m.Log.Info("reading the table", "runs", len(base))
	o.Memory = m.Memory / 6
	return view.Open(ctx, r.table, base, o)
}

// overtaken gives a map run up when another one has been committed that it does not build on, and one of the two goes by a
// whole base: what the one leaves as it is or writes, since it is live, the other may have removed, and neither word would
// be the later one. It looks before the work and before the commit.
func (r *run) overtaken(ctx context.Context) error {
	if r.plan.Kind != table.KindMap {
		return nil
	}
	runs, err := r.table.Runs(ctx)
	if err != nil {
		return err
	}
	known := table.Covers(r.plan.Base, runs)
	for _, o := range runs {
		if o.ID == r.plan.RunID || known[o.ID] || !o.Committed() || o.Manifest.Kind != table.KindMap {
			continue
		}
		if r.plan.Job["full_base"] != "true" && o.Manifest.Job["full_base"] != "true" {
			continue
		}
		if err := r.table.Abort(ctx, r.plan.RunID); errors.Is(err, table.ErrCommitted) {
			return nil // by another process, before this one looked
		} else if err != nil {
			return err
		}
		return fmt.Errorf("run %s: %w: run %s was committed since it was planned, and one of them goes by a whole base; run the same command again (a run id that was given is used up: choose another --run-id)",
			r.plan.RunID, table.ErrYielded, o.ID)
	}
	return nil
}

// due says which answers a run asks for again.
func (m *Map) due(r *run) view.Due {
	return view.Due{AsOf: *r.plan.AsOf, Recheck: m.OptoutRecheck}
}

// Kept returns the kept columns of the input.
func (s *shuffling) Kept() []arrow.Field { return s.kept }

// Close removes what was sorted.
func (s *shuffling) Close() error { return closing(s.Shuffle.Close(), s.known) }

// closing closes a view too, and returns the first error.
func closing(err error, v *view.View) error {
	if closed := v.Close(); err == nil {
		err = closed
	}
	return err
}

// memberOf returns what tells the identities of a list from others, or nil when there is no list.
func memberOf(list *identitySet) func(*normalize.ID) bool {
	if list == nil {
		return nil
	}
	return list.Has
}

// digestOf returns what tells lists apart; nothing when there is no list.
func digestOf(list *identitySet) string {
	if list == nil {
		return ""
	}
	return list.Digest()
}
