package normalize_test

import (
	"testing"

	"mapper/normalize"
)

func TestIsPlausible(t *testing.T) {
	for want, values := range map[bool][]string{
		true: {
			"a@b.com", " Jane.Doe+x@Mail.Example.com\r\n", "o'brien@example.com", "Jane Doe <jane@b.com>", "<jane@b.com>",
			"jane@bücher.example", "用户@例子.example", "a_b!#$%&*=?^`{}~@x-y.example", "a@b_c.example",
		},
		false: {
			"0;user@x.com;Ann", "0,user@x.com", "user@x.com|1", "a@b.com:password", "('a@b.com'),", "INSERT 'a@b.com'",
			"<email>a@b.com</email>", "https://medium.example/@user1", "postgres://user:pw@host/db", "git@github.example:a/b.git",
			"5 @ 3.99", "mailto:a@b.com", "'a@b.com'", "'a@b.com", "a@b.com'", `"a@b.com"`, "a@b.com;", "a@b.com,", "a@host", "a@b.", "a@.b",
			"0\x01a@b.com\x01x", "0~a@b.com~x", "0^a@b.com^x", "jane doe@b.com", "a@b .com", "a@[192.0.2.1]", "a\\@b.com", "a b", "",
			"@b.com", "a@b.com c@d.com", "a@b.com(work)", "a@b@c.com",
		},
	} {
		for _, value := range values {
			if got := normalize.IsPlausible(normalize.RawString(value)); got != want {
				t.Errorf("%q: got %v", value, got)
			}
			_, note, reason := normalize.New(normalize.Options{}).Identity(email, normalize.RawString(value))
			if isNoted := note&normalize.NoteImplausible != 0; reason == normalize.ReasonNone && isNoted == want {
				t.Errorf("%q: note %v", value, note)
			}
		}
	}
	for _, in := range []string{userHex, userB64} {
		if _, note, _ := normalize.New(normalize.Options{}).Identity(email, normalize.RawString(in)); note != prehashed {
			t.Errorf("a hash among emails: note %v", note)
		}
	}
}

func BenchmarkIsPlausible(b *testing.B) {
	b.ReportAllocs()
	raw := normalize.RawString(plainEmail)
	for b.Loop() {
		normalize.IsPlausible(raw)
	}
}
