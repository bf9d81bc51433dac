package view

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mapper/client"
	"mapper/sinks"
)

// What goes through a sorter comes back in order, however small its memory and however large the records.
func TestSorter(t *testing.T) {
	for _, memory := range []int64{1, 500, 10_000, 1 << 20} {
		d := rand.New(rand.NewPCG(uint64(memory), 5))
		s := newSorter(memory, t.TempDir())
		var want []record
		for i := range 2000 {
			key := append([]byte("shared: "), byte(d.IntN(3)), byte(i>>8), byte(i))
			value := bytes.Repeat([]byte{byte(i)}, d.IntN(50))
			if i%400 == 0 {
				value = make([]byte, 70_000) // more than any buffer
			}
			want = append(want, record{key, value})
			if err := s.add(key, value); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, func(a, b record) int { return bytes.Compare(a.key, b.key) })
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		if spilled := s.file != nil; spilled != (memory < 1<<20) {
			t.Fatalf("memory %d: spilled is %t", memory, spilled)
		}
		i := 0
		err := s.each(func(r record) error {
			if !bytes.Equal(r.key, want[i].key) || !bytes.Equal(r.value, want[i].value) {
				t.Fatalf("memory %d: record %d is %x, not %x", memory, i, r.key, want[i].key)
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Fatalf("memory %d: %d records of %d, %v", memory, i, len(want), err)
		}
		if err := s.reset(); err != nil || len(s.entries) > 0 || s.file != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no device that is always full: ", err)
	}
	defer full.Close()
	s := newSorter(1000, t.TempDir())
	s.file = full
	for err == nil {
		err = s.add(make([]byte, 100), nil)
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Fatal(err)
	}
}

// A spill that somebody else changes is an error.
func TestDamagedSpill(t *testing.T) {
	s := newSorter(1000, t.TempDir())
	for i := range 200 {
		if err := s.add([]byte{0, 0, 0, 0, 0, 0, 0, byte(i)}, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if err := s.file.Truncate(s.size - 1); err != nil {
		t.Fatal(err)
	}
	if err := s.each(func(record) error { return nil }); !errors.Is(err, errDamagedSpill) {
		t.Fatal(err)
	}
	if err := s.reset(); err != nil {
		t.Fatal(err)
	}
}

// Pairs compare as their ids do, nulls first, and later rows of a pair come first.
func FuzzPairKey(f *testing.F) {
	f.Add([]byte("a"), true, []byte("a\x00"), true, uint32(1), uint32(2), uint64(3), uint64(3))
	f.Add([]byte(""), true, []byte(""), false, uint32(1), uint32(2), uint64(3), uint64(3))
	f.Add([]byte("a\x00\xff"), true, []byte("a\x00"), true, uint32(0), uint32(0), uint64(1), uint64(0))
	f.Fuzz(func(t *testing.T, a []byte, hasA bool, b []byte, hasB bool, rankA, rankB uint32, rowA, rowB uint64) {
		x, y := appendPair(nil, a, hasA, rankA, rowA), appendPair(nil, b, hasB, rankB, rowB)
		want := 0
		switch {
		case hasA != hasB && hasB:
			want = -1
		case hasA != hasB:
			want = 1
		case hasA:
			want = bytes.Compare(a, b)
		}
		want = cmp.Or(want, cmp.Compare(rankB, rankA), cmp.Compare(rowB, rowA))
		if got := bytes.Compare(x, y); got != want {
			t.Fatalf("%q %t and %q %t compare as %d, not %d", a, hasA, b, hasB, got, want)
		}
		id, hasID, err := decodeID(nil, x[:len(x)-orderLen])
		if err != nil || hasID != hasA || hasA && !bytes.Equal(id, a) {
			t.Fatalf("%q %t comes back as %q %t, %v", a, hasA, id, hasID, err)
		}
		if rank, row := orderOf(x); rank != rankA || row != rowA {
			t.Fatalf("%d %d comes back as %d %d", rankA, rowA, rank, row)
		}
	})
}

// What a row says goes through a record and comes back.
func FuzzRecord(f *testing.F) {
	f.Add(uint8(1), int64(-1), int64(5), []byte("uid"), []byte(""), []byte("word"), []byte("id"), true, true, uint32(3), uint32(0), int64(9))
	f.Fuzz(func(t *testing.T, status uint8, at, refresh int64, uid, previous, word, id []byte, hasID, live bool, file, column uint32, row int64) {
		a := answer{client.Status(status), refresh, uid, previous, word}
		p := pair{id, hasID}
		l := life{live, file, column, row}
		value := l.append(p.append(a.append(nil)))
		of := networkOf(sinks.Network(status % 2))
		key := appendAnswer(make([]byte, of.identityLen()), tierAnswer, at, false, file, uint64(row))

		s := newSorter(1000, "")
		if err := s.add(key, value); err != nil {
			t.Fatal(err)
		}
		back, n, err := decodeRecord(s.arena)
		if err != nil || n != len(s.arena) || len(back.key) != of.keyLen() || mappedAtOf(back.key) != at {
			t.Fatalf("the record does not come back: %v", err)
		}
		var a2 answer
		var p2 pair
		var l2 life
		d := decoder{rest: back.value}
		a2.take(&d)
		p2.take(&d)
		l2.take(&d)
		same := a2.status == a.status && a2.refreshFrom == refresh && l2 == l && p2.hasID == hasID && (!hasID || bytes.Equal(p2.id, id))
		if d.end() != nil || !same || !bytes.Equal(a2.uid, uid) || !bytes.Equal(a2.previous, previous) || !bytes.Equal(a2.word, word) {
			t.Fatalf("%v %v %v comes back as %v %v %v, %v", a, p, l, a2, p2, l2, d.err)
		}
	})
}

// No bytes of a spill make its reader do worse than fail.
func FuzzDamage(f *testing.F) {
	f.Add([]byte("\x02\x03abcde"))
	f.Add(binaryGarbage())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := decodeRecord(b)
		if err == nil && (n > len(b) || len(r.key)+len(r.value) > n) {
			t.Fatalf("a record of %d bytes in %d", n, len(b))
		}
		d := decoder{rest: b}
		var a answer
		var p pair
		var l life
		a.take(&d)
		p.take(&d)
		l.take(&d)
		for _, s := range []storage{{0, false}, {8, false}, {4, true}} {
			s.skip(&d)
		}
		if d.err != nil && len(d.rest) > 0 {
			t.Fatal("goes on after an error")
		}
		_, _, _ = decodeID(nil, b)
	})
}

func binaryGarbage() []byte {
	return append(bytes.Repeat([]byte{0xff}, 12), 1, 2, 3)
}
