package view

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"os"
	"path/filepath"
	"slices"
)

// sorter sorts records by their keys. What does not fit into memory goes, sorted block by block, to one file, and the
// blocks are merged when the records are read.
type sorter struct {
	path    string
	memory  int64
	arena   []byte // records as they stand in the file, in the order they came
	entries []entry

	file   *os.File // nil unless something has been spilled
	size   int64
	blocks []block
}

// entry is a record of the arena.
type entry struct {
	prefix uint64 // the beginning of its key, which mostly decides
	at     uint32
}

const entryBytes = 16

// block is a stretch of the file whose records are in order.
type block struct{ from, to int64 }

// maxArena keeps what an entry points to within its 32 bits.
const maxArena = 1 << 31

func newSorter(memory int64, folder string) *sorter {
	return &sorter{path: filepath.Join(folder, "sorted"), memory: memory}
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
	s.entries = append(s.entries, entry{binary.BigEndian.Uint64(key), uint32(len(s.arena))})
	s.arena = binary.AppendUvarint(s.arena, uint64(len(key)))
	s.arena = binary.AppendUvarint(s.arena, uint64(len(value)))
	s.arena = append(append(s.arena, key...), value...)
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
		if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return spillError(err)
		}
	}
	w := bufio.NewWriterSize(s.file, int(min(256<<10, max(s.memory/16, 4<<10))))
	b := block{from: s.size}
	for _, e := range s.entries {
		_, n, err := decodeRecord(s.arena[e.at:])
		if err != nil {
			return spillError(err)
		}
		if _, err := w.Write(s.arena[e.at : int(e.at)+n]); err != nil {
			return spillError(err)
		}
		s.size += int64(n)
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
func (s *sorter) finish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if s.file == nil {
		s.sort()
		return nil
	}
	err := s.spill()
	s.arena, s.entries = nil, nil
	return err
}

func (s *sorter) close() error {
	s.arena, s.entries, s.blocks = nil, nil, nil
	if s.file == nil {
		return nil
	}
	file := s.file
	s.file = nil
	return file.Close()
}

// all yields the records in order. One is valid until the next. An error is the last that is yielded.
func (s *sorter) all() iter.Seq2[record, error] {
	if s.file != nil {
		return s.merged
	}
	return func(yield func(record, error) bool) {
		for _, e := range s.entries {
			r, _, err := decodeRecord(s.arena[e.at:])
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
