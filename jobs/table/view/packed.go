package view

import (
	"encoding/binary"

	"mapper/normalize"
)

// The view's order of identities is that of the texts of their hashes, 44 characters of base64. A key that is shorter
// and compares the same way is made of the hash's bits: each six of them, which are a character, become the rank of that
// character among the 64 in the order of ASCII: + / 0-9 A-Z a-z. The last character stands for four bits, and the
// padding is the same for all.

// packedLen is the length of a packed identity: its kind, and 43 ranks of 6 bits.
const packedLen = 1 + 33

// ranks has two ranks for each two characters, that is for 12 bits of a hash, and unranked is its inverse. Two at a time
// take half the time, and 8 KB stay in the cache.
var ranks, unranked = func() (ranks, unranked [4096]uint16) {
	for i := range ranks {
		ranks[i] = rankOf(i>>6)<<6 | rankOf(i&63)
		unranked[ranks[i]] = uint16(i)
	}
	return ranks, unranked
}()

// rankOf returns the rank of the character that stands for six bits.
func rankOf(six int) uint16 {
	switch {
	case six >= 62: // + /
		return uint16(six - 62)
	case six >= 52: // 0-9
		return uint16(six - 50)
	}
	return uint16(six + 12) // A-Z a-z
}

// appendPacked appends an identity such that bytes compare as its kind and then the base64 text of its hash do.
func appendPacked(dst []byte, id *normalize.ID) []byte {
	var packed [packedLen]byte
	packed[0] = byte(id.Kind)
	to := packed[1:]
	for i := 0; i < 30; i += 6 { // eight bytes are read and six used, which stays inside the hash
		putSix(to[i:], translate(&ranks, binary.BigEndian.Uint64(id.Hash[i:])>>16))
	}
	// What is left is 16 bits: two characters and one that has four of them.
	last := uint(binary.BigEndian.Uint16(id.Hash[30:])) << 2
	last = uint(ranks[last>>6])<<6 | uint(ranks[last&63]&63)
	to[30], to[31], to[32] = byte(last>>10), byte(last>>2), byte(last<<6)
	return append(dst, packed[:]...)
}

// unpack is the inverse of appendPacked. Its argument has packedLen bytes.
func unpack(id *normalize.ID, packed []byte) error {
	id.Kind = normalize.Kind(packed[0])
	from := packed[1:packedLen]
	for i := 0; i < 30; i += 6 {
		putSix(id.Hash[i:], translate(&unranked, sixOf(from[i:])))
	}
	last := uint(from[30])<<10 | uint(from[31])<<2 | uint(from[32])>>6
	last = uint(unranked[last>>6])<<6 | uint(unranked[last&63])&63
	id.Hash[30], id.Hash[31] = byte(last>>10), byte(last>>2)
	if id.Kind >= normalize.Kinds || last&3 != 0 || from[32]&63 != 0 {
		return errDamagedSpill
	}
	return nil
}

// translate looks up each 12 of 48 bits.
func translate(table *[4096]uint16, x uint64) uint64 {
	return uint64(table[x>>36&0xfff])<<36 | uint64(table[x>>24&0xfff])<<24 | uint64(table[x>>12&0xfff])<<12 | uint64(table[x&0xfff])
}

func putSix(to []byte, x uint64) {
	binary.BigEndian.PutUint32(to, uint32(x>>16))
	binary.BigEndian.PutUint16(to[4:], uint16(x))
}

func sixOf(from []byte) uint64 {
	return uint64(binary.BigEndian.Uint32(from))<<16 | uint64(binary.BigEndian.Uint16(from[4:]))
}
