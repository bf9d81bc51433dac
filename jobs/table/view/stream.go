package view

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"mapper/sinks"
)

// A stream reads a batch of records ahead while two others wait to be taken.
const (
	streamBatches = 3
	streamRecords = 1024
	streamBytes   = 256 << 10
)

// stream is the rows of one dataset of a sorted run, as records. Identities rise in it; the records of one come in the
// order of its pairs, not of their keys. A goroutine reads ahead.
type stream struct {
	run     *run
	dataset string
	reader  *partReader

	full, free chan *recordBatch
	err        error // why full was closed; nil at the end

	// What the goroutine fills.
	ctx      context.Context
	filling  *recordBatch
	identity []byte // of the last record
	id       []byte // of its pair, as it stands in keys
	next     []byte // for the id of a record

	// What is taken.
	taking *recordBatch
	at     int // the record after the current one, in taking
	record
	prefix uint64 // the beginning of the key
}

// recordBatch is some records and their memory.
type recordBatch struct {
	records []record
	arena   []byte
}

// streams are the streams of a view, merged.
type streams struct {
	list   []*stream // those that have a current record
	opened bool      // all of them have got their first record
	cancel func()
	done   sync.WaitGroup
}

// openStreams starts to read the sorted runs.
func openStreams(ctx context.Context, v *View) *streams {
	s := &streams{cancel: func() {}}
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
		s.done.Go(one.read)
	}
	return s
}

func (r *run) has(dataset string) bool {
	for _, p := range r.parts {
		if p.Dataset == dataset {
			return true
		}
	}
	return false
}

func (v *View) newStream(r *run, dataset string) *stream {
	s := &stream{
		run: r, dataset: dataset,
		full: make(chan *recordBatch, streamBatches), free: make(chan *recordBatch, streamBatches),
	}
	s.reader = v.newPartReader(s.put)
	for range streamBatches {
		s.free <- new(recordBatch)
	}
	return s
}

// close ends the reading, and waits until it has.
func (s *streams) close() {
	s.cancel()
	s.done.Wait()
}

// before hands over the records of identities before that of a record.
func (s *streams) before(rec record, f func(record) error) error {
	if len(s.list) == 0 {
		return nil
	}
	if len(rec.key) < identityLen {
		return errDamagedSpill
	}
	prefix := binary.BigEndian.Uint64(rec.key)
	for {
		least, err := s.least()
		if least == nil || err != nil || least.prefix > prefix ||
			least.prefix == prefix && bytes.Compare(least.key[:identityLen], rec.key[:identityLen]) >= 0 {
			return err
		}
		if err := s.hand(least, f); err != nil {
			return err
		}
	}
}

// rest hands over all records that are left.
func (s *streams) rest(f func(record) error) error {
	for {
		least, err := s.least()
		if least == nil || err != nil {
			return err
		}
		if err := s.hand(least, f); err != nil {
			return err
		}
	}
}

// least returns the stream whose current record is the first, or nil. There are few streams, as a compaction replaces
// all runs before it, so that looking at each of them is all it takes.
func (s *streams) least() (*stream, error) {
	if !s.opened {
		s.opened = true
		for i := len(s.list) - 1; i >= 0; i-- { // from behind, as those without a record go
			if err := s.advance(s.list[i]); err != nil {
				return nil, err
			}
		}
	}
	var least *stream
	for _, one := range s.list {
		if least == nil || one.prefix < least.prefix || one.prefix == least.prefix && bytes.Compare(one.key, least.key) < 0 {
			least = one
		}
	}
	return least, nil
}

// hand hands over the current record of a stream.
func (s *streams) hand(one *stream, f func(record) error) error {
	if err := f(one.record); err != nil {
		return err
	}
	return s.advance(one)
}

// advance goes to the next record of a stream, which leaves the list behind its last one.
func (s *streams) advance(one *stream) error {
	err := one.advance()
	if !errors.Is(err, io.EOF) {
		return err
	}
	s.list = slices.DeleteFunc(s.list, func(other *stream) bool { return other == one })
	return nil
}

// advance goes to the next record. It returns io.EOF behind the last.
func (s *stream) advance() error {
	if s.taking == nil || s.at == len(s.taking.records) {
		if s.taking != nil {
			s.free <- s.taking // there is room for all
		}
		var ok bool
		if s.taking, ok = <-s.full; !ok {
			if s.err != nil {
				return s.err
			}
			return io.EOF
		}
		s.at = 0
	}
	s.record = s.taking.records[s.at]
	s.prefix = binary.BigEndian.Uint64(s.key)
	s.at++
	return nil
}

// read reads all parts of the dataset. It is the goroutine of the stream.
func (s *stream) read() {
	defer close(s.full)
	for _, part := range s.run.parts {
		if part.Dataset != s.dataset {
			continue
		}
		if err := s.reader.readPart(s.ctx, s.run, part); err != nil {
			s.err = fmt.Errorf("run %s: %w", s.run.id, err)
			return
		}
	}
	if s.filling != nil {
		s.full <- s.filling
	}
}

var errNotSorted = errors.New("is not sorted as its kind says; see with mapper verify what else is wrong with the run")

// put takes the record of the next row.
func (s *stream) put(key, value []byte) error {
	if err := s.inOrder(key, value); err != nil {
		return err
	}
	need := len(key) + len(value)
	if b := s.filling; b != nil && (len(b.records) == streamRecords || len(b.arena)+need > cap(b.arena)) {
		s.full <- b // there is room for all
		s.filling = nil
	}
	if s.filling == nil {
		select {
		case s.filling = <-s.free:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		s.filling.reset(need)
	}
	s.filling.add(key, value)
	return nil
}

// inOrder sees whether a record may follow the last one: by its identity, or else by its id.
func (s *stream) inOrder(key, value []byte) error {
	order := bytes.Compare(s.identity, key[:identityLen])
	if order > 0 {
		return errNotSorted
	}
	id, err := pairOf(value)
	if err != nil {
		return err
	}
	s.next = appendID(s.next[:0], id.id, id.hasID)
	if order == 0 && bytes.Compare(s.id, s.next) > 0 {
		return errNotSorted
	}
	if order < 0 {
		s.identity = append(s.identity[:0], key[:identityLen]...)
	}
	s.id, s.next = s.next, s.id
	return nil
}

// pairOf returns the id that the value of a record holds.
func pairOf(value []byte) (p pair, err error) {
	d := decoder{rest: value}
	var a answer
	a.take(&d)
	p.take(&d)
	return p, d.err
}

// reset empties the batch and sees to it that a record fits.
func (b *recordBatch) reset(need int) {
	b.records, b.arena = b.records[:0], b.arena[:0]
	if cap(b.arena) < need || b.arena == nil {
		b.arena = make([]byte, 0, max(need, streamBytes))
	}
	if b.records == nil {
		b.records = make([]record, 0, streamRecords)
	}
}

func (b *recordBatch) add(key, value []byte) {
	from := len(b.arena)
	b.arena = append(append(b.arena, key...), value...)
	middle := from + len(key)
	b.records = append(b.records, record{b.arena[from:middle:middle], b.arena[middle:len(b.arena):len(b.arena)]})
}
