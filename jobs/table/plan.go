package table

import (
	"context"
	"time"

	"mapper/client/objects"
	"mapper/pipeline"
	"mapper/sources"
)

// Kinds of runs. The last two write again what the table says, and take the place of the runs that said it.
const (
	KindMap     = "map"
	KindRemap   = "remap"
	KindSignals = "signals"
	KindCompact = "compact"
	KindForget  = "forget" // compact, without what is to be forgotten
)

// replaces says whether runs of a kind take the place of those that they are built on.
func replaces(kind string) bool { return kind == KindCompact || kind == KindForget }

// Plan is what a run reads and how. It is decided once: every process that works on the run uses the stored
// plan, so no two of them see different inputs.
type Plan struct {
	Version     int        `json:"version"`
	Writer      string     `json:"writer"`
	RunID       string     `json:"run_id"`
	Kind        string     `json:"kind"`
	Service     string     `json:"service"`
	Environment string     `json:"environment"`
	StartedAt   time.Time  `json:"started_at"`
	Seq         int64      `json:"seq"`                // 1 + the highest seq of the base; of a run that replaces its base, that seq
	Base        []string   `json:"base,omitempty"`     // the committed runs that no other replaces
	Replaces    []string   `json:"replaces,omitempty"` // compact, forget: the runs whose place it takes, all of its base
	AsOf        *time.Time `json:"as_of,omitempty"`    // what is due by then is asked again
	// RefreshAfter is of ID5: the age from which on the uids that the run gets are due.
	RefreshAfter time.Duration     `json:"refresh_after,omitempty"`
	Job          map[string]string `json:"job"`         // the settings that change rows, without secrets
	Fingerprint  string            `json:"fingerprint"` // of Job and of the inputs
	Patterns     []string          `json:"patterns"`    // what the job names as its inputs
	Inputs       []PlannedInput    `json:"inputs"`
	Shards       [][]Share         `json:"shards"` // what each shard reads, in this order; a shard may have nothing
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
	Country     *int                  `json:"country,omitempty"`      // column of the country of identities
	Everywhere  string                `json:"everywhere,omitempty"`   // the country of identities without such a column
	KnownUIDs   *int                  `json:"known_uids,omitempty"`   // column of known uids
	Keep        []int                 `json:"keep,omitempty"`
}

// CreatePlan stores p as the plan of its run and fills in what only the table knows. If there is a plan
// already, nothing changes; in both cases it returns the plan that stands, which has to be given to [Table.Yield] before
// anything is done by it. It fails with [ErrAborted] when the run is aborted at this moment; of one that was aborted
// before, whoever plans it finds the manifest.
func (t *Table) CreatePlan(ctx context.Context, p Plan) (Plan, error) {
	runs, err := t.Runs(ctx)
	if err != nil {
		return Plan{}, err
	}
	p.Version, p.Writer = Version, t.Writer
	p.build(Live(runs))
	if _, err := t.create(ctx, planKey(p.RunID), &p); err != nil {
		return Plan{}, t.orAborted(ctx, p.RunID, err)
	}
	stands, err := t.Plan(ctx, p.RunID)
	return stands, t.orAborted(ctx, p.RunID, err)
}

// build sets what the plan is built on.
func (p *Plan) build(base []Run) {
	highest := int64(0)
	p.Base, p.Replaces = nil, nil
	for _, r := range base {
		p.Base = append(p.Base, r.ID)
		highest = max(highest, r.Manifest.Seq)
	}
	p.Seq = highest + 1
	if replaces(p.Kind) {
		p.Seq, p.Replaces = max(highest, 1), p.Base
	}
}

// Plan returns the plan of a run. It fails with [fs.ErrNotExist] when there is none.
func (t *Table) Plan(ctx context.Context, run string) (Plan, error) {
	var p Plan
	return p, t.read(ctx, planKey(run), &p)
}

func planKey(run string) string { return "_runs/" + run + "/plan.json" }
