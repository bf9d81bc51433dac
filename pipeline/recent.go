package pipeline

import (
	"hash/maphash"
	"math/bits"

	"mapper/normalize"
)

// recent remembers the identities asked last, in the order they were asked, so that a row whose identity has
// just been asked waits for that answer instead of asking again. Its size is fixed and its content depends on
// the input alone, never on timing, so the same input makes the same requests.
//
// Identities are numbered from 0 in the order asked. It is a ring of them and an open hash table of their places in the
// ring; what has left the ring stays in the table as a dead entry until the next rebuild. An entry is small, as every
// row looks into it at a place that no cache could guess.
type recent struct {
	seed  maphash.Seed // the input may hold any hash: no choice of them may make the table slow
	ring  []question
	table []uint32 // place in the ring, and above it an odd tag made of the hash; 0 is free
	place int      // bits of a place
	used  int      // entries of table that are not free
	next  uint64   // the number of the next identity

	touched uint32 // keeps touch from being optimized away
}

// question is what is asked of the service: an identity, and a hash of the uids that are known for it, as an answer to the
// one with them need not be that to the one without.
type question struct {
	normalize.ID
	known uint64 // 0: none
}

func (r *recent) question(id *normalize.ID, knownUIDs []byte) question {
	q := question{ID: *id}
	if len(knownUIDs) > 0 {
		q.known = maphash.Bytes(r.seed, knownUIDs) | 1
	}
	return q
}

// newRecent returns a memory for size identities, a power of two, at most 2^20.
func newRecent(size int) *recent {
	return &recent{seed: maphash.MakeSeed(), ring: make([]question, size), table: make([]uint32, 8*size), place: bits.TrailingZeros(uint(size))}
}

// hash is what find and add want to know of an identity. It asks no memory.
func (r *recent) hash(id *normalize.ID) uint64 { return maphash.Bytes(r.seed, id.Hash[:]) }

// touch reads where find will look first for an identity. Reads that do not depend on each other wait for the memory
// together.
func (r *recent) touch(hash uint64) { r.touched ^= r.table[r.slot(hash)] }

// find returns the number of an identity asked recently.
func (r *recent) find(id *normalize.ID, knownUIDs []byte, hash uint64) (number uint64, ok bool) {
	tag := r.tag(hash)
	for i := r.slot(hash); r.table[i] != 0; i = r.after(i) {
		// Most entries differ in the tag already, and the ring need not be looked at.
		if r.table[i]>>r.place != tag {
			continue
		}
		// A dead entry leads to another identity, which took its place.
		place := uint64(r.table[i]) & r.places()
		if r.ring[place] == r.question(id, knownUIDs) {
			return r.next - 1 - (r.next-1-place)&r.places(), true
		}
	}
	return 0, false
}

// add remembers an identity that find does not know, and returns its number.
func (r *recent) add(id *normalize.ID, knownUIDs []byte, hash uint64) uint64 {
	if r.used > len(r.table)/2 {
		r.rebuild()
	}
	n := r.next
	r.next++
	r.ring[n&r.places()] = r.question(id, knownUIDs)
	r.insert(n, hash)
	return n
}

func (r *recent) places() uint64             { return uint64(len(r.ring) - 1) }
func (r *recent) slot(hash uint64) int       { return int(hash & uint64(len(r.table)-1)) }
func (r *recent) after(slot int) int         { return (slot + 1) & (len(r.table) - 1) }
func (r *recent) tag(hash uint64) (t uint32) { return uint32(hash>>(32+r.place)) | 1 }

func (r *recent) insert(n, hash uint64) {
	i := r.slot(hash)
	for r.table[i] != 0 {
		i = r.after(i)
	}
	r.table[i] = r.tag(hash)<<r.place | uint32(n&r.places())
	r.used++
}

// rebuild drops the dead entries. With a table of eight times the ring it happens once for three times as many identities
// as the ring has at most, so its cost for each is a third of inserting it once more.
func (r *recent) rebuild() {
	clear(r.table)
	r.used = 0
	for n := r.next - min(r.next, uint64(len(r.ring))); n < r.next; n++ {
		r.insert(n, r.hash(&r.ring[n&r.places()].ID))
	}
}
