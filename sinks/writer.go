package sinks

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
)

// Options tunes a [Writer]. A zero field means its default.
type Options struct {
	Network          Network       // of which the table is; default [NetworkUID2]
	Compression      Compression   // default snappy
	Kept             []arrow.Field // columns of the input that are copied through, see [Row]; nullable whatever they say
	RowGroupRows     int           // rows of a row group of mapped and unmapped; default 131,072
	RefreshGroupRows int           // rows of a row group of refresh_from; default 32,768
	CreatedBy        string        // program and version, for the footer; default "mapper"
}

func (o Options) withDefaults() Options {
	if o.RowGroupRows == 0 {
		o.RowGroupRows = 131072
	}
	if o.RefreshGroupRows == 0 {
		o.RefreshGroupRows = 32768
	}
	if o.CreatedBy == "" {
		o.CreatedBy = "mapper"
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.RowGroupRows < 0 || o.RefreshGroupRows < 0:
		return errors.New("a row group needs a row at least")
	case o.Network >= networks:
		return fmt.Errorf("%d is no network", o.Network)
	case o.Compression >= compressions:
		return fmt.Errorf("%s is no compression", o.Compression)
	}
	return checkKept(o.Network, o.Kept)
}

// Writer writes the parts of one shard of a run, one after the other: [Writer.Begin], any number of rows,
// and [Writer.Seal] or [Writer.Abort]. It is for one goroutine.
//
// An error, whatever of, ends the part: every call from then on returns it again and nothing is published,
// until Abort has dropped the part.
type Writer struct {
	bucket *objects.Bucket
	run    string

	mapped, unmapped, refreshFrom *table

	refresh *refreshRows // the mapped rows of the part, to be sorted into refreshFrom

	ctx  context.Context // of the open part
	part PartName
	open bool  // there is a part
	err  error // what ended it
}

var errNoPart = errors.New("there is no open part; begin one")

// New makes a writer of parts of a run. It fails on kept columns that cannot be written (see the package
// comment) or whose name another column of the output has.
func New(b *objects.Bucket, run string, opts Options) (*Writer, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	if !regexp.MustCompile(`^` + runPattern + `$`).MatchString(run) {
		return nil, fmt.Errorf("run id %q: use letters, digits, and . _ - after the first character, at most 63", run)
	}
	press, err := newCompressor(opts.Compression)
	if err != nil {
		return nil, err
	}
	mapped, err1 := newTable(DatasetMapped, opts.RowGroupRows, opts, press)
	unmapped, err2 := newTable(DatasetUnmapped, opts.RowGroupRows, opts, press)
	refreshFrom, err3 := newTable(DatasetRefreshFrom, opts.RefreshGroupRows, opts, press)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return &Writer{
		bucket: b, run: run, mapped: mapped, unmapped: unmapped, refreshFrom: refreshFrom, refresh: newRefreshRows(opts.Network),
	}, nil
}

// Begin opens part n of a shard. No file is made before a dataset gets its first row. The context is for the whole
// part, up to Seal.
func (w *Writer) Begin(ctx context.Context, shard, n int) error {
	switch {
	case w.err != nil:
		return w.err
	case w.open:
		return fmt.Errorf("part %d of shard %d is still open; seal or abort it", w.part.Part, w.part.Shard)
	}
	w.part = PartName{Run: w.run, Shard: shard, Part: n, Random: strings.ToLower(rand.Text())}
	w.ctx, w.open = ctx, true
	return nil
}

// BlockRows is how many rows a Writer writes at once, column by column, and so how many are best handed to it at once.
const BlockRows = 64

// Mapped appends rows to mapped, and to refresh_from. Rows stand in mapped as they come.
func (w *Writer) Mapped(rows []Row) error {
	if err := w.write(w.mapped, rows, (*Row).checkMapped); err != nil {
		return err
	}
	for i := range rows {
		w.refresh.add(&rows[i])
	}
	return nil
}

// Unmapped appends rows to unmapped. Rows stand there as they come.
func (w *Writer) Unmapped(rows []Row) error { return w.write(w.unmapped, rows, (*Row).checkUnmapped) }

func (w *Writer) write(t *table, rows []Row, check func(*Row) error) error {
	if err := w.ready(); err != nil {
		return err
	}
	for i := range rows {
		if w.err = check(&rows[i]); w.err != nil {
			return w.err
		}
	}
	if len(rows) > 0 && t.file == nil {
		if w.err = t.create(w.ctx, w.bucket, w.part); w.err != nil {
			return w.err
		}
	}
	w.err = t.add(rows)
	return w.err
}

func (w *Writer) ready() error {
	if w.err == nil && !w.open {
		return errNoPart
	}
	return w.err
}

// Rows returns how many rows the open part has, mapped and unmapped together.
func (w *Writer) Rows() int64 { return w.mapped.rows + w.unmapped.rows }

// Memory returns how many bytes of the open part are in memory: open row groups, and the refresh rows. Sealing
// takes up to 5 MB more. Buffers are kept for the next part, but count again only when they are in use. A call
// looks at every column, so it is for every batch and not every row.
func (w *Writer) Memory() int64 {
	return w.mapped.held() + w.unmapped.held() + w.refreshFrom.held() + w.refresh.held()
}

// Seal finishes the part and publishes its files, on disk and whole, in the order of [Datasets]; those
// without a row are not there. When publishing one fails and another was published, the error names the
// latter: nothing refers to it, so it does no harm.
func (w *Writer) Seal() ([]File, error) {
	if err := w.ready(); err != nil {
		return nil, err
	}
	if w.err = w.finish(); w.err != nil {
		return nil, w.err
	}
	files, err := w.publish()
	if err != nil {
		w.err = strays(err, files)
		return nil, w.err
	}
	w.close()
	return files, nil
}

func (w *Writer) tables() []*table { return []*table{w.mapped, w.unmapped, w.refreshFrom} }

// finish writes all files to their end before one is published, so that hardly anything can still fail then.
func (w *Writer) finish() error {
	if err := w.writeRefresh(); err != nil {
		return err
	}
	for _, t := range w.tables() {
		if t.file == nil {
			continue
		}
		if err := t.finish(); err != nil {
			return err
		}
	}
	return nil
}

// publish makes the files visible. It returns those that are, and the first error: what goes wrong with one mostly goes wrong with all.
func (w *Writer) publish() ([]File, error) {
	var files [3]File
	errs := w.sideBySide(func(i int, t *table) (err error) {
		if t.file != nil {
			files[i], err = t.publish()
		}
		return err
	})
	return slices.DeleteFunc(files[:], func(f File) bool { return f.Path == "" }), cmp.Or(errs...)
}

// sideBySide does something with all tables at once, since a storage far away may take its time for each.
func (w *Writer) sideBySide(do func(i int, t *table) error) []error {
	var errs [3]error
	var all sync.WaitGroup
	for i, t := range w.tables() {
		all.Go(func() { errs[i] = do(i, t) })
	}
	all.Wait()
	return errs[:]
}

func (w *Writer) writeRefresh() error {
	if w.refresh.rows == 0 {
		return nil
	}
	if err := w.refreshFrom.create(w.ctx, w.bucket, w.part); err != nil {
		return err
	}
	w.refreshFrom.bounds = w.mapped.bounds // they have the same rows
	for _, p := range w.refresh.sorted() {
		if err := w.refreshFrom.addCells(p.cells(w.refresh.network)); err != nil {
			return err
		}
	}
	return nil
}

func strays(err error, published []File) error {
	for _, f := range published {
		err = fmt.Errorf("%w; %s was published before and belongs to no part now, mapper clean removes it", err, f.Path)
	}
	return err
}

// Abort drops the open part, if there is one, and leaves nothing of it. A part may then be begun, whatever
// ended this one.
func (w *Writer) Abort() error {
	errs := w.sideBySide(func(_ int, t *table) error { return t.abort() })
	w.close()
	return errors.Join(errs...)
}

func (w *Writer) close() {
	w.refresh.reset()
	w.open, w.err = false, nil
}
