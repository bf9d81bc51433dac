package sinks

import (
	"context"
	"encoding/binary"
	"fmt"

	"mapper/client/objects"
)

// table writes one dataset, part after part.
type table struct {
	dataset   string
	columns   []*column // all, as they stand in the file
	puts      []put
	putCells  []func(*column, *cells) // of refresh_from, instead of puts
	kept      []keptColumn
	layout    *layout
	groupRows int

	file *parquetFile // nil until the part has a row
	open int          // rows of the open row group
	rows int64        // rows of the part

	bounds bounds // of the part
}

func newTable(dataset string, groupRows int, opts Options, press *compressor) (*table, error) {
	t := &table{dataset: dataset, groupRows: groupRows}
	schema := Schema(opts.Network, dataset, opts.Kept)
	specs := contractColumns(opts.Network, datasetOf(dataset))
	for i, f := range schema.Fields() {
		form := text
		if i < len(specs) {
			form = specs[i].form
			if dataset == DatasetRefreshFrom {
				t.putCells = append(t.putCells, putCells[f.Name])
			} else {
				t.puts = append(t.puts, specs[i].put)
			}
		}
		c := newColumn(form, f.Nullable, opts.Compression.codec(form == random), press)
		t.columns = append(t.columns, c)
		if i >= len(specs) {
			t.kept = append(t.kept, keptColumn{c, f})
		}
	}
	var err error
	t.layout, err = newLayout(schema, t.columns, opts.CreatedBy)
	return t, err
}

// create opens the file of a part.
func (t *table) create(ctx context.Context, b *objects.Bucket, part PartName) error {
	part.Dataset = t.dataset
	var err error
	t.file, err = newParquetFile(ctx, b, part.String(), t.layout)
	return err
}

// add appends rows, whose fields have been checked, to a part that has a file.
func (t *table) add(rows []Row) error {
	for len(rows) > 0 {
		n := min(len(rows), BlockRows, t.room())
		if err := t.block(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// room returns how many rows there is room for in the row group and its page.
func (t *table) room() int { return min(t.groupRows-t.open, pageRows-t.open%pageRows) }

// block appends rows that have room in the row group and its page, column by column.
func (t *table) block(rows []Row) error {
	for i, put := range t.puts {
		put(t.columns[i], rows)
	}
	if err := t.addKept(rows); err != nil {
		return err
	}
	t.note(rows)
	return t.added(len(rows))
}

// addCells appends rows of refresh_from to a part that has a file.
func (t *table) addCells(c cells) error {
	for c.rows > 0 {
		these := c.take(min(c.rows, t.room()))
		for i, put := range t.putCells {
			put(t.columns[i], &these)
		}
		if err := t.added(these.rows); err != nil {
			return err
		}
	}
	return nil
}

// added ends the page or the row group if the rows that have been appended fill it.
func (t *table) added(rows int) error {
	t.rows += int64(rows)
	t.open += rows
	switch {
	case t.open == t.groupRows:
		return t.closeGroup()
	case t.open%pageRows == 0:
		t.closePages()
	}
	return nil
}

// closePages ends the open page of each column, so that pages of all columns end at the same rows.
func (t *table) closePages() {
	for _, c := range t.columns {
		c.closePage()
	}
}

// note takes rows into the bounds of the part.
func (t *table) note(rows []Row) {
	for i := range rows {
		r := &rows[i]
		if r.HasHash {
			t.bounds.hash(binary.BigEndian.Uint32(r.Identity.Hash[:]))
		}
		if r.RefreshFrom != 0 && t.dataset != DatasetUnmapped {
			t.bounds.refresh(r.RefreshFrom)
		}
	}
}

// addKept appends the kept columns of rows.
func (t *table) addKept(rows []Row) error {
	if len(t.kept) == 0 {
		return nil
	}
	for i := range rows {
		if err := t.keep(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// keep appends the kept columns of a row.
func (t *table) keep(r *Row) error {
	if r.Kept == nil {
		for _, k := range t.kept {
			k.null()
		}
		return nil
	}
	if have := int(r.Kept.NumCols()) - r.KeptFirst; len(t.kept) > have {
		return fmt.Errorf("row: has %d kept columns, not %d", have, len(t.kept))
	}
	for i, k := range t.kept {
		if err := k.copy(r.Kept.Column(r.KeptFirst+i), r.KeptRow); err != nil {
			return err
		}
	}
	return nil
}

// closeGroup writes the open row group, if it has rows.
func (t *table) closeGroup() error {
	if t.open == 0 {
		return nil
	}
	t.closePages()
	if err := t.file.writeGroup(t.columns, t.open); err != nil {
		return err
	}
	t.clearGroup()
	return nil
}

func (t *table) clearGroup() {
	for _, c := range t.columns {
		c.reset()
	}
	t.open = 0
}

// finish writes what is left of the part. All that is missing then is to publish it.
func (t *table) finish() error {
	if err := t.closeGroup(); err != nil {
		return err
	}
	return t.file.finish()
}

// publish makes the file visible and makes the table ready for the next part.
func (t *table) publish() (File, error) {
	f := t.file
	t.file = nil // whatever becomes of it, closing it was the last thing to do with it
	if err := f.object.Close(); err != nil {
		return File{}, fmt.Errorf("%s: publish: %w", f.name, err)
	}
	done := File{Path: f.key, Dataset: t.dataset, Rows: t.rows, Bytes: f.size, SHA256: f.sum()}
	done.MinRefreshFrom, done.MaxRefreshFrom = t.bounds.refreshFrom()
	done.MinHash, done.MaxHash = t.bounds.hashes()
	t.clear()
	return done, nil
}

// abort drops the part.
func (t *table) abort() error {
	var err error
	if t.file != nil {
		err = t.file.object.Abort()
		t.file = nil
	}
	t.clear()
	return err
}

func (t *table) clear() {
	t.clearGroup()
	t.rows, t.bounds = 0, bounds{}
}

// held returns how many bytes the open row group takes.
func (t *table) held() int64 {
	var n int64
	for _, c := range t.columns {
		n += c.held()
	}
	return n
}
