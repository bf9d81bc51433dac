package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"mapper/normalize"
)

// identity is one element of a request as the operator understands it.
type identity struct {
	kind normalize.Kind
	size int // bytes of hash: 32, for some base64 texts 31 or 33, and 0 for an invalid identifier
	hash [33]byte
}

// id returns the identity by the name that tests and clients know it by. It reports false for hashes that are
// not 32 bytes, which nobody can mean.
func (i *identity) id() (normalize.ID, bool) {
	return normalize.ID{Hash: [32]byte(i.hash[:32]), Kind: i.kind}, i.size == sha256.Size
}

func (i *identity) set(hash [32]byte) {
	i.size = copy(i.hash[:], hash[:])
}

// read sets i to what an element of one of the four arrays means.
func (i *identity) read(from key, text []byte) {
	i.size = 0
	i.kind = normalize.KindEmail
	if from == phone || from == phoneHash {
		i.kind = normalize.KindPhone
	}
	switch from {
	case email:
		i.readEmail(text)
	case phone:
		i.readPhone(text)
	case emailHash, phoneHash:
		i.readHash(text)
	}
}

func (i *identity) readEmail(text []byte) {
	var room [128]byte
	canonical, reason := normalize.AppendEmail(room[:0], normalize.RawBytes(text))
	if reason == normalize.ReasonNone {
		i.set(sha256.Sum256(canonical))
	}
}

func (i *identity) readPhone(text []byte) {
	if normalize.CheckPhone(normalize.RawBytes(text)) == normalize.ReasonNone {
		i.set(sha256.Sum256(text))
	}
}

// readHash tells the two spellings of a hash apart by length alone, as the operator does, which for base64
// does not check what length it decodes to.
func (i *identity) readHash(text []byte) {
	switch len(text) {
	case 44:
		var room [36]byte // the decoder wants room for the padding too
		if n, ok := decodeBase64(room[:], text); ok {
			i.size = copy(i.hash[:], room[:n])
		}
	case 64:
		if n, err := hex.Decode(i.hash[:], text); err == nil {
			i.size = n
		}
	}
}

// decodeBase64 decodes standard base64 as Java's basic decoder does: no white space of any kind, padding right
// or left out altogether, any trailing bits. dst must hold base64.StdEncoding.DecodedLen(len(src)) bytes.
func decodeBase64(dst, src []byte) (n int, ok bool) {
	// Go's decoder skips line breaks.
	if bytes.IndexByte(src, '\n') >= 0 || bytes.IndexByte(src, '\r') >= 0 {
		return 0, false
	}
	encoding := base64.StdEncoding
	if !bytes.HasSuffix(src, []byte("=")) {
		encoding = base64.RawStdEncoding
	}
	n, err := encoding.Decode(dst, src)
	return n, err == nil
}
