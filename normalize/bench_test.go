package normalize_test

import (
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
