package view

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// ShuffleOptions tunes a [Shuffle]. A zero field means its default.
type ShuffleOptions struct {
	Due        Due                      // which answers are asked for again
	FullBase   bool                     // the input is the whole base: live pairs that are not in it are removed
	Suppressed func(*normalize.ID) bool // says of an identity that it is never to be asked; nil: of none
	Kept       []arrow.Field            // the kept columns of the inputs
	Memory     int64                    // bytes of the input that are sorted at once, and of buffers to merge them; default 64 MB
	Spill      string                   // the folder in which a folder for the spill is made; default that of the system
}

// Shuffle compares inputs with the view of a table, and says what is to be done. It is the [pipeline.Merge] of
// incremental runs. One goroutine at a time may use it, and it must be closed, before the view is.
//
// What is added is sorted, on local disk beyond Memory, as the rows of the view are: by type, hash as it is stored and
// id, a null one first. Rows of a pair come in the order of input, row and column. Both are then merged, so that memory
// grows neither with the input nor with the table nor with the rows of an identity.
//
// For each identity of the input, the first row of each pair is to
//
//   - Suppress, if the identity is suppressed;
//   - Ask, if the view has no row of the identity, or no answer, or one that is due;
//   - Withhold, if the pair is live in the view;
//   - Tell, otherwise: the answer is known, and the pair is new or comes back.
//
// The other rows of a pair are to Withhold. With FullBase, each live pair of the view that is not in the input is to
// Remove, in its place in the order; its kept columns are null. Behind all identities come, in source order, what is to
// Refuse and what is Malformed, and at last for each input that has blank rows one task, Blank. Sums of Lines are the
// lines of each input: the task of the identifier that begins a row has 1, and so has that of a malformed line. Live is
// set on one task at most for each pair.
type Shuffle struct {
	view    *View
	opts    ShuffleOptions
	storage []storage // of each of the kept columns
	sorted  *sorter
	folder  spillFolder
	blank   []int64 // rows without an identifier, by input
	closed  bool

	// What Add works with.
	key, value []byte
	kept       arrow.Record // that of the last row
	readers    []keptReader // of its columns
}

var _ pipeline.Merge = (*Shuffle)(nil)

// NewShuffle returns a shuffle that compares what will be added with v. It fails when a kept column is of a type that
// no run keeps, when there is no folder for the spill, or when v is of ID5.
func NewShuffle(v *View, o ShuffleOptions) (*Shuffle, error) {
	if v.network.Network != sinks.NetworkUID2 {
		return nil, errors.New("a table of ID5 cannot be compared with inputs: its uids change from answer to answer; " +
			"read them whole with mapper signals, and keep the table fresh with mapper remap")
	}
	o.Memory = Options{Memory: o.Memory}.withDefaults().Memory
	s := &Shuffle{view: v, opts: o}
	for _, f := range o.Kept {
		stored, err := storageOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("kept column %q: %w", f.Name, err)
		}
		s.storage = append(s.storage, stored)
	}
	var err error
	if s.folder, err = newSpillFolder(o.Spill); err != nil {
		return nil, err
	}
	s.sorted = newSorter(o.Memory, s.folder.path)
	return s, nil
}

var errShuffleClosed = errors.New("the shuffle is closed")

// Add takes a line of an input, or one identifier of it; see [pipeline.Merge]. It fails when the disk is full, and when
// the kept columns are not those of the options.
func (s *Shuffle) Add(r *pipeline.Read) error {
	if s.closed {
		return errShuffleClosed
	}
	if r.Blank {
		for r.Input >= len(s.blank) {
			s.blank = append(s.blank, 0)
		}
		s.blank[r.Input]++
		return nil
	}
	if err := s.see(r.Kept); err != nil {
		return err
	}
	s.key = appendReadKey(s.key[:0], r)
	s.value = appendRead(s.value[:0], r)
	if r.Kept != nil {
		for i := range s.readers {
			s.value = s.readers[i].append(s.value, r.KeptRow)
		}
	}
	if s.spillsNow() {
		if err := checkRoom(s.folder.path, s.opts.Memory); err != nil {
			return err
		}
	}
	return s.sorted.add(s.key, s.value)
}

// see makes readers of the columns of a record, if it is not that of the row before.
func (s *Shuffle) see(kept arrow.Record) error {
	if kept == nil || kept == s.kept {
		return nil
	}
	if int(kept.NumCols()) != len(s.storage) {
		return fmt.Errorf("a record has %d kept columns, and the inputs have %d", kept.NumCols(), len(s.storage))
	}
	s.kept, s.readers = nil, s.readers[:0]
	for i, f := range s.opts.Kept {
		if have := kept.Column(i).DataType(); !arrow.TypeEqual(have, f.Type) {
			return fmt.Errorf("kept column %q: a record has it of type %s, and the inputs of type %s", f.Name, have, f.Type)
		}
		s.readers = append(s.readers, newKeptReader(s.storage[i], kept.Column(i)))
	}
	s.kept = kept
	return nil
}

// spillsNow says whether the record at hand is the first that does not fit into memory, so that a file is begun.
func (s *Shuffle) spillsNow() bool {
	to := s.sorted
	if to.file != nil || len(to.entries) == 0 {
		return false
	}
	return len(to.arena)+len(s.key)+len(s.value)+recordOverhead > cap(to.arena) || len(to.entries) == cap(to.entries)
}

// Close removes the spill. No Tasks may be under way in another goroutine. It can be called again.
func (s *Shuffle) Close() error {
	s.closed = true
	s.kept, s.readers = nil, nil
	err := s.sorted.reset()
	s.sorted.arena, s.sorted.entries = nil, nil
	return errors.Join(err, s.folder.remove())
}
