package jobs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"mapper/client/objects"
	"mapper/client/uid2"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// run is one run that this process works on, or of which it works on one shard.
type run struct {
	table   *table.Table
	plan    table.Plan
	shard   int
	inputs  []pipeline.Input // what the shard reads
	chain   *table.Chain     // of the shard
	resumed int              // links of the chain that earlier processes have made
	api     *uid2.Client
	status  Status
	result  *table.Manifest // once it is committed
	lease   *table.Lease
}

// open continues the unfinished run of the same job, or plans a new one, and takes the lease of its shard.
func (m *Map) open(ctx context.Context, t *table.Table) (*run, error) {
	r := &run{table: t, shard: m.Shard.K, status: StatusFailed}
	inputs, err := m.planned(ctx, t, &r.plan)
	if err != nil {
		return nil, err
	}
	r.inputs = sliceOf(inputs, r.plan.Shards[r.shard])
	if r.lease, err = t.Lease(ctx, r.plan.RunID, r.shard); err != nil {
		return nil, err
	}
	if err := r.resume(ctx, m); err != nil {
		r.release(ctx, m)
		return nil, err
	}
	return r, nil
}

// release lets go of the lease. If that fails, the next process waits for a while, that is all.
func (r *run) release(ctx context.Context, m *Map) {
	err := r.lease.Release()
	if err == nil && r.result != nil {
		err = r.table.DropLeases(context.WithoutCancel(ctx), r.plan.RunID)
	}
	if err != nil {
		m.Log.Warn("the lease of the run was not let go; the next process on it has to wait some seconds", "run_id", r.plan.RunID, "cause", err)
	}
}

// resume finds out how far the run and its shard have got.
func (r *run) resume(ctx context.Context, m *Map) (err error) {
	if r.chain, err = r.table.Chain(ctx, r.plan.RunID, r.shard); err != nil {
		return err
	}
	// Somebody may have ended the run while we were about to begin.
	if r.result, err = committed(ctx, r.table, r.plan.RunID); err != nil {
		return err
	}
	if r.resumed = len(r.chain.Links); r.resumed > 0 {
		m.Log.Info("continuing", "run_id", r.plan.RunID, "shard", r.shard, "part", r.resumed, "lines_done", r.chain.Last().Cursor.Lines)
	}
	return nil
}

// planned finds the plan of the unfinished run of the same job, or makes that of a new one, and returns its inputs.
func (m *Map) planned(ctx context.Context, t *table.Table, p *table.Plan) ([]pipeline.Input, error) {
	found, err := m.find(ctx, t)
	if err != nil {
		return nil, err
	}
	fingerprint := fingerprintOf(m.settings(), found)
	plan, others, err := m.unfinished(ctx, t, fingerprint, found)
	if err != nil {
		return nil, err
	}
	for _, p := range others {
		m.Log.Warn("the table has an unfinished run of another job", "run_id", p.RunID, "difference", m.difference(&p, found))
	}
	if plan != nil {
		*p = *plan
		return m.reopen(p), nil
	}
	if !m.resumable() {
		m.Log.Warn("standard input cannot be read again: if this run is interrupted, it starts from the beginning")
	}
	// Looking into inputs can take long, with standard input as long as its writer likes: nobody waits for it.
	draft, inputs, err := m.draft(ctx, t, fingerprint, found)
	if err != nil {
		return nil, err
	}
	if plan, err = m.settle(ctx, t, draft, found); err != nil {
		return nil, err
	}
	if *p = *plan; p.Writer != draft.Writer {
		return m.reopen(p), nil // somebody else has planned it
	}
	return inputs, nil
}

// settle makes a draft the plan of a new run, unless another process has planned the same job meanwhile: then it
// returns that plan. One process at a time does this; a run that has a name needs no turns, as its plan can be created
// but once.
func (m *Map) settle(ctx context.Context, t *table.Table, draft table.Plan, found []objects.Object) (*table.Plan, error) {
	if draft.RunID == m.RunID {
		return m.create(ctx, t, draft, found)
	}
	release, err := t.PlanningLease(ctx)
	if err != nil {
		return nil, err
	}
	plan, _, err := m.unfinished(ctx, t, draft.Fingerprint, found)
	if plan == nil && err == nil {
		plan, err = m.create(ctx, t, draft, found)
	}
	return plan, errors.Join(err, release())
}

func (m *Map) create(ctx context.Context, t *table.Table, draft table.Plan, found []objects.Object) (*table.Plan, error) {
	if err := t.Claim(ctx, m.Service.String(), m.Environment); err != nil {
		return nil, err
	}
	stands, err := t.CreatePlan(ctx, draft)
	if err != nil {
		return nil, err
	}
	if err := m.same(&stands, draft.Fingerprint, found); err != nil {
		return nil, err
	}
	m.Log.Info("planned", "run_id", stands.RunID, "inputs", len(stands.Inputs), "shards", len(stands.Shards))
	return &stands, nil
}

// same fails when a plan is not one of this job. What other shards read is settled, whatever has come to the inputs
// since: all go by the plan.
func (m *Map) same(p *table.Plan, fingerprint string, found []objects.Object) error {
	switch {
	case p.Fingerprint == fingerprint:
		return nil
	case m.Shard.count() > 1 && maps.Equal(p.Job, m.settings()):
		m.Log.Warn("the inputs are not those that the run was planned with; its plan stands", "run_id", p.RunID, "difference", m.difference(p, found))
		return nil
	}
	return usagef("run %s is unfinished and is another job: %s; choose another --run-id", p.RunID, m.difference(p, found))
}

// resumable says whether the inputs can be read again.
func (m *Map) resumable() bool { return !slices.Contains(m.Inputs, stdin) }

// unfinished returns the plan of the run that the job continues, or nil, and those of other jobs' unfinished runs.
func (m *Map) unfinished(ctx context.Context, t *table.Table, fingerprint string, found []objects.Object) (same *table.Plan, others []table.Plan, err error) {
	if m.RunID != "" {
		p, err := t.Plan(ctx, m.RunID)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, nil
		case err != nil:
			return nil, nil, err
		case m.Fresh:
			return nil, nil, usagef("run %s is unfinished, and --fresh does not continue it; choose another --run-id", m.RunID)
		case !m.resumable():
			return nil, nil, usagef("run %s is unfinished and read standard input, which cannot be read again; choose another --run-id", m.RunID)
		}
		return &p, nil, m.same(&p, fingerprint, found)
	}
	runs, err := t.Runs(ctx)
	if err == nil {
		err = t.Repair(ctx, runs)
	}
	if err != nil || m.Fresh || !m.resumable() {
		return nil, nil, err
	}
	for _, r := range runs {
		if r.Manifest != nil {
			continue
		}
		p, err := t.Plan(ctx, r.ID)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was aborted meanwhile
		}
		if err != nil {
			return nil, nil, err
		}
		if p.Fingerprint == fingerprint {
			same = &p // the latest, by run id
		} else {
			others = append(others, p)
		}
	}
	return same, others, nil
}

// difference names the first thing in which a planned job differs from this one.
func (m *Map) difference(p *table.Plan, found []objects.Object) string {
	now := m.settings()
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if p.Job[key] != now[key] {
			return fmt.Sprintf("%s was %q and is %q", key, p.Job[key], now[key])
		}
	}
	if len(p.Inputs) != len(found) {
		return fmt.Sprintf("it had %d inputs and this one has %d", len(p.Inputs), len(found))
	}
	for i, in := range p.Inputs {
		if in.Object != found[i] {
			if in.URI != found[i].URI {
				return fmt.Sprintf("its input %s is now %s", in.URI, found[i].URI)
			}
			return fmt.Sprintf("its input %s has changed", in.URI)
		}
	}
	return "its settings differ"
}

func fingerprintOf(settings map[string]string, found []objects.Object) string {
	// Maps are marshalled in the order of their keys.
	data, err := json.Marshal([]any{settings, found})
	if err != nil {
		panic(err) // strings and integers only
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// draft looks into every input and returns what a plan of the job would be.
func (m *Map) draft(ctx context.Context, t *table.Table, fingerprint string, found []objects.Object) (p table.Plan, inputs []pipeline.Input, err error) {
	p = table.Plan{
		Writer: t.Writer, RunID: m.RunID, Kind: "map", Service: m.Service.String(), Environment: m.Environment,
		StartedAt: time.Now().UTC(), Job: m.settings(), Fingerprint: fingerprint,
	}
	if p.RunID == "" {
		p.RunID = p.StartedAt.Format("20060102T150405Z-") + strings.ToLower(rand.Text()[:4])
	}
	all, err := m.lookAtAll(ctx, found)
	if err != nil {
		return p, nil, err
	}
	filled := 0
	for i, in := range all {
		for _, line := range in.why {
			m.Log.Info(line)
		}
		inputs = append(inputs, in.Input)
		if len(in.Source.Layout.Columns) > 0 {
			filled++
		}
		p.Inputs = append(p.Inputs, table.PlannedInput{Object: found[i], Layout: in.Source.Layout, ID: in.ID, Identifiers: in.Identifiers, PhoneRegion: in.PhoneRegion, Keep: in.Keep})
	}
	switch {
	case filled == 0 && !m.AllowEmpty && len(found) == 1:
		return p, nil, fmt.Errorf("%s is empty; add --allow-empty if that is right", found[0].URI)
	case filled == 0 && !m.AllowEmpty:
		return p, nil, errors.New("every input is empty; add --allow-empty if that is right")
	}
	p.Shards = deal(inputs, m.Shard.count())
	_, err = m.writer(t, p.RunID, inputs)
	return p, inputs, err
}

// looksAtOnce is how many inputs are looked into at once: a storage far away takes its time for each.
const looksAtOnce = 4

// looked is an input with what was found out about it.
type looked struct {
	pipeline.Input
	why []string // what speaks for and against each column
}

// lookAtAll looks into all inputs. What it finds and fails with is in their order.
func (m *Map) lookAtAll(ctx context.Context, found []objects.Object) ([]looked, error) {
	inputs, errs := make([]looked, len(found)), make([]error, len(found))
	var failed atomic.Bool
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for i, o := range found {
		if failed.Load() {
			break // all before this one are looked at, so the first failure is among them
		}
		group.Go(func() error {
			if inputs[i].Input, inputs[i].why, errs[i] = m.look(ctx, o); errs[i] != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // errs has them all
	for i, err := range errs {
		if err != nil {
			for _, line := range inputs[i].why { // which says what led to it
				m.Log.Info(line)
			}
			return nil, err
		}
	}
	return inputs, nil
}

// look finds out how to read an input and which columns hold what. An empty one has no columns.
func (m *Map) look(ctx context.Context, o objects.Object) (p pipeline.Input, why []string, err error) {
	in, err := sources.Inspect(ctx, o, m.reading())
	if errors.Is(err, sources.ErrEmpty) {
		m.Log.Warn("the input is empty", "uri", o.URI)
		return pipeline.Input{Source: sources.Reopen(o, sources.Layout{}, sources.Options{}), ID: pipeline.NoColumn}, nil, nil
	}
	if err != nil {
		return pipeline.Input{}, nil, err
	}
	return m.Columns.resolve(in)
}

// reopen returns the inputs of a stored plan.
func (m *Map) reopen(p *table.Plan) []pipeline.Input {
	inputs := make([]pipeline.Input, 0, len(p.Inputs))
	for _, in := range p.Inputs {
		inputs = append(inputs, pipeline.Input{Source: sources.Reopen(in.Object, in.Layout, sources.Options{Store: m.Store}), ID: in.ID,
			AllowRaw: m.Columns.AllowRaw, NamedPhone: namedPhone(in.Layout), Identifiers: in.Identifiers, PhoneRegion: in.PhoneRegion, Keep: in.Keep})
	}
	return inputs
}

// writer returns the sink of a run. What is wrong with the kept columns comes out here.
func (m *Map) writer(t *table.Table, run string, inputs []pipeline.Input) (*sinks.Writer, error) {
	kept, err := keptFields(inputs)
	if err != nil {
		return nil, err
	}
	w, err := sinks.New(t.Bucket, run, sinks.Options{Compression: m.Compression, Kept: kept, CreatedBy: "mapper " + m.Version})
	if err != nil {
		return nil, usagef("--keep: %v", err)
	}
	return w, nil
}

// keptFields returns the kept columns, which have to be the same in all inputs.
func keptFields(inputs []pipeline.Input) ([]arrow.Field, error) {
	var fields []arrow.Field
	var first string // the input that they are from
	for _, in := range inputs {
		for k, column := range in.Keep {
			c := in.Source.Layout.Columns[column]
			if k == len(fields) {
				fields = append(fields, arrow.Field{Name: c.Name, Type: c.Type, Nullable: true})
				first = in.Source.Object.URI
			} else if !arrow.TypeEqual(fields[k].Type, c.Type) {
				return nil, fmt.Errorf("column %q is %s in %s and %s in %s; a kept column needs one type: map the files apart, or convert one",
					c.Name, fields[k].Type, first, c.Type, in.Source.Object.URI)
			}
		}
	}
	return fields, nil
}

// work reads, asks and writes what is left of the shard, and commits the run when all its shards are done.
func (r *run) work(ctx context.Context, m *Map) error {
	if r.result != nil {
		r.status = StatusAlreadyCommitted
		return nil
	}
	w, err := m.writer(r.table, r.plan.RunID, r.inputs)
	if err != nil {
		return err
	}
	last := r.chain.Last()
	m.Monitor.begin(m, r.inputs, last, r.api)
	if !last.Done {
		working, stop := r.lease.Context(ctx) // whoever has lost it works for nothing
		defer stop()
		err := pipeline.Run(working, r.inputs, last, r.api, w, r.seal(m), m.pipelineOptions(r))
		if errors.Is(err, context.Canceled) {
			r.status = StatusInterrupted
		}
		if err != nil {
			return err
		}
	}
	return r.commit(ctx, m)
}

// usage is what the service has been asked for by this process.
func (r *run) usage() pipeline.Usage {
	s := r.api.Stats()
	return pipeline.Usage{Requests: s.Requests, Retries: s.Retries, Throttled: s.Throttled}
}

// seal returns the function that makes parts count.
func (r *run) seal(m *Map) func(context.Context, pipeline.Part) error {
	log := &partLog{log: m.Log, last: time.Now()}
	return func(ctx context.Context, p pipeline.Part) error {
		began := time.Now()
		if err := r.chain.Append(ctx, p); err != nil {
			return err
		}
		sealed := SealedPart{Part: p, Seal: p.Took + time.Since(began)}
		log.sealed(sealed)
		m.Monitor.sealed(sealed)
		// What is done for a run that was aborted is done for nothing.
		_, err := committed(ctx, r.table, r.plan.RunID)
		return err
	}
}

// commit makes the run visible if all its shards are done, and everything is accounted for.
func (r *run) commit(ctx context.Context, m *Map) error {
	chains, err := r.table.Chains(ctx, &r.plan)
	if err != nil {
		return err
	}
	working := 0
	for shard, c := range chains {
		if !c.Last().Done {
			working++
		} else if err := r.check(shard, c); err != nil {
			return err
		}
	}
	if working > 0 {
		r.status = StatusShardDone
		m.Log.Info("this shard is done; the last one commits the run", "shards_left", working)
		return nil
	}
	manifest := r.manifest(chains...)
	if manifest.Counts.UniqueEstimate, err = unique(chains); err != nil {
		return err
	}
	if err := m.accept(&manifest); err != nil {
		return err
	}
	if err := r.present(ctx, &manifest); err != nil {
		return err
	}
	stands, own, err := r.table.Commit(ctx, manifest)
	if err != nil {
		return err
	}
	if r.result, r.status = stands, StatusCommitted; !own {
		r.status = StatusAlreadyCommitted
	}
	return nil
}

// present looks whether all parts are there, in their full size: a storage may have lost what it said it had.
func (r *run) present(ctx context.Context, m *table.Manifest) error {
	sizes := map[string]int64{}
	for _, dataset := range sinks.Datasets() {
		entries, err := r.table.Bucket.Entries(ctx, dataset+"/run="+m.RunID+"/")
		if err != nil {
			return err
		}
		for _, e := range entries {
			sizes[e.Key] = e.Size
		}
	}
	for _, p := range m.Parts {
		if size, ok := sizes[p.Path]; !ok || size != p.Bytes {
			return fmt.Errorf("%s: %d bytes were written and %d are there: the storage has lost them, nothing is committed; mapper clean --run %s --yes, and run the job anew",
				r.table.Bucket.URI(p.Path), p.Bytes, size, m.RunID)
		}
	}
	return nil
}

// unique is how many different identities all chains have asked.
func unique(chains []*table.Chain) (int64, error) {
	lasts := make([]pipeline.Part, 0, len(chains))
	for _, c := range chains {
		lasts = append(lasts, c.Last())
	}
	return pipeline.Unique(lasts)
}

// accept refuses a run that adds up and is worth nothing.
func (m *Map) accept(manifest *table.Manifest) error {
	c := &manifest.Counts
	seen, invalid := c.Identifiers+c.Malformed, c.Invalid()
	switch {
	case c.Lines == 0:
		m.Log.Warn("the input has no rows")
	case c.Asked == 0:
		return fmt.Errorf("none of the %d lines holds a valid identifier, so nothing is committed: %d are blank%s", c.Lines, c.EmptyRows, reasons(c.Reasons))
	case m.MaxInvalid != nil && float64(invalid) > *m.MaxInvalid*float64(seen):
		return &pipeline.TooManyInvalidError{Invalid: invalid, Seen: seen, Limit: *m.MaxInvalid}
	}
	return nil
}

// check is conservation: nothing is committed that does not add up, for each input and in all, in every shard.
func (r *run) check(shard int, c *table.Chain) error {
	bug := func(format string, args ...any) error {
		return fmt.Errorf("run %s, shard %d: "+format+"; this is a bug, nothing is committed", append([]any{r.plan.RunID, shard}, args...)...)
	}
	m := r.manifest(c)
	for _, in := range m.Inputs {
		if err := in.Check(); err != nil {
			return bug("%s: rows are not accounted for: %w", in.URI, err)
		}
	}
	if err := m.Counts.Check(); err != nil {
		return bug("rows are not accounted for: %w", err)
	}
	rows := map[string]int64{}
	for _, p := range m.Parts {
		rows[p.Dataset] += p.Rows
	}
	counts := m.Counts.Counts
	if rows[sinks.DatasetMapped] != counts.Mapped || rows[sinks.DatasetRefreshFrom] != counts.Mapped || rows[sinks.DatasetUnmapped] != counts.UnmappedTotal() {
		return bug("the parts hold %v rows, counted were %d mapped and %d unmapped", rows, counts.Mapped, counts.UnmappedTotal())
	}
	return nil
}

// manifest adds up what chains of the run have sealed.
func (r *run) manifest(chains ...*table.Chain) table.Manifest {
	p := &r.plan
	m := table.Manifest{
		RunID: p.RunID, Kind: p.Kind, Job: p.Job, Fingerprint: p.Fingerprint, Service: p.Service, Environment: p.Environment,
		StartedAt: p.StartedAt, FinishedAt: time.Now().UTC(), Seq: p.Seq, Base: append([]string{}, p.Base...), Replaces: []string{},
		Inputs: make([]table.ManifestInput, len(p.Inputs)),
		Counts: r.counts(chains...),
	}
	for i, in := range p.Inputs {
		m.Inputs[i] = table.ManifestInput{URI: in.URI, Size: in.Size, Version: in.Version, Counts: noCounts()}
	}
	for _, c := range chains {
		for _, l := range c.Links {
			for _, in := range l.Inputs {
				m.Inputs[p.Shards[c.Shard][in.Input].Input].Add(&in.Counts)
			}
			m.Parts = append(m.Parts, l.Files...)
		}
	}
	m.Calendar, m.Counts.Calendar = m.Counts.Calendar, nil
	return m
}

// counts adds up what chains of the run have counted so far.
func (r *run) counts(chains ...*table.Chain) table.ManifestCounts {
	counts := table.ManifestCounts{Counts: noCounts()}
	for _, c := range chains {
		shares := r.plan.Shards[c.Shard]
		for _, l := range c.Links {
			totals := l.Totals
			totals.Repeated = slices.Clone(totals.Repeated)
			for i := range totals.Repeated { // the shard counts what it reads, the run its inputs
				totals.Repeated[i].Input = shares[totals.Repeated[i].Input].Input
			}
			counts.Totals.Add(&totals)
			for _, in := range l.Inputs {
				counts.Counts.Add(&in.Counts)
			}
		}
		counts.UniqueEstimate += c.Last().Unique // of several shards [run.commit] knows better
	}
	return counts
}

func noCounts() pipeline.Counts { return pipeline.Counts{Unmapped: map[string]int64{}} }
