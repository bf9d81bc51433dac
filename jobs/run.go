package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/pipeline"
)

// run is one run that this process works on, or of which it works on one shard.
type run struct {
	table   *table.Table
	plan    table.Plan
	shard   int
	inputs  []pipeline.Input // what the shard reads
	chain   *table.Chain     // of the shard
	resumed int              // links of the chain that earlier processes have made
	api     asker            // nil: nobody is asked
	status  Status
	result  *table.Manifest // once it is committed
	lease   *table.Lease
}

// open continues the unfinished run of the same job, or plans a new one, and takes the lease of its shard.
func (j *job) open(ctx context.Context, t *table.Table) (*run, error) {
	r := &run{table: t, shard: j.Shard.K, status: StatusFailed}
	inputs, err := j.planned(ctx, t, &r.plan)
	if err != nil {
		return nil, err
	}
	if err := t.Yield(ctx, &r.plan); err != nil {
		return nil, err
	}
	if err := r.overtaken(ctx); err != nil {
		return nil, err
	}
	r.inputs = sliceOf(inputs, r.plan.Shards[r.shard])
	if r.lease, err = t.Lease(ctx, r.plan.RunID, r.shard); err != nil {
		return nil, err
	}
	if err := r.resume(ctx, j); err != nil {
		r.release(ctx, j)
		return nil, err
	}
	return r, nil
}

// release lets go of the lease. If that fails, the next process waits for a while, that is all.
func (r *run) release(ctx context.Context, j *job) {
	err := r.lease.Release()
	if err == nil && r.result != nil {
		err = r.table.DropLeases(context.WithoutCancel(ctx), r.plan.RunID)
	}
	if err != nil {
		j.Log.Warn("the lease of the run was not let go; the next process on it has to wait some seconds", "run_id", r.plan.RunID, "cause", err)
	}
}

// resume finds out how far the run and its shard have got.
func (r *run) resume(ctx context.Context, j *job) (err error) {
	r.chain, err = r.table.Chain(ctx, r.plan.RunID, r.shard)
	if err == nil {
		err = r.chain.Check()
	}
	if err != nil {
		return r.explain(err)
	}
	// Somebody may have ended the run while we were about to begin.
	if r.result, err = committed(ctx, r.table, r.plan.RunID); err != nil {
		return err
	}
	if r.resumed = len(r.chain.Links); r.resumed > 0 {
		j.Log.Info("continuing", "run_id", r.plan.RunID, "shard", r.shard, "part", r.resumed, "lines_done", r.chain.Last().Cursor.Lines)
	}
	return nil
}

// work reads, asks and writes what is left of the shard, and commits the run when all its shards are done.
func (r *run) work(ctx context.Context, j *job) (err error) {
	defer func() {
		if errors.Is(err, context.Canceled) {
			r.status = StatusInterrupted
		}
	}()
	if r.result != nil {
		r.status = StatusAlreadyCommitted
		return nil
	}
	last := r.chain.Last()
	j.Monitor.begin(j.Map, r.inputs, last, r.api)
	if !last.Done {
		working, stop := r.lease.Context(ctx) // whoever has lost it works for nothing
		defer stop()
		if err := r.pass(working, j, last); err != nil {
			return err
		}
	} else if err := view.Sweep(); err != nil { // whoever sealed the last part may have been killed before it removed its spill
		j.Log.Warn("what killed processes may have left of their spill was not looked for", "cause", err)
	}
	return r.commit(ctx, j)
}

// pass sends what is left of the shard through the pipeline.
func (r *run) pass(ctx context.Context, j *job, last pipeline.Part) (err error) {
	options := j.pipelineOptions(r)
	kept, letGo, err := r.stage(ctx, j, &options)
	if err != nil {
		return err
	}
	defer func() {
		if closed := letGo(); err == nil {
			err = closed
		}
	}()
	w, err := j.writer(r.table, r.plan.RunID, kept)
	if err != nil {
		return err
	}
	return pipeline.Run(ctx, r.inputs, last, r.api, w, r.seal(j), options)
}

// stage opens what the rows are compared with, if anything, and puts it into the options of the pipeline. It returns the
// kept columns of the rows to come.
func (r *run) stage(ctx context.Context, j *job, options *pipeline.Options) (kept []arrow.Field, letGo func() error, err error) {
	stage, err := j.merge(ctx, r)
	switch {
	case err != nil:
		return nil, nil, err
	case stage != nil:
		options.Merge = stage
		return stage.Kept(), stage.Close, nil
	}
	kept, err = keptFields(r.inputs)
	return kept, func() error { return nil }, err
}

// base returns the runs that the run builds on, whether they have been replaced since or not.
func (r *run) base(ctx context.Context) ([]table.Run, error) {
	runs := make([]table.Run, len(r.plan.Base))
	for i, id := range r.plan.Base {
		m, err := r.table.Manifest(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("run %s, on which run %s builds: %w", id, r.plan.RunID, err)
		}
		runs[i] = table.Run{ID: id, Manifest: m}
	}
	return runs, nil
}

// usage is what the service has been asked for by this process.
func (r *run) usage() pipeline.Usage {
	if r.api == nil {
		return pipeline.Usage{}
	}
	s := r.api.Stats()
	return pipeline.Usage{Requests: s.Requests, Retries: s.Retries, Throttled: s.Throttled}
}

// seal returns the function that makes parts count.
func (r *run) seal(j *job) func(context.Context, pipeline.Part) error {
	log := &partLog{log: j.Log, last: time.Now()}
	return func(ctx context.Context, p pipeline.Part) error {
		began := time.Now()
		// A part of a process that was overtaken would fence the one that works on.
		if err := r.lease.Check(ctx); err != nil {
			return err
		}
		if err := r.chain.Append(ctx, p); err != nil {
			return err
		}
		sealed := SealedPart{Part: p, Seal: p.Took + time.Since(began)}
		log.sealed(sealed)
		j.Monitor.sealed(sealed)
		// What is done for a run that was aborted is done for nothing.
		_, err := committed(ctx, r.table, r.plan.RunID)
		return err
	}
}
