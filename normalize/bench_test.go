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
