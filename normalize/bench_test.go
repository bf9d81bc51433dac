package normalize_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"mapper/normalize"
)

const (
	plainEmail = "Jane.Doe42@Example-Mail.com"
	gmailEmail = "Jane.Doe.42+news@GMail.com"
)

func BenchmarkEmail(b *testing.B) {
	for name, in := range map[string]string{"plain": plainEmail, "gmail": gmailEmail, "refused": "jane.doe42.example-mail.com"} {
		b.Run(name, func(b *testing.B) { benchAppend(b, normalize.AppendEmail, in) })
	}
}

func BenchmarkEmailID5(b *testing.B) {
	for name, in := range map[string]string{"plain": plainEmail, "gmail": gmailEmail, "greek": "ΟΔΟΣ@Example.com"} {
		b.Run(name, func(b *testing.B) { benchAppend(b, normalize.AppendEmailID5, in) })
	}
}

func benchAppend(b *testing.B, f func([]byte, normalize.Raw) ([]byte, normalize.Reason), in string) {
	b.ReportAllocs()
	raw, dst := normalize.RawString(in), make([]byte, 0, 100)
	for b.Loop() {
		dst, _ = f(dst[:0], raw)
	}
}

func BenchmarkPhone(b *testing.B) {
	b.ReportAllocs()
	raw := normalize.RawString("+12345678901")
	for b.Loop() {
		normalize.CheckPhone(raw)
	}
}

func BenchmarkHash(b *testing.B) {
	for name, in := range map[string]string{"base64": userB64, "unpadded": userB64[:43], "hex": userHex, "md5": userHex[:32]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			raw := normalize.RawString(in)
			for b.Loop() {
				normalize.ParseHash(raw)
			}
		})
	}
}

// BenchmarkIdentity is the whole way from a cell to an identity.
func BenchmarkIdentity(b *testing.B) {
	for _, c := range []struct {
		name string
		form normalize.Form
		in   string
	}{
		{"email", normalize.FormEmail, plainEmail},
		{"gmail", normalize.FormEmail, gmailEmail},
		{"cleaned", normalize.FormEmail, plainEmail + "\r\n"},
		{"phone", normalize.FormPhone, "+12345678901"},
		{"hash", normalize.FormEmailHash, userB64},
		{"refused", normalize.FormEmail, "plain"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n, raw := normalize.New(normalize.Options{}), normalize.RawString(c.in)
			for b.Loop() {
				n.Identity(c.form, raw)
			}
		})
	}
}

// BenchmarkIdentityIn is the way of phones whose row says in which country they are.
func BenchmarkIdentityIn(b *testing.B) {
	for _, c := range []struct{ name, in, cell string }{
		{"E.164", "+4930123456", "DE"},
		{"national", "030 123456", "DE"},
		{"national, three letters", "030 123456", "deu"},
		{"not valid", "030 1", "DE"},
		{"unknown region", "030 123456", "XX"},
		{"no number", "030 123456 x1", "DE"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n, raw, cell := normalize.New(normalize.Options{}), normalize.RawString(c.in), normalize.RawString(c.cell)
			for b.Loop() {
				n.IdentityIn(normalize.FormPhone, raw, cell)
			}
		})
	}
}

func BenchmarkParseRegion(b *testing.B) {
	for _, text := range []string{"DE", "deu", "UK", "XX", "Germany"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				normalize.ParseRegion(text)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	id, dst := normalize.ID{Hash: userHash}, make([]byte, 0, 64)
	b.Run("base64", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = id.AppendBase64(dst[:0])
		}
	})
	b.Run("hex", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = id.AppendHex(dst[:0])
		}
	})
}

// BenchmarkStage is the stage of a run that makes identities of emails of 25 bytes in the mean, and its floor: folding the
// bytes of each and hashing them with the library.
func BenchmarkStage(b *testing.B) {
	const emails = 1 << 10
	var texts [emails][]byte
	bytes := 0
	for i := range texts {
		texts[i] = fmt.Appendf(nil, "%s.%07x@example.com", "xxxxxxx"[:2+i%6], i*2654435761&0xfffffff)
		bytes += len(texts[i])
	}
	each := func(b *testing.B, do func(email []byte)) {
		b.SetBytes(int64(bytes / emails))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			do(texts[i%emails])
		}
	}
	b.Run("normalize+hash/own", func(b *testing.B) {
		n := normalize.New(normalize.Options{})
		each(b, func(email []byte) { n.Identity(normalize.FormEmail, normalize.RawBytes(email)) })
	})
	b.Run("normalize+hash/floor", func(b *testing.B) {
		var buf [64]byte
		each(b, func(email []byte) {
			for i, c := range email {
				if 'A' <= c && c <= 'Z' {
					c |= 0x20
				}
				buf[i] = c
			}
			sha256.Sum256(buf[:len(email)])
		})
	})
}
