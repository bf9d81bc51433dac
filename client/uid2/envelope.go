package uid2

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// An envelope is what travels instead of JSON, in both directions. Encrypted with AES-256-GCM under the client secret,
// without additional data:
//
//	request:  0x01 ‖ IV (12) ‖ encrypted( time (8) ‖ nonce (8) ‖ JSON ) ‖ tag (16)
//	reply:           IV (12) ‖ encrypted( time (8) ‖ nonce (8) ‖ JSON ) ‖ tag (16)
//
// The time is Unix milliseconds, big-endian. The service echoes the nonce and refuses a request whose time is more than
// about a minute off.
const (
	envelopeVersion = 1
	ivLen           = 12
	nonceLen        = 8
	headLen         = 8 + nonceLen
	tagLen          = 16
)

type (
	iv    [ivLen]byte
	nonce [nonceLen]byte
)

// newAEAD returns the cipher of a client secret, which is 32 bytes in standard base64. Its errors do not show it.
func newAEAD(secret string) (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		return nil, errors.New("the client secret is not standard base64")
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("the client secret is %d bytes in base64; want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// beginEnvelope appends the head of a request envelope to dst. The JSON comes behind it, then seal.
func beginEnvelope(dst []byte, iv iv, n nonce, unixMilli int64) []byte {
	dst = append(dst, envelopeVersion)
	dst = append(dst, iv[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(unixMilli))
	return append(dst, n[:]...)
}

// seal encrypts an envelope in place: what beginEnvelope began, with its JSON.
func seal(aead cipher.AEAD, envelope []byte) []byte {
	const head = 1 + ivLen
	return aead.Seal(envelope[:head], envelope[1:head], envelope[head:], nil)
}

// The ways in which a reply envelope cannot be believed.
var (
	errShort   = errors.New("the reply is too short for an envelope")
	errTamper  = errors.New("the reply cannot be decrypted with the client secret")
	errNonce   = errors.New("the reply belongs to another request: its nonce is not ours")
	errPadding = errors.New("the reply is not base64")
)

// open decrypts a reply envelope in place. It returns the service's time in Unix milliseconds, and where in envelope the
// JSON lies.
func open(aead cipher.AEAD, envelope []byte, want nonce) (unixMilli int64, from, to int, err error) {
	if len(envelope) < ivLen+tagLen {
		return 0, 0, 0, errShort
	}
	plain, err := aead.Open(envelope[ivLen:ivLen], envelope[:ivLen], envelope[ivLen:], nil)
	switch {
	case err != nil:
		return 0, 0, 0, errTamper
	case len(plain) < headLen:
		return 0, 0, 0, errShort
	case nonce(plain[8:headLen]) != want:
		return 0, 0, 0, errNonce
	}
	return int64(binary.BigEndian.Uint64(plain)), ivLen + headLen, ivLen + len(plain), nil
}
