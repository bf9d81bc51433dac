package jobs

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"mapper/client/objects"
	"mapper/client/transport"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// Compact folds all committed runs of a table into one sorted run, which replaces them: it holds their view, that is all
// live pairs with the latest answer of each identity. The table says the same as before, and is read faster. Nothing is
// asked. It begins only when no run of the table is unfinished.
//
// The files of the replaced runs stay for readers that know them, and are removed by the first Compact or [Clean] after
// Grace.
type Compact struct {
	From        string // the table
	Store       *objects.Store
	Grace       time.Duration // how long files of replaced runs stay; the zero value is [DefaultGrace], a negative one is none
	RunID       string        // default: UTC time and 4 random characters
	Compression sinks.Compression
	PartRows    int64 // default 1,000,000
	Memory      int64 // byte budget; default 192 MB
	Version     string
	Log         *slog.Logger // default: none
	Monitor     *Monitor     // told what the run is doing; may be nil
}

// Compacted is what Compact has done.
type Compacted struct {
	*Summary
	Removed *table.Waste `json:"removed"` // files of runs that were replaced long enough ago
}

// Run runs the job: it continues an unfinished compaction, or begins one.
func (c Compact) Run(ctx context.Context) (*Compacted, error) {
	m, about, err := c.job(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{Map: m, kind: &compacting{options: m, about: about}, service: about.Service, environment: about.Environment}
	summary, err := j.run(ctx)
	if errors.Is(err, table.ErrCompacted) {
		summary, err = c.compacted(ctx)
	}
	done := &Compacted{Summary: summary}
	if err == nil {
		done.Removed, err = c.removeOld(ctx)
	}
	return done, m.advised(err)
}

// compacted returns what there is to say of a table of which there is nothing to fold.
func (c *Compact) compacted(ctx context.Context) (*Summary, error) {
	t, _, runs, err := openTable(ctx, c.Store, c.From)
	if err != nil {
		return nil, err
	}
	for _, r := range table.Live(runs) {
		return summarize(t, r.Manifest, StatusNothingToDo), nil
	}
	return &Summary{Type: "summary", Status: StatusNothingToDo, Out: c.From, Kind: table.KindCompact, Advice: []Advice{}}, nil
}

// String says what was done for people.
func (c *Compacted) String() string {
	switch {
	case c.Summary == nil:
		return "nothing is compacted yet"
	case c.Removed == nil || len(c.Removed.Files) == 0:
		return c.Summary.String()
	}
	return c.Summary.String() + "\n" + removedText(c.Removed)
}

// job returns the options that a compaction shares with other jobs, and what the table is.
func (c *Compact) job(ctx context.Context) (*Map, table.About, error) {
	_, about, err := openAbout(ctx, c.Store, c.From)
	if err != nil {
		return nil, about, err
	}
	m, err := Map{
		Out: c.From, Store: c.Store, RunID: c.RunID, Compression: c.Compression, PartRows: c.PartRows, Memory: c.Memory,
		// A part of a sorted run may be as large as it is worth: nothing is asked again after a crash.
		PartInterval: time.Hour, MaxInFlight: 1, Environment: about.Environment, Version: c.Version, Log: c.Log, Monitor: c.Monitor,
	}.shared()
	return &m, about, err
}

// removeOld removes what runs that were replaced long enough ago have left.
func (c *Compact) removeOld(ctx context.Context) (*table.Waste, error) {
	t, err := table.Open(ctx, c.Store, c.From)
	if err != nil {
		return nil, err
	}
	grace := c.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	return t.RemoveReplaced(ctx, grace)
}

// compacting is what is particular to a Compact.
type compacting struct {
	options *Map
	about   table.About
}

func (*compacting) name() string { return table.KindCompact }

func (*compacting) asker(transport.Options) (asker, error) { return nil, nil }

func (*compacting) ready(context.Context) error { return nil }

func (*compacting) neverAsk() func(*normalize.ID) bool { return nil }

func (c *compacting) settings() map[string]string {
	return map[string]string{"kind": table.KindCompact, "service": c.about.Service, "environment": c.about.Environment}
}

func (*compacting) find(context.Context, *table.Table) ([]objects.Object, error) { return nil, nil }

func (*compacting) draft(context.Context, *table.Plan, []objects.Object) ([]pipeline.Input, error) {
	return nil, nil
}

// merge opens the view of all runs that are to be replaced.
func (c *compacting) merge(ctx context.Context, r *run) (merge, error) {
	v, err := r.known(ctx, c.options, view.Options{})
	if err != nil {
		return nil, err
	}
	return &carrying{v, nil}, nil
}

func (*compacting) accept(*table.Manifest) error { return nil }

// carrying carries the live pairs of a view over into a run, but for those of identities that are to be forgotten.
type carrying struct {
	*view.View
	forgotten func(*normalize.ID) bool // nil: none
}

// Add is never called: there are no inputs.
func (*carrying) Add(*pipeline.Read) error {
	return errors.New("a run that carries a table over reads no input")
}

// Tasks yields the live pairs.
func (c *carrying) Tasks(ctx context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) {
		for b, err := range c.Batches(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			if tasks := c.tasks(b); len(tasks.List) > 0 && !yield(tasks, nil) {
				return
			}
		}
	}
}

func (c *carrying) tasks(b *view.Batch) *pipeline.Tasks {
	tasks := &pipeline.Tasks{List: make([]pipeline.Task, 0, len(b.Rows)), Kept: b.Kept}
	for i := range b.Rows {
		r := &b.Rows[i]
		if !r.Live {
			continue
		}
		do := pipeline.Tell
		if c.forgotten != nil && c.forgotten(&r.Identity) {
			do = pipeline.Withhold
		}
		tasks.List = append(tasks.List, pipeline.Task{
			Do: do, Lines: 1, Live: true, Input: pipeline.NoInput, Identity: r.Identity, ID: r.ID, HasID: r.HasID, KeptRow: r.KeptRow,
			SourceFile: r.SourceFile, SourceColumn: r.SourceColumn, SourceRow: r.SourceRow, Answer: r.Answer,
		})
	}
	return tasks
}
