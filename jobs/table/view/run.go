package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table"
	"mapper/sinks"
)

// run is a run that is read.
type run struct {
	id      string
	network network
	parts   []runPart // of mapped and unmapped

	sorted bool // its rows are in order, see stream

	rank  uint32 // its place in the order of life, the oldest first
	place uint32 // its place in the order of ids
	life  bool   // its rows tell which pairs are live; otherwise they end life at most

	kept    []arrow.Field // its kept columns, if it has rows and they tell of life
	storage []storage     // of each of kept
	keptIn  string        // the part they were found in
	column  []int         // for each kept column of the view its number in kept, or -1
}

// runPart is a part that is read.
type runPart struct {
	sinks.File
	first uint64 // the number of its first row among those of the run
}

// rank notes the runs, from the oldest to the newest, and their network.
func (v *View) rank(runs []table.Run) (err error) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b table.Run) int { return cmp.Compare(a.ID, b.ID) })
	places := make(map[string]uint32, len(runs))
	for i, r := range runs {
		if !r.Committed() {
			return fmt.Errorf("run %s: is not committed, so it says nothing", r.ID)
		}
		places[r.ID] = uint32(i)
	}
	if v.network, err = networkOfAll(runs); err != nil {
		return err
	}
	slices.SortStableFunc(runs, func(a, b table.Run) int {
		return cmp.Or(cmp.Compare(a.Manifest.Seq, b.Manifest.Seq), cmp.Compare(standIn(a), standIn(b)))
	})
	v.runs = make([]*run, len(runs))
	for i, r := range runs {
		life, err := tellsLife(r.Manifest.Kind)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.ID, err)
		}
		v.runs[i] = &run{id: r.ID, network: v.network, rank: uint32(i), place: places[r.ID], life: life, sorted: isSorted(r.Manifest.Kind)}
		rows := uint64(0)
		for _, p := range r.Manifest.Parts {
			if p.Dataset != sinks.DatasetRefreshFrom { // which has the mapped rows again
				v.runs[i].parts = append(v.runs[i].parts, runPart{p, rows})
				rows += uint64(p.Rows)
			}
		}
	}
	return nil
}

// standIn puts a run that replaces others before those of the same seq.
func standIn(r table.Run) int {
	if len(r.Manifest.Replaces) > 0 {
		return 0
	}
	return 1
}

// isSorted says whether the rows of a dataset of a run are in the order of the view.
func isSorted(kind string) bool { return kind == "compact" || kind == "forget" }

func tellsLife(kind string) (bool, error) {
	switch kind {
	case "map", "signals", "compact", "forget":
		return true, nil
	case "remap":
		return false, nil
	}
	return false, fmt.Errorf("is of kind %q, which this version does not know; use a newer one", kind)
}

// keep notes the kept columns of a part, which are those of its run.
func (r *run) keep(part string, kept []arrow.Field) error {
	if r.keptIn == "" {
		r.kept, r.keptIn = kept, part
		for _, f := range kept {
			s, err := storageOf(f.Type)
			if err != nil {
				return fmt.Errorf("%s: kept column %q: %w", part, f.Name, err)
			}
			r.storage = append(r.storage, s)
		}
		return nil
	}
	if !slices.EqualFunc(r.kept, kept, func(a, b arrow.Field) bool { return a.Name == b.Name && arrow.TypeEqual(a.Type, b.Type) }) {
		return fmt.Errorf("%s: has other kept columns than %s of the same run; check the run with mapper verify", part, r.keptIn)
	}
	return nil
}

// unite returns the kept columns of all runs, with how they are stored, and tells each run where its own are.
func unite(runs []*run) (kept []arrow.Field, stored []storage, err error) {
	first := map[string]int{} // by name, its place in kept
	of := []*run{}            // for each of kept the first run that has it
	for _, r := range runs {
		for k, f := range r.kept {
			name := strings.ToLower(f.Name)
			i, ok := first[name]
			if !ok {
				first[name] = len(kept)
				kept = append(kept, arrow.Field{Name: f.Name, Type: f.Type, Nullable: true})
				stored, of = append(stored, r.storage[k]), append(of, r)
			} else if !arrow.TypeEqual(kept[i].Type, f.Type) {
				return nil, nil, fmt.Errorf("kept column %q: is of type %s in run %s and of type %s in run %s; "+
					"map the whole base again into a new table, with one type", f.Name, kept[i].Type, of[i].id, f.Type, r.id)
			}
		}
	}
	for _, r := range runs {
		r.column = slices.Repeat([]int{-1}, len(kept))
		for k, f := range r.kept {
			r.column[first[strings.ToLower(f.Name)]] = k
		}
	}
	return kept, stored, nil
}
