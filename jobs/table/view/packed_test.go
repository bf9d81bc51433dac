package view

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"mapper/normalize"
)

// Packed identities compare as their types and then the texts of their hashes do, and come back.
func FuzzPacked(f *testing.F) {
	f.Add([]byte("a"), uint8(0), []byte("b"), uint8(1))
	f.Add(bytes.Repeat([]byte{0xff}, 32), uint8(1), bytes.Repeat([]byte{0xfb}, 32), uint8(1))
	f.Add(append(make([]byte, 31), 1), uint8(0), append(make([]byte, 31), 2), uint8(0))
	f.Add(append(make([]byte, 30), 1, 0), uint8(0), append(make([]byte, 30), 0, 0xff), uint8(0))
	f.Fuzz(func(t *testing.T, a []byte, kindA uint8, b []byte, kindB uint8) {
		comparePacked(t, idOfBytes(a, kindA), idOfBytes(b, kindB))
	})
}

func idOfBytes(b []byte, kind uint8) (id normalize.ID) {
	id.Kind = normalize.Kind(kind) % normalize.Kinds
	copy(id.Hash[:], b)
	return id
}

func comparePacked(t *testing.T, a, b normalize.ID) {
	t.Helper()
	x, y := appendPacked(nil, &a), appendPacked(nil, &b)
	textA := append([]byte{byte(a.Kind)}, base64.StdEncoding.EncodeToString(a.Hash[:])...)
	textB := append([]byte{byte(b.Kind)}, base64.StdEncoding.EncodeToString(b.Hash[:])...)
	if got, want := bytes.Compare(x, y), bytes.Compare(textA, textB); got != want {
		t.Fatalf("%s and %s compare as %d, not %d", textA, textB, got, want)
	}
	var back normalize.ID
	if err := unpack(&back, x); err != nil || back != a || len(x) != packedLen {
		t.Fatalf("%v comes back as %v from %x, %v", a, back, x, err)
	}
}

// Each value of each six bits, next to each other value of them.
func TestPackedCharacters(t *testing.T) {
	for at := range 43 {
		for v := range 64 {
			comparePacked(t, withCharacter(t, at, v), withCharacter(t, at, (v*37+11)%64))
		}
	}
}

// withCharacter returns an identity whose text has the character of a value at a place. The last one has four bits.
func withCharacter(t *testing.T, at, value int) (id normalize.ID) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	if at == 42 {
		value &^= 3
	}
	text := []byte("MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM=")
	text[42] = 'M'
	text[at] = alphabet[value]
	if err := decodeHash(&id, text); err != nil {
		t.Fatal(err)
	}
	return id
}

// Hashes as they are, sorted by neighbours.
func TestPackedHashes(t *testing.T) {
	last := sha256.Sum256(nil)
	for i := range 20_000 {
		next := sha256.Sum256(last[:])
		copy(next[:i%32], last[:]) // so that every place decides
		comparePacked(t, idOfBytes(last[:], uint8(i)), idOfBytes(next[:], uint8(i)))
		last = next
		if i%32 == 31 {
			last = sha256.Sum256(next[:])
		}
	}
}

// What appendPacked never makes is no identity.
func TestUnpackDamage(t *testing.T) {
	good := appendPacked(nil, new(normalize.ID))
	for name, at := range map[string]int{"kind": 0, "padding": packedLen - 1} {
		bad := bytes.Clone(good)
		bad[at] |= 3
		if err := unpack(new(normalize.ID), bad); err == nil {
			t.Errorf("%s: %x is taken", name, bad)
		}
	}
}

func BenchmarkPacked(b *testing.B) {
	b.ReportAllocs()
	id := normalize.ID{Hash: sha256.Sum256([]byte("jane@example.com"))}
	var packed []byte
	for b.Loop() {
		packed = appendPacked(packed[:0], &id)
	}
}
