package jobs

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/client/transport"
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
// Of a table of ID5 it asks with hash and country, and never with known uids, which are not stored. There RefreshAfter, by
// default that of the table's latest signals run, is the age of the uids that are due next.
//
// Of the Map's fields those about inputs mean nothing here: Inputs, Format and how to read, Columns, PhoneRegion,
// Hygiene, Limit, Shard, MaxInvalid, AllowEmpty, Incremental and FullBase. The Service is the table's, whatever the Map says.
type Remap struct {
	Map
	ID5                 // for tables of ID5
	Of      ServiceName // of which service the table has to be; default: of any
	AsOf    time.Time   // due until when; default now
	MaxRows int64       // no further identity is taken up once so many rows are; 0 is all
}

// Run runs the job, as [Map.Run] does.
func (r Remap) Run(ctx context.Context) (*Summary, error) {
	j, err := r.job(ctx)
	if err != nil {
		return nil, err
	}
	summary, err := j.run(ctx)
	return summary, j.advised(err)
}

// Plan says what the job would do. It needs no credentials.
func (r Remap) Plan(ctx context.Context) (*Estimate, error) {
	j, err := r.job(ctx)
	if err != nil {
		return nil, err
	}
	return j.estimate(ctx, func(_ *Estimate, run *run) error {
		if _, err := j.draft(ctx, &run.plan, nil); err != nil {
			return err
		}
		return run.onto(ctx, j)
	})
}

// TableService returns the name of the service that the table is of, whose credentials the job needs.
func (r *Remap) TableService(ctx context.Context) (string, error) {
	if err := r.checkFrom(); err != nil {
		return "", err
	}
	store := r.Store
	if store == nil {
		store = &objects.Store{GiveUpAfter: r.GiveUpAfter}
		defer store.Close()
	}
	_, about, err := openAbout(ctx, store, r.Out)
	return about.Service, err
}

// job returns the job, whose options have their defaults.
func (r *Remap) job(ctx context.Context) (*job, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	service, err := r.TableService(ctx)
	if err != nil {
		return nil, err
	}
	m := r.Map
	k := &remapping{Remap: r}
	switch {
	case r.Of != "" && string(r.Of) != service:
		err = fmt.Errorf("%s holds uids of %s, and this job is for %s: %w", r.Out, service, r.Of, table.ErrOtherTable)
	case service == serviceID5:
		m, err = m.forID5(&r.ID5)
		k.connect = func(o transport.Options) (asker, error) { return m.askID5(&r.ID5, o) }
	default:
		m.Service = ServiceName(service).uid2()
		m, err = m.forUID2()
		k.connect = m.askUID2
	}
	if err == nil {
		m, err = m.shared()
	}
	k.options, k.service = &m, service
	return &job{Map: &m, kind: k, service: service, environment: m.Environment}, err
}

func (r *Remap) checkFrom() error {
	if r.Out == "" {
		return usagef("no table; name it with --from")
	}
	return nil
}

// check looks at what is said, as far as that can be done without the table.
func (r *Remap) check() error {
	switch {
	case r.MaxRows < 0:
		return settingf("max_rows", "%d: it cannot be negative", r.MaxRows)
	case !r.AsOf.IsZero() && r.AsOf.Before(time.Unix(0, 0)):
		return settingf("as_of", "%s: it is before 1970", r.AsOf.Format(time.RFC3339))
	}
	return r.checkFrom()
}

// remapping is what is particular to a Remap.
type remapping struct {
	*Remap
	options    *Map // with their defaults
	service    string
	connect    func(transport.Options) (asker, error)
	suppressed *identitySet
	usual      time.Duration // what RefreshAfter is by default
}

func (*remapping) name() string { return table.KindRemap }

func (r *remapping) asker(o transport.Options) (asker, error) { return r.connect(o) }

func (r *remapping) ready(ctx context.Context) (err error) {
	r.suppressed, err = r.options.suppression(ctx, profileOf(r.service))
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
		"environment":    r.options.Environment,
		"as_of":          asOf,
		"max_rows":       fmt.Sprint(r.MaxRows),
		"optout_recheck": r.options.OptoutRecheck.String(),
		"suppress":       digestOf(r.suppressed),
		"refresh_after":  r.RefreshAfter.String(),
	}
}

// find has nothing to find: the table is what is read. It says how long answers of ID5 are good for, if nobody else does.
func (r *remapping) find(ctx context.Context, t *table.Table) ([]objects.Object, error) {
	if r.service != serviceID5 || r.RefreshAfter > 0 {
		return nil, nil
	}
	runs, err := t.Runs(ctx)
	r.usual = refreshAfter(table.Live(runs))
	return nil, err
}

// refreshAfter returns the age from which on uids are due, by the word of the latest run that says so.
func refreshAfter(runs []table.Run) (age time.Duration) {
	latest := int64(-1)
	for _, run := range runs {
		said, none := time.ParseDuration(run.Manifest.Job["refresh_after"])
		if none == nil && said > 0 && run.Manifest.Seq >= latest {
			latest, age = run.Manifest.Seq, said
		}
	}
	return age
}

func (r *remapping) draft(_ context.Context, p *table.Plan, _ []objects.Object) ([]pipeline.Input, error) {
	p.AsOf = r.options.asOf()
	if !r.AsOf.IsZero() {
		p.AsOf = &r.AsOf
	}
	p.RefreshAfter = cmp.Or(r.RefreshAfter, r.usual)
	return nil, nil
}

// merge finds what is due, and sorts it.
func (r *remapping) merge(ctx context.Context, run *run) (_ merge, err error) {
	r.RefreshAfter = run.plan.RefreshAfter // nothing is asked yet
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
