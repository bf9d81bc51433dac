package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client"
	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// Inspection is what a table holds.
type Inspection struct {
	Type        string     `json:"type"` // "table"
	Table       string     `json:"table"`
	Service     string     `json:"service"`
	Environment string     `json:"environment"`
	Runs        []RunState `json:"runs"`
	// The committed runs that no other replaces, together. A pair of id and identity that several runs have
	// mapped counts in each of them.
	Counts pipeline.Counts `json:"counts"`

	LiveRows  int64            `json:"live_rows"`  // live pairs of id and identity, each once
	Mapped    int64            `json:"mapped"`     // of them with a raw UID
	MatchRate float64          `json:"match_rate"` // Mapped as a share of LiveRows
	Unmapped  map[string]int64 `json:"unmapped"`   // the others, by reason

	// When the raw UIDs of identities that have a live pair are to be asked for again. Opted-out and invalid ones, which
	// are asked again some time after their answer, are not among them.
	RefreshCalendar map[string]int64 `json:"refresh_calendar"` // UTC day -> identities due, from today on
	Overdue         int64            `json:"due_overdue"`      // on a day before today
	Later           int64            `json:"due_later"`        // beyond the calendar's 45 days
	Tomorrow        Workload         `json:"tomorrow"`         // of a remap tomorrow: all that is due until the end of that day
}

// RunState is one run of a table.
type RunState struct {
	RunID      string          `json:"run_id"`
	Kind       string          `json:"kind"`
	State      string          `json:"state"` // "committed", "replaced", "aborted" or "unfinished"
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
	Parts      int             `json:"parts"`  // files; of an unfinished run those that are sealed
	Counts     pipeline.Counts `json:"counts"` // of an unfinished run as far as it is sealed
}

// InspectOptions tunes how a table is looked at. A zero field means its default.
type InspectOptions struct {
	Store  *objects.Store
	Memory int64        // byte budget; default 192 MB
	Log    *slog.Logger // says what takes long; default: nothing
}

// Inspect returns what a table holds. All rows of its runs are sorted to know what they say together, which takes long
// when there are many; a table of one run that a compaction or a forget has written is known from its manifest.
func Inspect(ctx context.Context, uri string, o InspectOptions) (*Inspection, error) {
	o.Memory = cmp.Or(o.Memory, DefaultMemory)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if err := checkMemory(o.Memory); err != nil {
		return nil, err
	}
	t, about, runs, err := openTable(ctx, o.Store, uri)
	if err != nil {
		return nil, err
	}
	out := &Inspection{Type: "table", Table: uri, Service: about.Service, Environment: about.Environment,
		Runs: []RunState{}, Unmapped: map[string]int64{}}
	live := table.Live(runs)
	for _, r := range runs {
		isLive := slices.ContainsFunc(live, func(l table.Run) bool { return l.ID == r.ID })
		state, err := stateOf(ctx, t, r, isLive)
		if err != nil {
			return nil, err
		}
		out.Runs = append(out.Runs, state)
		if isLive {
			out.Counts.Add(&r.Manifest.Counts.Counts)
		}
	}
	due := newCalendar(time.Now())
	switch {
	case len(live) == 0:
	case len(live) == 1 && isSorted(live[0].Manifest.Kind):
		err = out.takeManifest(live[0].Manifest, due)
	default:
		err = out.takeView(ctx, t, live, o, due)
	}
	if err != nil {
		return nil, err
	}
	out.MatchRate = float64(out.Mapped) / float64(max(1, out.LiveRows))
	out.RefreshCalendar, out.Overdue, out.Later = due.days(), due.overdue, due.later
	out.Tomorrow = workload(about.Service, due.untilTomorrow())
	return out, nil
}

// isSorted says of which kinds the runs are whose rows are those of the view: one for each live pair.
func isSorted(kind string) bool { return kind == "compact" || kind == "forget" }

// takeManifest counts by the manifest of a run that stands for the whole table.
func (i *Inspection) takeManifest(m *table.Manifest, due *calendar) error {
	i.Mapped = m.Counts.Mapped
	i.LiveRows = m.Counts.Mapped + m.Counts.UnmappedTotal()
	for reason, n := range m.Counts.Unmapped {
		i.Unmapped[reason] = n
	}
	for day, n := range m.Calendar {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return fmt.Errorf("run %s: the refresh calendar of its manifest has a day %q: %w", m.RunID, day, err)
		}
		due.add(at.UnixMilli(), n)
	}
	return nil
}

// takeView counts what the runs say together.
func (i *Inspection) takeView(ctx context.Context, t *table.Table, live []table.Run, o InspectOptions, due *calendar) (err error) {
	logSorting(o.Log, live)
	v, err := view.Open(ctx, t, live, view.Options{Memory: o.Memory / 3})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	var last normalize.ID // with a live pair
	var unmapped sinks.ByReason
	for r, err := range v.Rows(ctx) {
		if err != nil {
			return err
		}
		if !r.Live {
			continue
		}
		if i.LiveRows++; r.Answer.Status != client.Mapped {
			unmapped[reasonOf(r.Answer.Status)]++
			continue
		}
		if i.Mapped++; (i.Mapped == 1 || r.Identity != last) && r.Answer.RefreshFrom != 0 {
			due.add(r.Answer.RefreshFrom, 1)
		}
		last = r.Identity
	}
	for reason, n := range unmapped {
		if n > 0 {
			i.Unmapped[sinks.Reason(reason).String()] = n
		}
	}
	return nil
}

func stateOf(ctx context.Context, t *table.Table, r table.Run, live bool) (RunState, error) {
	s := RunState{RunID: r.ID, State: "unfinished"}
	if m := r.Manifest; m != nil {
		s.Kind, s.StartedAt, s.FinishedAt = m.Kind, m.StartedAt, &m.FinishedAt
		s.Parts, s.Counts = len(m.Parts), m.Counts.Counts
		switch {
		case m.Aborted:
			s.State = "aborted"
		case live:
			s.State = "committed"
		default:
			s.State = "replaced"
		}
		return s, nil
	}
	plan, err := t.Plan(ctx, r.ID)
	if err != nil {
		return s, err
	}
	chains, err := t.Chains(ctx, &plan)
	if err != nil {
		return s, err
	}
	s.Kind, s.StartedAt = plan.Kind, plan.StartedAt
	for _, c := range chains {
		for _, l := range c.Links {
			sum := l.Sum()
			s.Counts.Add(&sum)
			s.Parts += len(l.Files)
		}
	}
	return s, nil
}

// String writes what a table holds for people.
func (i *Inspection) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s: %s, environment %s\n", i.Table, i.Service, i.Environment)
	for _, r := range i.Runs {
		fmt.Fprintf(&b, "  run %s  %s, %s, started %s: %s lines, %s mapped, %s unmapped, %d parts\n", r.RunID, r.Kind, r.State,
			r.StartedAt.Format(time.DateTime), humanize.Comma(r.Counts.Lines), humanize.Comma(r.Counts.Mapped),
			humanize.Comma(r.Counts.UnmappedTotal()), r.Parts)
	}
	fmt.Fprintf(&b, "%s = %s mapped (%.1f %%)", counted(i.LiveRows, "live row", "live rows"), humanize.Comma(i.Mapped), 100*i.MatchRate)
	for _, reason := range sortedKeys(i.Unmapped) {
		fmt.Fprintf(&b, " + %s %s", humanize.Comma(i.Unmapped[reason]), reason)
	}
	if i.Overdue+i.Later > 0 || len(i.RefreshCalendar) > 0 {
		fmt.Fprintf(&b, "\nidentities to ask again, by UTC day:\n%s", chart(i.Overdue, i.RefreshCalendar, i.Later))
		fmt.Fprintf(&b, "a remap tomorrow: %s due until the end of that day; %s", counted(i.Tomorrow.Identities, "identity", "identities"), i.Tomorrow)
	}
	return b.String()
}

// LiveFiles returns the URIs of a dataset's parts in the committed runs that no other replaces.
func LiveFiles(ctx context.Context, store *objects.Store, uri, dataset string) ([]string, error) {
	t, _, runs, err := openTable(ctx, store, uri)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, r := range table.Live(runs) {
		for _, p := range r.Manifest.Parts {
			if p.Dataset == dataset {
				files = append(files, t.Bucket.URI(p.Path))
			}
		}
	}
	return files, nil
}
