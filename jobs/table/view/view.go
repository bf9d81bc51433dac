package view

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/jobs/table"
)

// Options tunes a [View]. A zero field means its default.
type Options struct {
	Memory int64  // bytes of records that are sorted at once, and of buffers to merge them; default 64 MB; each Rows a quarter more
	Spill  string // the folder in which a folder for the spill is made; default that of the system
}

func (o Options) withDefaults() Options {
	if o.Memory == 0 {
		o.Memory = 64 << 20
	}
	o.Memory = min(o.Memory, maxMemory)
	return o
}

// maxMemory is from where on more memory is of no use.
const maxMemory = 2 << 30

// View is the state of a table as some of its runs tell it. It never changes, and Rows can be called any number of
// times, also side by side. It must be closed.
type View struct {
	runs    []*run // by rank
	kept    []arrow.Field
	storage []storage // of each of kept
	words   *words
	sorted  *sorter
	folder  spillFolder
	closed  bool
}

// Open reads runs, which are those that [table.Live] returns, all rows of them, and sorts what they say. This takes
// its time and, beyond Options.Memory, about 200 bytes of disk a row and its kept columns, and the size of the largest part. Neither
// the table nor the runs are needed any more afterwards.
func Open(ctx context.Context, t *table.Table, runs []table.Run, o Options) (v *View, err error) {
	o = o.withDefaults()
	v = &View{words: newWords()}
	if v.runs, err = ranked(runs); err != nil {
		return nil, err
	}
	if v.folder, err = newSpillFolder(o.Spill); err != nil {
		return nil, err
	}
	v.sorted = newSorter(o.Memory, v.folder.path)
	if err := v.read(ctx, t); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *View) read(ctx context.Context, t *table.Table) error {
	p := partReader{bucket: t.Bucket, folder: v.folder.path, words: v.words, to: v.sorted}
	for _, r := range v.runs {
		// A run that says that it is sorted could go past the sort, as one more stream to merge.
		if err := p.readRun(ctx, r); err != nil {
			return fmt.Errorf("run %s: %w", r.id, err)
		}
	}
	var err error
	if v.kept, v.storage, err = unite(v.runs); err != nil {
		return err
	}
	return v.sorted.finish()
}

// Kept returns the kept columns of the rows: those of all runs, each column at the place where the oldest run that has
// it puts it.
func (v *View) Kept() []arrow.Field { return v.kept }

// Close removes the spill. No Rows may be under way. It can be called again.
func (v *View) Close() error {
	v.closed = true
	err := v.sorted.reset()
	v.sorted.arena, v.sorted.entries = nil, nil
	return errors.Join(err, v.folder.remove())
}

// spillError says what to do about an error of the file system, which names the file.
func spillError(err error) error {
	return fmt.Errorf("spill: %w; free space or choose another folder for temporary files with TMPDIR", err)
}
