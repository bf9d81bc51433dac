package normalize_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"mapper/normalize"
)

// Hashes of many inputs, so that every one of the 4096 pairs of base64 characters is written, the first and the
// last hash there is among them.
func TestAppendEncoded(t *testing.T) {
	ids := []normalize.ID{{}, {Hash: [32]byte{31: 0xff}}}
	for i := range ids[1].Hash {
		ids[1].Hash[i] = 0xff
	}
	sum := sha256.Sum256(nil)
	seen := map[string]bool{}
	for range 10_000 {
		ids = append(ids, normalize.ID{Hash: sum, Kind: normalize.KindPhone})
		sum = sha256.Sum256(sum[:])
	}
	for _, id := range ids {
		want := "dst" + base64.StdEncoding.EncodeToString(id.Hash[:])
		if got := string(id.AppendBase64([]byte("dst"))); got != want {
			t.Fatalf("%x: base64 %s, want %s", id.Hash, got, want)
		}
		for i := 3; i < len(want)-4; i += 2 {
			seen[want[i:i+2]] = true
		}
		wantHex := "dst" + hex.EncodeToString(id.Hash[:])
		if got := string(id.AppendHex([]byte("dst"))); got != wantHex {
			t.Fatalf("%x: hex %s, want %s", id.Hash, got, wantHex)
		}
	}
	if len(seen) != 4096 {
		t.Errorf("the test wrote %d pairs, want all 4096", len(seen))
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		form normalize.Form
		name string
		kind normalize.Kind
		word string
	}{
		{normalize.FormEmail, "email", normalize.KindEmail, "email"},
		{normalize.FormPhone, "phone", normalize.KindPhone, "phone"},
		{normalize.FormEmailHash, "email_hash", normalize.KindEmail, "email"},
		{normalize.FormPhoneHash, "phone_hash", normalize.KindPhone, "phone"},
	} {
		if c.form.String() != c.name || c.form.Kind() != c.kind || c.kind.String() != c.word {
			t.Errorf("form %d: %q, kind %d %q; want %q, kind %d %q", c.form, c.form, c.form.Kind(), c.form.Kind(),
				c.name, c.kind, c.word)
		}
	}
}

// Two reasons of the same text could not be told apart in the output, and one without a text would be lost there.
func TestReasonTexts(t *testing.T) {
	if got := normalize.ReasonNone.String(); got != "" {
		t.Errorf("no reason has the text %q", got)
	}
	texts := map[string]normalize.Reason{"": normalize.ReasonNone}
	for r := normalize.ReasonNone + 1; r < normalize.Reasons; r++ {
		if other, used := texts[r.String()]; used {
			t.Errorf("reasons %d and %d both have the text %q", other, r, r)
		}
		texts[r.String()] = r
	}
}
