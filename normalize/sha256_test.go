package normalize

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// TestHasher compares texts of each length with the library, in an order that would show what is left of one in the next.
func TestHasher(t *testing.T) {
	h := newHasher()
	if h.state == nil {
		t.Error("the digests of this library have another form than the one that is known: every hash takes longer")
	}
	for _, n := range rand.Perm(4 * sha256.BlockSize) {
		text := bytes.Repeat([]byte{byte(n) | 1}, n)
		if got := h.sum(text); got != sha256.Sum256(text) {
			t.Errorf("%d bytes: %x", n, got)
		}
	}
}

// TestHasherUnknownForm: where the form of digests is not the known one, the library does it all.
func TestHasherUnknownForm(t *testing.T) {
	h := newHasher()
	h.state = nil
	if got := h.sum([]byte("user@example.com")); got != sha256.Sum256([]byte("user@example.com")) {
		t.Errorf("%x", got)
	}
}

func FuzzHasher(f *testing.F) {
	h := newHasher()
	f.Add([]byte("user@example.com"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := h.sum(text); got != sha256.Sum256(text) {
			t.Errorf("%q: %x", text, got)
		}
	})
}

func BenchmarkHasher(b *testing.B) {
	text := []byte("jane.doe42@example-mail.com")
	b.Run("own", func(b *testing.B) {
		h := newHasher()
		b.ReportAllocs()
		for b.Loop() {
			h.sum(text)
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(text)
		}
	})
}
