package jobs

import (
	"context"
	"errors"
	"fmt"
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
// in the order of type, hash, country (of ID5) and id, for readers that know nothing of runs.
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
	t, about, runs, err := openTable(ctx, e.Store, e.From)
	if err != nil {
		return nil, err
	}
	to, err := openOutFolder(ctx, e.Store, e.Out, e.From)
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
	err = e.write(ctx, v, networkOf(about.Service), to, out)
	if err = errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

// write writes the live rows of a view.
func (e *Export) write(ctx context.Context, v *view.View, network sinks.Network, to *outFolder, out *Exported) (err error) {
	w, err := sinks.NewExport(to.bucket, sinks.Options{Network: network, Compression: e.Compression, Kept: v.Kept(), CreatedBy: "mapper " + e.Version})
	if err != nil {
		return err
	}
	if err := e.rows(ctx, v, w, out); err != nil {
		return errors.Join(err, w.Abort())
	}
	out.Files, err = to.publish(ctx, w)
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
