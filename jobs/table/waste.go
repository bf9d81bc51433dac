package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"mapper/client/objects"
)

// Waste is what a table holds for nothing.
type Waste struct {
	Abandoned []Abandoned          `json:"abandoned"` // unfinished runs to abort
	Files     []Wasted             `json:"files"`     // files to remove; those of abandoned runs are not among them
	Uploads   []objects.Unfinished `json:"uploads"`   // uploads to drop
	Remarks   []string             `json:"remarks"`   // what could not be looked at, and why
}

// Abandoned is an unfinished run that nobody works on any more.
type Abandoned struct {
	RunID string    `json:"run_id"`
	Last  time.Time `json:"last"`  // when its last object was written
	Files int       `json:"files"` // what there is of it
	Bytes int64     `json:"bytes"`
}

// Wasted is a file that no reader will look for.
type Wasted struct {
	objects.Entry
	RunID string `json:"run_id"`
	Why   string `json:"why"`
}

// WasteOptions says what to call waste.
type WasteOptions struct {
	// Grace is for how long an unfinished run must have got nothing new to be abandoned, and a run must have been
	// replaced (what a forget stands for goes at once). It is compared with the storage's clock; a wrong one costs work,
	// and never a committed row.
	Grace time.Duration
	// Run is an unfinished run to abandon now, whoever works on it. Then nothing but this run is looked at.
	Run string
}

// Waste looks for what a table holds for nothing: unfinished runs without anything new and without a live lease, files
// of aborted runs, of replaced ones, files that a committed run does not name, and uploads that belong to them. It
// changes nothing.
func (t *Table) Waste(ctx context.Context, o WasteOptions) (*Waste, error) {
	runs, err := t.wasteful(ctx, o)
	if err != nil {
		return nil, err
	}
	return t.wasteOfAll(ctx, runs, o, func(Run) bool { return true })
}

// wasteOfAll looks at some of the runs.
func (t *Table) wasteOfAll(ctx context.Context, runs []Run, o WasteOptions, which func(Run) bool) (*Waste, error) {
	w, found := newWaste(), make([]Waste, len(runs))
	each := func(of func(ctx context.Context, r Run, w *Waste) error) error {
		group, limited := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for i, r := range runs {
			if which(r) {
				group.Go(func() error { return of(limited, r, &found[i]) })
			}
		}
		return group.Wait()
	}
	if err := each(func(ctx context.Context, r Run, w *Waste) error { return t.abandoned(ctx, r, o, w) }); err != nil {
		return nil, err
	}
	abandoned := map[string]bool{} // on which nobody builds any more
	for _, f := range found {
		for _, a := range f.Abandoned {
			abandoned[a.RunID] = true
		}
	}
	gone, err := t.gone(ctx, runs, abandoned, o.Grace)
	if err != nil {
		return nil, err
	}
	if err := each(func(ctx context.Context, r Run, w *Waste) error { return t.wasteOf(ctx, r, gone[r.ID], w) }); err != nil {
		return nil, err
	}
	for _, f := range found {
		w.Abandoned, w.Files, w.Uploads = append(w.Abandoned, f.Abandoned...), append(w.Files, f.Files...), append(w.Uploads, f.Uploads...)
		w.Remarks = append(w.Remarks, f.Remarks...)
	}
	slices.Sort(w.Remarks)
	w.Remarks = slices.Compact(w.Remarks)
	return w, nil
}

func newWaste() *Waste {
	return &Waste{Abandoned: []Abandoned{}, Files: []Wasted{}, Uploads: []objects.Unfinished{}, Remarks: []string{}}
}

// wasteful returns the runs to look at. One that is to be aborted may be damaged, and has to be unfinished.
func (t *Table) wasteful(ctx context.Context, o WasteOptions) ([]Run, error) {
	if o.Run == "" {
		return t.Runs(ctx)
	}
	r := t.run(ctx, o.Run)
	switch {
	case r.Err != nil:
		return nil, fmt.Errorf("run %s: %w", o.Run, r.Err)
	case r.Committed():
		return nil, fmt.Errorf("run %s: %w", o.Run, ErrCommitted)
	}
	return []Run{r}, nil
}

// gone says which runs are replaced for long enough: those that a forget stands for, at once, and of the others those that
// no unfinished run is built on.
func (t *Table) gone(ctx context.Context, runs []Run, abandoned map[string]bool, grace time.Duration) (map[string]bool, error) {
	gone := map[string]bool{}
	for _, r := range runs {
		if r.Committed() && time.Since(r.Manifest.FinishedAt) >= grace {
			for _, id := range r.Manifest.Replaces {
				gone[id] = true
			}
		}
	}
	for _, r := range runs {
		if r.Manifest != nil || abandoned[r.ID] {
			continue
		}
		p, err := t.Plan(ctx, r.ID)
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist) { // nobody can continue it, or it is over
			return nil, err
		}
		for _, id := range p.Base {
			delete(gone, id)
		}
	}
	for id := range forgotten(runs) {
		gone[id] = true
	}
	return gone, nil
}

// wasteOf finds what is to be removed of one run that is over.
func (t *Table) wasteOf(ctx context.Context, r Run, gone bool, w *Waste) error {
	if r.Manifest == nil {
		return nil
	}
	entries, err := t.entriesOf(ctx, r.ID)
	if err != nil {
		return err
	}
	switch {
	case r.Manifest.Aborted:
		w.Files = wasted(r, entries, "of an aborted run", func(key string) bool { return key != manifestKey(r.ID) })
	case gone:
		w.Files = wasted(r, entries, "of a run that another replaces", func(key string) bool { return key != manifestKey(r.ID) })
	default:
		named := r.Manifest.Named()
		w.Files = wasted(r, entries, "no manifest names it", func(key string) bool {
			tells := r.Manifest.Kind == KindForget && key == planKey(r.ID) // of whom it forgot; who came late has left it
			return !named[key] && strings.HasSuffix(key, ".parquet") || isLease(key) || tells
		})
	}
	return t.uploadsOf(ctx, r.ID, w) // the run is over
}

// entriesOf returns all files of a run.
func (t *Table) entriesOf(ctx context.Context, run string) (entries []objects.Entry, err error) {
	for _, folder := range foldersOf(run) {
		there, err := t.in.Entries(ctx, folder+"/")
		if err != nil {
			return nil, err
		}
		entries = append(entries, there...)
	}
	return entries, nil
}

// uploadsOf adds the unfinished uploads of a run. To list them takes a right of its own in some clouds, without which
// everything else can be cleaned.
func (t *Table) uploadsOf(ctx context.Context, run string, w *Waste) error {
	for _, folder := range foldersOf(run) {
		begun, err := t.in.Unfinished(ctx, folder+"/")
		if errors.Is(err, fs.ErrPermission) {
			w.Remarks = append(w.Remarks, "unfinished uploads were not looked for, because these credentials may not list them (on S3: s3:ListBucketMultipartUploads)")
			return nil
		}
		if err != nil {
			return err
		}
		w.Uploads = append(w.Uploads, begun...)
	}
	return nil
}

func wasted(r Run, entries []objects.Entry, why string, is func(key string) bool) (files []Wasted) {
	for _, e := range entries {
		if is(e.Key) {
			files = append(files, Wasted{Entry: e, RunID: r.ID, Why: why})
		}
	}
	return files
}

// abandoned adds an unfinished run if nobody works on it any more.
func (t *Table) abandoned(ctx context.Context, r Run, o WasteOptions, w *Waste) error {
	if r.Manifest != nil {
		return nil
	}
	entries, err := t.entriesOf(ctx, r.ID)
	if err != nil {
		return err
	}
	a := Abandoned{RunID: r.ID, Files: len(entries)}
	for _, e := range entries {
		a.Bytes += e.Size
		if e.Modified.After(a.Last) && !isLease(e.Key) { // to look at a lease may renew it
			a.Last = e.Modified
		}
	}
	if o.Run == "" {
		if time.Since(a.Last) < o.Grace {
			w.Remarks = append(w.Remarks, fmt.Sprintf("run %s is unfinished, and younger than the grace; compact and forget wait for it: finish it with the command that began it, or abort it now with --run %s", r.ID, r.ID))
			return nil
		}
		worked, err := t.isWorkedOn(ctx, r.ID)
		if errors.Is(err, ErrAborted) { // by somebody else, who removes what there is of it
			return nil
		}
		if worked || err != nil {
			return err
		}
	}
	w.Abandoned = append(w.Abandoned, a)
	return nil
}

// isWorkedOn says whether a live process holds the lease of a shard of the run.
func (t *Table) isWorkedOn(ctx context.Context, run string) (bool, error) {
	p, err := t.Plan(ctx, run)
	if errors.Is(err, ErrDamaged) {
		return false, nil // nobody can
	}
	if err != nil {
		return false, t.orAborted(ctx, run, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(leasesAtOnce)
	for shard := range p.Shards {
		group.Go(func() error {
			lease, err := t.Lease(ctx, run, shard)
			if err != nil {
				return err
			}
			return lease.Release()
		})
	}
	err = group.Wait()
	if errors.Is(err, ErrHeld) {
		return true, nil
	}
	return false, err
}

// leasesAtOnce is how many leases are looked at side by side: a dead one in a cloud takes 15 s.
const leasesAtOnce = 256

// Remove removes waste: abandoned runs are aborted first, and of one that was committed meanwhile nothing is removed.
// It says what it has removed, also when it fails.
func (t *Table) Remove(ctx context.Context, w *Waste) (removed *Waste, err error) {
	removed = newWaste()
	removed.Remarks = w.Remarks
	for _, a := range w.Abandoned {
		switch err := t.abortAll(ctx, a.RunID); {
		case errors.Is(err, ErrCommitted):
			continue
		case err != nil:
			return removed, err
		}
		removed.Abandoned = append(removed.Abandoned, a)
	}
	for _, f := range w.Files {
		if err := t.in.Delete(ctx, f.Key); err != nil {
			return removed, err
		}
		removed.Files = append(removed.Files, f)
	}
	for _, u := range w.Uploads {
		if err := t.in.Drop(ctx, u); err != nil {
			return removed, err
		}
		removed.Uploads = append(removed.Uploads, u)
	}
	return removed, nil
}

// abortAll aborts a run, and drops what is being written for it.
func (t *Table) abortAll(ctx context.Context, run string) error {
	if err := t.Abort(ctx, run); err != nil {
		return err
	}
	var begun Waste
	if err := t.uploadsOf(ctx, run, &begun); err != nil {
		return err
	}
	for _, u := range begun.Uploads {
		if err := t.in.Drop(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
