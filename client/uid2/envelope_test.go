package uid2

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"

	"mapper/client"
	"mapper/client/transport"
)

// vectors are known answers of the official SDKs.
type vectors struct {
	Requests []struct {
		ID          string `json:"id"`
		Secret      string `json:"secret_b64"`
		TimestampMS int64  `json:"timestamp_ms"`
		Nonce       string `json:"nonce_hex"`
		IV          string `json:"iv_hex"`
		Payload     string `json:"payload"`
		Envelope    string `json:"envelope_b64"`
	} `json:"request_envelopes"`
	Responses []struct {
		ID          string `json:"id"`
		Secret      string `json:"secret_b64"`
		Nonce       string `json:"nonce_hex"`
		Body        string `json:"body_b64"`
		Expect      string `json:"expect"`
		TimestampMS int64  `json:"timestamp_ms"`
		Payload     string `json:"payload"`
	} `json:"response_envelopes"`
	ClockDrift []struct {
		AheadMS  int64 `json:"client_ahead_ms"`
		Accepted bool  `json:"accepted"`
	} `json:"clock_drift"`
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Requests) < 8 || len(v.Responses) < 7 || len(v.ClockDrift) < 8 {
		t.Fatalf("%d, %d and %d vectors", len(v.Requests), len(v.Responses), len(v.ClockDrift))
	}
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequestVectors(t *testing.T) {
	for _, v := range readVectors(t).Requests {
		t.Run(v.ID, func(t *testing.T) {
			aead, err := newAEAD(v.Secret)
			if err != nil {
				t.Fatal(err)
			}
			envelope := beginEnvelope(nil, iv(unhex(t, v.IV)), nonce(unhex(t, v.Nonce)), v.TimestampMS)
			envelope = seal(aead, append(envelope, v.Payload...))
			if got := base64.StdEncoding.EncodeToString(envelope); got != v.Envelope {
				t.Errorf("got  %s\nwant %s", got, v.Envelope)
			}
		})
	}
}

func TestResponseVectors(t *testing.T) {
	want := map[string]error{"ok": nil, "nonce_mismatch": errNonce, "auth_failure": errTamper, "too_short": errShort}
	for _, v := range readVectors(t).Responses {
		t.Run(v.ID, func(t *testing.T) {
			aead, err := newAEAD(v.Secret)
			if err != nil {
				t.Fatal(err)
			}
			body, err := base64.StdEncoding.DecodeString(v.Body)
			if err != nil {
				t.Fatal(err)
			}
			at, from, to, err := open(aead, body, nonce(unhex(t, v.Nonce)))
			expected, known := want[v.Expect]
			if !known || !errors.Is(err, expected) || (err == nil) != (expected == nil) {
				t.Fatalf("got %v; want %s", err, v.Expect)
			}
			if err == nil && (at != v.TimestampMS || string(body[from:to]) != v.Payload) {
				t.Errorf("got %d %q; want %d %q", at, body[from:to], v.TimestampMS, v.Payload)
			}
		})
	}
}

// TestOpenShort opens every beginning of an envelope: none may panic, none may be believed.
func TestOpenShort(t *testing.T) {
	v := readVectors(t).Responses[0]
	aead, err := newAEAD(v.Secret)
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.StdEncoding.DecodeString(v.Body)
	if err != nil {
		t.Fatal(err)
	}
	for n := range body {
		if _, _, _, err := open(aead, append([]byte(nil), body[:n]...), nonce(unhex(t, v.Nonce))); err == nil {
			t.Errorf("%d bytes of %d were believed", n, len(body))
		}
	}
}

// FuzzReply puts anything where a reply or its plaintext should be. It may not panic, and without the secret nothing is
// believed.
func FuzzReply(f *testing.F) {
	f.Add([]byte(whole("{}", "{}", "{}")), false)
	f.Add([]byte(`{"status":"success","body":{"email_hash":[{"u":"\u0041"},{"e":"x"}],"phone_hash":[{}]}}`), true)
	f.Add([]byte("short"), true)
	c, err := New(testOptions(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		x := exchange{client: c, part: part{ids: asked(), ans: new(client.Answers)}}
		x.ans.Reset(3)
		v, n := seed()
		x.nonce = n
		receive := func(body []byte) error {
			header := http.Header{"Content-Type": {mediaBinary}}
			if text {
				header, body = http.Header{}, base64.StdEncoding.AppendEncode(nil, body)
			}
			buffer := append([]byte("before"), body...)
			return x.accept(transport.Response{Status: 200, Header: header, Body: buffer[len("before"):], Buffer: buffer})
		}
		if err := receive(data); err == nil {
			t.Error("believed without the secret")
		}
		plain := append(beginEnvelope(nil, v, n, 1)[1+ivLen:], data...)
		if receive(c.aead.Seal(v[:], v[:], plain, nil)) != nil || x.final != nil {
			return
		}
		for i := range x.ans.Items {
			_, _, _ = x.ans.UID(i), x.ans.Previous(i), x.ans.Word(i)
		}
	})
}
