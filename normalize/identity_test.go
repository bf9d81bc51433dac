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

func TestFormText(t *testing.T) {
	for _, form := range []normalize.Form{email, phone, emailHash, phoneHash} {
		text, err := form.MarshalText()
		if err != nil || string(text) != form.String() {
			t.Errorf("form %d: got %q, %v", form, text, err)
		}
		got := normalize.Form(99)
		if err := got.UnmarshalText(text); err != nil || got != form {
			t.Errorf("%q: got form %d, %v; want %d", text, got, err, form)
		}
	}
	got := normalize.FormPhone
	if err := got.UnmarshalText([]byte("Email")); err == nil || got != phone {
		t.Errorf("an unknown name: got form %d, %v; want an error and no change", got, err)
	}
}

func TestNoteText(t *testing.T) {
	for note, want := range map[normalize.Note]string{
		0: "", cleaned: "cleaned", prehashed | converted: "prehashed,converted", hashEmpty: "hash_of_empty",
		cleaned | prehashed | converted | hashEmpty: "cleaned,prehashed,converted,hash_of_empty",
		cleaned | inRegion:                          "cleaned,phone_region",
	} {
		if got := note.String(); got != want {
			t.Errorf("note %04b: got %q, want %q", uint8(note), got, want)
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
