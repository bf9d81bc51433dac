package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"mapper/pipeline"
	"mapper/sinks"

	"golang.org/x/sync/errgroup"
)

// Manifest is the commit of a run, or its abort. From its creation on, readers see the run.
type Manifest struct {
	Version     int               `json:"version"`
	Writer      string            `json:"writer"`
	RunID       string            `json:"run_id"`
	Kind        string            `json:"kind"`
	Job         map[string]string `json:"job"` // the settings, without secrets
	Fingerprint string            `json:"fingerprint"`
	Service     string            `json:"service"`
	Environment string            `json:"environment"`
	StartedAt   time.Time         `json:"started_at"`
	FinishedAt  time.Time         `json:"finished_at"`
	Seq         int64             `json:"seq"`
	Base        []string          `json:"base"`     // the runs it built on
	Replaces    []string          `json:"replaces"` // the runs whose place it takes
	Aborted     bool              `json:"aborted"`
	Inputs      []ManifestInput   `json:"inputs"`
	Parts       []sinks.File      `json:"parts"`
	Kept        []KeptColumn      `json:"kept,omitempty"` // the kept columns of the rows
	Counts      ManifestCounts    `json:"counts"`
	Calendar    map[string]int64  `json:"refresh_calendar"` // UTC day -> identities due
}

// KeptColumn is a column that a run has copied through.
type KeptColumn struct {
	Name string `json:"name"`
	Type string `json:"type"` // as Arrow writes it
}

// ManifestInput is an input of a run and what became of its lines.
type ManifestInput struct {
	URI     string `json:"uri"`
	Size    int64  `json:"size"`
	Version string `json:"etag"`
	// Table says that it is no input but the table itself: its pairs that were taken up, carried over or removed.
	Table bool `json:"table,omitempty"`
	pipeline.Counts
}

// ManifestCounts are the counts of a run.
type ManifestCounts struct {
	pipeline.Counts
	pipeline.Totals
	UniqueEstimate int64 `json:"unique_estimate"` // distinct identities asked, within about 1 %
}

// Named says which files the manifest names.
func (m *Manifest) Named() map[string]bool {
	named := make(map[string]bool, len(m.Parts))
	for _, p := range m.Parts {
		named[p.Path] = true
	}
	return named
}

// Commit creates the manifest, and then the markers for people. It fails when the run has been aborted; when
// another process has committed it, that is as good, and own is false. It returns the manifest that stands.
func (t *Table) Commit(ctx context.Context, m Manifest) (stands *Manifest, own bool, err error) {
	m.Version, m.Writer = Version, t.Writer
	if own, err = t.create(ctx, manifestKey(m.RunID), &m); err != nil {
		return nil, false, err
	}
	if stands, err = t.Manifest(ctx, m.RunID); err != nil {
		return nil, false, err
	}
	if stands.Aborted {
		return nil, false, fmt.Errorf("run %s: %w", m.RunID, ErrAborted)
	}
	return stands, own, t.Finish(ctx, stands)
}

// Finish puts in order what a process that was killed after its commit may have left behind: missing _SUCCESS
// markers, files of the run that the manifest does not name, and leases. What has been removed of a replaced run stays so.
func (t *Table) Finish(ctx context.Context, m *Manifest) error {
	named, there, strays := m.Named(), 0, []string{}
	for _, dataset := range sinks.Datasets() {
		keys, err := t.in.List(ctx, dataset+"/run="+m.RunID+"/")
		if err != nil {
			return err
		}
		for _, key := range keys {
			switch {
			case named[key]:
				there++
			case strings.HasSuffix(key, ".parquet"):
				strays = append(strays, key)
			}
		}
	}
	if there == 0 && len(named) > 0 {
		return nil // the run is replaced, and its files are gone
	}
	for _, key := range strays {
		if err := t.in.Delete(ctx, key); err != nil {
			return err
		}
	}
	if err := t.DropLeases(ctx, m.RunID); err != nil { // of processes that were killed; those alive see to their own
		return err
	}
	// In _runs lies what there is of a table.json whose writer was killed.
	if err := errors.Join(t.in.Sweep("_runs/"+m.RunID), t.in.Sweep("_runs/"+m.RunID+"/progress"), t.in.Sweep("_runs")); err != nil {
		return err
	}
	return t.mark(ctx, m.RunID) // the last of which tells Repair that nothing is left to do
}

// mark creates the markers for people, and removes what hides beside them.
func (t *Table) mark(ctx context.Context, run string) error {
	for _, dataset := range sinks.Datasets() {
		folder := dataset + "/run=" + run
		if err := t.in.Sweep(folder); err != nil {
			return err
		}
		if err := t.in.CreateIfAbsent(ctx, folder+"/_SUCCESS", nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// Repair finishes what processes that were killed just after their commit have left to do, and removes what is left of
// plans whose writers were killed. The files of replaced runs may be gone, and their markers with them.
func (t *Table) Repair(ctx context.Context, runs []Run) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, r := range Live(runs) {
		group.Go(func() error {
			// Finish makes this one last, and may be killed while it does.
			last := sinks.DatasetRefreshFrom + "/run=" + r.ID
			_, err := t.in.ReadAll(working, last+"/_SUCCESS")
			if errors.Is(err, fs.ErrNotExist) {
				return t.Finish(working, r.Manifest)
			}
			return errors.Join(err, t.in.Sweep(last))
		})
	}
	return errors.Join(group.Wait(), t.sweepUnplanned(ctx, runs))
}

// sweepUnplanned sweeps the folders of runs that came to no plan: with a new id, nobody comes back to them. A process
// that is about to plan its run there writes its plan anew.
func (t *Table) sweepUnplanned(ctx context.Context, runs []Run) error {
	ids, err := t.in.Folders(ctx, "_runs")
	if err != nil {
		return err
	}
	for _, id := range ids {
		planned := slices.ContainsFunc(runs, func(r Run) bool { return r.ID == id })
		if !planned && ValidRunID(id) {
			err = errors.Join(err, t.in.Sweep("_runs/"+id))
		}
	}
	return err
}

// Abort ends an unfinished run for good: its id is used up. It fails with [ErrCommitted] when the run has been
// committed. A process that still works on the run notices at its next part, and cannot commit it. What there is of
// the run is removed; that of an aborted run which such a process leaves afterwards is what [Table.Waste] finds.
func (t *Table) Abort(ctx context.Context, run string) error {
	m := Manifest{Version: Version, Writer: t.Writer, RunID: run, Aborted: true, FinishedAt: time.Now().UTC()}
	p, err := t.Plan(ctx, run)
	if err == nil { // one that is damaged is a reason to abort the run
		m.Kind, m.Service, m.Environment, m.StartedAt = p.Kind, p.Service, p.Environment, p.StartedAt
		if p.Kind != KindForget { // whose settings tell apart whom it was to forget, and a manifest stays for ever
			m.Job, m.Fingerprint = p.Job, p.Fingerprint
		}
	}
	if _, err := t.create(ctx, manifestKey(run), &m); err != nil {
		return err
	}
	stands, err := t.Manifest(ctx, run)
	switch {
	case err != nil:
		return err
	case !stands.Aborted:
		return fmt.Errorf("run %s: %w", run, ErrCommitted)
	}
	return t.deleteAll(ctx, run)
}

// foldersOf returns the folders of a run.
func foldersOf(run string) []string {
	folders := []string{}
	for _, dataset := range sinks.Datasets() {
		folders = append(folders, dataset+"/run="+run)
	}
	return append(folders, "_runs/"+run)
}

// deleteAll deletes all that there is of a run, but for its manifest.
func (t *Table) deleteAll(ctx context.Context, run string) error {
	entries, err := t.entriesOf(ctx, run)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, e := range entries {
		if e.Key != manifestKey(run) {
			group.Go(func() error { return t.in.Delete(ctx, e.Key) })
		}
	}
	return group.Wait()
}

// Manifest returns the manifest of a run. It fails with [fs.ErrNotExist] when the run is unfinished or unknown. As one
// never changes, it is read once; what it holds is shared.
func (t *Table) Manifest(ctx context.Context, run string) (*Manifest, error) {
	if known, ok := t.manifests.Load(run); ok {
		m := *known.(*Manifest)
		return &m, nil
	}
	m := new(Manifest)
	if err := t.read(ctx, manifestKey(run), m); err != nil {
		return m, err
	}
	known := *m
	t.manifests.Store(run, &known)
	return m, nil
}

// orAborted explains that something is not there which was there a moment ago: an abort has deleted it.
func (t *Table) orAborted(ctx context.Context, run string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch m, looked := t.Manifest(ctx, run); {
	case looked == nil && m.Aborted:
		return fmt.Errorf("run %s: %w", run, ErrAborted)
	case looked == nil || errors.Is(looked, fs.ErrNotExist):
		return err
	default:
		return errors.Join(err, looked)
	}
}

func manifestKey(run string) string { return "_runs/" + run + "/manifest.json" }
