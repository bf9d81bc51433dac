package normalize_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"mapper/normalize"
)

// vector is one case of ../testdata/vectors.json, section normalization.
type vector struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"`
	Input      string `json:"input"`
	Valid      bool   `json:"valid"`
	Normalized string `json:"normalized"`
	Hex        string `json:"sha256_hex"`
	Base64     string `json:"sha256_b64"`
	BytesHex   string `json:"bytes_hex"`
	BytesLen   int    `json:"bytes_len"`
	ID5        *struct {
		Normalized string `json:"normalized"`
		Hex        string `json:"sha256_hex"`
	} `json:"id5"`
}

// vectors returns the cases of the kinds given. The file has at least one of each.
func vectors(t *testing.T, kinds ...string) []vector {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Normalization []vector `json:"normalization"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var found []vector
	for _, kind := range kinds {
		n := len(found)
		for _, v := range file.Normalization {
			if v.Kind == kind {
				found = append(found, v)
			}
		}
		if len(found) == n {
			t.Fatalf("no vector of kind %s", kind)
		}
	}
	return found
}

func TestVectorsUID2(t *testing.T) {
	rules := map[string]func(string) (normalize.ID, error){"email": normalize.Email, "phone": normalize.Phone}
	for _, v := range vectors(t, "email", "phone") {
		t.Run(v.ID, func(t *testing.T) {
			id, err := rules[v.Kind](v.Input)
			if (err == nil) != v.Valid {
				t.Fatalf("%q: got error %v, want valid %v", v.Input, err, v.Valid)
			}
			if !v.Valid {
				return
			}
			if got := string(id.AppendHex(nil)); got != v.Hex {
				t.Errorf("%q: hex %s, want %s", v.Input, got, v.Hex)
			}
			if got := string(id.AppendBase64(nil)); got != v.Base64 {
				t.Errorf("%q: base64 %s, want %s", v.Input, got, v.Base64)
			}
			if id.Kind.String() != v.Kind {
				t.Errorf("%q: kind %v, want %s", v.Input, id.Kind, v.Kind)
			}
			checkText(t, normalize.UID2, v, v.Normalized)
		})
	}
}

// checkText checks the text that was hashed, by way of the Normalizer.
func checkText(t *testing.T, p normalize.Profile, v vector, want string) {
	t.Helper()
	form := map[string]normalize.Form{"email": normalize.FormEmail, "phone": normalize.FormPhone}[v.Kind]
	n := normalize.New(normalize.Options{Profile: p, NoHygiene: true})
	text, _, note, reason := n.Normalized(form, normalize.RawString(v.Input))
	if string(text) != want || note&^normalize.NoteImplausible != 0 || reason != normalize.ReasonNone {
		t.Errorf("%q: text %q, note %b, reason %q; want %q", v.Input, text, note, reason, want)
	}
}

func TestVectorsID5(t *testing.T) {
	n := normalize.New(normalize.Options{Profile: normalize.ID5, NoHygiene: true})
	for _, v := range vectors(t, "email") {
		t.Run(v.ID, func(t *testing.T) {
			id, _, reason := n.Identity(normalize.FormEmail, normalize.RawString(v.Input))
			// ID5's library hashes these; nobody can be behind them.
			if v.ID5 != nil && strings.HasPrefix(v.ID5.Normalized, "@") {
				if reason != normalize.ReasonEmailNoLocal {
					t.Errorf("%q: reason %q, want %q", v.Input, reason, normalize.ReasonEmailNoLocal)
				}
				return
			}
			if (reason == normalize.ReasonNone) != (v.ID5 != nil) {
				t.Fatalf("%q: reason %q, want valid %v", v.Input, reason, v.ID5 != nil)
			}
			if v.ID5 == nil {
				return
			}
			if got := string(id.AppendHex(nil)); got != v.ID5.Hex {
				t.Errorf("%q: hex %s, want %s", v.Input, got, v.ID5.Hex)
			}
			checkText(t, normalize.ID5, v, v.ID5.Normalized)
		})
	}
}

func TestVectorsHash(t *testing.T) {
	// Refused by the operator, but they can mean only one hash.
	converted := map[string]bool{"hash-inv-03": true, "hash-urlsafe": true}
	n := normalize.New(normalize.Options{NoHygiene: true})
	for _, v := range vectors(t, "email_hash", "phone_hash") {
		t.Run(v.ID, func(t *testing.T) {
			form := normalize.FormEmailHash
			if v.Kind == "phone_hash" {
				form = normalize.FormPhoneHash
			}
			id, note, reason := n.Identity(form, normalize.RawString(v.Input))
			// The operator also takes 31 and 33 bytes, which are no SHA-256.
			want := v.Valid && v.BytesLen == len(id.Hash) || converted[v.ID]
			if (reason == normalize.ReasonNone) != want {
				t.Fatalf("%q: reason %q, want valid %v", v.Input, reason, want)
			}
			if got := note&normalize.NoteConverted != 0; got != converted[v.ID] {
				t.Errorf("%q: converted %v, want %v", v.Input, got, converted[v.ID])
			}
			if !want || converted[v.ID] {
				return
			}
			if bin, err := hex.DecodeString(v.BytesHex); err != nil || !bytes.Equal(id.Hash[:], bin) {
				t.Errorf("%q: hash %x, want %s (%v)", v.Input, id.Hash, v.BytesHex, err)
			}
		})
	}
}
