package uid2

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The envelope of a request is
//
//	0x01 | IV (12) | AES-256-GCM of: time, Unix ms BE (8) | nonce (8) | JSON | tag (16)
//
// and that of a reply the same without the first byte, with the operator's time and the nonce of the request.
// Source: the operator's V2RequestUtil and the reference SDKs, which produce the vectors in the tests.
const (
	envelopeVersion = 1
	ivLen           = 12
	tagLen          = 16
	nonceLen        = 8
	headLen         = 8 + nonceLen // in front of the JSON
)

// SecretLen is the length of a client secret in bytes; it is given in standard base64.
const SecretLen = 32

type nonce [nonceLen]byte

// sealer encrypts requests and decrypts replies. It is safe for concurrent use.
type sealer struct {
	gcm    cipher.AEAD
	random func([]byte) // fills with random bytes
}

var errSecret = errors.New("the client secret is not base64 of 32 bytes")

func newSealer(secret string) (*sealer, error) {
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil || len(key) != SecretLen {
		return nil, errSecret // the cause would quote the secret
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errSecret
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{gcm: gcm, random: func(b []byte) { _, _ = rand.Read(b) }}, nil // rand.Read never fails
}

// begin appends to dst the part of an envelope that stands before the JSON, and returns the nonce of the
// request. The caller appends the JSON and calls seal.
func (s *sealer) begin(dst []byte, now time.Time) ([]byte, nonce) {
	var n nonce
	s.random(n[:])
	dst = append(dst, envelopeVersion)
	dst = append(dst, make([]byte, ivLen)...)
	s.random(dst[len(dst)-ivLen:])
	dst = binary.BigEndian.AppendUint64(dst, uint64(now.UnixMilli()))
	return append(dst, n[:]...), n
}

// seal encrypts in place what begin and the caller have written.
func (s *sealer) seal(envelope []byte) []byte {
	iv, plain := envelope[1:1+ivLen], envelope[1+ivLen:]
	return s.gcm.Seal(envelope[:1+ivLen], iv, plain, nil)
}

// open decrypts a reply's envelope and appends its JSON to dst. It returns the operator's time.
func (s *sealer) open(dst, envelope []byte, sent nonce) ([]byte, time.Time, error) {
	if len(envelope) < ivLen+headLen+tagLen {
		return dst, time.Time{}, fmt.Errorf("the reply has %d bytes, an envelope at least %d", len(envelope), ivLen+headLen+tagLen)
	}
	// Decrypted behind dst, the head is in front of the JSON: it is read and closed up.
	plain, err := s.gcm.Open(dst, envelope[:ivLen], envelope[ivLen:], nil)
	if err != nil {
		return dst, time.Time{}, errors.New("the reply cannot be decrypted")
	}
	head := plain[len(dst) : len(dst)+headLen]
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(head)))
	if !bytes.Equal(head[8:], sent[:]) {
		return dst, time.Time{}, errors.New("the reply answers another request: its nonce differs")
	}
	return plain, at, nil
}

// text decodes a reply in base64, in place.
func text(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	n, err := base64.StdEncoding.Decode(body, body)
	if err != nil {
		return nil, errors.New("the reply is not base64")
	}
	return body[:n], nil
}
