package sinks

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// refreshKey is what the rows of one refresh_from are sorted by.
type refreshKey struct {
	prefix uint64 // the first 8 bytes of the hash
	place  place
}

// sort brings the rows into the order of (refresh_from, hash, arrival), those without a refresh_from last.
// The keys are dealt to their refresh_from as they are made, which leaves one group of equal ones for each.
func (s *refreshRows) sort() {
	s.keys = slices.Grow(s.keys[:0], s.rows)[:s.rows]
	next := s.starts()
	for i, slab := range s.slabs {
		for at := 0; at < len(slab); {
			row := slab[at:]
			time := binary.LittleEndian.Uint32(row[atTime:])
			s.keys[next[time]] = refreshKey{binary.BigEndian.Uint64(row), place(i)<<32 | place(at)}
			next[time]++
			at += refreshLen + textLen(row)
		}
	}
	for time, end := range next {
		s.sortGroup(s.keys[end-s.times[time].rows:end], 64)
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

// few is how many keys are sorted faster by comparing them than by dealing them out.
const few = 12

// Groups up to some size are dealt out by way of other memory, a megabyte of it; larger ones in place, which takes longer.
const (
	scratchKeys = 1 << 16
	inPlaceBits = 8
	scratchBits = 12
)

// sortGroup sorts keys that are equal in the bits of their prefix above free: it deals them out by the next few bits, then
// sorts each of the buckets. Hashes are spread evenly, so that two rounds leave buckets of a few. All that takes a
// seventh of the time of slices.SortFunc.
func (s *refreshRows) sortGroup(keys []refreshKey, free int) {
	switch {
	case len(keys) <= few:
		s.sortFew(keys)
		return
	case free == 0: // many rows of one identity, or of somebody who makes hashes alike
		slices.SortFunc(keys, s.compare)
		return
	}
	atMost := scratchBits
	if len(keys) > scratchKeys {
		atMost = inPlaceBits
	}
	digit := min(bits.Len(uint(len(keys)*2/few)), atMost, free)
	shift := free - digit
	next, ends := s.next[:1<<digit], s.ends[:1<<digit]
	count(keys, next, ends, shift)
	if len(keys) > scratchKeys {
		dealInPlace(keys, next, ends, shift)
	} else {
		s.deal(keys, next, shift)
	}
	for len(keys) > 0 { // the buckets stand in their order, and next and ends are for the next to use
		n := 1
		for n < len(keys) && keys[n].prefix>>shift == keys[0].prefix>>shift {
			n++
		}
		s.sortGroup(keys[:n], shift)
		keys = keys[n:]
	}
}

// count sets where each bucket begins and ends. The lowest bits of prefix>>shift say which one a key belongs to; there are
// a power of two of them.
func count(keys []refreshKey, begins, ends []int32, shift int) {
	clear(ends)
	mask := uint64(len(ends) - 1)
	for i := range keys {
		ends[keys[i].prefix>>shift&mask]++
	}
	sum := int32(0)
	for b, n := range ends {
		begins[b] = sum
		sum += n
		ends[b] = sum
	}
}

// deal moves each key to its bucket. next is where each bucket begins, and of no use afterwards.
func (s *refreshRows) deal(keys []refreshKey, next []int32, shift int) {
	if s.scratch == nil {
		s.scratch = make([]refreshKey, scratchKeys)
	}
	mask := uint64(len(next) - 1)
	for _, k := range keys {
		at := &next[k.prefix>>shift&mask]
		s.scratch[*at] = k
		*at++
	}
	copy(keys, s.scratch)
}

// sortFew sorts by insertion: for a few keys that is faster than slices.SortFunc.
func (s *refreshRows) sortFew(keys []refreshKey) {
	for i := 1; i < len(keys); i++ {
		k, at := keys[i], i
		for ; at > 0; at-- {
			before := keys[at-1]
			if before.prefix < k.prefix || before.prefix == k.prefix && s.compare(before, k) < 0 {
				break
			}
			keys[at] = before
		}
		keys[at] = k
	}
}

// dealInPlace is deal without other memory.
func dealInPlace(keys []refreshKey, next, ends []int32, shift int) {
	mask := uint64(len(ends) - 1)
	for b, end := range ends {
		for next[b] < end {
			k := keys[next[b]]
			for to := k.prefix >> shift & mask; to != uint64(b); to = k.prefix >> shift & mask {
				keys[next[to]], k = k, keys[next[to]]
				next[to]++
			}
			keys[next[b]] = k
			next[b]++
		}
	}
}

func (s *refreshRows) compare(a, b refreshKey) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	if c := bytes.Compare(s.at(a.place)[:32], s.at(b.place)[:32]); c != 0 {
		return c
	}
	return cmp.Compare(a.place, b.place)
}
