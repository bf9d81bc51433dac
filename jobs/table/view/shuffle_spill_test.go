package view

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// emptyView is the view of a table without runs.
func emptyView(t testing.TB) *View {
	t.Helper()
	folder, err := newSpillFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := &View{network: networkOf(sinks.NetworkUID2), words: newWords(), sorted: newSorter(1000, folder.path), folder: folder}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

func addRows(t testing.TB, s *Shuffle, rows int, id string) {
	t.Helper()
	for row := range rows {
		r := pipeline.Read{Row: int64(row + 1), Begins: true, ID: fmt.Appendf(nil, id, row), HasID: true}
		for i := range r.Identity.Hash {
			r.Identity.Hash[i] = byte(row * (i + 1))
		}
		if err := s.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
}

// A row takes 80 bytes of disk at most when ids have 24 bytes. Only the owner can read them.
func TestShuffleSpill(t *testing.T) {
	below := t.TempDir()
	s, err := NewShuffle(emptyView(t), ShuffleOptions{Memory: 100_000, Spill: below})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 20_000
	addRows(t, s, rows, "%024d")
	for _, err := range s.Tasks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(below, "*", "sorted-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	if perRow := float64(info.Size()) / rows; perRow > 80 {
		t.Errorf("a row takes %.1f bytes", perRow)
	} else {
		t.Logf("a row takes %.1f bytes", perRow)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(below); err != nil || len(left) > 0 {
		t.Fatal(left, err)
	}
}

func TestShuffleFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no device that is always full: ", err)
	}
	defer full.Close()
	s, err := NewShuffle(emptyView(t), ShuffleOptions{Memory: 1000, Spill: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.sorted.file = full
	r := pipeline.Read{Row: 1}
	for ; err == nil; r.Row++ {
		err = s.Add(&r)
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Fatal(err)
	}
	s.sorted.file = nil
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// When there is less room than the first block may take, nothing is written, and the error says what to do.
func TestShuffleRoom(t *testing.T) {
	below := t.TempDir()
	s, err := NewShuffle(emptyView(t), ShuffleOptions{Memory: 1000, Spill: below})
	if err != nil {
		t.Fatal(err)
	}
	s.opts.Memory = 1 << 60 // no disk has that
	if checkRoom(below, s.opts.Memory) == nil {
		t.Skip("it cannot be told here how much room there is")
	}
	r := pipeline.Read{Row: 1}
	for ; err == nil && r.Row < 1000; r.Row++ {
		err = s.Add(&r)
	}
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") || !strings.Contains(err.Error(), "needed") {
		t.Error(err)
	}
	if files, err := filepath.Glob(filepath.Join(below, "*", "sorted-*")); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A spill that somebody else changes is an error, and never a panic.
func TestShuffleDamagedSpill(t *testing.T) {
	t.Parallel()
	for at := int64(0); at < 600; at += 5 { // every record has other bytes there
		s, err := NewShuffle(emptyView(t), ShuffleOptions{Memory: 600, Spill: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		addRows(t, s, 10, "%d")
		if err := s.Add(&pipeline.Read{Row: 11, Malformed: "quote", Begins: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.sorted.finish(); err != nil {
			t.Fatal(err)
		}
		var was [1]byte
		if _, err := s.sorted.file.ReadAt(was[:], at%s.sorted.size); err != nil {
			t.Fatal(err)
		}
		was[0] ^= byte(1 + at*7)
		if _, err := s.sorted.file.WriteAt(was[:], at%s.sorted.size); err != nil {
			t.Fatal(err)
		}
		for _, err := range s.Tasks(t.Context()) {
			if err != nil && !errors.Is(err, errDamagedSpill) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is wrong with the view ends the tasks, be it met before the input's first row or behind its last.
func TestShuffleOfDamagedView(t *testing.T) {
	for _, rows := range []int{0, 10, 5000} {
		v := emptyView(t)
		if err := v.sorted.add(bytes.Repeat([]byte{0xff}, v.network.keyLen()-1), nil); err != nil {
			t.Fatal(err)
		}
		s, err := NewShuffle(v, ShuffleOptions{FullBase: true, Spill: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		addRows(t, s, rows, "%d")
		var last error
		for _, err := range s.Tasks(t.Context()) {
			last = err
		}
		if !errors.Is(last, errDamagedSpill) {
			t.Errorf("%d rows: %v", rows, last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Keys compare as pairs and then places do, and what is added comes back from its key and value.
func FuzzReadKey(f *testing.F) {
	f.Add([]byte("a"), true, uint64(1), uint64(2), uint8(3), []byte("a\x00"), true, uint64(1), uint64(300), uint8(0))
	f.Add([]byte(""), false, uint64(247), uint64(248), uint8(3), []byte(""), true, uint64(247), uint64(1<<33), uint8(255))
	f.Add([]byte("\x00"), true, uint64(255), uint64(65536), uint8(0), []byte("\x00"), true, uint64(256), uint64(65535), uint8(0))
	f.Fuzz(func(t *testing.T, idA []byte, hasA bool, inputA, rowA uint64, columnA uint8, idB []byte, hasB bool, inputB, rowB uint64, columnB uint8) {
		a := pipeline.Read{Input: int(inputA >> 1), Row: int64(rowA >> 1), Column: columnA, HasID: hasA}
		b := pipeline.Read{Input: int(inputB >> 1), Row: int64(rowB >> 1), Column: columnB, HasID: hasB}
		want := 0
		if hasA != hasB {
			want = map[bool]int{true: 1, false: -1}[hasA]
		}
		if hasA {
			a.ID = idA
		}
		if hasB {
			b.ID = idB
		}
		want = cmp.Or(want, bytes.Compare(a.ID, b.ID), cmp.Compare(a.Input, b.Input), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Column, b.Column))
		key := appendReadKey(nil, &a)
		if got := bytes.Compare(key, appendReadKey(nil, &b)); got != want {
			t.Fatalf("%+v and %+v compare as %d, not %d", a, b, got, want)
		}
		pair, place, err := pairKey(key)
		if err != nil {
			t.Fatal(err)
		}
		id, hasID, err := decodeID(nil, pair[packedLen:])
		if err != nil || hasID != hasA || !bytes.Equal(id, a.ID) {
			t.Fatalf("%q %t comes back as %q %t, %v", idA, hasA, id, hasID, err)
		}
		var task pipeline.Task
		if err := takePlace(place, &task); err != nil || task.Input != a.Input || task.Row != a.Row || task.Column != a.Column {
			t.Fatalf("%+v comes back as %+v, %v", a, task, err)
		}
	})
}

// No bytes make what takes keys and values do worse than fail.
func FuzzReadDamage(f *testing.F) {
	f.Add(appendReadKey(nil, &pipeline.Read{ID: []byte("\x00a\x00"), HasID: true}))
	f.Add(appendReadKey(nil, &pipeline.Read{Refusal: normalize.ReasonEmpty}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pair, place, err := pairKey(b); err == nil {
			if len(pair)+len(place) != len(b) || len(pair) <= packedLen {
				t.Fatalf("%d and %d bytes of %d", len(pair), len(place), len(b))
			}
			_ = unpack(new(normalize.ID), pair)
			_, _, _ = decodeID(nil, pair[packedLen:])
		}
		_ = takePlace(b, new(pipeline.Task))
		d := decoder{rest: b}
		if takeUnaskable(&d); d.err != nil && len(d.rest) > 0 {
			t.Fatal("goes on after an error")
		}
	})
}
