package view

import (
	"context"

	"mapper/pipeline"
)

// viewAhead reads the rows of a view in a goroutine of its own, so that they are merged while the input is.
type viewAhead struct {
	full, empty chan *viewRows
	cancel      context.CancelFunc
	err         error // why there are no more; read it when full is closed

	rows *viewRows // that are at hand
	next int       // of them
}

// viewRows is some rows of a view, with memory of their own. It is used again.
type viewRows struct {
	list  []viewRow
	texts []byte // of the rows; those of older ones may lie where it was before it grew
}

// viewRow is a row of a view, as far as it is compared and told of.
type viewRow struct {
	key    []byte // the pair, as keys of a shuffle have it
	live   bool
	answer pipeline.Answer
}

// taskRows and flushBytes, which is that of rowReader, are how many rows or tasks, or bytes of them, are handed over at once.
const taskRows = 1024

// readAhead begins to read. It must be stopped.
func readAhead(ctx context.Context, v *View) *viewAhead {
	a := &viewAhead{full: make(chan *viewRows, 2), empty: make(chan *viewRows, 3), rows: new(viewRows)}
	for range cap(a.empty) - 1 {
		a.empty <- new(viewRows)
	}
	ctx, a.cancel = context.WithCancel(ctx)
	go func() {
		defer close(a.full)
		a.err = a.read(ctx, v)
	}()
	return a
}

// stop ends the reading and waits until it has ended.
func (a *viewAhead) stop() {
	a.cancel()
	for range a.full { // what nobody takes
	}
}

func (a *viewAhead) read(ctx context.Context, v *View) error {
	rows := <-a.empty
	for row, err := range v.Rows(ctx) {
		if err != nil {
			return err
		}
		if rows.add(row); len(rows.list) < taskRows && len(rows.texts) < flushBytes {
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
func (a *viewAhead) swap(ctx context.Context, rows *viewRows) (*viewRows, error) {
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

func (r *viewRows) add(row *Row) {
	from := len(r.texts)
	r.texts = appendID(appendPacked(r.texts, &row.Identity), row.ID, row.HasID)
	add := viewRow{key: r.texts[from:len(r.texts):len(r.texts)], live: row.Live}
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
func (a *viewAhead) advance() (*viewRow, error) {
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
