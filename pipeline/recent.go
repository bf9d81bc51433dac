package pipeline

import (
	"hash/maphash"

	"mapper/normalize"
)

// recent remembers the identities asked last, in the order they were asked, so that a row whose identity has
// just been asked waits for that answer instead of asking again. Its size is fixed and its content depends on
// the input alone, never on timing, so the same input makes the same requests.
//
// Identities are numbered from 0 in the order asked. It is a ring of hashes and an open hash table of their
// numbers; what has left the ring stays in the table as a dead entry until the next rebuild.
type recent struct {
	seed  maphash.Seed // the input may hold any hash: no choice of them may make the table slow
	ring  []question
	table []uint64 // number + 1, and in the lowest 16 bits some of the hash; 0 is free
	used  int      // entries of table that are not free
	next  uint64   // the number of the next identity
}

// question is what is asked of the service: an identity, and a hash of the uids that are known for it, as an answer to the
// one with them need not be that to the one without.
type question struct {
	normalize.ID
	known uint64 // 0: none
}

func (r *recent) question(id normalize.ID, knownUIDs []byte) question {
	q := question{ID: id}
	if len(knownUIDs) > 0 {
		q.known = maphash.Bytes(r.seed, knownUIDs) | 1
	}
	return q
}

// newRecent returns a memory for size identities, a power of two.
func newRecent(size int) *recent {
	return &recent{seed: maphash.MakeSeed(), ring: make([]question, size), table: make([]uint64, 4*size)}
}

// oldest is the lowest number that is still remembered.
func (r *recent) oldest() uint64 { return r.next - min(r.next, uint64(len(r.ring))) }

// find returns the number of an identity asked recently.
func (r *recent) find(id normalize.ID, knownUIDs []byte) (number uint64, ok bool) {
	q := r.question(id, knownUIDs)
	h := r.hash(&q)
	for i := r.slot(h); r.table[i] != 0; i = (i + 1) & (len(r.table) - 1) {
		// Most entries differ in these bits already, and the ring need not be looked at.
		if uint16(r.table[i]) != tag(h) {
			continue
		}
		n := r.table[i]>>tagBits - 1
		if n >= r.oldest() && *r.at(n) == q {
			return n, true
		}
	}
	return 0, false
}

// add remembers an identity that find does not know, and returns its number.
func (r *recent) add(id normalize.ID, knownUIDs []byte) uint64 {
	if r.used > len(r.table)/2 {
		r.rebuild()
	}
	n := r.next
	r.next++
	*r.at(n) = r.question(id, knownUIDs)
	r.insert(n)
	return n
}

func (r *recent) at(n uint64) *question { return &r.ring[n&uint64(len(r.ring)-1)] }

const tagBits = 16

func (r *recent) hash(q *question) uint64 { return maphash.Bytes(r.seed, q.Hash[:]) }
func (r *recent) slot(hash uint64) int    { return int(hash & uint64(len(r.table)-1)) }
func tag(hash uint64) uint16              { return uint16(hash >> (64 - tagBits)) }

func (r *recent) insert(n uint64) {
	h := r.hash(r.at(n))
	i := r.slot(h)
	for r.table[i] != 0 {
		i = (i + 1) & (len(r.table) - 1)
	}
	r.table[i] = (n+1)<<tagBits | uint64(tag(h))
	r.used++
}

// rebuild drops the dead entries. It happens once for every len(ring) identities at most, so its cost for each
// is that of inserting it once more.
func (r *recent) rebuild() {
	clear(r.table)
	r.used = 0
	for n := r.oldest(); n < r.next; n++ {
		r.insert(n)
	}
}
