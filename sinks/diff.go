package sinks

import (
	"errors"
	"fmt"

	"mapper/client/objects"
)

// The words of the column action of a diff: what to do downstream about an identity.
const (
	ActionAdd     = "add"     // its raw UID, of which it had none
	ActionReplace = "replace" // its raw UID by another one
	ActionRemove  = "remove"  // its raw UID, as it has none any more
)

// diffColumns returns the columns of a diff.
func diffColumns(network Network) []columnSpec {
	columns := []columnSpec{{"action", word, diffed, 0, eachWord(actionOf, func(r *Row) (string, bool) { return actionOf(r), true })}}
	columns = append(columns, network.identityColumns(diffed, 0)...)
	return append(columns, []columnSpec{
		{"former_uid", random, diffed, diffed, putFormer},
		{"current_uid", random, diffed, diffed, putUIDOrNull},
		{"reason", word, diffed, diffed, eachWord(reasonOf, reasonText)},
		{"mapped_at", instant, diffed, diffed, putMappedAtOrNull},
	}...)
}

// actionOf returns what to do about the former and the current UID of a row.
func actionOf(r *Row) string {
	switch {
	case len(r.Former) == 0:
		return ActionAdd
	case len(r.UID) == 0:
		return ActionRemove
	}
	return ActionReplace
}

// NewDiff begins a diff: files like those of [NewExport], with one row for each identity whose UID to hold downstream
// has changed. Former is the one before and UID the one after; empty is none, and then Reason says why. It has no kept
// columns. A row is refused when nothing has changed, or when it has no identity.
func NewDiff(b *objects.Bucket, opts Options) (*Export, error) {
	opts.Kept = nil
	return newExport(b, datasetDiff, checkDiffed, opts)
}

func checkDiffed(r *Row) error {
	switch {
	case !r.HasKind || !r.HasHash:
		return errors.New("diff row: has no identity")
	case string(r.Former) == string(r.UID):
		return errors.New("diff row: nothing has changed")
	case len(r.Former) > maxUID || len(r.UID) > maxUID:
		return fmt.Errorf("diff row: has raw UIDs of %d and %d bytes, not of %d at most", len(r.Former), len(r.UID), maxUID)
	case r.Reason >= reasons:
		return fmt.Errorf("diff row: %d is no reason", r.Reason)
	}
	return r.checkCommon()
}
