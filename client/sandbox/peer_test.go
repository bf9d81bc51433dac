package sandbox

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"mapper/normalize"
)

// noon is a moment of the simulated clock, for tests that need no other.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func mustNew(t testing.TB, opts Options) *Sandbox {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// peer is a plain client of a sandbox over TCP. Its clock is the sandbox's.
type peer struct {
	op   *Sandbox
	url  string
	http *http.Client
}

func newPeer(t testing.TB, opts Options) *peer {
	t.Helper()
	p := &peer{op: mustNew(t, opts), http: &http.Client{Transport: &http.Transport{}}}
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	url, stop, err := p.op.Start("")
	if err != nil {
		t.Fatal(err)
	}
	p.url = url
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return p
}

// answer is what a peer got.
type answer struct {
	status int
	header http.Header
	raw    []byte
	at     time.Time // server time in the envelope
	json   string    // the decrypted JSON, or the body as it is when the status is not 200
}

// send posts a body with headers; headers given as pairs replace the usual ones, an empty value removes one.
func (p *peer) send(body []byte, headers ...string) (answer, error) {
	r, err := http.NewRequest(http.MethodPost, p.url+"/v3/identity/map", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+p.op.APIKey())
	r.Header.Set("Content-Type", binaryType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := p.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, raw: raw, json: string(raw)}
	return a, err
}

// ask sends a payload in a binary envelope and opens the reply.
func (p *peer) ask(t testing.TB, payload string) answer {
	t.Helper()
	a, err := p.send(seal(t, p.op, p.op.now(), payload))
	if err != nil {
		t.Fatal(err)
	}
	if a.status == http.StatusOK {
		a.unseal(t, p.op)
	}
	return a
}

var testNonce = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}

func testAEAD(t testing.TB, s *Sandbox) cipher.AEAD {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(s.ClientSecret())
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// seal builds a request envelope.
func seal(t testing.TB, s *Sandbox, now time.Time, payload string) []byte {
	t.Helper()
	envelope := make([]byte, 13, 64+len(payload))
	envelope[0] = 1
	_, _ = rand.Read(envelope[1:])
	plain := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	plain = append(append(plain, testNonce[:]...), payload...)
	return testAEAD(t, s).Seal(envelope, envelope[1:], plain, nil)
}

// unseal opens a reply and checks its nonce.
func (a *answer) unseal(t testing.TB, s *Sandbox) {
	t.Helper()
	sealed := a.raw
	if a.header.Get("Content-Type") == textType {
		var err error
		if sealed, err = base64.StdEncoding.DecodeString(string(a.raw)); err != nil {
			t.Fatalf("reply is not base64: %v", err)
		}
	}
	plain, err := testAEAD(t, s).Open(nil, sealed[:12], sealed[12:], nil)
	if err != nil {
		t.Fatalf("reply of %d bytes: %v", len(a.raw), err)
	}
	if !bytes.Equal(plain[8:16], testNonce[:]) {
		t.Fatalf("nonce %x, want %x", plain[8:16], testNonce)
	}
	a.at = time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	a.json = string(plain[16:])
}

// element is one answer of a reply.
type element struct {
	U *string
	P *string
	R *int64
	E *string
}

// elements returns the four arrays of a reply, strictly decoded.
func (a *answer) elements(t testing.TB) map[string][]element {
	t.Helper()
	var body struct {
		Body   map[string][]element
		Status string
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(a.json)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatalf("reply %s: %v", a.json, err)
	}
	for _, k := range []string{"email", "email_hash", "phone", "phone_hash"} {
		if body.Body[k] == nil {
			t.Fatalf("reply %.200s has no array %s", a.json, k)
		}
	}
	if body.Status != "success" || len(body.Body) != 4 {
		t.Fatalf("reply %.200s: want status success and four arrays", a.json)
	}
	return body.Body
}

// same reports what is wrong with an answer, or nothing.
func (e *element) differs(want Expectation) string {
	switch {
	case want.OptedOut:
		if e.E == nil || *e.E != "optout" {
			return "not opted out"
		}
	case e.U == nil || *e.U != want.RawUID:
		return "raw UID differs"
	case (e.P == nil) != (want.Previous == ""), e.P != nil && *e.P != want.Previous:
		return "previous raw UID differs"
	case e.R == nil || *e.R != want.RefreshFrom.Unix():
		return "refresh_from differs"
	}
	return ""
}

func emailID(canonical string) normalize.ID {
	return normalize.ID{Hash: sha256.Sum256([]byte(canonical)), Kind: normalize.KindEmail}
}

func phoneID(e164 string) normalize.ID {
	return normalize.ID{Hash: sha256.Sum256([]byte(e164)), Kind: normalize.KindPhone}
}

func hash64(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// person is the i-th synthetic email.
func person(i int) string { return fmt.Sprintf("person%07d@example.com", i) }

// hashes returns the hashes of the first n synthetic people, in base64.
func hashes(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = hash64(person(i))
	}
	return list
}

// payloadOf returns a request with one array.
func payloadOf(key string, texts []string) string {
	list, err := json.Marshal(map[string][]string{key: texts})
	if err != nil {
		panic(err)
	}
	return string(list)
}
