package normalize_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"mapper/normalize"
)

var (
	userHash = sha256.Sum256([]byte("user@example.com"))
	userB64  = base64.StdEncoding.EncodeToString(userHash[:])
	userHex  = hex.EncodeToString(userHash[:])
	emptyHex = hex.EncodeToString(sha256.New().Sum(nil))
)

const (
	email     = normalize.FormEmail
	phone     = normalize.FormPhone
	emailHash = normalize.FormEmailHash
	phoneHash = normalize.FormPhoneHash

	cleaned   = normalize.NoteCleaned
	prehashed = normalize.NotePrehashed
	converted = normalize.NoteConverted
	hashEmpty = normalize.NoteEmptyHash
	inRegion  = normalize.NotePhoneRegion
	odd       = normalize.NoteImplausible
)

// Every case is a value and the text whose SHA-256 its identity has to be.
func TestAccepted(t *testing.T) {
	id5 := normalize.Options{Profile: normalize.ID5}
	asIs := normalize.Options{NoHygiene: true}
	url := strings.NewReplacer("+", "-", "/", "_").Replace(userB64)
	for _, c := range []struct {
		name string
		opts normalize.Options
		form normalize.Form
		in   string
		text string
		note normalize.Note
	}{
		{"plain", normalize.Options{}, email, "User@Example.com", "user@example.com", 0},
		{"spaces, which the rule drops too", normalize.Options{}, email, "  a@b.com  ", "a@b.com", 0},
		{"tab", normalize.Options{}, email, "\ta@b.com", "a@b.com", cleaned},
		{"CR LF", normalize.Options{}, email, "a@b.com\r\n", "a@b.com", cleaned},
		{"tab between spaces", normalize.Options{}, email, "a@b.com \t ", "a@b.com", cleaned},
		{"no-break space", normalize.Options{}, email, "\u00a0a@b.com\u00a0", "a@b.com", cleaned},
		{"byte order mark", normalize.Options{}, email, "\ufeffa@b.com", "a@b.com", cleaned},
		{"zero width", normalize.Options{}, email, "\u200b\u200ca@b.com\u200d\u2060", "a@b.com", cleaned},
		{"inside is not touched", normalize.Options{}, email, "a\u200b@b\t.com", "a\u200b@b\t.com", odd},
		{"other spaces are not touched", normalize.Options{}, email, "\u3000a@b.com", "\u3000a@b.com", 0},
		{"name and address", normalize.Options{}, email, "Jane Doe <Jane@b.com>", "jane@b.com", cleaned},
		{"address in brackets", normalize.Options{}, email, " <jane@b.com> ", "jane@b.com", cleaned},
		{"spaces in brackets", normalize.Options{}, email, "Jane <\u00a0jane@b.com >\n", "jane@b.com", cleaned},
		{"two pairs of brackets", normalize.Options{}, email, `"Doe <j@x>" <jane@b.com>`, "jane@b.com", cleaned},
		{"name with @", normalize.Options{}, email, "j@x <jane@b.com>", "jane@b.com", cleaned},
		{"brackets without address", normalize.Options{}, email, "jane@b.com<x>", "jane@b.com<x>", odd},
		{"bracket at the end alone", normalize.Options{}, email, "jane@b.com>", "jane@b.com>", odd},
		{"text after the bracket", normalize.Options{}, email, "<jane@b.com>x", "<jane@b.com>x", odd},
		{"hash among emails", normalize.Options{}, email, userB64, "user@example.com", prehashed},
		{"hash among emails, spaces", normalize.Options{}, email, " " + userB64, "user@example.com", prehashed | cleaned},
		{"hex among emails", normalize.Options{}, email, strings.ToUpper(userHex), "user@example.com", prehashed},
		{"URL-safe among emails", normalize.Options{}, email, url, "user@example.com", prehashed | converted},
		{"an email as long as a hash", normalize.Options{}, email, strings.Repeat("a", 42) + "@b", strings.Repeat("a", 42) + "@b", odd},
		{"phone", normalize.Options{}, phone, "+12345678901", "+12345678901", 0},
		{"phone with spaces, which the rule refuses", normalize.Options{}, phone, " +12345678901", "+12345678901", cleaned},
		{"hash among phones", normalize.Options{}, phone, userB64[:43], "user@example.com", prehashed | converted},
		{"hash", normalize.Options{}, emailHash, userB64, "user@example.com", prehashed},
		{"hash in hex", normalize.Options{}, phoneHash, userHex, "user@example.com", prehashed},
		{"hash and line break", normalize.Options{}, emailHash, userB64 + "\r\n", "user@example.com", prehashed | cleaned},
		{"hash unpadded", normalize.Options{}, emailHash, userB64[:43], "user@example.com", prehashed | converted},
		{"hash of nothing", normalize.Options{}, phoneHash, emptyHex, "", prehashed | hashEmpty},
		{"hash of nothing among emails", normalize.Options{}, email, emptyHex, "", prehashed | hashEmpty},

		{"no hygiene: tab", asIs, email, "\ta@b.com", "\ta@b.com", 0},
		{"no hygiene: name", asIs, email, "Jane <jane@b.com>", "jane<jane@b.com>", odd},
		{"no hygiene: hash among emails", asIs, email, userHex, "user@example.com", prehashed},

		{"ID5", id5, email, "A.b+c@GoogleMail.com", "ab@gmail.com", 0},
		{"ID5: tab, which the rule drops too", id5, email, "\t\ufeffa@b.com\u00a0\r\n", "a@b.com", 0},
		{"ID5: zero width", id5, email, "a@b.com\u200b", "a@b.com", cleaned},
		{"ID5: name and address", id5, email, "Jane <jane@b.com>", "jane@b.com", cleaned},
		{"ID5: hash", id5, emailHash, userHex, "user@example.com", prehashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := normalize.New(c.opts)
			text, id, note, reason := n.Normalized(c.form, normalize.RawString(c.in))
			want := normalize.ID{Hash: sha256.Sum256([]byte(c.text)), Kind: c.form.Kind()}
			if id != want || note != c.note || reason != normalize.ReasonNone {
				t.Errorf("%+q: got %x, note %04b, reason %q; want %x, note %04b", c.in, id.Hash, note, reason, want.Hash, c.note)
			}
			if isHash := note&prehashed != 0; isHash != (text == nil) || !isHash && string(text) != c.text {
				t.Errorf("%+q: got the text %+q, want %+q", c.in, text, c.text)
			}
			if again, againNote, _ := n.Identity(c.form, normalize.RawString(c.in)); again != id || againNote != note {
				t.Errorf("%+q: Identity gives %x, note %04b", c.in, again.Hash, againNote)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	id5 := normalize.Options{Profile: normalize.ID5}
	asIs := normalize.Options{NoHygiene: true}
	for _, c := range []struct {
		name   string
		opts   normalize.Options
		form   normalize.Form
		in     string
		reason normalize.Reason
	}{
		{"blank email", normalize.Options{}, email, " \t\u00a0\ufeff", normalize.ReasonEmpty},
		{"blank phone", normalize.Options{}, phone, "", normalize.ReasonEmpty},
		{"blank hash", normalize.Options{}, emailHash, "\r\n", normalize.ReasonEmpty},
		{"blank without hygiene", asIs, phone, " \t", normalize.ReasonEmpty},
		{"blank phone for ID5", id5, phone, " ", normalize.ReasonEmpty},
		{"no @", normalize.Options{}, email, "plain", normalize.ReasonEmailNoAt},
		{"phone among emails", normalize.Options{}, email, "+12345678901", normalize.ReasonEmailNoAt},
		{"two @ in brackets", normalize.Options{}, email, "Jane <a@b@c>", normalize.ReasonEmailTwoAt},
		{"@ alone in brackets", normalize.Options{}, email, "Jane <@>", normalize.ReasonEmailNoDomain},
		{"not a hash by one character", normalize.Options{}, email, userB64[:42], normalize.ReasonEmailNoAt},
		{"national phone", normalize.Options{}, phone, " 030 123456 ", normalize.ReasonPhoneNational},
		{"phone, no hygiene", asIs, phone, "+12345678901\n", normalize.ReasonPhoneFormat},
		{"email among phones", normalize.Options{}, phone, "user@example.com", normalize.ReasonPhoneFormat},
		{"email among hashes", normalize.Options{}, emailHash, "user@example.com", normalize.ReasonHashEmail},
		{"phone among hashes", normalize.Options{}, phoneHash, "+12345678901", normalize.ReasonHashPhone},
		{"hash, no hygiene", asIs, emailHash, userB64 + "\n", normalize.ReasonHashLineBreak},
		{"phone for ID5", id5, phone, "+12345678901", normalize.ReasonPhoneID5},
		{"phone hash for ID5", id5, phoneHash, userHex, normalize.ReasonPhoneID5},
		{"suffix alone for ID5", id5, email, "+x@gmail.com", normalize.ReasonEmailNoLocal},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, id, note, reason := normalize.New(c.opts).Normalized(c.form, normalize.RawString(c.in))
			if text != nil || id != (normalize.ID{}) || note != 0 || reason != c.reason {
				t.Errorf("%+q: got %q, %x, note %04b, reason %q; want reason %q", c.in, text, id.Hash, note, reason, c.reason)
			}
		})
	}
}

// A value that was refused, or was longer, must leave nothing behind for the next one.
func TestNormalizerIsReusable(t *testing.T) {
	n := normalize.New(normalize.Options{})
	want, _, _ := n.Identity(email, normalize.RawString("user@example.com"))
	for _, in := range []string{strings.Repeat("x", 1000) + "@example.com", "plain", "a@b@c", userB64, ""} {
		n.Identity(email, normalize.RawString(in))
		if got, _, reason := n.Identity(email, normalize.RawString("user@example.com")); got != want {
			t.Errorf("after %q: got %x (%q), want %x", in, got.Hash, reason, want.Hash)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, try := range map[string]func() (normalize.ID, error){
		"email: no @":      func() (normalize.ID, error) { return normalize.Email("secret") },
		"phone: not E.164": func() (normalize.ID, error) { return normalize.Phone("secret") },
	} {
		id, err := try()
		var refused *normalize.Error
		if !errors.As(err, &refused) || err.Error() != name || refused.Reason.String() != name || id != (normalize.ID{}) {
			t.Errorf("got %x, %v; want %s", id.Hash, err, name)
		}
	}
}

func TestIdentityAllocatesNothing(t *testing.T) {
	for _, opts := range []normalize.Options{{}, {Profile: normalize.ID5}, {NoHygiene: true}} {
		n := normalize.New(opts)
		for _, form := range []normalize.Form{email, phone, emailHash, phoneHash} {
			for _, in := range []string{
				"User@Example.com", "A.b+c@GMail.com", " \ta@b.com\r\n", "Jane <jane@b.com>", "ΟΔΟΣ.İ@Ärger.de", "+12345678901",
				"030 123456", userB64, userB64[:43], userHex, userB64[:42] + "\r\n", userHex[:63] + "g", strings.Repeat("~", 44),
				strings.Repeat("-+", 22), strings.Repeat("a", 62) + "@b", "plain", "a@b@c", "\xff@b", "",
				"a@" + strings.Repeat("long", 15) + ".com",
			} {
				raw := normalize.RawString(in)
				if allocs := testing.AllocsPerRun(20, func() { n.Identity(form, raw) }); allocs > mayAllocate {
					t.Errorf("%+v, %v %+q: %v allocations", opts, form, in, allocs)
				}
			}
		}
	}
	id := normalize.ID{Hash: userHash}
	buf := make([]byte, 0, 64)
	if allocs := testing.AllocsPerRun(20, func() { buf = id.AppendHex(id.AppendBase64(buf[:0])[:0]) }); allocs != 0 {
		t.Errorf("encoding: %v allocations", allocs)
	}
}

// Whatever stands at the ends, hygiene leaves the same identity, unless the value has brackets of its own.
func FuzzHygiene(f *testing.F) {
	for _, seed := range []string{"a@b.com", "Jane <jane@b.com>", "+12345678901", userB64, "a@b\t.com", "\xff", " "} {
		f.Add(seed, uint8(0), uint16(0x1234))
	}
	ends := []string{"", " ", "\t", "\r\n", "\u00a0", "\u200b", "\u2060", "\ufeff"}
	f.Fuzz(func(t *testing.T, core string, form uint8, pick uint16) {
		n := normalize.New(normalize.Options{})
		end := func(shift uint) string { return ends[pick>>shift&7] + ends[pick>>(shift+3)&7] }
		wrapped := end(0) + core + end(6)
		wantID, wantNote, want := n.Identity(normalize.Form(form%4), normalize.RawString(core))
		gotID, gotNote, got := n.Identity(normalize.Form(form%4), normalize.RawString(wrapped))
		if gotID != wantID || got != want || gotNote&^cleaned != wantNote&^cleaned {
			t.Fatalf("%+q: got %x, note %04b, %q; %+q alone: %x, note %04b, %q", wrapped, gotID.Hash, gotNote, got,
				core, wantID.Hash, wantNote, want)
		}
		if wantNote&cleaned != 0 && gotNote&cleaned == 0 {
			t.Fatalf("%+q: not cleaned, but %+q alone is", wrapped, core)
		}
		asIs := normalize.New(normalize.Options{NoHygiene: true})
		bareID, _, bare := asIs.Identity(normalize.Form(form%4), normalize.RawString(wrapped))
		if differs := bareID != gotID || bare != got; got == normalize.ReasonNone && differs != (gotNote&cleaned != 0) {
			t.Fatalf("%+q: with hygiene %x, without %x (%q), but note %04b", wrapped, gotID.Hash, bareID.Hash, bare, gotNote)
		}
	})
}
