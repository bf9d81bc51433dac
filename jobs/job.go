package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/client/transport"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sources"
)

// job is a run in the making: the options that all kinds of jobs share, and what the kinds differ in.
type job struct {
	*Map
	kind
	service, environment string // of the table
}

// kind is what the kinds of jobs differ in.
type kind interface {
	// name is that of the kind, as it stands in plans and manifests.
	name() string
	// ready reads what the job needs beside its inputs.
	ready(ctx context.Context) error
	// asker returns who asks the service; nil is nobody.
	asker(o transport.Options) (asker, error)
	// settings are the settings that change rows. They make up the identity of a job, with its inputs.
	settings() map[string]string
	// find returns the inputs that the job names, if none of them has to do with its output.
	find(ctx context.Context, t *table.Table) ([]objects.Object, error)
	// draft looks into what is read, and puts what it finds into a plan.
	draft(ctx context.Context, p *table.Plan, found []objects.Object) ([]pipeline.Input, error)
	// merge opens what the rows are compared with, for a run that is planned; nil is nothing.
	merge(ctx context.Context, r *run) (merge, error)
	// neverAsk tells the identities that are never to be asked, when nothing is compared; nil is none.
	neverAsk() func(*normalize.ID) bool
	// accept refuses a run that adds up and is worth nothing.
	accept(m *table.Manifest) error
}

// merge is a stage of the pipeline that compares with the table.
type merge interface {
	pipeline.Merge
	Kept() []arrow.Field // the kept columns of its tasks
	Close() error
}

// run runs the job: it continues an unfinished run of the same job or plans a new one, works it off, and commits it. Its
// options have their defaults.
func (j *job) run(ctx context.Context) (*Summary, error) {
	began := time.Now()
	defer j.connect(ctx)()
	t, err := table.Open(ctx, j.Store, j.Out)
	if err != nil {
		return nil, outError(err)
	}
	t.OnWait = j.logWait
	if err := t.Check(ctx, j.service, j.environment); err != nil {
		return nil, err
	}
	if err := j.ready(ctx); err != nil {
		return nil, err
	}
	if j.RunID != "" {
		done, err := committed(ctx, t, j.RunID)
		if err != nil {
			return nil, err
		}
		if done != nil && done.Kind != j.name() {
			return nil, usagef("run %s has been committed, and is of kind %s; choose another --run-id", j.RunID, done.Kind)
		}
		if done != nil {
			s := summarize(t, done, StatusAlreadyCommitted)
			s.Shard = j.Shard.String()
			return s, nil
		}
	}
	retries := &retryLog{log: j.Log}
	api, err := j.connected(retries)
	if err != nil {
		return nil, err
	}
	run, err := j.open(ctx, t)
	if err != nil {
		return nil, err
	}
	run.api = api
	j.Log = run.logger(j.Log)
	retries.log = j.Log
	run.logBegin(j.Log)
	err = run.work(ctx, j)
	summary := run.summary(began)
	retries.close()
	run.logEnd(j.Log, summary, err)
	run.release(ctx, j)
	return summary, err
}

// logWait says who is waited for.
func (m *Map) logWait(holder string, patience time.Duration) {
	if patience > 0 {
		m.Log.Warn("another process had this in hand and shows no sign of life; waiting whether it is dead", "holder", holder, "wait", patience.Round(time.Second))
		return
	}
	m.Log.Info("waiting for another process", "holder", holder)
}

// connect readies what inputs are read through. Standard input is not read yet.
func (m *Map) connect(ctx context.Context) (letGo func()) {
	letStore, letStdin := func() {}, func() {}
	if m.Store == nil {
		store := &objects.Store{GiveUpAfter: m.GiveUpAfter}
		m.Store, letStore = store, func() { store.Close() }
	}
	if m.Stdin != nil {
		m.Stdin, letStdin = sources.Interruptible(ctx, m.Stdin)
	}
	return func() { letStdin(); letStore() }
}

// committed returns the manifest of a run that has been committed before, or nil. It fails when the run was aborted.
func committed(ctx context.Context, t *table.Table, id string) (*table.Manifest, error) {
	manifest, err := t.Manifest(ctx, id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case manifest.Aborted:
		return nil, fmt.Errorf("run %s: %w", id, table.ErrAborted)
	}
	return manifest, t.Finish(ctx, manifest)
}

// connected returns who asks the service; nil is nobody.
func (j *job) connected(retries *retryLog) (asker, error) {
	return j.asker(transport.Options{
		MaxInFlight: j.inFlight(),
		MaxRPS:      j.rps(),
		GiveUpAfter: j.GiveUpAfter,
		OnRetry:     retries.repeat,
		OnAttempt: func(a transport.Attempt) {
			retries.attempt(a)
			j.Monitor.attempt(a)
		},
	})
}

func (j *job) pipelineOptions(r *run) pipeline.Options {
	maxInvalid := j.MaxInvalid
	if j.Shard.count() > 1 {
		maxInvalid = nil // it is of the whole run, which is known when the last shard commits
	}
	return pipeline.Options{
		Normalize:    normalize.Options{Profile: profileOf(j.service), NoHygiene: j.Hygiene == HygieneOff, Region: j.PhoneRegion},
		Incomparable: j.service == serviceID5,
		Shard:        j.Shard.K,
		MaxBatch:     j.MaxBatch,
		MaxInFlight:  j.inFlight(),
		Memory:       j.Memory / 3,
		PartRows:     j.PartRows,
		PartBytes:    j.PartBytes,
		PartInterval: j.PartInterval,
		Limit:        j.Limit,
		MaxInvalid:   maxInvalid,
		Before:       r.counts(r.chain).Counts,
		Progress:     &j.Monitor.progress,
		Malformed:    j.logMalformed(),
		Usage:        r.usage,
		Suppressed:   j.neverAsk(),
	}
}

// loggedMalformed is how many malformed lines are logged one by one; all of them are unmapped rows.
const loggedMalformed = 10

// logMalformed returns a function that says where a malformed line is, for the first few.
func (j *job) logMalformed() func(uri string, line int64, reason string) {
	logged := 0
	return func(uri string, line int64, reason string) {
		if logged++; logged <= loggedMalformed {
			j.Log.Warn(fmt.Sprintf("%s:%d: %s", uri, line, reason))
		} else if logged == loggedMalformed+1 {
			j.Log.Warn("more malformed lines follow; see the unmapped rows with reason INVALID_ROW")
		}
	}
}
