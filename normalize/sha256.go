package normalize

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// hasher computes the SHA-256 of short texts, which nearly all identifiers are. What sha256.Sum256 does beside the one
// block of such a text takes longer than the block: here the text is padded by hand, and the state of the digest after
// its block, which is the hash, is read from the digest's binary form.
type hasher struct {
	digest hash.Hash
	state  encoding.BinaryAppender // of digest; nil if it does not have the form that is known
	block  [sha256.BlockSize]byte
	buf    []byte
}

const (
	lengthLen = 8                                       // of the length at the end of the padding
	blockText = sha256.BlockSize - lengthLen - 1        // what fits into one block with its padding
	stateAt   = 4                                       // where in the binary form the state is: behind "sha\x03"
	stateLen  = stateAt + sha256.Size                   // what is needed of it
	formLen   = stateLen + sha256.BlockSize + lengthLen // all of it
)

func newHasher() hasher {
	h := hasher{digest: sha256.New(), buf: make([]byte, 0, formLen)}
	h.state, _ = h.digest.(encoding.BinaryAppender)
	probe := []byte("user@example.com")
	if h.state != nil && (h.short(probe) != sha256.Sum256(probe) || len(h.buf) < stateLen) {
		h.state = nil
	}
	return h
}

// sum returns the SHA-256 of text.
func (h *hasher) sum(text []byte) [32]byte {
	if len(text) > blockText || h.state == nil {
		return sha256.Sum256(text)
	}
	return h.short(text)
}

// short is sum for a text that fits into one block.
func (h *hasher) short(text []byte) [32]byte {
	n := copy(h.block[:], text)
	h.block[n] = 0x80
	clear(h.block[n+1:])
	binary.BigEndian.PutUint16(h.block[len(h.block)-2:], uint16(8*n))
	h.digest.Reset()
	_, _ = h.digest.Write(h.block[:]) // never fails
	var err error
	if h.buf, err = h.state.AppendBinary(h.buf[:0]); err != nil || len(h.buf) < stateLen {
		return sha256.Sum256(text)
	}
	return [32]byte(h.buf[stateAt:])
}
