package sandbox

import (
	"slices"
	"testing"
)

// FuzzQuery holds the scanner to what encoding/json makes of the same payload.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `}`, `{"email":["a@b"]}`, `{"email_hash":["x","y"],"phone_hash":["z"]}`, ` { "phone" : [ ] } `,
		`{"email":[],"email":["x"]}`, `{"email":["\n"]}`, `{"email":["é"]}`, `{"email":[null]}`, `{"email":null}`,
		`{"email":["a" "b"]}`, `{"email":["a"],}`, `{"email":["a"]}}`, `{"email":["a"]`, `{"email":[,"a"]}`,
		`{"email":["a",]}`, `{"email"["a"]}`, `{"other":["a"]}`, "{\"email\":[\"a\tb\"]}", "{\"email\":[\"\x7f\"]}",
		`{"email":["12345678"],"phone":["+12025550123","x"],"email_hash":[""],"phone_hash":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var scanned, decoded query
		if !scanned.scan(payload) {
			return
		}
		if refused := decoded.decode(payload); refused != nil {
			t.Fatalf("payload %q is scanned, but it is wrong: %s", payload, refused.message)
		}
		for k := range keys {
			if !slices.EqualFunc(scanned[k], decoded[k], func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Fatalf("payload %q: scanned %s %q, want %q", payload, k, scanned[k], decoded[k])
			}
		}
	})
}

// TestScanned makes sure that requests of the usual shapes do not take the slow way.
func TestScanned(t *testing.T) {
	for _, payload := range []string{
		payloadOf("email_hash", hashes(10)),
		`{"email_hash": ["a", "b"], "phone_hash": []}`, // Python's json.dumps
		`{"phone":["+12025550123"],"email":["user+tag@example.com"],"email_hash":[],"phone_hash":[]}`,
	} {
		var q query
		if !q.scan([]byte(payload)) {
			t.Errorf("%s is not scanned", payload)
		}
	}
}
