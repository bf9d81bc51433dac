package view

import (
	"context"

	"mapper/pipeline"
)

// ahead reads the rows of a view in a goroutine of its own, so that they are merged while the input is.
type ahead struct {
	full, empty chan *aheadRows
	cancel      context.CancelFunc
	err         error // why there are no more; read it when full is closed

	rows *aheadRows // that are at hand
	next int        // of them
}

// aheadRows is some rows of a view, with memory of their own. It is used again.
type aheadRows struct {
	list  []aheadRow
	texts []byte // of the rows; those of older ones may lie where it was before it grew
}

// aheadRow is a row of a view, as far as it is compared and told of.
type aheadRow struct {
	key          []byte // the pair, as keys of a shuffle have it
	live         bool
	answer       pipeline.Answer
	file, column string
	row          int64
}

// batchRows and flushBytes (see rowReader) are how many rows, or bytes of them, are handed over at once.
const batchRows = 1024

// readAhead begins to read. It must be stopped.
func readAhead(ctx context.Context, v *View) *ahead {
	a := &ahead{full: make(chan *aheadRows, 2), empty: make(chan *aheadRows, 3), rows: new(aheadRows)}
	for range cap(a.empty) - 1 {
		a.empty <- new(aheadRows)
	}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.full)
		a.err = a.read(ctx, v)
	}()
	return a
}

// stop ends the reading and waits until it has ended.
func (a *ahead) stop() {
	a.cancel()
	for range a.full { // what nobody takes
	}
}

func (a *ahead) read(ctx context.Context, v *View) error {
	rows := <-a.empty
	for row, err := range v.Rows(ctx) {
		if err != nil {
			return err
		}
		if rows.add(row); len(rows.list) < batchRows && len(rows.texts) < flushBytes {
			continue
		}
		if rows, err = a.swap(ctx, rows); err != nil {
			return err
		}
	}
	if len(rows.list) == 0 {
		return nil
	}
	_, err := a.swap(ctx, rows)
	return err
}

// swap hands over full rows and returns empty ones.
func (a *ahead) swap(ctx context.Context, rows *aheadRows) (*aheadRows, error) {
	select {
	case a.full <- rows:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case rows = <-a.empty:
		rows.list, rows.texts = rows.list[:0], rows.texts[:0]
		return rows, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *aheadRows) add(row *Row) {
	from := len(r.texts)
	r.texts = appendID(appendPacked(r.texts, &row.Identity), row.ID, row.HasID)
	add := aheadRow{
		key: r.texts[from:len(r.texts):len(r.texts)], live: row.Live,
		file: row.SourceFile, column: row.SourceColumn, row: row.SourceRow,
	}
	add.answer = keepAnswer(&r.texts, &row.Answer)
	r.list = append(r.list, add)
}

// keepAnswer returns a copy of an answer, whose texts it copies behind others.
func keepAnswer(texts *[]byte, a *pipeline.Answer) pipeline.Answer {
	kept := *a
	kept.UID, kept.Previous, kept.RawReason = keep(texts, a.UID), keep(texts, a.Previous), keep(texts, a.RawReason)
	return kept
}

// advance returns the next row, which is valid until the one after it, or nil behind the last.
func (a *ahead) advance() (*aheadRow, error) {
	for a.next == len(a.rows.list) {
		rows, ok := <-a.full
		if !ok {
			return nil, a.err
		}
		a.empty <- a.rows // there is room for all
		a.rows, a.next = rows, 0
	}
	a.next++
	return &a.rows.list[a.next-1], nil
}
