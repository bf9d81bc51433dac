package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client"
	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/sinks"
)

// Export writes the current state of a table, its view, as plain Parquet: one row for each live pair of id and identity,
// in the order of type, hash and id, for readers that know nothing of runs.
type Export struct {
	From        string // the table
	Out         string // a folder that has nothing in it; it gets part-00001.parquet and so on, and at the end _SUCCESS
	Store       *objects.Store
	Compression sinks.Compression
	Memory      int64 // byte budget; default 192 MB
	Version     string
}

// Exported is what an export has written.
type Exported struct {
	Type     string           `json:"type"` // "export"
	Table    string           `json:"table"`
	Out      string           `json:"out"`
	Runs     []string         `json:"runs"`     // whose view it is
	Rows     int64            `json:"rows"`     // live pairs
	Mapped   int64            `json:"mapped"`   // of them with a raw UID
	Unmapped map[string]int64 `json:"unmapped"` // the others, by reason
	Files    []sinks.File     `json:"files"`
	Seconds  float64          `json:"seconds"`
}

// Do writes the export. Files become visible at its end, one at once after the other, and _SUCCESS after them.
func (e Export) Do(ctx context.Context) (*Exported, error) {
	began := time.Now()
	if e.Memory == 0 {
		e.Memory = DefaultMemory
	}
	if err := checkMemory(e.Memory); err != nil {
		return nil, err
	}
	t, _, runs, err := openTable(ctx, e.Store, e.From)
	if err != nil {
		return nil, err
	}
	to, err := e.folder(ctx)
	if err != nil {
		return nil, err
	}
	out := &Exported{Type: "export", Table: e.From, Out: e.Out, Runs: []string{}, Files: []sinks.File{}, Unmapped: map[string]int64{}}
	live := table.Live(runs)
	for _, r := range live {
		out.Runs = append(out.Runs, r.ID)
	}
	v, err := view.Open(ctx, t, live, view.Options{Memory: e.Memory / 3})
	if err != nil {
		return nil, err
	}
	err = e.write(ctx, v, to, out)
	if err = errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

// folder returns the folder that the export goes into, if there is nothing in it.
func (e *Export) folder(ctx context.Context) (*objects.Bucket, error) {
	to, err := e.Store.Bucket(ctx, e.Out)
	if err != nil {
		return nil, outError(err)
	}
	if to.Inside(e.From) {
		return nil, usagef("--out %s lies inside the table %s, whose readers would take it for a part of it; choose another folder", e.Out, e.From)
	}
	there, err := to.List(ctx, "")
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		return nil, usagef("--out %s has something in it, %s for example; an export needs a folder of its own", e.Out, there[0])
	}
	return to, nil
}

// write writes the live rows of a view.
func (e *Export) write(ctx context.Context, v *view.View, to *objects.Bucket, out *Exported) error {
	w, err := sinks.NewExport(to, sinks.Options{Compression: e.Compression, Kept: v.Kept(), CreatedBy: "mapper " + e.Version})
	if err != nil {
		return err
	}
	if err := e.rows(ctx, v, w, out); err != nil {
		return errors.Join(err, w.Abort())
	}
	return e.publish(context.WithoutCancel(ctx), w, to, out) // this takes no time, and half of it is worth nothing
}

func (e *Export) publish(ctx context.Context, w *sinks.Export, to *objects.Bucket, out *Exported) (err error) {
	if out.Files, err = w.Publish(ctx); err == nil {
		err = to.CreateIfAbsent(ctx, "_SUCCESS", nil)
	}
	switch aborted := w.Abort(); {
	case errors.Is(err, fs.ErrExist):
		return errors.Join(fmt.Errorf("--out %s: another export has written there meanwhile; choose another folder", e.Out), aborted)
	case err != nil && len(out.Files) > 0:
		return errors.Join(fmt.Errorf("%w; %s is there, perhaps with others, but no _SUCCESS: remove what is in %s, or choose another --out",
			err, to.URI(out.Files[0].Path), e.Out), aborted)
	case err != nil:
		return errors.Join(err, aborted)
	}
	return e.sweep(ctx, to)
}

// sweep drops what exports that were killed have left in the folder, where the storage shows it.
func (e *Export) sweep(ctx context.Context, to *objects.Bucket) error {
	left, err := to.Unfinished(ctx, "")
	if errors.Is(err, fs.ErrPermission) {
		return nil // it is the storage's to remove
	}
	for _, u := range left {
		err = errors.Join(err, to.Drop(ctx, u))
	}
	return err
}

func (e *Export) rows(ctx context.Context, v *view.View, w *sinks.Export, out *Exported) error {
	var row sinks.Row
	for r, err := range v.Rows(ctx) {
		if err != nil {
			return err
		}
		if !r.Live {
			continue
		}
		row = sinks.Row{
			ID: r.ID, HasID: r.HasID, Identity: r.Identity, HasKind: true, HasHash: true,
			SourceFile: r.SourceFile, SourceColumn: r.SourceColumn, SourceRow: r.SourceRow, MappedAt: r.Answer.MappedAt,
			UID: r.Answer.UID, Previous: r.Answer.Previous, RefreshFrom: r.Answer.RefreshFrom, RawReason: r.Answer.RawReason,
			Kept: r.Kept, KeptRow: r.KeptRow,
		}
		out.Rows++
		if r.Answer.Status == client.Mapped {
			out.Mapped++
		} else {
			row.Reason = reasonOf(r.Answer.Status)
			out.Unmapped[row.Reason.String()]++
		}
		if err := w.Add(context.WithoutCancel(ctx), &row); err != nil {
			return err
		}
	}
	return nil
}

// reasonOf says why an identity has no raw UID.
func reasonOf(s client.Status) sinks.Reason {
	switch s {
	case client.OptOut:
		return sinks.ReasonOptOut
	case client.Invalid:
		return sinks.ReasonInvalidIdentifier
	}
	return sinks.ReasonUnknown
}

// String writes what was exported for people.
func (e *Exported) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s of %s = %s mapped", e.Out, counted(e.Rows, "live row", "live rows"), counted(int64(len(e.Runs)), "run", "runs"), humanize.Comma(e.Mapped))
	for _, reason := range sortedKeys(e.Unmapped) {
		fmt.Fprintf(&b, " + %s %s", humanize.Comma(e.Unmapped[reason]), reason)
	}
	fmt.Fprintf(&b, "; %s in %s", counted(int64(len(e.Files)), "file", "files"), time.Duration(e.Seconds*float64(time.Second)).Round(10*time.Millisecond))
	return b.String()
}
