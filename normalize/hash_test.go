package normalize_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"mapper/normalize"
)

func TestParseHash(t *testing.T) {
	// A hash whose base64 has all four characters in which the alphabets differ.
	hash := [32]byte(bytes.Repeat([]byte{0xfb, 0xff, 0xbf, 0x01}, 8))
	std, url := base64.StdEncoding.EncodeToString(hash[:]), base64.URLEncoding.EncodeToString(hash[:])
	lower := hex.EncodeToString(hash[:])
	mixed := strings.Replace(std, "+", "-", 1)
	for _, c := range []struct {
		name, in string
		reason   normalize.Reason
	}{
		{"base64", std, normalize.ReasonNone},
		{"base64 with bits to spare", std[:42] + "F=", normalize.ReasonNone},
		{"base64 unpadded", std[:43], normalize.ReasonNone},
		{"URL-safe", url, normalize.ReasonNone},
		{"URL-safe unpadded", url[:43], normalize.ReasonNone},
		{"hex", lower, normalize.ReasonNone},
		{"hex in capitals", strings.ToUpper(lower), normalize.ReasonNone},
		{"hex in both", lower[:32] + strings.ToUpper(lower[32:]), normalize.ReasonNone},

		{"nothing", "", normalize.ReasonEmpty},
		{"line break after", std + "\n", normalize.ReasonHashLineBreak},
		{"line break for a character", std[:42] + "\r\n", normalize.ReasonHashLineBreak},
		{"line break in hex", lower[:63] + "\n", normalize.ReasonHashLineBreak},
		{"email", "user@example.com", normalize.ReasonHashEmail},
		{"phone", "+12345678901", normalize.ReasonHashPhone},
		{"short phone", "+123456789", normalize.ReasonHashPhone},
		{"national phone", "(555) 555-0100", normalize.ReasonHashPhone},
		{"MD5", lower[:32], normalize.ReasonHashMD5},
		{"SHA-1", lower[:40], normalize.ReasonHashSHA1},
		{"SHA-512", lower + lower, normalize.ReasonHashSHA512},
		{"other hex", lower[:56], normalize.ReasonHashLength},
		{"base64 of hex", base64.StdEncoding.EncodeToString([]byte(lower)), normalize.ReasonHashHexText},
		{"64 characters", lower[:63] + "g", normalize.ReasonHashNotHex},
		{"31 bytes", std[:42] + "==", normalize.ReasonHashLength},
		{"33 bytes", std[:43] + "A", normalize.ReasonHashLength},
		{"word", "unknown", normalize.ReasonHashLength},
		{"two alphabets", mixed, normalize.ReasonHashAlphabet},
		{"padding inside", std[:20] + "=" + std[20:43], normalize.ReasonHashAlphabet},
		{"padding alone", "====", normalize.ReasonHashAlphabet},
		{"space after", std + " ", normalize.ReasonHashAlphabet},
		{"quotes", `"` + std + `"`, normalize.ReasonHashAlphabet},
		{"beyond ASCII", "٣" + lower[2:], normalize.ReasonHashAlphabet},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reason := normalize.ParseHash(normalize.RawString(c.in))
			want := hash
			if c.reason != normalize.ReasonNone {
				want = [32]byte{}
			}
			if got != want || reason != c.reason {
				t.Errorf("%q: got %x, %q; want %x, %q", c.in, got, reason, want, c.reason)
			}
		})
	}
}

// referenceHash is ParseHash by decoding in every way there is.
func referenceHash(v string) (hash [32]byte, ok bool) {
	if strings.ContainsAny(v, "\r\n") {
		return hash, false
	}
	if b, err := hex.DecodeString(v); err == nil && len(b) == 32 {
		return [32]byte(b), true
	}
	for _, enc := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		if b, err := enc.DecodeString(v); err == nil && len(b) == 32 {
			return [32]byte(b), true
		}
	}
	return hash, false
}

func FuzzHash(f *testing.F) {
	sum := sha256.Sum256([]byte("user@example.com"))
	std := base64.StdEncoding.EncodeToString(sum[:])
	for _, seed := range []string{
		std, std[:43], strings.ReplaceAll(std, "/", "_"), hex.EncodeToString(sum[:]), std[:42] + "\r\n", std[:42] + "==",
		std[:43] + "A", std[:42] + "x=", "", "====", "+12345678901", strings.Repeat("0", 64), strings.Repeat("-", 44),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := normalize.ParseHash(normalize.RawString(raw))
		want, valid := referenceHash(raw)
		if got != want || (reason == normalize.ReasonNone) != valid {
			t.Fatalf("%+q: got %x, %q; want %x, valid %v", raw, got, reason, want, valid)
		}
		id := normalize.ID{Hash: got}
		for _, text := range [][]byte{id.AppendBase64(nil), id.AppendHex(nil)} {
			if again, reason := normalize.ParseHash(normalize.RawBytes(text)); again != got {
				t.Fatalf("%+q: %x became %x (%q) by way of %s", raw, got, again, reason, text)
			}
		}
	})
}
