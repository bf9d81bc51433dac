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
	"time"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
)

// planned finds the plan of the unfinished run of the same job, or makes that of a new one, and returns its inputs.
func (m *Map) planned(ctx context.Context, t *table.Table, p *table.Plan) ([]pipeline.Input, error) {
	found, err := m.find(ctx, t)
	if isMissing(err) && m.Shard.count() > 1 {
		// What is left to do may need no input, if others have read it all.
		if stored, failed := t.Plan(ctx, m.RunID); failed == nil && m.settled(&stored, nil) {
			m.Log.Warn("the inputs of the run are gone; its plan stands", "run_id", stored.RunID, "cause", err)
			*p = stored
			return m.reopen(p), nil
		}
	}
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
	if failed := release(); failed != nil {
		m.Log.Warn("the lease for planning was not let go; the next process has to wait some seconds", "cause", failed)
	}
	return plan, err
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
	case m.Shard.count() > 1 && m.settled(p, found):
		m.Log.Warn("the inputs are not those that the run was planned with; its plan stands", "run_id", p.RunID, "difference", m.difference(p, found))
		return nil
	}
	return usagef("run %s is unfinished and is another job: %s; choose another --run-id", p.RunID, m.difference(p, found))
}

// settled says whether a plan is that of the same job, of which some inputs may have come, gone or changed since.
func (m *Map) settled(p *table.Plan, found []objects.Object) bool {
	left := len(found) == 0
	for _, in := range p.Inputs {
		left = left || slices.Contains(found, in.Object)
	}
	return left && maps.Equal(p.Job, m.settings()) && slices.Equal(p.Patterns, m.Inputs)
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
		case errors.Is(err, table.ErrDamaged):
			return nil, nil, fmt.Errorf("%w; %s", err, giveUp(t, m.RunID))
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
		if errors.Is(err, table.ErrDamaged) {
			m.Log.Warn("an unfinished run cannot be continued by anybody", "run_id", r.ID, "cause", err, "remedy", giveUp(t, r.ID))
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
func (m *Map) difference(p *table.Plan, found []objects.Object) string {
	now := m.settings()
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

// draft looks into every input and returns what a plan of the job would be.
func (m *Map) draft(ctx context.Context, t *table.Table, fingerprint string, found []objects.Object) (p table.Plan, inputs []pipeline.Input, err error) {
	p = table.Plan{
		Writer: t.Writer, RunID: m.RunID, Kind: "map", Service: m.Service.String(), Environment: m.Environment,
		StartedAt: time.Now().UTC(), Job: m.settings(), Patterns: m.Inputs, Fingerprint: fingerprint,
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
