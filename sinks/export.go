package sinks

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
)

// What a file and a row group of an export have at most, about. Each file keeps a few megabytes of memory until the end,
// and S3 takes no more than 52 GB in one.
const (
	exportFileRows   = 20_000_000
	exportFileBytes  = 4 << 30
	exportGroupBytes = 32 << 20 // in memory
	exportLook       = 64       // rows between two looks at the bytes
)

// exportColumns returns the columns of an export but for the kept ones: those of mapped and unmapped together, as far
// as they are about what is and not about what has changed.
func exportColumns(network Network) []columnSpec {
	columns := []columnSpec{{"id", text, exported, exported, putID}}
	columns = append(columns, network.identityColumns(exported, 0)...)
	return append(columns, []columnSpec{
		{"current_uid", random, exported, exported, putUIDOrNull},
		{"previous_uid", random, exported, exported, putPrevious},
		{"refresh_from", instant, exported, exported, putRefreshFrom},
		{"reason", word, exported, exported, eachWord(reasonOf, reasonText)},
		{"raw_reason", text, exported, exported, each(func(c *column, r *Row) { c.textOrNull(r.RawReason) })},
		{"source_file", word, exported, exported, putSourceFile},
		{"source_column", word, exported, exported, putSourceColumn},
		{"source_row", number, exported, exported, putSourceRow},
		{"mapped_at", instant, exported, exported, putMappedAtOrNull},
	}...)
}

var (
	putUIDOrNull      = each(func(c *column, r *Row) { c.textOrNull(r.UID) })
	putMappedAtOrNull = each(func(c *column, r *Row) { c.integerOrNull(r.MappedAt) })
)

// reasonOf is what rows have in common whose reason is the same: those with a UID have none.
func reasonOf(r *Row) int {
	if len(r.UID) > 0 {
		return -1
	}
	return int(r.Reason)
}

func reasonText(r *Row) (string, bool) { return r.Reason.String(), len(r.UID) == 0 }

// Export writes plain Parquet for readers that know nothing of runs: files part-00001.parquet and so on in one folder, in
// the order of the rows. They are the rows of a table as it is, or of what has changed in it. Nothing is visible before [Export.Publish]. It is for one goroutine.
type Export struct {
	bucket *objects.Bucket
	check  func(*Row) error
	open   *table
	row    [1]Row   // the one at hand
	done   []*table // finished and not published: each has its file and counts, and no columns
}

// NewExport begins an export of a table into a bucket. Each row has a UID, or else a reason; Change and RejectedBy mean
// nothing. It fails on kept columns that cannot be written, as [New] does.
func NewExport(b *objects.Bucket, opts Options) (*Export, error) {
	return newExport(b, datasetExport, checkExported, opts)
}

func checkExported(r *Row) error {
	if len(r.UID) > 0 {
		return r.checkMapped()
	}
	return r.checkUnmapped()
}

func newExport(b *objects.Bucket, dataset string, check func(*Row) error, opts Options) (*Export, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	press, err := newCompressor(opts.Compression)
	if err != nil {
		return nil, err
	}
	open, err := newTable(dataset, opts.RowGroupRows, opts, press)
	return &Export{bucket: b, check: check, open: open}, err
}

// Add appends a row. The context is for the whole export, up to Publish.
func (e *Export) Add(ctx context.Context, r *Row) error {
	if err := e.check(r); err != nil {
		return err
	}
	if err := e.begin(ctx); err != nil {
		return err
	}
	e.row[0] = *r
	err := e.open.add(e.row[:])
	if e.row[0] = (Row{}); err != nil {
		return err
	}
	if e.open.rows%exportLook == 0 && e.open.held() >= exportGroupBytes {
		if err := e.open.closeGroup(); err != nil {
			return err
		}
	}
	if e.open.rows == exportFileRows || e.open.file.Tell() >= exportFileBytes {
		return e.next()
	}
	return nil
}

// begin opens a file, unless one is open.
func (e *Export) begin(ctx context.Context) (err error) {
	if e.open.file == nil {
		e.open.file, err = newParquetFile(ctx, e.bucket, fmt.Sprintf("part-%05d.parquet", len(e.done)+1), e.open.layout)
	}
	return err
}

// next finishes the open file and makes room for another.
func (e *Export) next() error {
	t := e.open
	if err := t.finish(); err != nil {
		return err
	}
	e.done = append(e.done, &table{dataset: t.dataset, file: t.file, rows: t.rows, bounds: t.bounds})
	t.file = nil
	t.clear()
	return nil
}

// Publish makes all files visible, one at once after the other. After an error those before are. Without a row there is
// one file, for readers who want to know the columns.
func (e *Export) Publish(ctx context.Context) (files []File, err error) {
	if len(e.done) == 0 {
		if err := e.begin(ctx); err != nil {
			return nil, err
		}
	}
	if e.open.file != nil {
		if err := e.next(); err != nil {
			return nil, err
		}
	}
	for _, t := range e.done {
		f, err := t.publish()
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

// Abort drops what is not published.
func (e *Export) Abort() error {
	err := e.open.abort()
	for _, t := range e.done {
		err = errors.Join(err, t.abort())
	}
	return err
}

// ExportSchema returns the columns of an export, the kept ones last, or nil when there is no such network.
func ExportSchema(network Network, kept []arrow.Field) *arrow.Schema {
	return Schema(network, datasetExport, kept)
}
