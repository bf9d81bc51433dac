package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
)

// Remap is a job that asks again for every identity of a table that is due, in the order of refresh_from and hash, and
// writes what it learns as a run of the same table, [Map.Out]. An identity is due when the time to refresh its raw UID
// has come, or when it was opted out or called invalid by the service longer ago than OptoutRecheck; and only as long as
// a pair of it is live. What has been answered is not due any more, so there is no mark of how far a remap got.
//
// Of the Map's fields those about inputs mean nothing here: Inputs, Format and how to read, Columns, PhoneRegion,
// Hygiene, Limit, Shard, MaxInvalid, AllowEmpty, Incremental and FullBase.
type Remap struct {
	Map
	AsOf    time.Time // due until when; default now
	MaxRows int64     // no further identity is taken up once so many rows are; 0 is all
}

// Run runs the job, as [Map.Run] does.
func (r Remap) Run(ctx context.Context) (*Summary, error) {
	m, err := r.withDefaults()
	if err != nil {
		return nil, err
	}
	summary, err := r.job(&m).run(ctx)
	return summary, m.advised(err)
}

// job returns the job with its options, which have their defaults.
func (r *Remap) job(options *Map) *job {
	return &job{options, &remapping{Remap: r, options: options}, options.Service.String(), options.Environment}
}

func (r *Remap) withDefaults() (Map, error) {
	m, err := r.shared()
	switch {
	case err != nil:
	case m.Out == "":
		err = usagef("no table; name it with --from")
	case r.MaxRows < 0:
		err = settingf("max_rows", "%d: it cannot be negative", r.MaxRows)
	case !r.AsOf.IsZero() && r.AsOf.Before(time.Unix(0, 0)):
		err = settingf("as_of", "%s: it is before 1970", r.AsOf.Format(time.RFC3339))
	}
	return m, err
}

// remapping is what is particular to a Remap.
type remapping struct {
	*Remap
	options    *Map // with their defaults
	suppressed *identitySet
}

func (*remapping) name() string { return table.KindRemap }

func (*remapping) asks() bool { return true }

func (r *remapping) ready(ctx context.Context) (err error) {
	r.suppressed, err = r.options.suppression(ctx)
	return err
}

// neverAsk has no use: what is due is compared with the list where it is found.
func (*remapping) neverAsk() func(*normalize.ID) bool { return nil }

func (r *remapping) settings() map[string]string {
	asOf := ""
	if !r.AsOf.IsZero() {
		asOf = r.AsOf.UTC().Format(time.RFC3339Nano)
	}
	return map[string]string{
		"kind":           table.KindRemap,
		"service":        r.options.Service.String(),
		"environment":    r.options.Environment,
		"as_of":          asOf,
		"max_rows":       fmt.Sprint(r.MaxRows),
		"optout_recheck": r.options.OptoutRecheck.String(),
		"suppress":       digestOf(r.suppressed),
	}
}

// find has nothing to find: the table is what is read.
func (r *remapping) find(ctx context.Context, t *table.Table) ([]objects.Object, error) {
	_, err := aboutOf(ctx, t)
	return nil, err
}

func (r *remapping) draft(_ context.Context, p *table.Plan, _ []objects.Object) ([]pipeline.Input, error) {
	p.AsOf = r.options.asOf()
	if !r.AsOf.IsZero() {
		p.AsOf = &r.AsOf
	}
	return nil, nil
}

// merge finds what is due, and sorts it.
func (r *remapping) merge(ctx context.Context, run *run) (_ merge, err error) {
	base, err := run.base(ctx)
	if err != nil {
		return nil, err
	}
	r.options.Log.Info("looking for what is due", "as_of", run.plan.AsOf.Format(time.RFC3339), "runs", len(base))
	due := r.options.due(run)
	due.Also = memberOf(r.suppressed)
	v, err := view.OpenDue(ctx, run.table, base, due, view.Options{Memory: r.options.Memory / 6})
	if err != nil {
		return nil, err
	}
	again, err := view.NewAgain(ctx, v, view.AgainOptions{Due: due, MaxRows: r.MaxRows, Memory: r.options.Memory / 6})
	if err = closing(err, v); err != nil {
		return nil, err
	}
	return &remapped{again}, nil
}

// remapped is what is due. Of it no columns are kept: they are the pair's, and stay what they were.
type remapped struct{ *view.Again }

// Kept returns no columns.
func (*remapped) Kept() []arrow.Field { return nil }

// accept takes every remap: that nothing was due is good.
func (r *remapping) accept(m *table.Manifest) error {
	if m.Counts.Identifiers == 0 {
		r.options.Log.Info("nothing is due")
	}
	return nil
}
