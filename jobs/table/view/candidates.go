package view

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"mapper/normalize"
	"mapper/sinks"
)

// candidates is a set of identities that holds some more than were put in: a bit for all hashes that begin alike, in
// whichever country. Hashes
// are random, so that with the default memory and one candidate in thirty of a hundred million it is one more in eighty.
// Any number of goroutines may use it.
type candidates struct {
	network network
	words   []atomic.Uint64
	shift   int // of the first 48 bits of a hash
}

const maxCandidateBytes = 32 << 20

// newCandidates makes an empty set that takes at most so many bytes, and maxCandidateBytes, but 8 at least.
func newCandidates(memory int64, n network) *candidates {
	words := uint64(max(1, min(memory, maxCandidateBytes)/8))
	log := bits.Len64(words) - 1
	return &candidates{network: n, words: make([]atomic.Uint64, 1<<log), shift: 48 - 6 - log}
}

func (c *candidates) bytes() int64 { return int64(len(c.words)) * 8 }

// add puts an identity in.
func (c *candidates) add(hash []byte) error {
	bit, err := c.bit(hash)
	if err == nil {
		c.words[bit/64].Or(1 << (bit % 64))
	}
	return err
}

func (c *candidates) has(hash []byte) (bool, error) {
	bit, err := c.bit(hash)
	return err == nil && c.words[bit/64].Load()&(1<<(bit%64)) != 0, err
}

// bit returns the bit that stands for the hash of a text.
func (c *candidates) bit(hash []byte) (uint64, error) {
	var first [8]byte
	if c.network.Network == sinks.NetworkID5 {
		if len(hash) != c.network.hashLen {
			return 0, errHex
		}
		if err := decodeHex(first[2:], hash[:12]); err != nil {
			return 0, err
		}
		return binary.BigEndian.Uint64(first[:]) >> c.shift, nil
	}
	if len(hash) != normalize.Base64Len {
		return 0, errHash
	}
	if _, err := base64.StdEncoding.Decode(first[2:], hash[:8]); err != nil {
		return 0, errHash
	}
	return binary.BigEndian.Uint64(first[:]) >> c.shift, nil
}
