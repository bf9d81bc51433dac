package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
)

// Verification is what Verify found in a table.
type Verification struct {
	Type    string   `json:"type"` // "verification"
	Table   string   `json:"table"`
	Runs    int      `json:"runs"`    // committed
	Parts   int      `json:"parts"`   // files read
	Rows    int64    `json:"rows"`    // rows recounted
	Damage  []string `json:"damage"`  // what is wrong; nothing when the table is whole
	Remarks []string `json:"remarks"` // what is odd and does no harm

	replaced map[string]bool // runs that another replaces: their files may be gone
}

// ErrDamaged means that a table is not what its manifests say.
var ErrDamaged = errors.New("the table is damaged; map the inputs of the runs named above again")

// Verify checks every committed run of a table: the manifest, the checksum of every part, and the counts, which
// are taken again from the parts with another Parquet implementation than the one that wrote them. Damage is
// reported in the result and by [ErrDamaged]; it does not keep Verify from checking everything else.
func Verify(ctx context.Context, store *objects.Store, uri string) (*Verification, error) {
	t, about, err := openAbout(ctx, store, uri)
	if err != nil {
		return nil, err
	}
	// The folders come first: a run that begins meanwhile has its plan before it has files.
	folders, err := foldersOfRuns(ctx, t)
	if err != nil {
		return nil, err
	}
	runs, err := t.Survey(ctx)
	if err != nil {
		return nil, err
	}
	v := &Verification{Type: "verification", Table: uri, Damage: []string{}, Remarks: []string{}, replaced: table.Replaced(runs)}
	for _, r := range runs {
		delete(folders, r.ID)
		if err := v.run(ctx, t, &about, r); err != nil {
			return v, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(folders)) {
		if err := v.unknown(ctx, t, id, folders[id]); err != nil {
			return v, err
		}
	}
	if len(v.Damage) > 0 {
		return v, ErrDamaged
	}
	return v, nil
}

// openTable opens a table that has to be there, and sound.
func openTable(ctx context.Context, store *objects.Store, uri string) (t *table.Table, about table.About, runs []table.Run, err error) {
	if t, about, err = openAbout(ctx, store, uri); err != nil {
		return nil, about, nil, err
	}
	runs, err = t.Runs(ctx)
	return t, about, runs, err
}

// openAbout opens a table that has to be there.
func openAbout(ctx context.Context, store *objects.Store, uri string) (*table.Table, table.About, error) {
	t, err := table.Open(ctx, store, uri)
	if err != nil {
		return nil, table.About{}, err
	}
	about, err := aboutOf(ctx, t)
	return t, about, err
}

// aboutOf says what a table is that has to be there.
func aboutOf(ctx context.Context, t *table.Table) (table.About, error) {
	about, err := t.About(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is no table of this program: it has no _runs/table.json", t.Bucket.URI(""))
	}
	return about, err
}

// foldersOfRuns returns the folders of the datasets that are named after runs, by the id of the run.
func foldersOfRuns(ctx context.Context, t *table.Table) (map[string][]string, error) {
	folders := map[string][]string{}
	for _, dataset := range sinks.Datasets() {
		names, err := t.Bucket.Folders(ctx, dataset)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if id, ok := strings.CutPrefix(name, "run="); ok {
				folders[id] = append(folders[id], dataset+"/"+name)
			}
		}
	}
	return folders, nil
}

func (v *Verification) damage(format string, args ...any) {
	v.Damage = append(v.Damage, fmt.Sprintf(format, args...))
}

func (v *Verification) remark(format string, args ...any) {
	v.Remarks = append(v.Remarks, fmt.Sprintf(format, args...))
}

// String writes what was found for people.
func (v *Verification) String() string {
	var b strings.Builder
	for _, line := range v.Damage {
		fmt.Fprintf(&b, "damage: %s\n", line)
	}
	for _, line := range v.Remarks {
		fmt.Fprintf(&b, "remark: %s\n", line)
	}
	fmt.Fprintf(&b, "%d runs, %d parts, %s rows recounted: %d damaged", v.Runs, v.Parts, humanize.Comma(v.Rows), len(v.Damage))
	return b.String()
}

// run checks a run, whatever became of it.
func (v *Verification) run(ctx context.Context, t *table.Table, about *table.About, r table.Run) error {
	switch {
	case r.Err != nil:
		v.damage("run %s: its manifest cannot be read: %v", r.ID, r.Err)
		return nil
	case !r.Committed():
		v.remark("run %s is not committed, so nobody sees it", r.ID)
		return v.uncommitted(ctx, t, r)
	}
	v.Runs++
	v.manifest(r, about)
	removed, err := v.parts(ctx, t, r)
	if err != nil {
		return err
	}
	if removed > 0 {
		v.remark("run %s is replaced, and %s of its files removed", r.ID, humanize.Comma(removed))
		return nil
	}
	if err := v.progress(ctx, t, r); err != nil {
		return err
	}
	return v.folders(ctx, t, r)
}

// progress reads what led to a committed run: its plan, and the chains whose parts the manifest has to name.
func (v *Verification) progress(ctx context.Context, t *table.Table, r table.Run) error {
	plan, err := t.Plan(ctx, r.ID)
	var chains []*table.Chain
	if err == nil {
		chains, err = t.Chains(ctx, &plan)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch gone := errors.Is(err, fs.ErrNotExist); {
	case gone && v.replaced[r.ID]:
		v.remark("run %s is replaced, and its plan removed", r.ID)
		return nil
	case gone && r.Manifest.Kind == table.KindForget:
		return nil // it told apart whom it forgot, and goes when it is through
	}
	if err != nil {
		v.damage("run %s: %v; its rows are not concerned", r.ID, err)
		return nil
	}
	sealed := 0
	for _, c := range chains {
		if err := c.Check(); err != nil {
			v.damage("%v", err)
		}
		for _, l := range c.Links {
			sealed += len(l.Files)
		}
	}
	if named := len(r.Manifest.Named()); len(plan.Shards) > 0 && sealed != named {
		v.damage("run %s: its shards have sealed %d parts, and its manifest names %d", r.ID, sealed, named)
	}
	return nil
}

// uncommitted checks a run that has no manifest, or was aborted.
func (v *Verification) uncommitted(ctx context.Context, t *table.Table, r table.Run) error {
	if r.Manifest == nil {
		plan, err := t.Plan(ctx, r.ID)
		if err == nil {
			_, err = t.Chains(ctx, &plan)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, table.ErrAborted) && !errors.Is(err, fs.ErrNotExist) { // meanwhile
			v.damage("run %s: it cannot be continued: %v; %s", r.ID, err, giveUp(t, r.ID))
		}
	}
	for _, dataset := range sinks.Datasets() {
		key := dataset + "/run=" + r.ID + "/_SUCCESS"
		_, err := t.Bucket.ReadAll(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		// The run may have been committed since it was found.
		if m, err := t.Manifest(ctx, r.ID); errors.Is(err, fs.ErrNotExist) || err == nil && m.Aborted {
			v.damage("%s: it says that the run is whole, but there is no manifest that commits it", t.Bucket.URI(key))
		}
	}
	return nil
}

// unknown reports folders of a run that has neither a plan nor a manifest, if there is anything in them.
func (v *Verification) unknown(ctx context.Context, t *table.Table, id string, folders []string) error {
	files := 0
	for _, folder := range folders {
		keys, err := t.Bucket.List(ctx, folder+"/")
		if err != nil {
			return err
		}
		files += len(keys)
	}
	if files > 0 {
		v.damage("run %s: it has %d files in %s, but no manifest and no plan", id, files, strings.Join(folders, ", "))
	}
	return nil
}

// manifest checks what a manifest says against itself and against what the table is.
func (v *Verification) manifest(r table.Run, about *table.About) {
	m := r.Manifest
	if m.RunID != r.ID {
		v.damage("run %s: the manifest is of run %q", r.ID, m.RunID)
	}
	if m.Service != about.Service || m.Environment != about.Environment {
		v.damage("run %s: the manifest is of service %q, environment %q, the table of %q, %q",
			r.ID, m.Service, m.Environment, about.Service, about.Environment)
	}
	var all pipeline.Counts
	for _, in := range m.Inputs {
		if err := in.Check(); err != nil {
			v.damage("run %s: the manifest's counts of %s do not add up: %v", r.ID, in.URI, err)
		}
		all.Add(&in.Counts)
	}
	if !sameCounts(&m.Counts.Counts, &all) {
		v.damage("run %s: the manifest's counts are not the sum of those of its inputs: %+v, not %+v", r.ID, m.Counts.Counts, all)
	}
	v.calendar(r)
}

// sameCounts compares all there is in two counts.
func sameCounts(a, b *pipeline.Counts) bool {
	x, y := *a, *b
	x.Unmapped, y.Unmapped = nil, nil
	return reflect.DeepEqual(x, y) && maps.Equal(a.Unmapped, b.Unmapped)
}

// calendar compares the days of the refresh calendar with the parts. The calendar is of identities and parts
// hold rows, so only the first and the last day have to agree.
func (v *Verification) calendar(r table.Run) {
	first, last := "", ""
	for _, p := range r.Manifest.Parts {
		if p.MinRefreshFrom != nil && (first == "" || dayOf(*p.MinRefreshFrom) < first) {
			first = dayOf(*p.MinRefreshFrom)
		}
		if p.MaxRefreshFrom != nil {
			last = max(last, dayOf(*p.MaxRefreshFrom))
		}
	}
	days := sortedKeys(r.Manifest.Calendar)
	if len(days) == 0 {
		days = []string{""}
	}
	if days[0] != first || days[len(days)-1] != last {
		v.damage("run %s: the refresh calendar goes from %q to %q, the parts from %q to %q", r.ID, days[0], days[len(days)-1], first, last)
	}
}

// dayOf returns the UTC day of a time in Unix milliseconds, as the refresh calendar names it.
func dayOf(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.DateOnly) }

// folders looks at the files of a committed run that its manifest does not name.
func (v *Verification) folders(ctx context.Context, t *table.Table, r table.Run) error {
	known := r.Manifest.Named()
	for _, dataset := range sinks.Datasets() {
		folder := dataset + "/run=" + r.ID + "/"
		keys, err := t.Bucket.List(ctx, folder)
		if err != nil {
			return err
		}
		if !slices.Contains(keys, folder+"_SUCCESS") && !v.replaced[r.ID] {
			v.remark("%s: missing; the next command on the run restores it", t.Bucket.URI(folder+"_SUCCESS"))
		}
		for _, key := range keys {
			if strings.HasSuffix(key, ".parquet") && !known[key] {
				v.remark("%s: no manifest names it; a process that was killed has left it", t.Bucket.URI(key))
			}
		}
	}
	return nil
}
