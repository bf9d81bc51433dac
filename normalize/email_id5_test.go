package normalize_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mapper/normalize"
)

// The answers are those of Node.js 20 running the rule of ID5's browser library, refusals aside.
func TestAppendEmailID5(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		reason         normalize.Reason
	}{
		{name: "plain", in: "User@Example.com", want: "user@example.com"},
		{name: "gmail", in: ".a.b+c@GMail.com", want: "ab@gmail.com"},
		{name: "googlemail", in: ".a.b+c@GoogleMail.com", want: "ab@gmail.com"},
		{name: "spaces inside", in: "te st@exa mple.com", want: "te st@exa mple.com"},
		{name: "space that dots hid", in: ". a@gmail.com", want: " a@gmail.com"},
		{name: "all of JavaScript's space", in: "\t\n\v\f\r \u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeffa@b\ufeff", want: "a@b"},
		{name: "next line is no space", in: "\u0085a@b\u0085", want: "\u0085a@b\u0085"},
		{name: "zero width is no space", in: "\u200ba@b\u2060", want: "\u200ba@b\u2060"},
		{name: "umlaut", in: "ÄBC@Ärger.de", want: "äbc@ärger.de"},
		{name: "kelvin sign", in: "\u212aelvin@x.com", want: "kelvin@x.com"},
		{name: "dotted capital I", in: "\u0130a@x.com", want: "i\u0307a@x.com"},
		{name: "sigma ends a word", in: "ΟΔΟΣ@x.com", want: "οδος@x.com"},
		{name: "sigma ends the value", in: "x@ΟΔΟΣ", want: "x@οδος"},
		{name: "sigma inside a word", in: "ΑΣ@ΑΣΑ.com", want: "ας@ασα.com"},
		{name: "a dot does not end a word", in: "ΟΔΟΣ.Α@x.com", want: "οδοσ.α@x.com"},
		{name: "a dot at the end of a word", in: "ΟΔΟΣ.@x.com", want: "οδος.@x.com"},
		{name: "a dot before sigma", in: "Α.Σ@x.com", want: "α.ς@x.com"},
		{name: "a digit ends a word", in: "ΟΔΟΣ1Α@x.com", want: "οδος1α@x.com"},
		{name: "sigma alone", in: "Σ@x.com", want: "σ@x.com"},
		{name: "sigma after a digit", in: "1Σ@x.com", want: "1σ@x.com"},
		{name: "sigma after a mark alone", in: "\u0345Σ@x.com", want: "\u0345σ@x.com"},
		{name: "sigma before a modifier", in: "AΣʰ@b", want: "aςʰ@b"},
		{name: "sigma before a modifier and a letter", in: "AΣʰB@b", want: "aσʰb@b"},

		{name: "nothing", in: "", reason: normalize.ReasonEmpty},
		{name: "space", in: " \u3000", reason: normalize.ReasonEmpty},
		{name: "no @", in: "plain", reason: normalize.ReasonEmailNoAt},
		{name: "two @", in: "a@b@c", reason: normalize.ReasonEmailTwoAt},
		{name: "nothing before @", in: " @b", reason: normalize.ReasonEmailNoLocal},
		{name: "nothing after @", in: "a@ ", reason: normalize.ReasonEmailNoDomain},
		{name: "gmail suffix alone", in: "+x@googlemail.com", reason: normalize.ReasonEmailNoLocal},
		{name: "not UTF-8", in: "m\xfcller@example.com", reason: normalize.ReasonEmailNotUTF8},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkAppend(t, normalize.AppendEmailID5, c.in, c.want, c.reason)
		})
	}
}

// referenceID5 is the rule of ID5 once more, without Σ, in the words of the library. Where it cuts, it splits.
func referenceID5(raw string) (string, bool) {
	trimmed := strings.TrimFunc(raw, func(r rune) bool {
		return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r)
	})
	parts := strings.Split(strings.ToLower(strings.ReplaceAll(trimmed, "İ", "i\u0307")), "@")
	if len(parts) != 2 || parts[1] == "" || !utf8.ValidString(raw) {
		return "", false
	}
	if parts[1] == "gmail.com" || parts[1] == "googlemail.com" {
		parts[0], parts[1] = strings.ReplaceAll(strings.Split(parts[0], "+")[0], ".", ""), "gmail.com"
	}
	return strings.Join(parts, "@"), parts[0] != ""
}

func FuzzEmailID5(f *testing.F) {
	for _, seed := range []string{
		"User@Example.com", "\ufeffA.b+c@GoogleMail.com\u00a0", "+@gmail.com", "İ@x", "ΟΔΟΣ@x", "a@b@c", "\xff@b", "\u0085a@b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := normalize.AppendEmailID5(nil, normalize.RawString(raw))
		want, valid := referenceID5(raw)
		if (reason == normalize.ReasonNone) != valid {
			t.Fatalf("%+q: reason %q, reference says valid %v", raw, reason, valid)
		}
		if text := strings.ReplaceAll(string(got), "ς", "σ"); valid && text != strings.ReplaceAll(want, "ς", "σ") {
			t.Fatalf("%+q: got %+q, want %+q", raw, got, want)
		}
	})
}
