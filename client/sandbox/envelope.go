package sandbox

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	envelopeVersion = 1
	ivSize          = 12
	nonceSize       = 8
	headSize        = 8 + nonceSize // Unix milliseconds and nonce, before the JSON
	minEnvelope     = 1 + ivSize + headSize + 16

	binaryType = "application/octet-stream"
	textType   = "text/plain"
)

// refusal is an answer other than 200, which the operator sends unencrypted.
type refusal struct {
	status  int
	message string
}

func badRequest(message string) *refusal { return &refusal{http.StatusBadRequest, message} }

// call is an opened request envelope.
type call struct {
	sent    time.Time
	nonce   [nonceSize]byte
	payload []byte // the JSON, possibly empty; lies in the request's buffers
	reply   string // the content type to answer with, binaryType or textType
}

// open opens a request body. A body that is declared to be binary but is base64 is taken for what it is, and
// answered in base64. It overwrites body and uses text as room for decoding, returning it grown.
func (s *Sandbox) open(body, text []byte, contentType string) (call, []byte, *refusal) {
	if len(body) == 0 {
		return call{}, text, badRequest("Invalid body: Body is missing.")
	}
	binary := strings.EqualFold(contentType, binaryType)
	if binary {
		// Only a first byte of 1 gets as far as decryption, which destroys the body, and then it is not base64.
		if c, refused := s.unseal(body); refused == nil || body[0] == envelopeVersion {
			c.reply = binaryType
			return c, text, refused
		}
	}
	text = grow(text[:0], base64.StdEncoding.DecodedLen(len(body)))
	n, ok := decodeBase64(text[:cap(text)], body)
	if !ok {
		return call{}, text, s.notBase64(body, binary)
	}
	c, refused := s.unseal(text[:n])
	c.reply = textType
	return c, text, refused
}

// notBase64 finds the message for a body that is not base64; declared says that it need not have been.
func (s *Sandbox) notBase64(body []byte, declared bool) *refusal {
	if isJSON(body) {
		return s.unencrypted()
	}
	if declared {
		_, refused := s.unseal(body)
		return refused
	}
	return badRequest("Invalid body: Body is not valid base64." + s.docs())
}

// unseal checks and decrypts an envelope in place.
func (s *Sandbox) unseal(envelope []byte) (call, *refusal) {
	switch {
	case len(envelope) > 0 && envelope[0] != envelopeVersion && isJSON(envelope):
		return call{}, s.unencrypted()
	case len(envelope) < minEnvelope:
		return call{}, badRequest("Invalid body: Body too short. Check encryption method." + s.docs())
	case envelope[0] != envelopeVersion:
		return call{}, badRequest(fmt.Sprintf(
			"Invalid body: Invalid request envelope format version: received %d, must be 1.%s", envelope[0], s.docs()))
	}
	iv, sealed := envelope[1:1+ivSize], envelope[1+ivSize:]
	plain, err := s.aead.Open(sealed[:0], iv, sealed, nil)
	if err != nil {
		return call{}, badRequest("Invalid body: Check encryption key (ClientSecret)." + s.docs())
	}
	return call{
		sent:    time.UnixMilli(int64(binary.BigEndian.Uint64(plain))),
		nonce:   [nonceSize]byte(plain[8:]),
		payload: plain[headSize:],
	}, nil
}

func (s *Sandbox) unencrypted() *refusal {
	return badRequest("Invalid body: The request body is unencrypted JSON. It must be an encrypted request envelope." + s.docs())
}

// docs is the sentence at the end of most messages.
func (s *Sandbox) docs() string {
	site := "https://unifiedid.com"
	if s.opts.EUID {
		site = "https://euid.eu"
	}
	return " See " + site + "/docs/getting-started/gs-encryption-decryption#encryption-and-decryption-code-examples" +
		" for encryption and decryption code examples."
}

func isJSON(b []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) && json.Valid(b)
}

// drifted reports whether a client clock that showed sent is too far from now. The operator computes the whole
// seconds between the two, rounded down, and of these the whole minutes, rounded towards zero, which may be one.
// Hence a client may be 119.999 s behind but only 119.000 s ahead.
func drifted(sent, now time.Time) bool {
	seconds := floorDiv(int64(now.Sub(sent)), int64(time.Second))
	minutes := seconds / 60
	return minutes < -1 || minutes > 1
}

// beginReply starts a reply envelope in dst, which it empties: the IV and the head of the plaintext.
func beginReply(dst []byte, now time.Time, nonce [nonceSize]byte) []byte {
	var iv [ivSize]byte
	_, _ = rand.Read(iv[:]) // documented never to fail
	dst = append(dst[:0], iv[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(now.UnixMilli()))
	return append(dst, nonce[:]...)
}

// sealReply encrypts in place what has been appended since beginReply.
func sealReply(aead cipher.AEAD, reply []byte) []byte {
	return aead.Seal(reply[:ivSize], reply[:ivSize], reply[ivSize:], nil)
}

// grow returns b with room for n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}
