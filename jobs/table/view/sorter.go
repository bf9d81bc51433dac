package view

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"os"
	"slices"
)

// sorter sorts records by their keys. What does not fit into memory goes, sorted block by block, to one file, and the
// blocks are merged when the records are read.
type sorter struct {
	folder  string
	memory  int64
	arena   []byte // records as they stand in the file, in the order they came
	entries []entry

	file   *os.File // nil unless something has been spilled
	size   int64
	blocks []block
}

// entry is a record of the arena.
type entry struct {
	prefix   uint64 // the beginning of its key, which mostly decides
	at, size uint32
}

const entryBytes = 16

// block is a stretch of the file whose records are in order.
type block struct{ from, to int64 }

// maxArena keeps what an entry points to within its 32 bits.
const maxArena = 1 << 31

func newSorter(memory int64, folder string) *sorter {
	return &sorter{folder: folder, memory: memory}
}

// add takes a record, of which nothing is kept. A key has 8 bytes at least.
func (s *sorter) add(key, value []byte) error {
	if s.arena == nil { // memory that is never used is never touched
		s.arena = make([]byte, 0, min(s.memory*3/4, maxArena))
		s.entries = make([]entry, 0, max(1, s.memory/4/entryBytes))
	}
	if need := len(key) + len(value) + 2*binary.MaxVarintLen32; len(s.arena)+need > cap(s.arena) || len(s.entries) == cap(s.entries) {
		if err := s.spill(); err != nil {
			return err
		}
	}
	at := len(s.arena)
	s.arena = binary.AppendUvarint(s.arena, uint64(len(key)))
	s.arena = binary.AppendUvarint(s.arena, uint64(len(value)))
	s.arena = append(append(s.arena, key...), value...)
	s.entries = append(s.entries, entry{binary.BigEndian.Uint64(key), uint32(at), uint32(len(s.arena) - at)})
	return nil
}

// sort orders the entries by their keys, all of which differ.
func (s *sorter) sort() {
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		x, _, _ := decodeRecord(s.arena[a.at:])
		y, _, _ := decodeRecord(s.arena[b.at:])
		return bytes.Compare(x.key, y.key)
	})
}

// spill writes what is in the arena as one more block.
func (s *sorter) spill() error {
	if len(s.entries) == 0 {
		return nil
	}
	s.sort()
	if s.file == nil {
		var err error
		if s.file, err = os.CreateTemp(s.folder, "sorted-"); err != nil {
			return spillError(err)
		}
	}
	w := bufio.NewWriterSize(s.file, int(min(256<<10, max(s.memory/16, 4<<10))))
	b := block{from: s.size}
	for _, e := range s.entries {
		if _, err := w.Write(s.arena[e.at:][:e.size]); err != nil {
			return spillError(err)
		}
		s.size += int64(e.size)
	}
	if err := w.Flush(); err != nil {
		return spillError(err)
	}
	b.to = s.size
	s.blocks = append(s.blocks, b)
	s.arena, s.entries = s.arena[:0], s.entries[:0]
	return nil
}

// finish ends the adding. If all fits into memory, it stays there; otherwise the memory is left to the merge.
func (s *sorter) finish() error {
	if s.file == nil {
		s.sort()
		return nil
	}
	err := s.spill()
	s.arena, s.entries = nil, nil
	return err
}

// reset forgets all records, and removes the file.
func (s *sorter) reset() error {
	s.arena, s.entries, s.blocks, s.size = s.arena[:0], s.entries[:0], nil, 0
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return spillError(err)
	}
	return nil
}

// each hands over the records in order, until there is an error. One is valid during the call.
func (s *sorter) each(f func(record) error) error {
	if s.file != nil {
		return s.merge(f)
	}
	for _, e := range s.entries {
		r, _, err := decodeRecord(s.arena[e.at:])
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}
