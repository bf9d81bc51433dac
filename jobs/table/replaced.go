package table

import (
	"context"
	"time"
)

// RemoveReplaced removes all that there is, but for manifests, of runs that have been replaced for as long as grace, and
// of those that a forget stands for. It says what it has removed, also when it fails.
func (t *Table) RemoveReplaced(ctx context.Context, grace time.Duration) (*Waste, error) {
	runs, err := t.Runs(ctx)
	if err != nil {
		return newWaste(), err
	}
	o := WasteOptions{Grace: grace}
	gone, err := t.gone(ctx, runs, nil, grace)
	if err != nil {
		return newWaste(), err
	}
	w, err := t.wasteOfAll(ctx, runs, o, func(r Run) bool { return gone[r.ID] })
	if err != nil {
		return newWaste(), err
	}
	return t.Remove(ctx, w)
}
