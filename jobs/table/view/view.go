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
	// AnswersOnly leaves source and kept columns out of the rows, and does not read them: it is for those who compare pairs
	// and answers. Runs whose kept columns do not fit together are an error all the same.
	AnswersOnly bool
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
	network network
	runs    []*run // by rank
	streams []*run // those of them that are sorted and read by each Rows
	kept    []arrow.Field
	storage []storage // of each of kept
	words   *words
	options Options
	table   *table.Table
	sorted  *sorter
	folder  spillFolder
	closed  bool
}

// Open reads runs, which are those that [table.Live] returns, all rows of them, and sorts what they say. This takes
// its time and, beyond Options.Memory, about 200 bytes of disk a row and its kept columns, and the size of the largest part. Runs
// that are sorted (compact, forget) are not read yet but by each use of Rows: their files have to stay until Close.
func Open(ctx context.Context, t *table.Table, runs []table.Run, o Options) (v *View, err error) {
	o = o.withDefaults()
	v = &View{words: newWords(), options: o, table: t}
	if err := v.rank(runs); err != nil {
		return nil, err
	}
	if v.folder, err = newSpillFolder(o.Spill); err != nil {
		return nil, err
	}
	v.sorted = newSorter(o.Memory, v.folder.path)
	if err := v.read(ctx); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *View) read(ctx context.Context) error {
	p := v.newPartReader(newRecorder(v.words, v.sorted.add).batch)
	for _, r := range v.runs {
		read := p.readRun
		if r.sorted {
			v.streams = append(v.streams, r)
			read = v.look
		}
		if err := read(ctx, r); err != nil {
			return fmt.Errorf("run %s: %w", r.id, err)
		}
	}
	var err error
	if v.kept, v.storage, err = unite(v.runs); err != nil {
		return err
	}
	if v.options.AnswersOnly {
		v.keepNothing()
	}
	return v.sorted.finish()
}

// keepNothing makes the view one without kept columns, of which no record has the values.
func (v *View) keepNothing() {
	v.kept, v.storage = nil, nil
	for _, r := range v.runs {
		r.storage, r.column = nil, nil
	}
}

func (v *View) newPartReader(take func(*batch) error) *partReader {
	return &partReader{bucket: v.table.Bucket, folder: v.folder.path, answersOnly: v.options.AnswersOnly, take: take}
}

// look finds the kept columns of a sorted run in the footer of the first part that it has of each dataset.
func (v *View) look(ctx context.Context, r *run) error {
	seen := map[string]bool{}
	for _, part := range r.parts {
		if seen[part.Dataset] {
			continue
		}
		seen[part.Dataset] = true
		uri := v.table.Bucket.URI(part.Path)
		_, schema, err := inspect(ctx, v.table.Store, uri, r.network.Network, part.Dataset)
		if err != nil {
			return fmt.Errorf("%s: %w", uri, err)
		}
		if err := r.keep(part.Path, keptOf(schema, r.network.Network, part.Dataset)); err != nil {
			return err
		}
	}
	return nil
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
