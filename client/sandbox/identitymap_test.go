package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mapper/normalize"
)

const allEmpty = `{"body":{"email":[],"email_hash":[],"phone":[],"phone_hash":[]},"status":"success"}`

func clientError(message string) string {
	return `{"status":"client_error","message":"` + message + `"}`
}

// TestOddRequests sends every kind of request that is not a plain list of hashes.
func TestOddRequests(t *testing.T) {
	p := newPeer(t, Options{})
	missing := clientError("Required Parameter Missing: one or more of [email, email_hash, phone, phone_hash] must be specified")
	incorrect := clientError("Incorrect request format")
	notJSON := clientError("Invalid payload in body: Data is not valid json string.")
	invalid := func(n int) string {
		list := strings.TrimSuffix(strings.Repeat(`{"e":"invalid identifier"},`, n), ",")
		return strings.Replace(allEmpty, `"email_hash":[]`, `"email_hash":[`+list+`]`, 1)
	}
	for _, c := range []struct {
		name, payload string
		status        int
		want          string
	}{
		{"no payload", ``, 400, missing},
		{"empty object", `{}`, 400, missing},
		{"empty object with spaces", ` { } `, 400, missing},
		{"all arrays empty", `{"email":[],"email_hash":[],"phone":[],"phone_hash":[]}`, 200, allEmpty},
		{"one array empty", `{"phone_hash":[]}`, 200, allEmpty},
		{"null key", `{"email_hash":null}`, 200, allEmpty},
		{"null key beside an array", `{"email_hash":null,"phone":[]}`, 200, allEmpty},
		{"null element in email", `{"email":["a@b.com",null]}`, 400, incorrect},
		{"null element in email_hash", `{"email_hash":[null]}`, 400, incorrect},
		{"null element in phone", `{"phone":[null]}`, 400, incorrect},
		{"null element in phone_hash", `{"email_hash":[],"phone_hash":["",null]}`, 400, incorrect},
		{"policy", `{"email_hash":[],"policy":1}`, 400, incorrect},
		{"optout_check", `{"optout_check":1,"email_hash":[]}`, 400, incorrect},
		{"other case", `{"Email_hash":[]}`, 400, incorrect},
		{"string for an array", `{"email_hash":"tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="}`, 400, incorrect},
		{"number for an array", `{"email":1}`, 400, incorrect},
		{"object for an array", `{"email":{}}`, 400, incorrect},
		{"array in an array", `{"email":[["a@b.com"]]}`, 400, incorrect},
		{"object in an array", `{"email":[{}]}`, 400, incorrect},
		{"number and boolean elements", `{"email_hash":[44,true,-1.5e3]}`, 200, invalid(3)},
		{"empty strings", `{"email_hash":["",""]}`, 200, invalid(2)},
		{"repeated key: the last counts", `{"email_hash":["x"],"email_hash":[]}`, 200, allEmpty},
		{"an array", `["email"]`, 400, notJSON},
		{"a string", `"email"`, 400, notJSON},
		{"null", `null`, 400, notJSON},
		{"cut short", `{"email_hash":["x"]`, 400, notJSON},
		{"only the end", `}`, 400, notJSON},
		{"cut in a string", `{"email_hash":["x`, 400, notJSON},
		{"no value", `{"email_hash"}`, 400, notJSON},
		{"comma at the end", `{"email_hash":[],}`, 400, notJSON},
		{"comma at the end of an array", `{"email_hash":["x",]}`, 400, notJSON},
		{"something behind", `{"email_hash":[]} x`, 400, notJSON},
		{"not JSON", `email_hash=x`, 400, notJSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.ask(t, c.payload)
			if a.status != c.status || a.json != c.want {
				t.Errorf("payload %s\n got %d %s\nwant %d %s", c.payload, a.status, a.json, c.status, c.want)
			}
		})
	}
}

// TestElements asks for one element at a time and says what it has to be taken for.
func TestElements(t *testing.T) {
	p := newPeer(t, Options{Seed: "elements"})
	const hash = "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="
	const hexHash = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"
	user, phone := emailID("user@example.com"), phoneID("+12025550123")
	nobody := normalize.ID{}
	for _, c := range []struct {
		name, payload string
		want          normalize.ID
	}{
		{"base64", `{"email_hash":["` + hash + `"]}`, user},
		{"hex", `{"email_hash":["` + hexHash + `"]}`, user},
		{"hex in capitals", `{"email_hash":["` + strings.ToUpper(hexHash) + `"]}`, user},
		{"base64, other trailing bits", `{"email_hash":["` + hash[:42] + `R="]}`, user},
		{"base64, escaped slash", `{"email_hash":["` + strings.ReplaceAll(hash, "/", `\/`) + `"]}`, user},
		{"base64, all escaped", `{"email_hash":["\u0074` + hash[1:] + `"]}`, user},
		{"spaces between", ` { "email_hash" : [ "` + hash + `" ] } `, user},
		{"lines between", "{\n\t\"email_hash\": [\r\n\"" + hash + "\"]}", user},
		{"base64 with CR LF", `{"email_hash":["` + hash[:42] + `\r\n"]}`, nobody},
		{"base64 and a line feed", `{"email_hash":["` + hash[:43] + `\n"]}`, nobody},
		{"base64 with a space", `{"email_hash":[" ` + hash[:43] + `"]}`, nobody},
		{"base64 without padding", `{"email_hash":["` + hash[:43] + `"]}`, nobody},
		{"URL-safe base64", `{"email_hash":["` + strings.ReplaceAll(hash, "/", "_") + `"]}`, nobody},
		{"hex, one short", `{"email_hash":["` + hexHash[1:] + `"]}`, nobody},
		{"hex, one wrong", `{"email_hash":["x` + hexHash[1:] + `"]}`, nobody},
		{"a raw email as hash", `{"email_hash":["user@example.com"]}`, nobody},
		{"a raw phone as hash", `{"phone_hash":["+12025550123"]}`, nobody},
		{"raw email", `{"email":[" USER@example.com "]}`, user},
		{"raw email without @", `{"email":["user"]}`, nobody},
		{"raw phone", `{"phone":["+12025550123"]}`, phone},
		{"phone hash", `{"phone_hash":["` + hash64("+12025550123") + `"]}`, phone},
		{"raw phone with spaces", `{"phone":["+1 202 555 0123"]}`, nobody},
		{"raw phone without +", `{"phone":["12025550123"]}`, nobody},
		{"hash as raw email", `{"email":["` + hash + `"]}`, nobody},
		{"64 digits, a number", `{"email_hash":[1000000000000000000000000000000000000000000000000000000000000000]}`,
			normalize.ID{Hash: [32]byte{0: 0x10}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.ask(t, c.payload)
			if a.status != http.StatusOK {
				t.Fatalf("status %d %s", a.status, a.json)
			}
			var got []element
			for _, list := range a.elements(t) {
				got = append(got, list...)
			}
			if len(got) != 1 {
				t.Fatalf("%d answers in %s, want 1", len(got), a.json)
			}
			if c.want == nobody {
				if got[0].E == nil || *got[0].E != "invalid identifier" || got[0].U != nil {
					t.Errorf("answer %s, want an invalid identifier", a.json)
				}
			} else if wrong := got[0].differs(p.op.Expect(c.want)); wrong != "" {
				t.Errorf("answer %s: %s", a.json, wrong)
			}
		})
	}
}

// TestOrder asks for all four arrays at once, with duplicates and invalid elements, and more than the 5,000
// identities that the documentation allows.
func TestOrder(t *testing.T) {
	p := newPeer(t, Options{Seed: "order", OptOutShare: 0.2, RotationDays: 90})
	const n = 1500
	emailHashes, emails, phones, phoneHashes := hashes(n), make([]string, n), make([]string, n), make([]string, n)
	for i := range n {
		emails[i] = person(n - i)
		phones[i] = fmt.Sprintf("+1202555%04d", i)
		phoneHashes[i] = hash64(fmt.Sprintf("+1202556%04d", i/2))
	}
	emails[7], phones[8], phoneHashes[9], emailHashes[10] = "nobody", "555", "", "x"
	payload := func(key string, list []string) string {
		return `"` + key + `":["` + strings.Join(list, `","`) + `"]`
	}
	a := p.ask(t, "{"+payload("phone_hash", phoneHashes)+","+payload("email", emails)+","+
		payload("phone", phones)+","+payload("email_hash", emailHashes)+"}")
	got := a.elements(t)
	for i := range n {
		for key, id := range map[string]normalize.ID{
			"email_hash": emailID(person(i)), "email": emailID(person(n - i)),
			"phone": phoneID(phones[i]), "phone_hash": phoneID(fmt.Sprintf("+1202556%04d", i/2)),
		} {
			bad := map[string]int{"email": 7, "phone": 8, "phone_hash": 9, "email_hash": 10}[key]
			e := got[key][i]
			if i == bad {
				if e.E == nil || *e.E != "invalid identifier" {
					t.Errorf("%s[%d] is valid", key, i)
				}
			} else if wrong := e.differs(p.op.Expect(id)); wrong != "" {
				t.Fatalf("%s[%d]: %s", key, i, wrong)
			}
		}
	}
	for key, list := range got {
		if len(list) != n {
			t.Errorf("%d answers in %s, want %d", len(list), key, n)
		}
	}
	if s := p.op.Stats(); s.Identities != 4*n || s.Invalid != 4 || s.Mapped+s.OptedOut != 4*n-4 || s.Mapped == 0 || s.OptedOut == 0 {
		t.Errorf("counts %+v", s)
	}
}

func TestOptOuts(t *testing.T) {
	p := newPeer(t, Options{OptOutShare: 1})
	someone := emailID("someone@example.com")
	asked := `{"email_hash":["` + hash64("someone@example.com") + `"]}`
	steps := []struct {
		name string
		do   func()
		out  bool
	}{
		{"all are opted out", func() {}, true},
		{"opted in", func() { p.op.OptIn(someone) }, false},
		{"opted out again", func() { p.op.OptOut(someone) }, true},
	}
	for _, step := range steps {
		step.do()
		e := p.ask(t, asked)
		if out := e.json == strings.Replace(allEmpty, `"email_hash":[]`, `"email_hash":[{"e":"optout"}]`, 1); out != step.out {
			t.Errorf("%s: %s", step.name, e.json)
		}
		if p.op.Expect(someone).OptedOut != step.out {
			t.Errorf("%s: Expect says %v", step.name, !step.out)
		}
	}
}

// TestTestIdentities checks the documented ones, raw and hashed, against every contrary setting.
func TestTestIdentities(t *testing.T) {
	out := newPeer(t, Options{})
	in := newPeer(t, Options{OptOutShare: 1})
	for _, id := range []normalize.ID{emailID("optout@example.com"), phoneID("+00000000000")} {
		out.op.OptIn(id)
	}
	for _, id := range []normalize.ID{emailID("validate@example.com"), phoneID("+12345678901")} {
		in.op.OptOut(id)
	}
	for _, c := range []struct {
		p           *peer
		email, tel  string
		wantOptOuts int
	}{{out, "optout@example.com", "+00000000000", 4}, {in, "validate@example.com", "+12345678901", 0}} {
		a := c.p.ask(t, `{"email":["`+c.email+`"],"phone":["`+c.tel+`"],"email_hash":["`+hash64(c.email)+`"],"phone_hash":["`+hash64(c.tel)+`"]}`)
		if got := strings.Count(a.json, `{"e":"optout"}`); got != c.wantOptOuts || strings.Count(a.json, `"u":`) != 4-c.wantOptOuts {
			t.Errorf("%s and %s: %s, want %d opt-outs", c.email, c.tel, a.json, c.wantOptOuts)
		}
	}
	// An email's hash among the phones is somebody else.
	a := out.ask(t, `{"phone_hash":["`+hash64("optout@example.com")+`"]}`)
	if strings.Contains(a.json, "optout") {
		t.Errorf("the test email as a phone: %s", a.json)
	}
}
