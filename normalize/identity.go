package normalize

import (
	"encoding/base64"
	"encoding/hex"
)

// Kind says what a person was known by. Its value is part of an identity's key.
type Kind uint8

const (
	KindEmail Kind = iota // an email address
	KindPhone             // a telephone number

	// Kinds is how many kinds there are, for arrays indexed by Kind.
	Kinds
)

// String returns the kind as it stands in the column identity_type.
func (k Kind) String() string {
	if k == KindPhone {
		return "phone"
	}
	return "email"
}

// ID is one identity: the SHA-256 of a normalized email or phone, and which of the two it was.
// It is comparable and holds no pointer, so millions of them cost the garbage collector nothing.
type ID struct {
	Hash [32]byte
	Kind Kind
}

// Base64Len is the length of an identity's hash as UID2 and EUID write it.
const Base64Len = 44

// AppendBase64 appends the hash in standard base64 with padding, 44 characters: the form UID2 and EUID take.
func (id *ID) AppendBase64(dst []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, id.Hash[:])
}

// AppendHex appends the hash as 64 lower-case hexadecimal digits: the form ID5 takes.
func (id *ID) AppendHex(dst []byte) []byte {
	return hex.AppendEncode(dst, id.Hash[:])
}
