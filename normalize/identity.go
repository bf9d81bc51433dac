package normalize

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Kind says what a person was known by. Its value is part of an identity's key.
type Kind uint8

// The kinds.
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

// ID is one identity: the SHA-256 of a normalized email or phone, which of the two it was, and for ID5 the country that
// is sent with it, as ID5 gives one person another uid in another country. All of it is the identity's key.
// It is comparable and holds no pointer, so millions of them cost the garbage collector nothing.
type ID struct {
	Hash [32]byte
	Kind Kind

	// Country is the ISO 3166-1 alpha-2 code in capitals, or AA, which is ID5's for all the world. It is zero where no
	// country is sent: for UID2 and EUID always, for ID5 when there is none to send, which is not the same key as AA.
	Country [2]byte
}

// Base64Len is the length of an identity's hash as UID2 and EUID write it.
const Base64Len = 44

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// pairs holds the two base64 characters of each 12-bit number, the first one in the low byte. Every row that
// is written carries its hash in base64; two characters at a time take half the time of encoding/base64.
var pairs = func() (t [4096]uint16) {
	for i := range t {
		t[i] = uint16(alphabet[i>>6]) | uint16(alphabet[i&63])<<8
	}
	return t
}()

// AppendBase64 appends the hash in standard base64 with padding, 44 characters: the form UID2 and EUID take.
func (id *ID) AppendBase64(dst []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, Base64Len)[:n+Base64Len]
	out := (*[Base64Len]byte)(dst[n:])
	for i := range 5 { // six bytes, eight characters; reading eight bytes stays inside the hash
		x := binary.BigEndian.Uint64(id.Hash[i*6:])
		binary.LittleEndian.PutUint64(out[i*8:], uint64(pairs[x>>52])|uint64(pairs[x>>40&0xfff])<<16|
			uint64(pairs[x>>28&0xfff])<<32|uint64(pairs[x>>16&0xfff])<<48)
	}
	last := uint(id.Hash[30])<<10 | uint(id.Hash[31])<<2
	binary.LittleEndian.PutUint16(out[40:], pairs[last>>6])
	out[42], out[43] = alphabet[last&63], '='
	return dst
}

// AppendHex appends the hash as 64 lower-case hexadecimal digits: the form ID5 takes.
func (id *ID) AppendHex(dst []byte) []byte {
	return hex.AppendEncode(dst, id.Hash[:])
}
