package view

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// record is what is sorted. Its slices belong to whoever decoded it.
type record struct{ key, value []byte }

// errShortRecord means that a record goes on behind the bytes that are there.
var errShortRecord = fmt.Errorf("%w: a record ends early", errDamagedSpill)

// decodeRecord returns the record that b begins with, and how many bytes it takes.
func decodeRecord(b []byte) (r record, n int, err error) {
	key, i := binary.Uvarint(b)
	value, j := binary.Uvarint(b[max(i, 0):])
	if i < 0 || j < 0 || key > maxArena || value > maxArena {
		return record{}, 0, errDamagedSpill
	}
	from := i + j
	middle := from + int(key)
	end := middle + int(value)
	if i == 0 || j == 0 || end > len(b) {
		return record{}, 0, errShortRecord
	}
	return record{b[from:middle:middle], b[middle:end:end]}, end, nil
}

// blockReader reads the records of a block one after the other.
type blockReader struct {
	file     io.ReaderAt
	from, to int64  // of what is still in the file
	buf      []byte // what has been read of it; the capacity is how much is read at once
	next     []byte // the part of buf behind the current record

	record
	prefix uint64 // the beginning of the key
}

// advance goes to the next record. It returns io.EOF behind the last.
func (r *blockReader) advance() error {
	for {
		rec, n, err := decodeRecord(r.next)
		if err == nil && len(rec.key) < 8 {
			err = errDamagedSpill
		}
		if err == nil {
			r.record, r.next, r.prefix = rec, r.next[n:], binary.BigEndian.Uint64(rec.key)
			return nil
		}
		if !errors.Is(err, errShortRecord) {
			return err
		}
		if r.from == r.to {
			if len(r.next) > 0 {
				return err
			}
			return io.EOF
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// fill reads on behind what is left, in more room if a record fills all there is.
func (r *blockReader) fill() error {
	room := cap(r.buf)
	if len(r.next) == room {
		room *= 2
	}
	old := r.next
	if room > cap(r.buf) {
		r.buf = make([]byte, 0, room)
	}
	n := copy(r.buf[:room], old)
	more := int(min(int64(room-n), r.to-r.from))
	r.buf = r.buf[:n+more]
	if _, err := r.file.ReadAt(r.buf[n:], r.from); err != nil {
		if errors.Is(err, io.EOF) { // which would look like the end of the block
			return errDamagedSpill
		}
		return spillError(err)
	}
	r.from += int64(more)
	r.next = r.buf
	return nil
}

func (r *blockReader) before(o *blockReader) bool {
	if r.prefix != o.prefix {
		return r.prefix < o.prefix
	}
	return bytes.Compare(r.key, o.key) < 0
}

// merge hands over the records of all blocks in order.
func (s *sorter) merge(f func(record) error) error {
	heap, err := s.heap()
	for err == nil && len(heap) > 0 {
		if err := f(heap[0].record); err != nil {
			return err
		}
		if err = heap[0].advance(); errors.Is(err, io.EOF) {
			heap[0] = heap[len(heap)-1]
			heap, err = heap[:len(heap)-1], nil
		}
		sink(heap, 0)
	}
	return err
}

// heap opens all blocks, the one with the smallest key first. They share the memory, but a buffer that is too small
// would make the disk jump for every few records.
func (s *sorter) heap() ([]*blockReader, error) {
	buffer := min(max(s.memory/int64(len(s.blocks)), 16<<10), 1<<20)
	var heap []*blockReader
	for _, b := range s.blocks {
		r := &blockReader{file: s.file, from: b.from, to: b.to, buf: make([]byte, 0, min(buffer, b.to-b.from))}
		if err := r.advance(); err != nil { // no block is empty
			return nil, err
		}
		heap = append(heap, r)
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sink(heap, i)
	}
	return heap, nil
}

// sink puts the reader at i where it belongs among those below it.
func sink(heap []*blockReader, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if heap[child].before(heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
