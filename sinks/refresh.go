package sinks

import (
	"cmp"
	"encoding/binary"
	"slices"

	"mapper/normalize"
)

// slabBytes is the size of the pieces in which refresh rows are kept. One growing slice would need two to
// three times its size whenever it grows.
const slabBytes = 64 << 10

// refreshBins is how many slabs are open at once. A refresh_from has all its rows in slabs of one bin, so that the rows
// that are sorted and then read together lie in a few megabytes, not anywhere in a hundred.
const refreshBins = 64

// A refresh row in memory:
//
//	hash 32 bytes | kind 1 | has id 1 | country 2 | number of its refresh_from 4 | mapped_at 8 | uid length 4 | id length 4 | uid | id
const (
	atKind     = 32
	atHasID    = 33
	atCountry  = 34
	atTime     = 36
	atMappedAt = 40
	atUIDLen   = 48
	atIDLen    = 52
	refreshLen = 56 // without uid and id
)

// place is where a refresh row is: slab<<32 | offset. Among the rows of one refresh_from it rises with the order of arrival.
type place uint64

// refreshTime is a distinct refresh_from and how many rows have it. A service hands out few.
type refreshTime struct {
	value int64
	rows  int
}

// refreshRows keeps what the dataset refresh_from needs of the mapped rows of a part until they are sorted.
type refreshRows struct {
	slabs [][]byte         // those beyond len are to be used again
	open  [refreshBins]int // the slab of each bin to append to, from 1; 0 is none
	rows  int
	bytes int64 // of the slabs, with the room that is left in them

	times  []refreshTime
	number map[int64]uint32 // of a refresh_from in times
	recent [256]uint32      // the same without the map, for those used last; by a hash of the refresh_from

	touched byte // keeps touch from being optimized away

	sorted []place // of all rows, once they are sorted
}

func newRefreshRows() *refreshRows { return &refreshRows{number: make(map[int64]uint32)} }

// add keeps a mapped row.
func (s *refreshRows) add(r *Row) {
	id := r.ID
	if !r.HasID {
		id = nil
	}
	n := refreshLen + len(r.UID) + len(id)
	time := s.time(r.RefreshFrom)
	slab := s.slabFor(time%refreshBins, n)
	end := len(*slab) + n
	b := (*slab)[len(*slab):end]
	*slab = (*slab)[:end]
	copy(b, r.Identity.Hash[:])
	b[atKind], b[atHasID] = byte(r.Identity.Kind), 0
	if r.HasID {
		b[atHasID] = 1 // an empty id is not a null
	}
	copy(b[atCountry:], r.Identity.Country[:])
	binary.LittleEndian.PutUint32(b[atTime:], time)
	binary.LittleEndian.PutUint64(b[atMappedAt:], uint64(r.MappedAt))
	binary.LittleEndian.PutUint32(b[atUIDLen:], uint32(len(r.UID)))
	binary.LittleEndian.PutUint32(b[atIDLen:], uint32(len(id)))
	copy(b[refreshLen:], r.UID)
	copy(b[refreshLen+len(r.UID):], id)
	s.rows++
}

// slabFor returns the slab of a bin to append n bytes to. Only the last one of a bin is ever appended to, so that places
// rise.
func (s *refreshRows) slabFor(bin uint32, n int) *[]byte {
	if open := s.open[bin] - 1; open >= 0 {
		if slab := &s.slabs[open]; cap(*slab)-len(*slab) >= n {
			return slab
		}
	}
	next := len(s.slabs)
	if next < cap(s.slabs) {
		s.slabs = s.slabs[:next+1]
	} else {
		s.slabs = append(s.slabs, nil)
	}
	slab := &s.slabs[next]
	if cap(*slab) < n {
		*slab = make([]byte, 0, max(n, slabBytes))
	}
	*slab = (*slab)[:0]
	s.open[bin] = next + 1
	s.bytes += int64(cap(*slab))
	return slab
}

// time returns the number of a refresh_from, and counts it.
func (s *refreshRows) time(value int64) uint32 {
	recent := &s.recent[uint64(value)*0x9e3779b97f4a7c15>>56]
	if int(*recent) >= len(s.times) || s.times[*recent].value != value {
		n, ok := s.number[value]
		if !ok {
			n = uint32(len(s.times))
			s.number[value] = n
			s.times = append(s.times, refreshTime{value: value})
		}
		*recent = n
	}
	s.times[*recent].rows++
	return *recent
}

// row sets those fields of r to the row at a place that the dataset has. The texts of r are then part of the
// slab.
func (s *refreshRows) row(at place, r *Row) {
	b := s.at(at)
	r.Identity.Hash = [32]byte(b)
	r.Identity.Kind = normalize.Kind(b[atKind])
	r.Identity.Country = [2]byte(b[atCountry:])
	r.HasKind, r.HasHash, r.HasID = true, true, b[atHasID] != 0
	r.RefreshFrom = s.times[binary.LittleEndian.Uint32(b[atTime:])].value
	r.MappedAt = int64(binary.LittleEndian.Uint64(b[atMappedAt:]))
	texts := b[refreshLen : refreshLen+textLen(b)]
	uid := binary.LittleEndian.Uint32(b[atUIDLen:])
	r.UID, r.ID = texts[:uid], texts[uid:]
}

// touch reads from each of the rows. In sorted order they lie anywhere in the slabs of a bin: reading one after the other
// waits for the memory each time. Reads that do not depend on each other wait together.
func (s *refreshRows) touch(places []place) {
	for _, p := range places {
		b := s.at(p)
		s.touched += b[0] ^ b[min(64, len(b)-1)] ^ b[min(refreshLen+normalize.Base64Len, len(b)-1)]
	}
}

// at returns a row and what comes after it in its slab.
func (s *refreshRows) at(p place) []byte { return s.slabs[p>>32][uint32(p):] }

// textLen returns the length of a row's texts.
func textLen(row []byte) int {
	return int(binary.LittleEndian.Uint32(row[atUIDLen:]) + binary.LittleEndian.Uint32(row[atIDLen:]))
}

// held returns how many bytes the rows take, together with what sorting them will take.
func (s *refreshRows) held() int64 {
	const place, time = 8, 64
	return s.bytes + int64(s.rows)*place + int64(len(s.times))*time
}

func (s *refreshRows) reset() {
	s.slabs = s.slabs[:0]
	s.open = [refreshBins]int{}
	s.rows, s.bytes = 0, 0
	s.times = s.times[:0]
	clear(s.number)
	s.sorted = s.sorted[:0]
}

// sort brings the rows into the order of (refresh_from, arrival), those without a refresh_from last: each is dealt to where
// the next one of its refresh_from stands.
func (s *refreshRows) sort() {
	s.sorted = slices.Grow(s.sorted[:0], s.rows)[:s.rows]
	next := s.starts()
	for i, slab := range s.slabs {
		for at := 0; at < len(slab); {
			row := slab[at:]
			time := binary.LittleEndian.Uint32(row[atTime:])
			s.sorted[next[time]] = place(i)<<32 | place(at)
			next[time]++
			at += refreshLen + textLen(row)
		}
	}
}

// starts returns for each of the times where its rows begin in the sorted order.
func (s *refreshRows) starts() []int {
	order := make([]int, len(s.times))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareTimes(s.times[a].value, s.times[b].value) })
	starts := make([]int, len(order))
	at := 0
	for _, time := range order {
		starts[time] = at
		at += s.times[time].rows
	}
	return starts
}

// compareTimes compares two refresh_from. 0 stands for null, which comes last.
func compareTimes(a, b int64) int {
	switch {
	case a == b:
		return 0
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return cmp.Compare(a, b)
}
