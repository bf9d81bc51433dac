package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sources"
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
	Counts          pipeline.Counts  `json:"counts"`
	RefreshCalendar map[string]int64 `json:"refresh_calendar"` // UTC day -> identities due
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

// Inspect returns what a table holds.
func Inspect(ctx context.Context, store *objects.Store, uri string) (*Inspection, error) {
	t, about, runs, err := openTable(ctx, store, uri)
	if err != nil {
		return nil, err
	}
	out := &Inspection{Type: "table", Table: uri, Service: about.Service, Environment: about.Environment,
		Runs: []RunState{}, RefreshCalendar: map[string]int64{}}
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
			for day, n := range r.Manifest.Calendar {
				out.RefreshCalendar[day] += n
			}
		}
	}
	return out, nil
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
	fmt.Fprintf(&b, "committed: %s identifiers, %s mapped (%.1f %%)", humanize.Comma(i.Counts.Identifiers),
		humanize.Comma(i.Counts.Mapped), 100*float64(i.Counts.Mapped)/float64(max(1, i.Counts.Identifiers)))
	for _, reason := range sortedKeys(i.Counts.Unmapped) {
		fmt.Fprintf(&b, ", %s %s", humanize.Comma(i.Counts.Unmapped[reason]), reason)
	}
	if days := sortedKeys(i.RefreshCalendar); len(days) > 0 {
		fmt.Fprintf(&b, "\nrefresh: %d days from %s to %s", len(days), days[0], days[len(days)-1])
		for _, day := range days[:min(7, len(days))] {
			fmt.Fprintf(&b, "\n  %s  %s identities due", day, humanize.Comma(i.RefreshCalendar[day]))
		}
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

// FileInspection is how a file would be read.
type FileInspection struct {
	Type string `json:"type"` // "file"
	objects.Object
	Layout sources.Layout `json:"layout"`
	// ColumnsFound are the columns that hold identifiers or look a little like it, in the order of the file.
	ColumnsFound []ColumnFound `json:"columns_found"`
	// Question is what a job that names no column would fail with; nothing when it would run.
	Question string `json:"question,omitempty"`
}

// InspectFile returns how a file would be read, its format and columns, and which of them hold identifiers. It fails with fs.ErrNotExist when there is
// no file of that name.
func InspectFile(ctx context.Context, path string, read sources.Options) (*FileInspection, error) {
	if _, err := read.Resolve(); err != nil {
		return nil, usagef("%v", err)
	}
	file, err := read.Store.Stat(ctx, path)
	if err != nil {
		return nil, err
	}
	in, err := sources.Inspect(ctx, file, read)
	if err != nil {
		return nil, err
	}
	out := &FileInspection{Type: "file", Object: file, Layout: in.Layout, ColumnsFound: []ColumnFound{}}
	columns, err := detect(in, lookAt(in))
	out.ColumnsFound = append(out.ColumnsFound, columns...)
	if err != nil {
		out.Question = err.Error()
	}
	return out, nil
}

// String writes how the file would be read for people.
func (f *FileInspection) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.URI, f.Layout.Format)
	if f.Layout.Compression != "" {
		fmt.Fprintf(&b, ", %s", f.Layout.Compression)
	}
	if f.Layout.Encoding != "" {
		fmt.Fprintf(&b, ", %s", f.Layout.Encoding)
	}
	fmt.Fprintf(&b, ", %s", humanize.IBytes(uint64(max(0, f.Size))))
	if f.Layout.Rows >= 0 {
		fmt.Fprintf(&b, ", %s rows", humanize.Comma(f.Layout.Rows))
	}
	for _, c := range f.Layout.Columns {
		fmt.Fprintf(&b, "\n  %-24s %s", c.Name, c.Type)
	}
	for i := range f.ColumnsFound {
		fmt.Fprintf(&b, "\n%s", &f.ColumnsFound[i])
	}
	if f.Question != "" {
		fmt.Fprintf(&b, "\nmap would ask: %s", f.Question)
	}
	return b.String()
}
