package view

import (
	"context"
	"errors"
	"time"

	"mapper/client"
	"mapper/jobs/table"
	"mapper/normalize"
)

// Due says of which identities the service is to be asked again.
type Due struct {
	AsOf time.Time
	// Recheck is the age from which on opt-outs and what the service has called invalid are due. 0 means never.
	Recheck time.Duration
	// Also takes up identities whatever is known of them. It may be nil; otherwise it is called by several goroutines at
	// once, at most once for each row of the table, and costs the decoding of its hash.
	Also func(id *normalize.ID) bool
}

// Is says whether an identity with this answer is due, Also aside. Without an answer it never is: whoever has it asks
// for it anyway.
func (d Due) Is(a *Answer) bool {
	switch a.Status {
	case client.Mapped:
		return a.RefreshFrom != 0 && a.RefreshFrom <= d.asOf()
	case client.OptOut, client.Invalid:
		return d.Recheck > 0 && a.MappedAt <= d.answeredBefore()
	}
	return false
}

func (d Due) asOf() int64           { return d.AsOf.UnixMilli() }
func (d Due) answeredBefore() int64 { return d.AsOf.Add(-d.Recheck).UnixMilli() }

// OpenDue returns a view with nothing but the identities that may be due, and with all that the table knows of them:
// some are in it that are not. The caller takes the rows that are live and whose answer [Due.Is] or whose identity
// [Due.Also] takes up. Rows have no previous raw UID, source and kept columns.
//
// Of the mapped rows their index by refresh_from is read instead, in place: neither copied nor compared with a checksum,
// which is for mapper verify. When two rows of one part give different answers with the same mapped_at, the one
// further behind in that index counts.
//
// The files are not needed any more afterwards.
func OpenDue(ctx context.Context, t *table.Table, runs []table.Run, d Due, o Options) (v *View, err error) {
	o = o.withDefaults()
	v = &View{words: newWords(), options: o, table: t}
	if err := v.rank(runs); err != nil {
		return nil, err
	}
	parts, err := dueParts(v.runs, runs)
	if err != nil {
		return nil, err
	}
	if v.folder, err = newSpillFolder(o.Spill); err != nil {
		return nil, err
	}
	candidates := newCandidates(o.Memory/2, v.network)
	v.sorted = newSorter(o.Memory-candidates.bytes(), v.folder.path)
	s := dueScan{view: v, due: d, parts: parts, candidates: candidates}
	if err = s.scan(ctx); err == nil {
		err = v.sorted.finish()
	}
	if err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}
