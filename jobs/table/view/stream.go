package view

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"mapper/normalize"
	"mapper/sinks"
)

// stream is the rows of one dataset of a sorted run, in order. One goroutine copies its parts, one ahead, and another
// reads them, two batches ahead of the one that is taken.
type stream struct {
	run     *run
	dataset string
	reader  *partReader

	copies chan string       // of the parts, in order
	failed error             // why copies was closed; nil at the end
	full   chan *streamBatch // what has been read
	err    error             // why full was closed; nil at the end
	ctx    context.Context
	before *streamBatch // what was read last

	// What is taken.
	*streamBatch
	next    int       // the row after the current one, in list
	row     streamRow // the current one
	hash    []byte    // its own
	country [2]byte   // its own
}

// streamBatch is some rows of a stream, in memory that is not used again.
type streamBatch struct {
	*batch
	list []streamRow // those that have a hash, one at least
}

// streamRow is a row with what it costs to find out of it.
type streamRow struct {
	prefix uint64 // the beginning of its key
	at     int32  // its place in the batch
	kind   normalize.Kind
	said   said
}

// streams are the streams of a view, merged.
type streams struct {
	network network
	list    []*stream // those that have a current row
	opened  bool      // all of them have got their first row
	cancel  func()
	done    sync.WaitGroup
}

// openStreams starts to read the sorted runs.
func openStreams(ctx context.Context, v *View) *streams {
	s := &streams{network: v.network, cancel: func() {}}
	for _, r := range v.streams {
		for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
			if r.has(dataset) {
				s.list = append(s.list, v.newStream(r, dataset))
			}
		}
	}
	if len(s.list) == 0 {
		return s
	}
	ctx, s.cancel = context.WithCancel(ctx)
	for _, one := range s.list {
		one.ctx = ctx
		s.done.Go(one.copy)
		s.done.Go(one.read)
	}
	return s
}

func (r *run) has(dataset string) bool { return len(r.partsOf(dataset)) > 0 }

func (r *run) partsOf(dataset string) (parts []runPart) {
	for _, p := range r.parts {
		if p.Dataset == dataset {
			parts = append(parts, p)
		}
	}
	return parts
}

func (v *View) newStream(r *run, dataset string) *stream {
	s := &stream{run: r, dataset: dataset, copies: make(chan string), full: make(chan *streamBatch, 1)}
	s.reader = v.newPartReader(s.put)
	return s
}

// close ends the reading, and waits until it has.
func (s *streams) close() {
	s.cancel()
	s.done.Wait()
}

// before hands over the rows of identities before that of a record, and says of each whether it is alone: the next of
// its stream, and those of others, are of other identities.
func (s *streams) before(rec record, f func(row *stream, alone bool) error) error {
	if len(s.list) == 0 {
		return nil
	}
	n := &s.network
	if len(rec.key) < n.identityLen() {
		return errDamagedSpill
	}
	to := stream{row: streamRow{prefix: binary.BigEndian.Uint64(rec.key)}, hash: rec.key[1 : 1+n.hashLen], country: n.countryIn(rec.key)}
	for {
		least, alone, err := s.least()
		if least == nil || err != nil || least.compare(&to) >= 0 {
			return err
		}
		if err := s.hand(least, alone, f); err != nil {
			return err
		}
	}
}

// rest hands over all rows that are left, as before does.
func (s *streams) rest(f func(row *stream, alone bool) error) error {
	for {
		least, alone, err := s.least()
		if least == nil || err != nil {
			return err
		}
		if err := s.hand(least, alone, f); err != nil {
			return err
		}
	}
}

// least returns a stream whose current row is of the first identity, or nil. There are few streams, as a compaction
// replaces all runs before it, so that looking at each of them is all it takes.
func (s *streams) least() (least *stream, alone bool, err error) {
	if !s.opened {
		s.opened = true
		for i := len(s.list) - 1; i >= 0; i-- { // from behind, as those without a row go
			if err := s.advance(s.list[i]); err != nil {
				return nil, false, err
			}
		}
	}
	for _, one := range s.list {
		order := -1
		if least != nil {
			order = one.compare(least)
		}
		if order < 0 {
			least, alone = one, one.nextDiffers()
		}
		alone = alone && order != 0
	}
	return least, alone, nil
}

// compare compares the identities of the current rows.
func (s *stream) compare(o *stream) int {
	if s.row.prefix != o.row.prefix {
		return cmp.Compare(s.row.prefix, o.row.prefix)
	}
	if order := bytes.Compare(s.hash, o.hash); order != 0 {
		return order
	}
	return bytes.Compare(s.country[:], o.country[:])
}

// nextDiffers says whether the next row is known to be of another identity. That of the next batch is not known.
func (s *stream) nextDiffers() bool {
	if s.next == len(s.list) {
		return false
	}
	next := &s.list[s.next]
	at := int(next.at)
	return next.prefix != s.row.prefix || !bytes.Equal(s.streamBatch.hash.at(at), s.hash) || s.countryAt(at) != s.country
}

// hand hands over the current row of a stream.
func (s *streams) hand(one *stream, alone bool, f func(row *stream, alone bool) error) error {
	if err := f(one, alone); err != nil {
		return err
	}
	return s.advance(one)
}

// advance goes to the next row of a stream, which leaves the list behind its last one.
func (s *streams) advance(one *stream) error {
	err := one.advance()
	if !errors.Is(err, io.EOF) {
		return err
	}
	s.list = slices.DeleteFunc(s.list, func(other *stream) bool { return other == one })
	return nil
}

// advance goes to the next row. It returns io.EOF behind the last.
func (s *stream) advance() error {
	if s.streamBatch == nil || s.next == len(s.list) {
		var ok bool
		if s.streamBatch, ok = <-s.full; !ok {
			if s.err != nil {
				return s.err
			}
			return io.EOF
		}
		s.next = 0
	}
	s.row = s.list[s.next]
	s.hash, s.country = s.streamBatch.hash.at(int(s.row.at)), s.countryAt(int(s.row.at))
	s.next++
	return nil
}

// copy copies the parts of the dataset, one more than is read. It is a goroutine of the stream.
func (s *stream) copy() {
	defer close(s.copies)
	for _, part := range s.run.partsOf(s.dataset) {
		local, err := s.reader.fetch(s.ctx, part.File)
		if err != nil {
			s.failed = err
			return
		}
		select {
		case s.copies <- local:
		case <-s.ctx.Done():
			s.failed = errors.Join(context.Cause(s.ctx), os.Remove(local))
			return
		}
	}
}

// read reads all parts of the dataset. It is a goroutine of the stream.
func (s *stream) read() {
	defer close(s.full)
	for _, part := range s.run.partsOf(s.dataset) {
		local, ok := <-s.copies
		var err error
		if ok {
			err = s.reader.readPart(s.ctx, s.run, part, local)
		} else {
			err = s.failed // which nobody writes any more
		}
		if err != nil {
			s.err = fmt.Errorf("run %s: %w", s.run.id, err)
			return
		}
	}
}

var errNotSorted = errors.New("is not sorted as its kind says; see with mapper verify what else is wrong with the run")

// put takes rows.
func (s *stream) put(b *batch) error {
	next := &streamBatch{batch: b, list: make([]streamRow, 0, b.rows)}
	for i := range b.rows {
		if b.hash.IsNull(i) {
			continue
		}
		if err := next.add(i, s.before); err != nil {
			return b.errorAt(i, err)
		}
	}
	if len(next.list) == 0 {
		return nil
	}
	s.before = next
	select {
	case s.full <- next:
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// add adds a row, which stands in the order behind the last one, that of the batch before if it is the first.
func (b *streamBatch) add(i int, before *streamBatch) error {
	kind, err := b.kindOf(i)
	if err != nil {
		return err
	}
	said, err := b.said(i)
	if err != nil {
		return err
	}
	row := streamRow{at: int32(i), kind: kind, said: said}
	row.prefix = uint64(kind)<<56 | binary.BigEndian.Uint64(b.hash.at(i))>>8
	if len(b.list) > 0 {
		before = b
	}
	if before != nil && b.isBefore(row, before) {
		return errNotSorted
	}
	b.list = append(b.list, row)
	return nil
}

// isBefore says whether a row is before the last one of a batch: by its identity, or else by its id.
func (b *streamBatch) isBefore(row streamRow, of *streamBatch) bool {
	last := of.list[len(of.list)-1]
	if row.prefix != last.prefix {
		return row.prefix < last.prefix
	}
	i, j := int(row.at), int(last.at)
	if order := bytes.Compare(b.hash.at(i), of.hash.at(j)); order != 0 {
		return order < 0
	}
	if country, last := b.countryAt(i), of.countryAt(j); country != last {
		return bytes.Compare(country[:], last[:]) < 0
	}
	if b.id.IsNull(i) || of.id.IsNull(j) {
		return b.id.IsNull(i) && of.id.IsValid(j)
	}
	return bytes.Compare(b.id.at(i), of.id.at(j)) < 0
}
