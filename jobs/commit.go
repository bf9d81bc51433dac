package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
)

// commit makes the run visible if all its shards are done, and everything is accounted for.
func (r *run) commit(ctx context.Context, j *job) (err error) {
	defer func() { err = r.explain(err) }()
	progress, err := r.table.Progress(ctx, &r.plan)
	if err != nil {
		return err
	}
	if progress.Working > 0 {
		return r.shardDone(ctx, j, progress)
	}
	chains, err := r.table.Chains(ctx, &r.plan)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if err := r.check(c); err != nil {
			return err
		}
	}
	manifest := r.manifest(chains...)
	if manifest.Counts.UniqueEstimate, err = unique(chains); err != nil {
		return err
	}
	if err := j.accept(&manifest); err != nil {
		return err
	}
	if err := r.present(ctx, &manifest); err != nil {
		return err
	}
	if err := r.describe(ctx, j, &manifest); err != nil {
		return err
	}
	stands, own, err := r.publish(ctx, j, manifest)
	if err != nil {
		return err
	}
	if r.result, r.status = stands, StatusCommitted; !own {
		r.status = StatusAlreadyCommitted
	}
	return nil
}

// publish creates the manifest. Of incremental runs one does so at a time, so that each sees those before it.
func (r *run) publish(ctx context.Context, j *job, m table.Manifest) (stands *table.Manifest, own bool, err error) {
	if r.plan.Job["incremental"] == "true" {
		release, err := r.table.PlanningLease(ctx)
		if err != nil {
			return nil, false, err
		}
		defer func() {
			if err := release(); err != nil {
				j.Log.Warn("the lease for planning was not let go; the next process has to wait some seconds", "cause", err)
			}
		}()
	}
	if _, err := r.table.Manifest(ctx, m.RunID); errors.Is(err, fs.ErrNotExist) { // otherwise another process has just ended the run
		if err := r.overtaken(ctx); err != nil {
			return nil, false, err
		}
		if err := keepsAlike(ctx, r.table, m.Kept); err != nil && len(m.Replaces) == 0 {
			return nil, false, fmt.Errorf("%w; nothing is committed: %s", err, r.giveUp())
		}
	}
	return r.table.Commit(ctx, m)
}

// describe says in the manifest what later runs want to know of the rows: which columns are kept, and from which age on
// uids of ID5 are due.
func (r *run) describe(ctx context.Context, j *job, m *table.Manifest) error {
	age := r.plan.RefreshAfter
	if len(r.plan.Replaces) == 0 {
		fields, err := keptFields(j.reopen(&r.plan))
		if err != nil {
			return err
		}
		for _, f := range fields {
			m.Kept = append(m.Kept, table.KeptColumn{Name: f.Name, Type: f.Type.String()})
		}
	} else {
		base, err := r.base(ctx)
		if err != nil {
			return err
		}
		m.Kept, age = keptOf(base), refreshAfter(base)
	}
	if age > 0 {
		m.Job = maps.Clone(m.Job)
		m.Job["refresh_after"] = age.String()
	}
	return nil
}

// keptOf returns the kept columns of runs together.
func keptOf(runs []table.Run) (kept []table.KeptColumn) {
	for _, r := range runs {
		for _, column := range r.Manifest.Kept {
			if !slices.ContainsFunc(kept, func(k table.KeptColumn) bool { return strings.EqualFold(k.Name, column.Name) }) {
				kept = append(kept, column)
			}
		}
	}
	return kept
}

// shardDone ends the work on a shard that is not the last one.
func (r *run) shardDone(ctx context.Context, j *job, p table.Progress) error {
	if have, want := p.Links[r.shard], len(r.chain.Links); have < want {
		if _, err := committed(ctx, r.table, r.plan.RunID); err != nil {
			return err // it was aborted
		}
		return fmt.Errorf("run %s, shard %d: %d parts were sealed, and the chain has %d links: the storage has lost the others; %s",
			r.plan.RunID, r.shard, want, have, r.giveUp())
	}
	r.status = StatusShardDone
	j.Log.Info("this shard is done; the last one commits the run", "shards_left", p.Working)
	return nil
}

// explain adds to an error that a part of the run's state is damaged what to do.
func (r *run) explain(err error) error {
	if errors.Is(err, table.ErrDamaged) {
		return fmt.Errorf("%w; %s", err, r.giveUp())
	}
	return err
}

// giveUp says what to do with a run whose state is damaged.
func (r *run) giveUp() string { return giveUp(r.table, r.plan.RunID) }

func giveUp(t *table.Table, run string) string {
	return fmt.Sprintf("give the run up: mapper clean %s --run %s --yes, and run the job anew", t.Bucket.URI(""), run)
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
			if _, err := committed(ctx, r.table, m.RunID); err != nil {
				return err // it was aborted
			}
			return fmt.Errorf("%s: %d bytes were written and %d are there: the storage has lost them, nothing is committed; %s",
				r.table.Bucket.URI(p.Path), p.Bytes, size, r.giveUp())
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
func (m *mapping) accept(manifest *table.Manifest) error {
	c := &manifest.Counts
	seen, invalid := c.Identifiers+c.Malformed, c.Invalid()
	switch {
	case m.FullBase && float64(c.Unmapped["REMOVED"]) > m.maxRemoved()*float64(c.Live):
		return fmt.Errorf("%s of %s live pairs are not in the input, more than --max-removed %g allows, so nothing is committed; if the input is the whole base, run the same command with a higher --max-removed, otherwise give this run up: mapper clean %s --run %s --yes",
			humanize.Comma(c.Unmapped["REMOVED"]), humanize.Comma(c.Live), m.maxRemoved(), m.Out, manifest.RunID)
	case c.Lines == 0:
		m.Log.Warn("the input has no rows")
	case c.Asked == 0 && c.Identifiers == c.Unmapped["INVALID_IDENTIFIER"]:
		return fmt.Errorf("none of the %d lines holds a valid identifier, so nothing is committed: %d are blank%s", c.Lines, c.EmptyRows, reasons(ofInput(c.Reasons)))
	case m.MaxInvalid != nil && float64(invalid) > *m.MaxInvalid*float64(seen):
		return &pipeline.TooManyInvalidError{Invalid: invalid, Seen: seen, Limit: *m.MaxInvalid}
	}
	return nil
}

// ofInput returns what a run counts by raw_reason, without what is of no input.
func ofInput(reasons map[string]int64) map[string]int64 {
	counts := maps.Clone(reasons)
	delete(counts, pipeline.NotInInput)
	return counts
}

// check is conservation: nothing is committed that does not add up, for each input and in all, in every shard.
func (r *run) check(c *table.Chain) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("%w; nothing is committed", err)
	}
	bug := func(format string, args ...any) error {
		return fmt.Errorf("run %s, shard %d: "+format+"; this is a bug, nothing is committed", append([]any{r.plan.RunID, c.Shard}, args...)...)
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
		StartedAt: p.StartedAt, FinishedAt: time.Now().UTC(), Seq: p.Seq, Base: append([]string{}, p.Base...), Replaces: append([]string{}, p.Replaces...),
		Inputs: make([]table.ManifestInput, len(p.Inputs)),
		Counts: r.counts(chains...),
	}
	for i, in := range p.Inputs {
		m.Inputs[i] = table.ManifestInput{URI: in.URI, Size: in.Size, Version: in.Version, Counts: noCounts()}
	}
	ofTable := table.ManifestInput{Table: true, Counts: noCounts()} // what is no row of an input
	for _, c := range chains {
		for _, l := range c.Links {
			for _, in := range l.Inputs {
				if in.Input == pipeline.NoInput {
					ofTable.Add(&in.Counts)
				} else {
					m.Inputs[p.Shards[c.Shard][in.Input].Input].Add(&in.Counts)
				}
			}
			m.Parts = append(m.Parts, l.Files...)
		}
	}
	if ofTable.Rows > 0 || len(ofTable.Unmapped) > 0 {
		ofTable.URI = r.table.Bucket.URI("")
		m.Inputs = append(m.Inputs, ofTable)
	}
	for i := range m.Counts.Repeated {
		m.Counts.Repeated[i].Identity = "" // which is for adding up, and a manifest stays for ever
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
				if in := &totals.Repeated[i].Input; *in != pipeline.NoInput {
					*in = shares[*in].Input
				}
			}
			counts.Totals.Add(&totals)
			sum := l.Sum()
			counts.Counts.Add(&sum)
		}
		counts.UniqueEstimate += c.Last().Unique // of several shards [run.commit] knows better
	}
	return counts
}

func noCounts() pipeline.Counts { return pipeline.Counts{Unmapped: map[string]int64{}} }
