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

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
)

// planned finds the plan of the unfinished run of the same job, or makes that of a new one, and returns its inputs.
func (j *job) planned(ctx context.Context, t *table.Table, p *table.Plan) ([]pipeline.Input, error) {
	found, err := j.find(ctx, t)
	if isMissing(err) && j.Shard.count() > 1 {
		// What is left to do may need no input, if others have read it all.
		if stored, failed := t.Plan(ctx, j.RunID); failed == nil && j.settled(&stored, nil) {
			j.Log.Warn("the inputs of the run are gone; its plan stands", "run_id", stored.RunID, "cause", err)
			*p = stored
			return j.reopen(p), nil
		}
	}
	if err != nil {
		return nil, err
	}
	fingerprint := fingerprintOf(j.settings(), found)
	plan, others, err := j.unfinished(ctx, t, fingerprint, found)
	if err != nil {
		return nil, err
	}
	for _, p := range others {
		j.Log.Warn("the table has an unfinished run of another job", "run_id", p.RunID, "difference", j.difference(&p, found))
	}
	if plan != nil {
		*p = *plan
		return j.reopen(p), nil
	}
	if !j.resumable() {
		j.Log.Warn("standard input cannot be read again: if this run is interrupted, it starts from the beginning")
	}
	// Looking into inputs can take long, with standard input as long as its writer likes: nobody waits for it.
	draft, inputs, err := j.planDraft(ctx, t, fingerprint, found)
	if err != nil {
		return nil, err
	}
	if plan, err = j.settle(ctx, t, draft, found); err != nil {
		return nil, err
	}
	if *p = *plan; p.Writer != draft.Writer {
		return j.reopen(p), nil // somebody else has planned it
	}
	return inputs, nil
}

// settle makes a draft the plan of a new run, unless another process has planned the same job meanwhile: then it
// returns that plan. One process at a time does this; a run that has a name needs no turns, as its plan can be created
// but once.
func (j *job) settle(ctx context.Context, t *table.Table, draft table.Plan, found []objects.Object) (*table.Plan, error) {
	if draft.RunID == j.RunID {
		return j.create(ctx, t, draft, found)
	}
	release, err := t.PlanningLease(ctx)
	if err != nil {
		return nil, err
	}
	plan, _, err := j.unfinished(ctx, t, draft.Fingerprint, found)
	if plan == nil && err == nil {
		plan, err = j.create(ctx, t, draft, found)
	}
	if failed := release(); failed != nil {
		j.Log.Warn("the lease for planning was not let go; the next process has to wait some seconds", "cause", failed)
	}
	return plan, err
}

func (j *job) create(ctx context.Context, t *table.Table, draft table.Plan, found []objects.Object) (*table.Plan, error) {
	if err := t.Claim(ctx, j.service, j.environment); err != nil {
		return nil, err
	}
	// To find out afterwards would use up the run's id.
	if err := t.Clear(ctx, j.name(), draft.RunID); err != nil {
		return nil, err
	}
	if err := j.compareKept(ctx, t, &draft); err != nil {
		return nil, err
	}
	stands, err := t.CreatePlan(ctx, draft)
	if err != nil {
		return nil, err
	}
	if err := j.same(&stands, draft.Fingerprint, found); err != nil {
		return nil, err
	}
	j.Log.Info("planned", "run_id", stands.RunID, "inputs", len(stands.Inputs), "shards", len(stands.Shards))
	return &stands, nil
}

// compareKept compares the kept columns of a draft with those of the table.
func (j *job) compareKept(ctx context.Context, t *table.Table, draft *table.Plan) error {
	fields, err := keptFields(j.reopen(draft))
	if err != nil {
		return err
	}
	var kept []table.KeptColumn
	for _, f := range fields {
		kept = append(kept, table.KeptColumn{Name: f.Name, Type: f.Type.String()})
	}
	return keepsAlike(ctx, t, kept)
}

// keepsAlike refuses kept columns whose type is another one in the table: nobody could put their rows side by side.
func keepsAlike(ctx context.Context, t *table.Table, kept []table.KeptColumn) error {
	if len(kept) == 0 {
		return nil
	}
	runs, err := t.Runs(ctx)
	for _, r := range table.Live(runs) {
		for _, there := range r.Manifest.Kept {
			for _, k := range kept {
				if strings.EqualFold(there.Name, k.Name) && there.Type != k.Type {
					return settingf("keep", "%s: the column is of type %s here and of type %s in run %s of the table; convert it, or give it another name in the input",
						k.Name, k.Type, there.Type, r.ID)
				}
			}
		}
	}
	return err
}

// same fails when a plan is not one of this job. What other shards read is settled, whatever has come to the inputs
// since: all go by the plan.
func (j *job) same(p *table.Plan, fingerprint string, found []objects.Object) error {
	switch {
	case p.Fingerprint == fingerprint:
		return nil
	case j.Shard.count() > 1 && j.settled(p, found):
		j.Log.Warn("the inputs are not those that the run was planned with; its plan stands", "run_id", p.RunID, "difference", j.difference(p, found))
		return nil
	}
	return usagef("run %s is unfinished and is another job: %s; choose another --run-id", p.RunID, j.difference(p, found))
}

// settled says whether a plan is that of the same job, of which some inputs may have come, gone or changed since.
func (j *job) settled(p *table.Plan, found []objects.Object) bool {
	left := len(found) == 0
	for _, in := range p.Inputs {
		left = left || slices.Contains(found, in.Object)
	}
	return left && maps.Equal(p.Job, j.settings()) && slices.Equal(p.Patterns, j.Inputs)
}

// resumable says whether the inputs can be read again.
func (m *Map) resumable() bool { return !slices.Contains(m.Inputs, stdin) }

// unfinished returns the plan of the run that the job continues, or nil, and those of other jobs' unfinished runs.
func (j *job) unfinished(ctx context.Context, t *table.Table, fingerprint string, found []objects.Object) (same *table.Plan, others []table.Plan, err error) {
	if j.RunID != "" {
		p, err := t.Plan(ctx, j.RunID)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, nil
		case errors.Is(err, table.ErrDamaged):
			return nil, nil, fmt.Errorf("%w; %s", err, giveUp(t, j.RunID))
		case err != nil:
			return nil, nil, err
		case j.Fresh:
			return nil, nil, usagef("run %s is unfinished, and --fresh does not continue it; choose another --run-id", j.RunID)
		case !j.resumable():
			return nil, nil, usagef("run %s is unfinished and read standard input, which cannot be read again; choose another --run-id", j.RunID)
		}
		return &p, nil, j.same(&p, fingerprint, found)
	}
	runs, err := t.Runs(ctx)
	if err == nil {
		err = t.Repair(ctx, runs)
	}
	if err != nil || j.Fresh || !j.resumable() {
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
		if errors.Is(err, table.ErrDamaged) {
			j.Log.Warn("an unfinished run cannot be continued by anybody", "run_id", r.ID, "cause", err, "remedy", giveUp(t, r.ID))
			continue
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
func (j *job) difference(p *table.Plan, found []objects.Object) string {
	now := j.settings()
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if p.Job[key] != now[key] {
			return fmt.Sprintf("%s was %s and is %s", key, shownSetting(p.Job[key]), shownSetting(now[key]))
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

// planDraft returns what a plan of the job would be, and what it reads.
func (j *job) planDraft(ctx context.Context, t *table.Table, fingerprint string, found []objects.Object) (p table.Plan, inputs []pipeline.Input, err error) {
	p = table.Plan{
		Writer: t.Writer, RunID: j.RunID, Kind: j.name(), Service: j.service, Environment: j.environment,
		StartedAt: j.Now().UTC(), Job: j.settings(), Patterns: j.Inputs, Fingerprint: fingerprint,
	}
	if p.RunID == "" {
		p.RunID = p.StartedAt.Format("20060102T150405Z-") + strings.ToLower(rand.Text()[:4])
	}
	if inputs, err = j.draft(ctx, &p, found); err != nil {
		return p, nil, err
	}
	p.Shards = deal(inputs, j.Shard.count())
	return p, inputs, nil
}
