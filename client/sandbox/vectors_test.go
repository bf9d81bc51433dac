package sandbox

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"mapper/normalize"
)

// vectors are the known answers of the services' own programs.
type vectors struct {
	Normalization []normalizationVector
	Requests      []struct {
		ID, Payload string
		Secret      string `json:"secret_b64"`
		Timestamp   int64  `json:"timestamp_ms"`
		Nonce       string `json:"nonce_hex"`
		Envelope    string `json:"envelope_b64"`
	} `json:"request_envelopes"`
	Responses []struct {
		ID, Expect, Payload string
		Secret              string `json:"secret_b64"`
		Timestamp           int64  `json:"timestamp_ms"`
		Nonce               string `json:"nonce_hex"`
		IV                  string `json:"iv_hex"`
		Body                string `json:"body_b64"`
	} `json:"response_envelopes"`
	Clock []struct {
		Ahead    int64 `json:"client_ahead_ms"`
		Accepted bool
	} `json:"clock_drift"`
	RawUIDs []struct {
		Identity, Type, Scope string
		FirstLevelSalt        string `json:"first_level_salt"`
		RotatingSalt          string `json:"rotating_salt"`
		FirstLevelHash        string `json:"first_level_hash_hex"`
		V4KeyID               uint32 `json:"v4_key_id"`
		V4Key                 string `json:"v4_key"`
		V4Salt                string `json:"v4_salt"`
		V2                    string `json:"raw_v2"`
		V3                    string `json:"raw_v3"`
		V4                    string `json:"raw_v4"`
	} `json:"raw_uids"`
}

type normalizationVector struct {
	ID, Kind, Input string
	Valid           bool
	SHA256          string `json:"sha256_b64"`
	Bytes           string `json:"bytes_hex"`
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Normalization) == 0 || len(v.Requests) == 0 || len(v.Responses) == 0 || len(v.Clock) == 0 || len(v.RawUIDs) == 0 {
		t.Fatal("vectors.json lacks a section that these tests need")
	}
	return v
}

func TestRawUIDVectors(t *testing.T) {
	for _, v := range loadVectors(t).RawUIDs {
		t.Run(v.Scope+" "+v.Type, func(t *testing.T) {
			kind := normalize.KindEmail
			id := emailID(v.Identity)
			if v.Type == "Phone" {
				kind, id = normalize.KindPhone, phoneID(v.Identity)
			}
			first := firstLevelHash(id.Hash[:], []byte(v.FirstLevelSalt))
			if got := hex.EncodeToString(first[:]); got != v.FirstLevelHash {
				t.Errorf("first-level hash %s, want %s", got, v.FirstLevelHash)
			}
			prefix := prefixOf(v.Scope == "EUID", kind)
			if got := string(appendV2(nil, &first, []byte(v.RotatingSalt))); got != v.V2 {
				t.Errorf("version 2: %s, want %s", got, v.V2)
			}
			if got := string(appendV3(nil, prefix, &first, []byte(v.RotatingSalt))); got != v.V3 {
				t.Errorf("version 3: %s, want %s", got, v.V3)
			}
			material := keyMaterial{id: v.V4KeyID, key: [32]byte([]byte(v.V4Key)), salt: []byte(v.V4Salt)}
			if got := string(appendV4(nil, prefix, &first, material)); got != v.V4 {
				t.Errorf("version 4: %s, want %s", got, v.V4)
			}
		})
	}
}

func TestRequestEnvelopeVectors(t *testing.T) {
	for _, v := range loadVectors(t).Requests {
		t.Run(v.ID, func(t *testing.T) {
			s := mustNew(t, Options{ClientSecret: v.Secret})
			envelope, err := base64.StdEncoding.DecodeString(v.Envelope)
			if err != nil {
				t.Fatal(err)
			}
			for contentType, body := range map[string][]byte{binaryType: envelope, textType: []byte(v.Envelope)} {
				c, _, refused := s.open(slices.Clone(body), nil, contentType)
				if refused != nil {
					t.Fatalf("%s: %s", contentType, refused.message)
				}
				if string(c.payload) != v.Payload || hex.EncodeToString(c.nonce[:]) != v.Nonce ||
					c.sent.UnixMilli() != v.Timestamp || c.reply != contentType {
					t.Errorf("%s: opened to %+v, payload %s; want %+v", contentType, c, c.payload, v)
				}
			}
		})
	}
}

func TestResponseEnvelopeVectors(t *testing.T) {
	for _, v := range loadVectors(t).Responses {
		if v.Expect != "ok" {
			continue // what an operator does not send
		}
		t.Run(v.ID, func(t *testing.T) {
			nonce, err := hex.DecodeString(v.Nonce)
			if err != nil {
				t.Fatal(err)
			}
			iv, err := hex.DecodeString(v.IV)
			if err != nil {
				t.Fatal(err)
			}
			reply := beginReply(nil, time.UnixMilli(v.Timestamp), [nonceSize]byte(nonce))
			copy(reply, iv) // in place of the random one
			s := mustNew(t, Options{ClientSecret: v.Secret})
			reply = sealReply(s.aead, append(reply, v.Payload...))
			if got := base64.StdEncoding.EncodeToString(reply); got != v.Body {
				t.Errorf("sealed to %s, want %s", got, v.Body)
			}
		})
	}
}

func TestClockVectors(t *testing.T) {
	p := newPeer(t, Options{Now: func() time.Time { return noon }})
	for _, v := range loadVectors(t).Clock {
		t.Run(fmt.Sprintf("ahead %d ms", v.Ahead), func(t *testing.T) {
			sent := noon.Add(time.Duration(v.Ahead) * time.Millisecond)
			a, err := p.send(seal(t, p.op, sent, `{"email":[]}`))
			if err != nil {
				t.Fatal(err)
			}
			if accepted := a.status == 200; accepted != v.Accepted {
				t.Errorf("accepted %v, want %v; status %d %s", accepted, v.Accepted, a.status, a.json)
			}
		})
	}
}

// TestNormalizationVectors asks for each known input as it is: raw where the case is of raw input.
func TestNormalizationVectors(t *testing.T) {
	p := newPeer(t, Options{Seed: "vectors"})
	for _, v := range loadVectors(t).Normalization {
		t.Run(v.ID, func(t *testing.T) {
			a := p.ask(t, payloadOf(v.Kind, []string{v.Input}))
			got := a.elements(t)[v.Kind]
			if len(got) != 1 {
				t.Fatalf("%d answers, want 1", len(got))
			}
			if !v.Valid {
				if got[0].E == nil || *got[0].E != "invalid identifier" {
					t.Errorf("answer %s, want an invalid identifier", a.json)
				}
				return
			}
			id, whole := v.id(t)
			if !whole { // a "hash" of another length: mapped all the same
				if got[0].U == nil {
					t.Errorf("answer %s, want a raw UID", a.json)
				}
				return
			}
			if wrong := got[0].differs(p.op.Expect(id)); wrong != "" {
				t.Errorf("answer %s: %s", a.json, wrong)
			}
		})
	}
}

// id returns the identity that a valid input stands for, and whether there is one.
func (v *normalizationVector) id(t *testing.T) (normalize.ID, bool) {
	t.Helper()
	kind := normalize.KindEmail
	if v.Kind == "phone" || v.Kind == "phone_hash" {
		kind = normalize.KindPhone
	}
	hash, err := base64.StdEncoding.DecodeString(v.SHA256)
	if v.Bytes != "" {
		hash, err = hex.DecodeString(v.Bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(hash) != 32 {
		return normalize.ID{}, false
	}
	return normalize.ID{Hash: [32]byte(hash), Kind: kind}, true
}
