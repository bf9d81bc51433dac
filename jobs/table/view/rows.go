package view

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
)

// Rows yields the rows in order, those that are not live too: they cost nothing, and those who compare need them.
// It ends with the first error, or the context's.
func (v *View) Rows(ctx context.Context) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		r := newRowReader(v)
		records := 0
		if v.closed {
			yield(nil, errClosed)
			return
		}
		for rec, err := range v.sorted.all() {
			if records++; err == nil && records%1024 == 0 && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err == nil {
				err = r.record(rec)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if r.full() && !r.flush(yield) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(nil, context.Cause(ctx))
			return
		}
		r.flush(yield)
	}
}

var errClosed = errors.New("the view is closed")

// flushRows and flushBytes are how many rows, or bytes of them, are put into a record of kept columns.
const (
	flushRows  = 256
	flushBytes = 1 << 20
)

// rowReader turns sorted records into rows, some at once, as Arrow has no record of one row that is cheap.
type rowReader struct {
	view *View

	identity normalize.ID
	key      []byte // of the identity
	pair     []byte // the id of the last pair, as it stands in keys; empty before the first
	answered bool   // the identity has its answer
	answer   Answer
	texts    []byte // of the answer

	rows    []Row
	arena   []byte // the texts of rows; those of older rows may lie where it was before it grew
	columns []*keptColumn
	schema  *arrow.Schema
	values  []decoder // of the columns of a row, in the order of its run
}

func newRowReader(v *View) *rowReader {
	r := &rowReader{view: v, schema: arrow.NewSchema(v.kept, nil), rows: make([]Row, 0, flushRows)}
	for i, f := range v.kept {
		r.columns = append(r.columns, newKeptColumn(v.storage[i], f.Type))
	}
	return r
}

// record takes the next record.
func (r *rowReader) record(rec record) error {
	if !isWhole(rec.key) {
		return errDamagedSpill
	}
	if err := r.begin(rec.key); err != nil {
		return err
	}
	switch {
	case rec.key[identityLen] == lifeRecord:
		return r.life(rec)
	case !r.answered: // the first is the one that counts
		return r.takeAnswer(rec)
	}
	return nil
}

// begin notes a new identity.
func (r *rowReader) begin(key []byte) (err error) {
	if bytes.Equal(r.key, key[:identityLen]) {
		return nil
	}
	r.key = append(r.key[:0], key[:identityLen]...)
	r.pair, r.answered, r.answer = r.pair[:0], false, Answer{}
	r.identity, err = identityOf(key)
	return err
}

func (r *rowReader) takeAnswer(rec record) error {
	r.texts = append(r.texts[:0], rec.value...) // the record goes away
	var a answer
	if err := a.decode(r.texts); err != nil {
		return err
	}
	r.answered = true
	r.answer = Answer{
		Status: a.status, UID: a.uid, Previous: a.previous, RefreshFrom: a.refreshFrom, RawReason: a.word, MappedAt: mappedAtOf(rec.key),
	}
	return nil
}

// life makes a row of the latest record of a pair, which is the first.
func (r *rowReader) life(rec record) (err error) {
	pair, rank := pairOf(rec.key)
	if bytes.Equal(r.pair, pair) {
		return nil
	}
	r.pair = append(r.pair[:0], pair...)
	if int(rank) >= len(r.view.runs) {
		return errDamagedSpill
	}
	var l life
	kept, err := l.decode(rec.value)
	if err != nil || int(l.file) >= len(r.view.words.list) || int(l.column) >= len(r.view.words.list) {
		return errDamagedSpill
	}
	row := Row{
		Identity: r.identity, Answer: r.answer, Live: l.live, KeptRow: len(r.rows),
		SourceFile: r.view.words.list[l.file], SourceColumn: r.view.words.list[l.column], SourceRow: l.row,
	}
	from := len(r.arena)
	if r.arena, row.HasID, err = decodeID(r.arena, pair); err != nil {
		return err
	}
	row.ID = r.arena[from:len(r.arena):len(r.arena)]
	row.Answer.UID = r.keep(r.answer.UID)
	row.Answer.Previous = r.keep(r.answer.Previous)
	row.Answer.RawReason = r.keep(r.answer.RawReason)
	r.rows = append(r.rows, row)
	return r.keepColumns(r.view.runs[rank], kept)
}

// keep copies a text into the arena.
func (r *rowReader) keep(text []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, text...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// keepColumns appends the kept columns of a row of a run.
func (r *rowReader) keepColumns(of *run, kept []byte) error {
	rest := decoder{rest: kept}
	r.values = r.values[:0]
	for _, s := range of.storage {
		r.values = append(r.values, rest)
		s.skip(&rest)
	}
	if err := rest.end(); err != nil {
		return err
	}
	for i, c := range r.columns {
		if from := of.column[i]; from < 0 {
			c.null()
		} else {
			c.take(&r.values[from])
		}
	}
	return nil
}

func (r *rowReader) full() bool {
	if len(r.rows) == flushRows {
		return true
	}
	size := len(r.arena)
	for _, c := range r.columns {
		size += len(c.values)
	}
	return size >= flushBytes
}

// flush yields the rows that are there and forgets them.
func (r *rowReader) flush(yield func(*Row, error) bool) bool {
	var kept arrow.Record
	if len(r.columns) > 0 && len(r.rows) > 0 {
		arrays := make([]arrow.Array, len(r.columns))
		for i, c := range r.columns {
			arrays[i] = c.array()
		}
		kept = array.NewRecord(r.schema, arrays, int64(len(r.rows)))
	}
	for i := range r.rows {
		r.rows[i].Kept = kept
		if !yield(&r.rows[i], nil) {
			return false
		}
	}
	r.rows, r.arena = r.rows[:0], r.arena[:0]
	for _, c := range r.columns {
		c.reset()
	}
	return true
}
