package view

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
)

// Rows yields the rows in order, those that are not live too: they cost nothing, and those who compare need them.
// It ends with the first error, or the context's. A row is part of a [Batch], and belongs to the receiver as that does.
func (v *View) Rows(ctx context.Context) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for b, err := range v.Batches(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range b.Rows {
				if !yield(&b.Rows[i], nil) {
					return
				}
			}
		}
	}
}

// Batch is some consecutive rows of a view, one at least. It is the receiver's for as long as it likes: no memory of it
// is used again, and releasing Kept is not needed.
type Batch struct {
	Rows []Row
	Kept arrow.Record // what Row.Kept is in each of Rows
}

// Batches yields what Rows does, up to 1,024 rows or about 1 MB at once, for those who hand rows over to others.
func (v *View) Batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if v.closed {
			yield(nil, errClosed)
			return
		}
		r := newRowReader(v, func(b *Batch) error {
			if !yield(b, nil) {
				return errStopped
			}
			return nil
		})
		err := r.read(ctx)
		if reset := r.pairs.reset(); err == nil {
			err = reset
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped means that the caller wants no more rows.
var errStopped = errors.New("stopped")

var errClosed = errors.New("the view is closed")

// flushRows and flushBytes are how many rows, or bytes of their texts and kept columns, make a batch.
const (
	flushRows  = 1024
	flushBytes = 1 << 20
)

// rowReader turns sorted records into batches of rows.
type rowReader struct {
	view  *View
	runs  []*run // by place
	yield func(*Batch) error

	identityLen int // in keys

	key      []byte // of the record of the identity that counts; empty before the first
	identity normalize.ID
	answer   Answer
	texts    []byte // of the answer

	// What is said of the pairs of the identity. Mostly it is one record, and then there is nothing to sort.
	said  int
	last  record
	pairs *sorter
	id    []byte // of the last pair, as it stands in keys

	toSorted func(record) error // the method, which costs an allocation to be made a value
	records  *recorder          // makes records of rows of streams

	// What the next batch gets.
	rows    []Row
	arena   []byte // the texts of rows; those of older rows may lie where it was before it grew
	shared  int    // bytes of the texts that lie in batches of streams
	columns []*keptColumn
	schema  *arrow.Schema
	words   []string
	value   []byte    // the kept columns of a row of a stream
	values  []decoder // of the columns of a row, in the order of its run
}

func newRowReader(v *View, yield func(*Batch) error) *rowReader {
	r := &rowReader{view: v, yield: yield, runs: slices.Clone(v.runs), identityLen: v.network.identityLen(), schema: arrow.NewSchema(v.kept, nil)}
	slices.SortFunc(r.runs, func(a, b *run) int { return cmp.Compare(a.place, b.place) })
	r.toSorted = r.sorted
	r.records = newRecorder(v.words, func(key, value []byte) error { return r.record(record{key, value}) })
	r.pairs = newSorter(v.sorted.memory/4, v.folder.path)
	for i, f := range v.kept {
		r.columns = append(r.columns, newKeptColumn(v.storage[i], f.Type))
	}
	return r
}

func (r *rowReader) read(ctx context.Context) error {
	records := 0
	next := func() error {
		if records++; records%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	take := func(row *stream, alone bool) error {
		if err := next(); err != nil {
			return err
		}
		if alone && !r.isAt(row) {
			return r.alone(row)
		}
		return r.records.row(row.batch, int(row.row.at))
	}
	streams := openStreams(ctx, r.view)
	defer streams.close()
	err := r.view.sorted.each(func(rec record) error {
		if err := streams.before(rec, take); err != nil {
			return err
		}
		if err := next(); err != nil {
			return err
		}
		return r.record(rec)
	})
	if err == nil {
		err = streams.rest(take)
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := r.end(); err != nil {
		return err
	}
	return r.flush()
}

// record takes the next record.
func (r *rowReader) record(rec record) error {
	if len(rec.key) != r.view.network.keyLen() {
		return errDamagedSpill
	}
	if place, _ := orderOf(rec.key); int(place) >= len(r.runs) {
		return errDamagedSpill
	}
	d := decoder{rest: rec.value}
	var a answer
	a.take(&d)
	switch {
	case len(r.key) == 0 || !bytes.Equal(r.key[:r.identityLen], rec.key[:r.identityLen]):
		if err := r.end(); err != nil {
			return err
		}
		place, _ := orderOf(rec.key)
		if err := r.begin(r.runs[place], rec.key[:r.identityLen]); err != nil {
			return err
		}
		r.counts(rec.key, a)
	case bytes.Compare(rec.key, r.key) < 0: // streams have the records of an identity in the order of its pairs
		r.counts(rec.key, a)
	}
	if d.err != nil || len(d.rest) == 0 { // it says nothing of a pair
		return d.err
	}
	return r.pair(rec.key, &d)
}

// counts notes the record of the identity that counts, as far as is known.
func (r *rowReader) counts(key []byte, a answer) {
	r.key = append(r.key[:0], key...)
	r.answer = Answer{}
	if tierOf(key) != tierSilent {
		r.answer = Answer{Status: a.status, RefreshFrom: a.refreshFrom, MappedAt: mappedAtOf(key)}
		r.texts = r.texts[:0]
		r.answer.UID = keep(&r.texts, a.uid)
		r.answer.Previous = keep(&r.texts, a.previous)
		r.answer.RawReason = keep(&r.texts, a.word)
	}
}

// begin notes a new identity, of a row of a run.
func (r *rowReader) begin(of *run, identity []byte) error {
	if err := r.view.network.decode(&r.identity, identity); err != nil {
		return fmt.Errorf("run %s: %w", of.id, err)
	}
	return nil
}

// isAt says whether a row of a stream is of the identity of the last record.
func (r *rowReader) isAt(s *stream) bool {
	if len(r.key) == 0 || r.key[0] != byte(s.row.kind) {
		return false
	}
	n := &r.view.network
	return bytes.Equal(r.key[1:1+n.hashLen], s.hash) && n.countryIn(r.key) == s.country
}

// alone makes a row of one of a stream which is the only one of its identity, as most are: it needs no record, and its
// texts stay where they are.
func (r *rowReader) alone(s *stream) error {
	if err := r.end(); err != nil {
		return err
	}
	r.identity.Kind, r.identity.Country = s.row.kind, s.country
	if err := r.view.network.decodeHash(&r.identity, s.hash); err != nil {
		return fmt.Errorf("run %s: %w", s.run.id, err)
	}
	b, i, said := s.batch, int(s.row.at), s.row.said
	row := r.next()
	if said.tier != tierSilent {
		a := b.answer(i, said.status)
		row.Answer = Answer{Status: a.status, RefreshFrom: a.refreshFrom, MappedAt: int64(b.mappedAt.Value(i)),
			UID: a.uid, Previous: a.previous, RawReason: a.word}
	}
	if row.HasID = b.id.IsValid(i); row.HasID {
		row.ID = b.id.at(i)
	}
	r.shared += len(row.ID) + len(row.Answer.UID) + len(row.Answer.Previous) + len(row.Answer.RawReason)
	r.value = r.value[:0]
	for k := range b.kept {
		r.value = b.kept[k].append(r.value, i)
	}
	return r.add(row, r.records.lifeOf(b, i, said.life == begins), b.run, decoder{rest: r.value})
}

// pair notes what a record says of its pair.
func (r *rowReader) pair(key []byte, d *decoder) error {
	var p pair
	p.take(d)
	place, row := orderOf(key)
	if d.err != nil {
		return d.err
	}
	r.said++
	if r.said == 2 {
		if err := r.pairs.add(r.last.key, r.last.value); err != nil {
			return err
		}
	}
	r.last.key = appendPair(r.last.key[:0], p.id, p.hasID, r.runs[place].rank, row)
	r.last.value = append(r.last.value[:0], d.rest...)
	if r.said == 1 {
		return nil
	}
	return r.pairs.add(r.last.key, r.last.value)
}

// end makes rows of the pairs of the identity.
func (r *rowReader) end() error {
	said := r.said
	r.said = 0
	switch said {
	case 0:
		return nil
	case 1:
		return r.life(r.last)
	}
	if err := r.pairs.finish(); err != nil {
		return err
	}
	r.id = r.id[:0]
	if err := r.pairs.each(r.toSorted); err != nil {
		return err
	}
	return r.pairs.reset()
}

// sorted takes the records of the pairs of an identity in order: the first of a pair is the one that counts.
func (r *rowReader) sorted(rec record) error {
	id := rec.key[:len(rec.key)-orderLen]
	if bytes.Equal(id, r.id) { // none is empty
		return nil
	}
	r.id = append(r.id[:0], id...)
	return r.life(rec)
}

// life makes a row of the latest record of a pair.
func (r *rowReader) life(rec record) (err error) {
	rank, _ := orderOf(rec.key)
	var l life
	d := decoder{rest: rec.value}
	l.take(&d)
	if d.err != nil || int(rank) >= len(r.runs) {
		return errDamagedSpill
	}
	row := r.next()
	row.Answer = r.answer
	from := len(r.arena)
	if r.arena, row.HasID, err = decodeID(r.arena, rec.key[:len(rec.key)-orderLen]); err != nil {
		return err
	}
	row.ID = r.arena[from:len(r.arena):len(r.arena)]
	row.Answer.UID = keep(&r.arena, r.answer.UID)
	row.Answer.Previous = keep(&r.arena, r.answer.Previous)
	row.Answer.RawReason = keep(&r.arena, r.answer.RawReason)
	return r.add(row, l, r.view.runs[rank], d)
}

// next begins a row of the identity, in its place.
func (r *rowReader) next() *Row {
	if r.rows == nil {
		r.rows = make([]Row, 0, flushRows)
	}
	n := len(r.rows)
	r.rows = r.rows[:n+1]
	row := &r.rows[n]
	row.Identity, row.KeptRow = r.identity, n
	return row
}

// add ends a row of a run, with its life and the values of its kept columns.
func (r *rowReader) add(row *Row, l life, of *run, kept decoder) error {
	if max(l.file, l.column) >= uint32(len(r.words)) {
		r.words = r.view.words.all() // streams find more of them
	}
	if max(l.file, l.column) >= uint32(len(r.words)) {
		return errDamagedSpill
	}
	row.Live = l.live
	row.SourceFile, row.SourceColumn, row.SourceRow = r.words[l.file], r.words[l.column], l.row
	if err := r.keepColumns(of, &kept); err != nil || !r.full() {
		return err
	}
	return r.flush()
}

// keep copies a text behind others and returns the copy.
func keep(texts *[]byte, text []byte) []byte {
	from := len(*texts)
	*texts = append(*texts, text...)
	return (*texts)[from:len(*texts):len(*texts)]
}

// keepColumns appends the kept columns of a row of a run.
func (r *rowReader) keepColumns(of *run, d *decoder) error {
	r.values = r.values[:0]
	for _, s := range of.storage {
		r.values = append(r.values, *d)
		s.skip(d)
	}
	if err := d.end(); err != nil {
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
	size := len(r.arena) + r.shared
	for _, c := range r.columns {
		size += len(c.values)
	}
	return size >= flushBytes
}

// flush yields the rows that are there, with their memory. The next batch gets as much as this one has needed.
func (r *rowReader) flush() error {
	if len(r.rows) == 0 {
		return nil
	}
	b := &Batch{Rows: r.rows}
	if len(r.columns) > 0 {
		arrays := make([]arrow.Array, len(r.columns))
		for i, c := range r.columns {
			arrays[i] = c.array()
			c.renew()
		}
		b.Kept = array.NewRecord(r.schema, arrays, int64(len(r.rows)))
	}
	for i := range b.Rows {
		b.Rows[i].Kept = b.Kept
	}
	r.rows, r.arena, r.shared = nil, make([]byte, 0, len(r.arena)+len(r.arena)/8), 0
	return r.yield(b)
}
