package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// workOnLife carries out a command of the simulation of what runs hold.
func (p *simProcess) workOnLife() error {
	switch p.does.kind {
	case "abort":
		return p.table.Abort(p.ctx, p.does.run)
	case "clean":
		return p.clean()
	case "read":
		return p.readView()
	}
	m, err := p.table.Manifest(p.ctx, p.does.run)
	switch {
	case err == nil && m.Aborted:
		return fmt.Errorf("run %s: %w", p.does.run, ErrAborted)
	case err == nil:
		return p.afterCommit(m)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	plan, err := p.table.Plan(p.ctx, p.does.run)
	if errors.Is(err, fs.ErrNotExist) {
		plan, err = p.planLife()
	}
	if err != nil {
		return err
	}
	if err := p.giveWay(&plan); err != nil {
		return err
	}
	return p.fill(&plan)
}

// planLife makes a plan, mostly after a look whether it may be.
func (p *simProcess) planLife() (Plan, error) {
	draft := p.draftLife()
	if p.rng.IntN(3) > 0 {
		if err := p.table.Clear(p.ctx, draft.Kind, p.does.run); err != nil {
			return Plan{}, err
		}
	}
	s := p.world.sabotage
	if s != listsOnce && (s != compactCountsUp || draft.Kind != KindCompact) {
		return p.table.CreatePlan(p.ctx, draft)
	}
	runs, err := p.table.Survey(p.ctx)
	if err != nil {
		return Plan{}, err
	}
	draft.Version, draft.Writer = Version, p.table.Writer
	if draft.build(Live(runs)); s == compactCountsUp {
		draft.Seq++
	}
	if _, err := p.table.create(p.ctx, planKey(draft.RunID), &draft); err != nil {
		return Plan{}, err
	}
	return p.table.Plan(p.ctx, draft.RunID)
}

func (p *simProcess) draftLife() Plan {
	d := Plan{RunID: p.does.run, Kind: p.does.kind, Service: "uid2", Environment: "sim", Shards: [][]Share{{{Split: sources.Split{Last: lifePairs}}}}}
	if d.Kind == "incremental" || d.Kind == "full base" {
		d.Kind = KindMap
	}
	input, suppressed := make([]byte, lifePairs), make([]byte, lifePairs)
	for i := range input {
		input[i], suppressed[i] = "01"[p.rng.IntN(2)], "00001"[p.rng.IntN(5)]
	}
	d.Job = map[string]string{"command": p.does.kind, "input": string(input), "suppressed": string(suppressed), "forget": strconv.Itoa(p.rng.IntN(lifeIdentities))}
	return d
}

// giveWay is Yield, but for a rule that is broken.
func (p *simProcess) giveWay(plan *Plan) error {
	others, err := p.table.rivals(p.ctx, plan)
	if err != nil {
		return err
	}
	for _, o := range others {
		if !p.world.sabotage.ignores(plan, o) {
			return p.table.giveWay(p.ctx, plan, o)
		}
	}
	return nil
}

// ignores says whether a run does not give way to another one.
func (s sabotage) ignores(p *Plan, o *rival) bool {
	others := !replaces(p.Kind)
	switch s {
	case compactStays:
		return p.Kind == KindCompact
	case compactSeesPlans:
		return p.Kind == KindCompact && !o.unfinished
	case compactSeesEnds:
		return p.Kind == KindCompact && o.unfinished
	case forgetSeesEnds:
		return p.Kind == KindForget && o.unfinished
	case forgetStays:
		return p.Kind == KindForget
	case forgetSeesPlans:
		return p.Kind == KindForget && !o.unfinished
	case forgetIsIgnored:
		return others && o.kind == KindForget
	case forgetIsOver:
		return others && o.kind == KindForget && !o.unfinished
	case lacksAreIgnored:
		return others && o.kind != KindForget
	}
	return false
}

// fill writes the rows of the run in one part or two, and commits it.
func (p *simProcess) fill(plan *Plan) error {
	chain, err := p.table.Chain(p.ctx, plan.RunID, 0)
	if err != nil {
		return err
	}
	if m, err := p.table.Manifest(p.ctx, plan.RunID); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return overBy(m, err)
	}
	for !chain.Last().Done {
		from, to := int(chain.Last().Cursor.Lines), lifePairs
		if from == 0 && p.rng.IntN(2) == 0 {
			to = 1 + p.rng.IntN(lifePairs)
		}
		rows, err := p.rows(plan, from, to)
		if err != nil {
			return err
		}
		if err := p.sealRows(plan, chain, rows, to); err != nil {
			return err
		}
	}
	m := Manifest{RunID: plan.RunID, Kind: plan.Kind, Job: plan.Job, Seq: plan.Seq, Base: plan.Base, Replaces: plan.Replaces, FinishedAt: time.Now()}
	for _, l := range chain.Links {
		m.Parts = append(m.Parts, l.Files...)
	}
	stands, _, err := p.table.Commit(p.ctx, m)
	if err != nil {
		return err
	}
	return p.afterCommit(stands)
}

// overBy is what a process stops with whose run has a manifest.
func overBy(m *Manifest, err error) error {
	if err == nil && m.Aborted {
		return ErrAborted
	}
	return err
}

func (p *simProcess) sealRows(plan *Plan, chain *Chain, rows []lifeRow, to int) error {
	n := chain.Last().N + 1
	name := sinks.PartName{Dataset: sinks.DatasetMapped, Run: plan.RunID, Part: n, Random: p.next("f")}.String()
	if err := p.table.in.CreateIfAbsent(p.ctx, name, marshalRows(rows)); err != nil {
		return err
	}
	return chain.Append(p.ctx, pipeline.Part{N: n, Cursor: pipeline.Cursor{Lines: int64(to)}, Done: to == lifePairs,
		Files: []sinks.File{{Path: name, Dataset: sinks.DatasetMapped, Rows: int64(len(rows))}}})
}

// afterCommit is what is left to do, also of who comes later.
func (p *simProcess) afterCommit(m *Manifest) error {
	if m.Kind != KindForget {
		return p.table.Finish(p.ctx, m)
	}
	if err := p.erase(m); err != nil {
		return err
	}
	return p.world.finished(p, m.RunID)
}

func (p *simProcess) erase(m *Manifest) error {
	if p.world.sabotage != erasesOnlyReplaced {
		_, err := p.table.Erase(p.ctx)
		return err
	}
	for _, id := range m.Replaces {
		if err := p.table.deleteAll(p.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// finished is at one moment: from here on, what a forget has forgotten is nowhere.
func (w *world) finished(p *simProcess, forget string) error {
	return p.table.in.(*simBucket).do(p.ctx, "look at files", "", false, func() error {
		w.life.erased[forget] = true
		w.life.checkFiles(w, true)
		return nil
	})
}

// ask asks the service about all identities at one moment.
func (p *simProcess) ask() (answers [lifeIdentities]lifeRow, err error) {
	return answers, p.table.in.(*simBucket).do(p.ctx, "ask", "", false, func() error {
		answers = p.world.life.ask(p.world)
		return nil
	})
}

// base reads the view that a run is built on.
func (p *simProcess) base(plan *Plan) (map[int]lifeRow, error) {
	if plan.Job["command"] == KindMap {
		return nil, nil
	}
	var runs []*lifeRun
	for _, id := range plan.Base {
		m, err := p.table.Manifest(p.ctx, id)
		if err != nil {
			return nil, err
		}
		r, err := p.readRun(m)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return p.world.life.view(runs), nil
}

func (p *simProcess) readRun(m *Manifest) (*lifeRun, error) {
	r := &lifeRun{Manifest: m}
	for _, part := range m.Parts {
		rows, err := rowsOf(p.table.in.ReadAll(p.ctx, part.Path))
		if err != nil {
			return nil, err
		}
		r.rows = append(r.rows, rows...)
	}
	return r, nil
}

// rows returns the rows of a run about pairs.
func (p *simProcess) rows(plan *Plan, from, to int) (rows []lifeRow, err error) {
	known, err := p.base(plan)
	if err != nil {
		return nil, err
	}
	var answers [lifeIdentities]lifeRow
	if !replaces(plan.Kind) {
		if answers, err = p.ask(); err != nil {
			return nil, err
		}
	}
	for pair := from; pair < to; pair++ {
		if row, ok := plan.row(pair, known, answers, p.rng.IntN(2) == 0); ok {
			row.Pair, row.Identity = pair, pair/lifeIDs
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// row is what the run says of a pair, if it does.
func (plan *Plan) row(pair int, known map[int]lifeRow, answers [lifeIdentities]lifeRow, due bool) (lifeRow, bool) {
	have, live := known[pair]
	answer, given := answers[pair/lifeIDs], plan.Job["input"][pair] == '1'
	switch plan.Job["command"] {
	case KindCompact:
		return have, live
	case KindForget:
		return have, live && plan.Job["forget"] != strconv.Itoa(pair/lifeIDs)
	case KindRemap:
		return answer, live
	case "full base":
		if !given {
			return lifeRow{Says: saysRemoved}, live
		}
	}
	if !given {
		return lifeRow{}, false
	}
	if plan.Job["suppressed"][pair] == '1' {
		return lifeRow{Says: saysSuppressed}, true
	}
	for other := range lifePairs { // what is known of the identity
		if row, ok := known[other]; ok && other/lifeIDs == pair/lifeIDs && row.isAnswer() && !due {
			return row, !live
		}
	}
	return answer, true
}

// readView reads the table as everybody does.
func (p *simProcess) readView() error {
	list := p.table.Runs
	if p.world.sabotage == listsOnce {
		list = p.table.Survey
	}
	runs, err := list(p.ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range Live(runs) {
		ids = append(ids, r.ID)
		if _, err := p.readRun(r.Manifest); errors.Is(err, fs.ErrNotExist) && p.world.isReplaced(p, r.Manifest) {
			return nil // since it was listed
		} else if err != nil {
			return err
		}
	}
	p.world.total("a view read")
	return p.table.in.(*simBucket).do(p.ctx, "compare", "", false, func() error {
		p.world.life.check(p.world, p.String()+" reads", ids)
		return nil
	})
}

func (w *world) isReplaced(p *simProcess, m *Manifest) (is bool) {
	_ = p.table.in.(*simBucket).do(p.ctx, "compare", m.RunID, false, func() error {
		is = !slices.Contains(w.life.live(), m.RunID)
		return nil
	})
	return is
}

// pages lists folders page by page, as storages do.
func (b *simBucket) pages(ctx context.Context, folder string) (names []string, err error) {
	for _, page := range []string{"first page", "second page"} {
		err := b.do(ctx, page, folder, false, func() error {
			for key := range b.world.objects {
				name, _, below := strings.Cut(strings.TrimPrefix(key, folder+"/"), "/")
				if strings.HasPrefix(key, folder+"/") && below && (name < "e") == (page == "first page") {
					names = append(names, name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
