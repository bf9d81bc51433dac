package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"

	"mapper/normalize"
)

// environmentProd is the environment in version 4 raw UIDs; with it they start with o, p, s or t.
const environmentProd = 2

// firstLevelHash returns SHA-256(base64(identity hash) ‖ first-level salt).
func firstLevelHash(hash, firstLevelSalt []byte) [32]byte {
	var buf [64]byte
	return sha256.Sum256(append(base64.StdEncoding.AppendEncode(buf[:0], hash), firstLevelSalt...))
}

// rotate returns SHA-256(base64(first-level hash) ‖ rotating salt), the 32 bytes of a version 2 or 3 raw UID.
func rotate(firstLevelHash *[32]byte, salt []byte) [32]byte {
	var buf [64]byte
	return sha256.Sum256(append(base64.StdEncoding.AppendEncode(buf[:0], firstLevelHash[:]), salt...))
}

// appendV2 appends a raw UID of version 2: 44 characters that end in '='.
func appendV2(dst []byte, firstLevelHash *[32]byte, salt []byte) []byte {
	uid := rotate(firstLevelHash, salt)
	return base64.StdEncoding.AppendEncode(dst, uid[:])
}

// appendV3 appends a raw UID of version 3: 44 characters without '='. prefix is scope and type (see prefixOf).
func appendV3(dst []byte, prefix byte, firstLevelHash *[32]byte, salt []byte) []byte {
	var uid [33]byte
	uid[0] = prefix
	hash := rotate(firstLevelHash, salt)
	copy(uid[1:], hash[:])
	return base64.StdEncoding.AppendEncode(dst, uid[:])
}

// appendV4 appends a raw UID of version 4, 44 characters: metadata, key id, IV, the last 16 bytes of the
// first-level hash under AES-256-CTR, checksum. It allocates: no benchmark depends on it.
func appendV4(dst []byte, prefix byte, firstLevelHash *[32]byte, k keyMaterial) []byte {
	metadata := prefix | 1<<5 | environmentProd<<6
	head := []byte{metadata, byte(k.id >> 16), byte(k.id >> 8), byte(k.id)}
	half := append([]byte{}, firstLevelHash[16:]...) // a copy: what goes to a cipher escapes, for all callers

	seed := append(append(append([]byte{}, k.salt...), half...), head...)
	ivHash := sha256.Sum256(seed)
	var iv [aes.BlockSize]byte // 12 bytes and a counter that starts at 0
	copy(iv[:12], ivHash[:])

	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		panic("sandbox: AES refuses a key of 32 bytes: " + err.Error())
	}
	var uid [33]byte
	copy(uid[:4], head)
	copy(uid[4:16], iv[:12])
	cipher.NewCTR(block, iv[:]).XORKeyStream(uid[16:32], half)
	for _, b := range uid[:32] {
		uid[32] ^= b
	}
	return base64.StdEncoding.AppendEncode(dst, uid[:])
}

// prefixOf returns the bits that say whose raw UID it is and of what: scope (EUID 1) at 4, type (phone 1) at 2.
func prefixOf(euid bool, kind normalize.Kind) byte {
	prefix := byte(kind) << 2
	if euid {
		prefix |= 1 << 4
	}
	return prefix
}
