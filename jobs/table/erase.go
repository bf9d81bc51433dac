package table

import (
	"context"
	"math"
	"slices"
)

// Erase removes at once all that there is, but for manifests, of runs that a committed forget stands for, whoever has
// replaced them before, and of aborted runs, and the plans of forgets, which tell apart whom they forgot. It is called
// after the manifest of the forget, and does again what an earlier call could not finish. It says what it has removed, also when it fails. What a process that does not know
// of the end of its run writes afterwards is waste of which [Table.Waste] knows, without a grace.
func (t *Table) Erase(ctx context.Context) (removed *Waste, err error) {
	runs, err := t.Runs(ctx)
	if err != nil {
		return newWaste(), err
	}
	erased := forgotten(runs)
	never := WasteOptions{Grace: math.MaxInt64} // for what others have replaced
	w, err := t.wasteOfAll(ctx, runs, never, func(r Run) bool {
		return erased[r.ID] || r.Manifest != nil && (r.Manifest.Aborted || r.Manifest.Kind == KindForget)
	})
	if err != nil {
		return newWaste(), err
	}
	return t.Remove(ctx, w)
}

// forgotten returns the runs that committed forgets stand for.
func forgotten(runs []Run) map[string]bool {
	var replaced []string
	for _, r := range runs {
		if r.Committed() && r.Manifest.Kind == KindForget {
			replaced = slices.Concat(replaced, r.Manifest.Replaces)
		}
	}
	return covered(replaced, runs)
}
