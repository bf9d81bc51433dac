package view

import (
	"context"

	"mapper/pipeline"
)

// viewAhead reads the rows of a view in a goroutine of its own, so that they are merged while the input is.
type viewAhead struct {
	full   chan []viewRow
	cancel context.CancelFunc
	err    error // why there are no more; read it when full is closed

	rows []viewRow // that are at hand
	next int       // of them
}

// viewRow is a row of a view.
type viewRow struct {
	key []byte // the pair, as keys of a shuffle have it
	*Row
}

// taskRows and flushBytes, which is that of rowReader, are how many tasks, or bytes of them, are handed over at once.
const taskRows = 1024

// readAhead begins to read. It must be stopped.
func readAhead(ctx context.Context, v *View) *viewAhead {
	a := &viewAhead{full: make(chan []viewRow, 2)}
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
	for b, err := range v.Batches(ctx) {
		if err != nil {
			return err
		}
		select {
		case a.full <- viewRows(b):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// viewRows makes the keys of rows.
func viewRows(b *Batch) []viewRow {
	size := 0
	for i := range b.Rows {
		size += packedLen + 3 + len(b.Rows[i].ID)
	}
	rows, keys := make([]viewRow, len(b.Rows)), make([]byte, 0, size)
	for i := range b.Rows {
		row, from := &b.Rows[i], len(keys)
		keys = appendID(appendPacked(keys, &row.Identity), row.ID, row.HasID)
		rows[i] = viewRow{keys[from:len(keys):len(keys)], row}
	}
	return rows
}

// keepAnswer returns a copy of an answer, whose texts it copies behind others.
func keepAnswer(texts *[]byte, a *pipeline.Answer) pipeline.Answer {
	kept := *a
	kept.UID, kept.Previous, kept.RawReason = keep(texts, a.UID), keep(texts, a.Previous), keep(texts, a.RawReason)
	return kept
}

// advance returns the next row, or nil behind the last.
func (a *viewAhead) advance() (*viewRow, error) {
	for a.next == len(a.rows) {
		rows, ok := <-a.full
		if !ok {
			return nil, a.err
		}
		a.rows, a.next = rows, 0
	}
	a.next++
	return &a.rows[a.next-1], nil
}
