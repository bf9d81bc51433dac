package normalize_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"mapper/normalize"
)

func TestAppendEmail(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		reason         normalize.Reason
	}{
		{name: "plain", in: "user@example.com", want: "user@example.com"},
		{name: "everything at once", in: "  TEst.TEst+1@GMail.Com  ", want: "testtest@gmail.com"},
		{name: "all of A-Z and its neighbours", in: "@[`{AZaz", reason: normalize.ReasonEmailNoLocal},
		{name: "capitals", in: "AZ[`{@AZ[`{", want: "az[`{@az[`{"},
		{name: "spaces before @", in: " a b @x.com", want: "ab@x.com"},
		{name: "spaces after @", in: "a@ x y ", want: "a@ x y"},
		{name: "space makes another domain than gmail", in: "a.b+c@ gmail.com", want: "a.b+c@ gmail.com"},
		{name: "gmail with a space before @", in: "a. b +c@gmail.com", want: "ab@gmail.com"},
		{name: "not gmail: longer", in: "a.b@gmail.com.", want: "a.b@gmail.com."},
		{name: "not gmail: subdomain", in: "a.b@mail.gmail.com", want: "a.b@mail.gmail.com"},
		{name: "not gmail: googlemail", in: "a.b+c@googlemail.com", want: "a.b+c@googlemail.com"},
		{name: "other white space is kept", in: "\ta\n@x\r\n", want: "\ta\n@x\r\n"},
		{name: "NUL is kept", in: "a\x00b@\x00x\x00", want: "a\x00b@\x00x\x00"},
		{name: "letters beyond ASCII are kept", in: "ÄİТ\u212a@Ärger.de", want: "ÄİТ\u212a@Ärger.de"},
		{name: "one character on each side", in: "a@b", want: "a@b"},

		{name: "nothing", in: "", reason: normalize.ReasonEmpty},
		{name: "spaces", in: "   ", reason: normalize.ReasonEmpty},
		{name: "no @", in: "plain", reason: normalize.ReasonEmailNoAt},
		{name: "two @", in: "a@b@c", reason: normalize.ReasonEmailTwoAt},
		{name: "two @ together", in: "a@@b", reason: normalize.ReasonEmailTwoAt},
		{name: "nothing before @", in: "@b", reason: normalize.ReasonEmailNoLocal},
		{name: "spaces before @ alone", in: "  @b", reason: normalize.ReasonEmailNoLocal},
		{name: "gmail suffix alone", in: "+x@gmail.com", reason: normalize.ReasonEmailNoLocal},
		{name: "gmail dots alone", in: "...@gmail.com", reason: normalize.ReasonEmailNoLocal},
		{name: "nothing after @", in: "a@", reason: normalize.ReasonEmailNoDomain},
		{name: "spaces after @ alone", in: "a@  ", reason: normalize.ReasonEmailNoDomain},
		{name: "Latin-1", in: "m\xfcller@example.com", reason: normalize.ReasonEmailNotUTF8},
		{name: "not UTF-8 in what Gmail drops", in: "a+\xff@gmail.com", reason: normalize.ReasonEmailNotUTF8},
		{name: "UTF-8 only once the space is dropped", in: "\xc3 \xa4@x.com", reason: normalize.ReasonEmailNotUTF8},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkAppend(t, normalize.AppendEmail, c.in, c.want, c.reason)
		})
	}
}

// checkAppend checks what f makes of a value: appended to nothing, to something, and within spare capacity.
func checkAppend(t *testing.T, f func([]byte, normalize.Raw) ([]byte, normalize.Reason), in, want string,
	wantReason normalize.Reason) {
	t.Helper()
	for _, dst := range [][]byte{nil, []byte("kept"), append(make([]byte, 0, 500), "kept"...)} {
		before := string(dst)
		got, reason := f(dst, normalize.RawString(in))
		if string(got) != before+want || reason != wantReason {
			t.Errorf("%+q after %q: got %+q, %q; want %+q, %q", in, before, got, reason, before+want, wantReason)
		}
	}
}

// referenceEmail is the rule of UID2 once more, written for reading.
func referenceEmail(raw string) (string, bool) {
	local, domain, found := strings.Cut(raw, "@")
	local = asciiLower(strings.ReplaceAll(local, " ", ""))
	domain = asciiLower(strings.TrimRight(domain, " "))
	if domain == "gmail.com" {
		local, _, _ = strings.Cut(local, "+")
		local = strings.ReplaceAll(local, ".", "")
	}
	valid := found && local != "" && domain != "" && !strings.Contains(domain, "@") && utf8.ValidString(raw)
	return local + "@" + domain, valid
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func FuzzEmail(f *testing.F) {
	for _, seed := range []string{
		"user@example.com", " Jane.Doe+x@Gmail.com ", "+x@gmail.com", "a@b@c", "a@ b c ", "ÄİТ\u212a@Ärger.de", "\xff@b",
		"a\x00@\x00", "@", "", "John <john@example.com>", ". .@gmail.com", "a@gmail.com ", "\xc3 \xa4@x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := normalize.AppendEmail([]byte("dst"), normalize.RawString(raw))
		got, kept := bytes.CutPrefix(got, []byte("dst"))
		if !kept {
			t.Fatalf("%+q: dst was changed", raw)
		}
		want, valid := referenceEmail(raw)
		if (reason == normalize.ReasonNone) != valid {
			t.Fatalf("%+q: reason %q, reference says valid %v", raw, reason, valid)
		}
		if !valid {
			if len(got) != 0 {
				t.Fatalf("%+q: refused, but %+q was appended", raw, got)
			}
			return
		}
		if string(got) != want {
			t.Fatalf("%+q: got %+q, want %+q", raw, got, want)
		}
		if n := bytes.Count(got, []byte("@")); n != 1 {
			t.Fatalf("%+q: %d @ in %+q", raw, n, got)
		}
		if twice, reason := normalize.AppendEmail(nil, normalize.RawBytes(got)); !bytes.Equal(twice, got) {
			t.Fatalf("%+q: normalized twice %+q (%q), once %+q", raw, twice, reason, got)
		}
	})
}
