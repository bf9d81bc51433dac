package sandbox

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

const hello = `{"email_hash":["tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="]}`

// TestEncodings sends a good envelope in every way that is accepted and looks at how it is answered.
func TestEncodings(t *testing.T) {
	p := newPeer(t, Options{})
	envelope := func() []byte { return seal(t, p.op, time.Now(), hello) }
	encoded := func() []byte { return []byte(base64.StdEncoding.EncodeToString(envelope())) }
	for _, c := range []struct {
		name, contentType string
		body              []byte
		want              string
	}{
		{"binary", "application/octet-stream", envelope(), binaryType},
		{"binary, in capitals", "Application/OCTET-Stream", envelope(), binaryType},
		{"text", "text/plain", encoded(), textType},
		{"text with a charset", "text/plain; charset=utf-8", encoded(), textType},
		{"no content type", "", encoded(), textType},
		{"binary with a parameter counts as text", "application/octet-stream; charset=binary", encoded(), textType},
		{"base64 said to be binary", "application/octet-stream", encoded(), textType},
		{"base64 without padding", "text/plain", bytes.TrimRight(encoded(), "="), textType},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := p.send(c.body, "Content-Type", c.contentType)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != http.StatusOK || a.header.Get("Content-Type") != c.want {
				t.Fatalf("status %d, Content-Type %q: %.200s; want 200, %q", a.status, a.header.Get("Content-Type"), a.raw, c.want)
			}
			a.unseal(t, p.op)
			if wrong := a.elements(t)["email_hash"][0].differs(p.op.Expect(emailID("user@example.com"))); wrong != "" {
				t.Error(wrong)
			}
			if since := time.Since(a.at); since < 0 || since > time.Minute {
				t.Errorf("server time in the reply is %v ago", since)
			}
		})
	}
}

// TestBadEnvelopes checks each message; the documentation link behind it is checked by TestDocumentationLink.
func TestBadEnvelopes(t *testing.T) {
	p := newPeer(t, Options{})
	good := seal(t, p.op, time.Now(), hello)
	encode := func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }
	other := seal(t, mustNew(t, Options{}), time.Now(), hello)
	wrongVersion := bytes.Repeat([]byte{2}, 64)
	tampered := bytes.Clone(good)
	tampered[20] ^= 1
	const (
		notBase64 = "Invalid body: Body is not valid base64."
		short     = "Invalid body: Body too short. Check encryption method."
		version2  = "Invalid body: Invalid request envelope format version: received 2, must be 1."
		wrongKey  = "Invalid body: Check encryption key (ClientSecret)."
		plain     = "Invalid body: The request body is unencrypted JSON."
		clock     = "Invalid timestamp: Request too old or client time drift."
	)
	for _, c := range []struct {
		name, contentType string
		body              []byte
		want              string
	}{
		{"no body, text", textType, nil, "Invalid body: Body is missing."},
		{"no body, binary", binaryType, nil, "Invalid body: Body is missing."},
		{"not base64", textType, []byte("test string"), notBase64},
		{"base64 and a line feed", textType, append(encode(good), '\n'), notBase64},
		{"base64 in lines", textType, append(append(encode(good)[:40], "\r\n"...), encode(good)[40:]...), notBase64},
		{"base64 and a space", textType, append([]byte(" "), encode(good)...), notBase64},
		{"binary said to be text", textType, good, notBase64},
		{"binary with a parameter", binaryType + "; charset=binary", good, notBase64},
		{"short text", textType, []byte("dGVzdA=="), short},
		{"short binary", binaryType, good[:44], short},
		{"short base64 said to be binary", binaryType, encode(good[:44]), short},
		{"wrong version, binary", binaryType, wrongVersion, version2},
		{"wrong version, text", textType, encode(wrongVersion), version2},
		{"wrong version, base64 said to be binary", binaryType, encode(wrongVersion), version2},
		{"other secret, binary", binaryType, other, wrongKey},
		{"other secret, text", textType, encode(other), wrongKey},
		{"tampered", binaryType, tampered, wrongKey},
		{"cut", binaryType, good[:len(good)-1], wrongKey},
		{"JSON, text", textType, []byte(hello), plain},
		{"JSON, binary", binaryType, []byte(hello), plain},
		{"JSON in base64", textType, encode([]byte(hello)), plain},
		{"JSON in base64 said to be binary", binaryType, encode([]byte(hello)), plain},
		{"short JSON in base64", textType, encode([]byte(`{"version": 2}`)), plain},
		{"too old", binaryType, seal(t, p.op, time.Now().Add(-3*time.Minute), hello), clock},
		{"from the future", binaryType, seal(t, p.op, time.Now().Add(3*time.Minute), hello), clock},
		{"from the beginning of time", binaryType, seal(t, p.op, time.UnixMilli(-1<<63), hello), clock},
		{"from the end of time", binaryType, seal(t, p.op, time.UnixMilli(1<<63-1), hello), clock},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := p.send(c.body, "Content-Type", c.contentType)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != 400 || !strings.HasPrefix(a.json, `{"status":"client_error","message":"`+c.want) {
				t.Errorf("got %d %s, want 400 %s", a.status, a.json, c.want)
			}
			if got := a.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

func TestDocumentationLink(t *testing.T) {
	for euid, site := range map[bool]string{false: "https://unifiedid.com/docs/", true: "https://euid.eu/docs/"} {
		p := newPeer(t, Options{EUID: euid})
		a, err := p.send([]byte("test string"), "Content-Type", textType)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(a.json, " See "+site+"getting-started/gs-encryption-decryption") {
			t.Errorf("EUID %v: message %s, want a link to %s", euid, a.json, site)
		}
	}
}
