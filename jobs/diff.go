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

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/sinks"
)

// Diff writes what has changed in a table since a run, as plain Parquet for those who hold raw UIDs downstream: one row
// for each identity (type and hash, and for ID5 country) whose raw UID to hold there is another one now, in the order of
// type, hash and country.
//
// ID5 uids change from answer to answer, so that another one is no difference: of a table of ID5 only that an identity has
// got a uid, or has none any more, is reported. Nothing is to replace; the latest uids are those of an [Export].
//
// It goes by identities and not by ids, as an audience is made of raw UIDs: one of which several ids had a share stays as
// long as one of them does. An identity has a raw UID to hold at a view when the latest answer gives one and a pair of it
// is live.
//
// The view at a run is that of the run and of those it built on. Whoever holds what that view says, and does what the
// rows say, holds what the table says now: each change is reported at least once, and none is missed. A run that was in
// progress when this one was planned is not among those it built on, so that what it brought counts as new, although an
// earlier diff may have told it already; doing it again does no harm. [Differences.NextSince] is the run to go on from.
type Diff struct {
	From        string // the table
	Since       string // the run; its files, and those of the runs it built on, have to be there
	Out         string // a folder that has nothing in it, as that of an Export
	Store       *objects.Store
	Compression sinks.Compression
	Memory      int64 // byte budget; default 192 MB
	Version     string
	Log         *slog.Logger // says what takes long; default: nothing
}

// Differences is what a diff has written.
type Differences struct {
	Type      string   `json:"type"` // "diff"
	Table     string   `json:"table"`
	Out       string   `json:"out"`
	Since     string   `json:"since"`
	RunsThen  []string `json:"runs_then"` // whose view the one at Since is
	Runs      []string `json:"runs"`      // and the one now
	NextSince string   `json:"next_since"`

	Adds      int64            `json:"adds"`
	Replaces  int64            `json:"replaces"` // 0 of a table of ID5
	Removes   int64            `json:"removes"`
	Removed   map[string]int64 `json:"removed"`   // Removes by reason
	Unchanged int64            `json:"unchanged"` // identities with the same raw UID then and now; of ID5 with any uid
	Files     []sinks.File     `json:"files"`
	Seconds   float64          `json:"seconds"`
}

// Do writes the diff. Files become visible at its end, one at once after the other, and _SUCCESS after them. A run that
// is not committed is a [UsageError]. Files that are gone are an error before anything is sorted.
func (d Diff) Do(ctx context.Context) (*Differences, error) {
	began := time.Now()
	d.Memory = cmp.Or(d.Memory, DefaultMemory)
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	if err := checkMemory(d.Memory); err != nil {
		return nil, err
	}
	t, about, runs, err := openTable(ctx, d.Store, d.From)
	if err != nil {
		return nil, err
	}
	then, err := d.runsThen(runs)
	if err != nil {
		return nil, err
	}
	to, err := openOutFolder(ctx, d.Store, d.Out, d.From)
	if err != nil {
		return nil, err
	}
	if err := checkThere(ctx, t, then, table.Replaced(runs)); err != nil {
		return nil, err
	}
	now := table.Live(runs)
	out := &Differences{Type: "diff", Table: d.From, Out: d.Out, Since: d.Since, RunsThen: idsOf(then), Runs: idsOf(now),
		NextSince: standsFor(now), Removed: map[string]int64{}, Files: []sinks.File{}}
	if err := d.between(ctx, t, networkOf(about.Service), then, now, to, out); err != nil {
		return nil, err
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

// runsThen returns the runs whose view is that at d.Since.
func (d *Diff) runsThen(runs []table.Run) ([]table.Run, error) {
	byID := make(map[string]table.Run, len(runs))
	for _, r := range runs {
		byID[r.ID] = r
	}
	since, ok := byID[d.Since]
	switch {
	case !ok:
		return nil, usagef("--since %q: the table has no such run; %s", d.Since, choiceOf(runs))
	case since.Manifest == nil:
		return nil, usagef("--since %q: the run is unfinished; %s", d.Since, choiceOf(runs))
	case since.Manifest.Aborted:
		return nil, usagef("--since %q: the run was aborted; %s", d.Since, choiceOf(runs))
	}
	then := []table.Run{since}
	for _, id := range since.Manifest.Base {
		if !byID[id].Committed() {
			return nil, fmt.Errorf("run %s built on run %s, whose manifest is gone; see with mapper verify what is damaged, or write all there is with mapper export", d.Since, id)
		}
		then = append(then, byID[id])
	}
	slices.SortFunc(then, func(a, b table.Run) int { return cmp.Compare(a.ID, b.ID) })
	return table.Live(then), nil // a compaction stands for what it built on
}

// choiceOf lists the runs that a diff can begin with.
func choiceOf(runs []table.Run) string {
	var ids []string
	for _, r := range runs {
		if r.Committed() {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return "it has none that is committed"
	}
	return "those committed are " + strings.Join(ids, ", ")
}

func idsOf(runs []table.Run) []string {
	ids := make([]string, 0, len(runs))
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return ids
}

// standsFor returns the run whose view is that of all live runs: the one that built on all others. There is none when
// two that overlapped came last.
func standsFor(live []table.Run) string {
	for _, r := range live {
		known := map[string]bool{r.ID: true}
		for _, id := range r.Manifest.Base {
			known[id] = true
		}
		all := true
		for _, other := range live {
			all = all && known[other.ID]
		}
		if all {
			return r.ID
		}
	}
	return ""
}

// checkThere looks whether the parts of runs, some of which may have been replaced, are there to be read.
func checkThere(ctx context.Context, t *table.Table, runs []table.Run, replaced map[string]bool) error {
	for _, r := range runs {
		there := map[string]bool{}
		for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
			keys, err := t.Bucket.List(ctx, dataset+"/run="+r.ID+"/")
			if err != nil {
				return err
			}
			for _, key := range keys {
				there[key] = true
			}
		}
		for _, p := range r.Manifest.Parts {
			switch {
			case p.Dataset == sinks.DatasetRefreshFrom || there[p.Path]: // a view does not need the former
			case replaced[r.ID]:
				return fmt.Errorf("%s is gone: run %s has been replaced, and its files were removed. What the table held then is not known any more: "+
					"write all it holds now with mapper export, or diff since a later run", t.Bucket.URI(p.Path), r.ID)
			default:
				return fmt.Errorf("%s is gone, and no other run stands for run %s; restore it, or see with mapper verify what else is damaged", t.Bucket.URI(p.Path), r.ID)
			}
		}
	}
	return nil
}

// between sorts both views and writes what is between them.
func (d *Diff) between(ctx context.Context, t *table.Table, network sinks.Network, then, now []table.Run, to *outFolder, out *Differences) (err error) {
	views := [2]*view.View{}
	defer func() {
		for _, v := range views {
			if v != nil {
				err = errors.Join(err, v.Close())
			}
		}
	}()
	for i, runs := range [][]table.Run{then, now} {
		logSorting(d.Log, runs)
		if views[i], err = view.Open(ctx, t, runs, view.Options{Memory: d.Memory / 6}); err != nil { // half of what an export takes
			return err
		}
	}
	w, err := sinks.NewDiff(to.bucket, sinks.Options{Network: network, Compression: d.Compression, CreatedBy: "mapper " + d.Version})
	if err != nil {
		return err
	}
	c := comparison{network: network, to: w, out: out}
	if err := c.compare(ctx, views[0], views[1]); err != nil {
		return errors.Join(err, w.Abort())
	}
	out.Files, err = to.publish(ctx, w)
	return err
}

// logSorting says that the rows of runs are going to be sorted, which takes long when there are many.
func logSorting(log *slog.Logger, runs []table.Run) {
	rows := int64(0)
	for _, r := range runs {
		for _, p := range r.Manifest.Parts {
			if p.Dataset != sinks.DatasetRefreshFrom {
				rows += p.Rows
			}
		}
	}
	log.Info("sorting rows on local disk; a hundred million take some minutes", "runs", len(runs), "rows", rows)
}

// String writes what has changed for people.
func (d *Differences) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: since run %s %s to add, %s to replace, %s to remove", d.Out, d.Since, humanize.Comma(d.Adds), humanize.Comma(d.Replaces), humanize.Comma(d.Removes))
	separator := " ="
	for _, reason := range sortedKeys(d.Removed) {
		fmt.Fprintf(&b, "%s %s %s", separator, humanize.Comma(d.Removed[reason]), reason)
		separator = " +"
	}
	fmt.Fprintf(&b, "; %s unchanged; %s in %s\n", humanize.Comma(d.Unchanged), counted(int64(len(d.Files)), "file", "files"),
		time.Duration(d.Seconds*float64(time.Second)).Round(10*time.Millisecond))
	if d.NextSince == "" {
		b.WriteString("runs have overlapped, so none stands for what this leads up to: for one to go on from, mapper compact the table and diff again")
	} else {
		fmt.Fprintf(&b, "next time: --since %s", d.NextSince)
	}
	return b.String()
}
