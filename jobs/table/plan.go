package table

import (
	"context"
	"time"

	"mapper/client/objects"
	"mapper/pipeline"
	"mapper/sources"
)

// Plan is what a run reads and how. It is decided once: every process that works on the run uses the stored
// plan, so no two of them see different inputs.
type Plan struct {
	Version     int               `json:"version"`
	Writer      string            `json:"writer"`
	RunID       string            `json:"run_id"`
	Kind        string            `json:"kind"`
	Service     string            `json:"service"`
	Environment string            `json:"environment"`
	StartedAt   time.Time         `json:"started_at"`
	Seq         int64             `json:"seq"`            // 1 + the highest seq of the base
	Base        []string          `json:"base,omitempty"` // the committed runs that no other replaces
	Job         map[string]string `json:"job"`            // the settings that change rows, without secrets
	Fingerprint string            `json:"fingerprint"`    // of Job and of the inputs
	Patterns    []string          `json:"patterns"`       // what the job names as its inputs
	Inputs      []PlannedInput    `json:"inputs"`
	Shards      [][]Share         `json:"shards"` // what each shard reads, in this order; a shard may have nothing
}

// Share is a stretch of an input.
type Share struct {
	Input int           `json:"input"` // index into Inputs
	Split sources.Split `json:"split"`
}

// PlannedInput is an input, pinned, with what its columns hold.
type PlannedInput struct {
	objects.Object
	Layout      sources.Layout        `json:"layout"`
	ID          int                   `json:"id"` // column of the caller's key, or -1
	Identifiers []pipeline.Identifier `json:"identifiers"`
	PhoneRegion *int                  `json:"phone_region,omitempty"` // column of the country of phones
	Keep        []int                 `json:"keep,omitempty"`
}

// CreatePlan stores p as the plan of its run and fills in what only the table knows. If there is a plan
// already, nothing changes; in both cases it returns the plan that stands. It fails with [ErrAborted] when the run is
// aborted at this moment; of one that was aborted before, whoever plans it finds the manifest.
func (t *Table) CreatePlan(ctx context.Context, p Plan) (Plan, error) {
	runs, err := t.Runs(ctx)
	if err != nil {
		return Plan{}, err
	}
	p.Version, p.Writer = Version, t.Writer
	p.Base, p.Seq = nil, 1
	for _, r := range Live(runs) {
		p.Base = append(p.Base, r.ID)
		p.Seq = max(p.Seq, r.Manifest.Seq+1)
	}
	if _, err := t.create(ctx, planKey(p.RunID), &p); err != nil {
		return Plan{}, t.orAborted(ctx, p.RunID, err)
	}
	stands, err := t.Plan(ctx, p.RunID)
	return stands, t.orAborted(ctx, p.RunID, err)
}

// Plan returns the plan of a run. It fails with [fs.ErrNotExist] when there is none.
func (t *Table) Plan(ctx context.Context, run string) (Plan, error) {
	var p Plan
	return p, t.read(ctx, planKey(run), &p)
}

func planKey(run string) string { return "_runs/" + run + "/plan.json" }
