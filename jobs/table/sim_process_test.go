package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// simProcess is a process that a scheduler drives: each operation on the storage waits for its turn.
type simProcess struct {
	id      int
	does    simCommand
	world   *world
	table   *Table
	rng     *rand.Rand
	ctx     context.Context
	counter int  // of the names it has made up
	unknown bool // when it began, the run that it names had not been planned

	// Guarded by world.mu.
	pending []*simOperation
	dead    bool // killed
	over    bool // has returned
	err     error

	pausedUntil int // step of the world
}

func (p *simProcess) String() string { return fmt.Sprintf("p%d(%s)", p.id, p.does) }

// next makes up a name that nobody else has.
func (p *simProcess) next(what string) string {
	p.counter++
	return fmt.Sprintf("%s%dx%d", what, p.id, p.counter)
}

// simCommand is what a user types. Any number of processes may carry out the same command, at once or one after another.
type simCommand struct {
	kind   string // "map", "abort", "clean", "look for waste", "read"
	run    string // --run-id, or "" for a job that finds its unfinished run itself; of a clean the run to end
	shard  int
	shards int
	grace  time.Duration
}

func (c simCommand) String() string {
	return fmt.Sprintf("%s %s %d/%d", c.kind, c.run, c.shard, c.shards)
}

// fingerprint is of the job: two commands with one run id and different jobs are an error of the user.
func (c simCommand) fingerprint() string { return fmt.Sprintf("%s/%d", c.run, c.shards) }

func (p *simProcess) work() error {
	if p.world.life != nil {
		return p.workOnLife()
	}
	switch p.does.kind {
	case "map":
		return p.mapRun()
	case "abort":
		return p.abort()
	case "clean":
		return p.clean()
	case "look for waste":
		return p.lookForWaste()
	}
	return p.read()
}

// mapRun is Map.Run of jobs/map.go, from `table.Open` on.
func (p *simProcess) mapRun() error {
	if err := p.table.Check(p.ctx, "uid2", "sim"); err != nil {
		return err
	}
	if p.does.run != "" {
		if done, err := p.committed(p.does.run); done != nil || err != nil {
			return err
		}
	}
	r := &simRun{simProcess: p}
	if err := r.open(); err != nil {
		return err
	}
	return r.work()
}

// committed is that of jobs/map.go.
func (p *simProcess) committed(run string) (*Manifest, error) {
	m, err := p.table.Manifest(p.ctx, run)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case m.Aborted:
		return nil, fmt.Errorf("run %s: %w", run, ErrAborted)
	}
	return m, p.table.Finish(p.ctx, m)
}

// simRun is run of jobs/run.go.
type simRun struct {
	*simProcess
	plan   Plan
	chain  *Chain
	result *Manifest
}

// open is open of jobs/run.go with its planned, settle, create and resume; the leases keep nobody away.
func (r *simRun) open() error {
	plan, err := r.unfinished()
	if err != nil {
		return err
	}
	draft := r.draft()
	if plan == nil && r.does.run == "" { // settle: others may have planned it while we looked into the inputs
		if plan, err = r.unfinished(); err != nil {
			return err
		}
	}
	if plan == nil {
		if plan, err = r.create(draft); err != nil {
			return err
		}
	}
	if r.plan = *plan; r.world.sabotage == ownPlan {
		r.plan = draft
	}
	return r.resume()
}

// unfinished is that of jobs/run.go.
func (r *simRun) unfinished() (same *Plan, err error) {
	if r.does.run != "" {
		p, err := r.table.Plan(r.ctx, r.does.run)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return &p, err
	}
	runs, err := r.table.Runs(r.ctx)
	if err == nil {
		err = r.table.Repair(r.ctx, runs)
	}
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.Manifest != nil {
			continue
		}
		p, err := r.table.Plan(r.ctx, run.ID)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has been aborted since
		}
		if err != nil {
			return nil, err
		}
		if p.Fingerprint == r.does.fingerprint() {
			same = &p
		}
	}
	return same, nil
}

// draft is what this process would read: never what another would, as inputs change.
func (r *simRun) draft() Plan {
	p := Plan{RunID: r.does.run, Kind: "map", Service: "uid2", Environment: "sim", Fingerprint: r.does.fingerprint()}
	if p.RunID == "" {
		p.RunID = r.next("unnamed")
	}
	var rows []string
	for range r.does.shards {
		n := r.rng.IntN(5)
		p.Shards = append(p.Shards, []Share{{Split: sources.Split{Last: n}}})
		rows = append(rows, strconv.Itoa(n))
	}
	p.Job = map[string]string{"draft": r.next("draft"), "rows": strings.Join(rows, " ")}
	return p
}

func (r *simRun) create(draft Plan) (*Plan, error) {
	if err := r.table.Claim(r.ctx, "uid2", "sim"); err != nil {
		return nil, err
	}
	stands, err := r.table.CreatePlan(r.ctx, draft)
	return &stands, err
}

// resume is that of jobs/run.go.
func (r *simRun) resume() (err error) {
	if r.chain, err = r.table.Chain(r.ctx, r.plan.RunID, r.does.shard); err != nil {
		return err
	}
	if r.result, err = r.committed(r.plan.RunID); err != nil {
		return err
	}
	if len(r.chain.Links) > 0 && r.result == nil {
		r.world.total("a shard taken over")
	}
	if r.world.sabotage == straysGoAtTakeover {
		return r.deleteStrays()
	}
	return nil
}

// deleteStrays deletes what the chain does not name: too early, as others may still name it.
func (r *simRun) deleteStrays() error {
	named := map[string]bool{}
	for _, l := range r.chain.Links {
		for _, f := range l.Files {
			named[f.Path] = true
		}
	}
	keys, err := r.table.in.List(r.ctx, sinks.DatasetMapped+"/run="+r.plan.RunID+"/part-"+strconv.Itoa(r.does.shard))
	for _, key := range keys {
		if !named[key] {
			err = errors.Join(err, r.table.in.Delete(r.ctx, key))
		}
	}
	return err
}

// work is that of jobs/run.go, with pipeline.Run, seal and commit.
func (r *simRun) work() error {
	if r.result != nil {
		return nil
	}
	for last := r.chain.Last(); !last.Done; {
		part, err := r.upload(last)
		if err != nil {
			return err
		}
		if err := r.seal(part); err != nil {
			return err
		}
		last = part
	}
	return r.commit()
}

// upload writes the files of the next part, whose rows are from the cursor on, as many as it happens to be.
func (r *simRun) upload(last pipeline.Part) (pipeline.Part, error) {
	from, rows := int(last.Cursor.Lines), r.plan.Shards[r.does.shard][0].Split.Last
	to := min(rows, from+1+r.rng.IntN(3))
	part := pipeline.Part{N: last.N + 1, Cursor: pipeline.Cursor{Lines: int64(to)}, Done: to == rows && r.rng.IntN(3) > 0 || from == rows}
	for _, dataset := range sinks.Datasets() {
		if from == to {
			break
		}
		n := 1 + r.rng.IntN(to-from)
		if dataset == sinks.DatasetRefreshFrom {
			n = to - from
		}
		name := sinks.PartName{Dataset: dataset, Run: r.plan.RunID, Shard: r.does.shard, Part: part.N, Random: r.next("f")}
		data := simRows{Draft: r.plan.Job["draft"], Shard: r.does.shard, From: from, To: from + n}
		if err := r.table.in.CreateIfAbsent(r.ctx, name.String(), data.marshal()); err != nil {
			return part, err
		}
		part.Files = append(part.Files, sinks.File{Path: name.String(), Dataset: dataset, Rows: int64(n)})
		from += n
	}
	return part, nil
}

func (r *simRun) seal(part pipeline.Part) error {
	switch err := r.chain.Append(r.ctx, part); {
	case errors.Is(err, ErrFenced) && r.world.sabotage == fencedGoesOn:
		r.chain.Links = append(r.chain.Links, Link{Part: part})
	case err != nil:
		r.stopped(err, part)
		return err
	}
	_, err := r.committed(r.plan.RunID)
	return err
}

// stopped counts how a part failed to be sealed.
func (r *simRun) stopped(err error, part pipeline.Part) {
	switch {
	case errors.Is(err, ErrFenced):
		r.world.total("a process fenced")
	case errors.Is(err, errOutOfReach):
		r.world.total("not known whether a part is sealed")
		if r.world.sabotage == deletesWhenUnknown {
			for _, f := range part.Files {
				_ = r.table.in.Delete(r.ctx, f.Path)
			}
		}
	}
}

// commit is that of jobs/run.go.
func (r *simRun) commit() error {
	chains, err := r.table.Chains(r.ctx, &r.plan)
	if err != nil {
		return err
	}
	working := 0
	for _, c := range chains {
		if !c.Last().Done {
			working++
		}
	}
	if working > 0 && r.world.sabotage != commitsEarly {
		r.world.total("a shard done before others")
		return nil
	}
	m := Manifest{RunID: r.plan.RunID, Kind: r.plan.Kind, Job: r.plan.Job, Fingerprint: r.plan.Fingerprint,
		Seq: r.plan.Seq, Base: append([]string{}, r.plan.Base...), Replaces: []string{}}
	for _, c := range chains {
		for _, l := range c.Links {
			m.Parts = append(m.Parts, l.Files...)
		}
	}
	_, own, err := r.table.Commit(r.ctx, m)
	switch {
	case errors.Is(err, ErrAborted):
		r.world.total("a commit found the run aborted")
	case err == nil && own:
		r.world.total("a run committed")
	case err == nil:
		r.world.total("a commit found the run committed")
	}
	return err
}

// abort ends a run without looking whether somebody works on it.
func (p *simProcess) abort() error {
	if p.world.sabotage == abortsWithoutManifest {
		return p.table.deleteAll(p.ctx, p.does.run)
	}
	err := p.table.Abort(p.ctx, p.does.run)
	p.aborted(err)
	return err
}

func (p *simProcess) aborted(err error) {
	switch {
	case err == nil:
		p.world.total("a run aborted")
	case errors.Is(err, ErrCommitted):
		p.world.total("an abort found the run committed")
	}
}

// clean looks for waste and removes it, maybe long after.
func (p *simProcess) clean() error {
	w, err := p.table.Waste(p.ctx, WasteOptions{Run: p.does.run, Grace: p.does.grace})
	if err != nil {
		return err
	}
	removed, err := p.table.Remove(p.ctx, w)
	for range removed.Abandoned {
		p.world.total("an abandoned run cleaned")
	}
	for _, f := range removed.Files {
		p.world.total("cleaned: a file " + f.Why)
	}
	return err
}

// lookForWaste comes after a clean, so there is none.
func (p *simProcess) lookForWaste() error {
	w, err := p.table.Waste(p.ctx, WasteOptions{})
	if err == nil && len(w.Abandoned)+len(w.Files)+len(w.Uploads) > 0 {
		p.world.violated("after a clean there is waste: %+v", w)
	}
	return err
}

// read reads the table as everybody does who goes by manifests.
func (p *simProcess) read() error {
	runs, err := p.table.Runs(p.ctx)
	if err != nil {
		return err
	}
	for _, r := range Live(runs) {
		err := whole(r.Manifest, func(key string) ([]byte, error) { return p.table.in.ReadAll(p.ctx, key) })
		if errors.Is(err, errOutOfReach) || errors.Is(err, errKilled) {
			return err
		}
		if err != nil {
			p.world.violated("%s: reads %w", p, err)
		}
		p.world.total("a live run read")
	}
	return nil
}
