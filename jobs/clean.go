package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client/objects"
	"mapper/jobs/table"
)

// Clean removes what a table holds for nothing: it aborts unfinished runs that nobody works on any more, and removes
// their files, those of aborted runs and of runs that another has replaced, files that no manifest names, and uploads
// that nobody will finish.
type Clean struct {
	Table string
	Store *objects.Store
	// Grace is for how long an unfinished run must have got nothing new, and a run must have been replaced; the zero
	// value is [DefaultGrace], a negative one is none.
	Grace time.Duration
	// Run is an unfinished run to abort now, whoever works on it; then nothing else is looked at.
	Run string
	Yes bool // do it; otherwise it is only said what would be done
}

// DefaultGrace is how long a reader may hold on to the list of files that it has got.
const DefaultGrace = 7 * 24 * time.Hour

// Cleaning is what Clean has removed, or would remove.
type Cleaning struct {
	Type  string `json:"type"` // "cleaning"
	Table string `json:"table"`
	Done  bool   `json:"done"` // it is removed; otherwise nothing was changed
	table.Waste
}

// Do looks for waste and removes it if it may. On an error it returns what has been removed until then.
func (c Clean) Do(ctx context.Context) (*Cleaning, error) {
	switch {
	case c.Run != "" && !table.ValidRunID(c.Run):
		return nil, settingf("run", "%q is no run id", c.Run)
	case c.Grace == 0:
		c.Grace = DefaultGrace
	}
	t, _, err := openAbout(ctx, c.Store, c.Table)
	if err != nil {
		return nil, err
	}
	waste, err := t.Waste(ctx, table.WasteOptions{Grace: c.Grace, Run: c.Run})
	if errors.Is(err, fs.ErrNotExist) && c.Run != "" {
		return nil, usagef("%s has no run %q; mapper inspect lists the runs", c.Table, c.Run)
	}
	if err != nil {
		return nil, err
	}
	if c.Yes {
		waste, err = t.Remove(ctx, waste)
	}
	return &Cleaning{Type: "cleaning", Table: c.Table, Done: c.Yes, Waste: *waste}, err
}

// String writes what was or would be removed for people.
func (c *Cleaning) String() string {
	var b strings.Builder
	for _, a := range c.Abandoned {
		fmt.Fprintf(&b, "run %s: unfinished, its last file is of %s: %s with %s (%s)\n", a.RunID, a.Last.Format(time.DateTime),
			c.tense("aborted"), counted(int64(a.Files), "file", "files"), humanize.Bytes(uint64(a.Bytes)))
	}
	for _, f := range c.Files {
		fmt.Fprintf(&b, "%s (%s): %s\n", f.Key, humanize.Bytes(uint64(f.Size)), f.Why)
	}
	for _, u := range c.Uploads {
		fmt.Fprintf(&b, "%s: unfinished upload, begun %s\n", u.Key, u.Begun.Format(time.DateTime))
	}
	for _, r := range c.Remarks {
		fmt.Fprintf(&b, "remark: %s\n", r)
	}
	switch n := len(c.Abandoned) + len(c.Files) + len(c.Uploads); {
	case n == 0:
		b.WriteString("nothing to remove")
	case c.Done:
		fmt.Fprintf(&b, "removed: %s", c.sum())
	default:
		fmt.Fprintf(&b, "to remove: %s; nothing was changed, add --yes to do it", c.sum())
	}
	return b.String()
}

// tense says that something was done, or is to be done.
func (c *Cleaning) tense(done string) string {
	if c.Done {
		return done
	}
	return "to be " + done
}

// sum says how much it is in all.
func (c *Cleaning) sum() string {
	files, bytes := int64(len(c.Files)), int64(0)
	for _, f := range c.Files {
		bytes += f.Size
	}
	for _, a := range c.Abandoned {
		files, bytes = files+int64(a.Files), bytes+a.Bytes
	}
	return fmt.Sprintf("%s, %s with %s, %s", counted(int64(len(c.Abandoned)), "unfinished run", "unfinished runs"),
		counted(files, "file", "files"), humanize.Bytes(uint64(bytes)), counted(int64(len(c.Uploads)), "upload", "uploads"))
}
