package sandbox

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mapper/normalize"
)

// signal posts a body to Partner Signals and returns the reply with the uids taken out.
func (p *peer) signal(t *testing.T, partner, token, body string) (status int, reply string) {
	t.Helper()
	r, err := p.http.Post(p.url+"/partners/v1/"+partner+"/signals?token="+url.QueryEscape(token), "application/json; charset=UTF-8", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

var (
	hashA = strings.Repeat("0a", 32)
	hashB = strings.Repeat("0b", 32)
)

// TestID5Replies compares whole replies.
func TestID5Replies(t *testing.T) {
	user := func(fields string) string { return `{"users":[` + fields + `]}` }
	refusal := func(status int, code, kind string) string { return fmt.Sprintf("%d %s %s", status, code, kind) }
	var rejected [32]byte
	for i := range rejected {
		rejected[i] = 0x0b
	}
	good := `{"email_sha256":"` + hashA + `","partner_user_id":"7"}`
	short := `{"email_sha256":"short","country_alpha2":"FR","partner_user_id":"8"}`
	for _, c := range []struct {
		name, partner, token, body string
		faults                     ID5Faults
		want                       string // status, code and type of the error; of each user number, country, code or "id"
	}{
		{name: "one user", body: user(good), want: "200   | 7 AA id"},
		{name: "country", body: user(`{"email_sha256":"` + hashA + `","country_alpha2":"FR"}`), want: "200   |  FR id"},
		{name: "unknown fields", body: user(`{"email_sha256":"` + hashA + `","known_uids":[{"uid":"x"}],"more":1}`), want: "200   |  AA id"},
		{name: "no token", token: "-", body: user(good), want: refusal(401, "api_token_invalid", "authentication_error")},
		{name: "wrong token", token: "other", body: user(good), want: refusal(401, "api_token_invalid", "authentication_error")},
		{name: "wrong partner", partner: "174", body: user(good), want: refusal(400, "partner_id_invalid", "invalid_request_error")},
		{name: "no JSON", body: "{", want: refusal(400, "request_format_invalid", "invalid_request_error")},
		{name: "nobody", body: user(""), want: refusal(400, "user_objects_invalid", "validation_error")},
		{name: "nobody, under 200", body: user(""), faults: ID5Faults{Status200: true}, want: refusal(200, "user_objects_invalid", "validation_error")},
		{name: "too many", body: user(good + "," + good + "," + good + "," + good), want: refusal(400, "user_objects_invalid", "validation_error")},
		{name: "short hash", body: user(good + "," + short), want: "400 user_objects_invalid validation_error | 8 FR sha256_length_invalid"},
		{name: "short hash, under 200", body: user(good + "," + short), faults: ID5Faults{Status200: true}, want: "200 user_objects_invalid validation_error | 8 FR sha256_length_invalid"},
		{name: "short hash, nameless", body: user(good + "," + short), faults: ID5Faults{Nameless: true}, want: "400 user_objects_invalid validation_error"},
		{name: "short hash, no numbers", body: user(good + "," + short), faults: ID5Faults{NoNumbers: true}, want: "400 user_objects_invalid validation_error |  FR sha256_length_invalid"},
		{name: "short hash beside an answer", body: user(good + "," + short), faults: ID5Faults{Partial: true}, want: "200   | 7 AA id | 8 FR sha256_length_invalid"},
		{name: "long country", body: user(`{"email_sha256":"` + hashA + `","country_alpha2":"FRA"}`), want: "400 user_objects_invalid validation_error |  FRA country_alpha2_invalid"},
		{name: "only lengths count", body: user(`{"email_sha256":"` + strings.Repeat("s", 64) + `","country_alpha2":"??"}`), want: "200   |  ?? id"},
		{name: "rejected", body: user(good + `,{"email_sha256":"` + hashB + `"}`), faults: ID5Faults{Reject: map[[32]byte]string{rejected: "odd"}}, want: "400 user_objects_invalid validation_error |  AA odd"},
		{name: "no id", body: user(`{"email_sha256":"` + hashB + `"}`), faults: ID5Faults{NoID: map[[32]byte]bool{rejected: true}}, want: "200   |  AA "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Options{ID5: ID5Options{Partner: "00173", Token: "a token", MaxUsers: 3}})
			p.op.SetFaults(Faults{ID5: c.faults})
			partner, token := "00173", "a token"
			if c.partner != "" {
				partner = c.partner
			}
			if c.token != "" {
				token = strings.Trim(c.token, "-")
			}
			status, text := p.signal(t, partner, token, c.body)
			if got := summary(t, status, text); got != c.want {
				t.Errorf("the reply is %q, want %q: %s", got, c.want, text)
			}
		})
	}
}

// summary writes the parts of a reply in a line.
func summary(t *testing.T, status int, text string) string {
	t.Helper()
	var reply id5Reply
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if reply.Error == nil {
		reply.Error = &id5Error{}
	}
	line := fmt.Sprintf("%d %s %s", status, reply.Error.Code, reply.Error.Type)
	for _, u := range reply.Users {
		said := ""
		switch {
		case u.Error != nil:
			said = u.Error.Code
		case strings.HasPrefix(u.UID, "ID5-"):
			said = "id"
		}
		line += fmt.Sprintf(" | %s %s %s", u.Number, u.Country, said)
	}
	return line
}

// TestID5UIDs compares uids of one hash and country, of others, and of another run.
func TestID5UIDs(t *testing.T) {
	p, other := newPeer(t, Options{Seed: "same"}), newPeer(t, Options{Seed: "same"})
	hash := sha256.Sum256([]byte("jane@example.com"))
	_, text := p.signal(t, p.op.ID5Partner(), p.op.ID5Token(), fmt.Sprintf(`{"users":[{"email_sha256":"%x"},{"email_sha256":"%x","country_alpha2":"FR"}]}`, hash, hash))
	worldwide, france := p.op.ID5UID(hash, ""), p.op.ID5UID(hash, "FR")
	if !strings.Contains(text, `"`+worldwide+`"`) || !strings.Contains(text, `"`+france+`"`) || worldwide == france {
		t.Errorf("the reply is %s, expected %s and %s", text, worldwide, france)
	}
	if worldwide != p.op.ID5UID(hash, "AA") || worldwide == other.op.ID5UID(hash, "") {
		t.Error("a uid is not what follows from hash, country and run")
	}
}

// TestID5Counts looks at what the tests of others rely on.
func TestID5Counts(t *testing.T) {
	p := newPeer(t, Options{Trace: true})
	hash := sha256.Sum256([]byte("jane@example.com"))
	body := fmt.Sprintf(`{"users":[{"email_sha256":"%x"},{"email_sha256":"%x"}]}`, hash, hash)
	p.op.SetFaults(Faults{Rules: []Fault{{Do: ShortArrays, First: 1}}})
	for range 2 {
		p.signal(t, p.op.ID5Partner(), p.op.ID5Token(), body)
	}
	p.signal(t, p.op.ID5Partner(), p.op.ID5Token(), "{}")
	s := p.op.Stats()
	if s.Requests != 3 || s.Spoiled != 1 || s.Identities != 2 || s.Mapped != 2 || s.Status[http.StatusBadRequest] != 1 || s.InFlight != 0 {
		t.Errorf("the counts are %+v", s)
	}
	if got := p.op.Asked(normalize.ID{Kind: normalize.KindEmail, Hash: hash}); got != 2 {
		t.Errorf("the email was answered %d times", got)
	}
}

func TestID5OnlyPost(t *testing.T) {
	p := newPeer(t, Options{})
	r, err := p.http.Get(p.url + "/partners/v1/173/signals?token=" + p.op.ID5Token())
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered with %d", r.StatusCode)
	}
}

func TestID5Options(t *testing.T) {
	for name, o := range map[string]ID5Options{"partner": {Partner: "17x"}, "users": {MaxUsers: -1}} {
		if _, err := New(Options{ID5: o}); err == nil {
			t.Errorf("%s: New takes %+v", name, o)
		}
	}
}

// TestID5Seed compares uids of sandboxes with the same seed, with another, and when they change.
func TestID5Seed(t *testing.T) {
	one, same, other := mustNew(t, Options{ID5: ID5Options{Seed: "a"}}), newPeer(t, Options{ID5: ID5Options{Seed: "a"}}), mustNew(t, Options{ID5: ID5Options{Seed: "b"}})
	hash := [32]byte{1}
	want := one.ID5UID(hash, "FR")
	if same.op.ID5UID(hash, "FR") != want || other.ID5UID(hash, "FR") == want {
		t.Error("the uids do not follow from the seed")
	}
	same.op.SetFaults(Faults{ID5: ID5Faults{Changing: true}})
	uids := map[string]bool{}
	for range 3 {
		var reply id5Reply
		_, text := same.signal(t, "173", same.op.ID5Token(), fmt.Sprintf(`{"users":[{"email_sha256":"%x","country_alpha2":"FR"}]}`, hash))
		if err := json.Unmarshal([]byte(text), &reply); err != nil || len(reply.Users) != 1 || !strings.HasPrefix(reply.Users[0].UID, want+"-") {
			t.Fatalf("the reply is %s, %v; want a uid that begins with %s", text, err, want)
		}
		uids[reply.Users[0].UID] = true
	}
	if len(uids) != 3 {
		t.Errorf("%d different uids in 3 replies", len(uids))
	}
}

// TestID5Trace asks for users with and without known_uids, once in vain.
func TestID5Trace(t *testing.T) {
	p := newPeer(t, Options{Trace: true})
	p.op.SetFaults(Faults{Rules: []Fault{{Do: Truncate, First: 1}, {Do: Fail, Skip: 2, First: 1}}, ID5: ID5Faults{Duplicate: 1}})
	known := func(uids string) string {
		return `{"users":[{"email_sha256":"` + hashA + `","country_alpha2":"FR","known_uids":[` + uids + `]},{"email_sha256":"` + hashA + `"},{"email_sha256":"` + hashB + `"}]}`
	}
	r, err := p.http.Post(p.url+"/partners/v1/173/signals?token="+p.op.ID5Token(), "application/json", strings.NewReader(known(`{"uid":"x"}`)))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	p.signal(t, "173", p.op.ID5Token(), known(`{"uid":"y"},{"uid":"x"}`))
	p.signal(t, "173", p.op.ID5Token(), known(`{"uid":"never"}`)) // fails before it is read
	p.signal(t, "173", "wrong", known(`{"uid":"never"}`))
	a, b := [32]byte{}, [32]byte{}
	for i := range a {
		a[i], b[i] = 0x0a, 0x0b
	}
	if got := p.op.ID5Known(a, "FR"); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("the known uids are %q", got)
	}
	if got := append(p.op.ID5Known(a, "AA"), p.op.ID5Known(b, "")...); len(got) > 0 {
		t.Errorf("others have the known uids %q", got)
	}
	for _, c := range []struct {
		hash    [32]byte
		country string
		want    int
	}{{a, "FR", 1}, {a, "", 1}, {a, "AA", 1}, {b, "", 1}, {b, "FR", 0}} {
		if got := p.op.ID5Asked(c.hash, c.country); got != c.want {
			t.Errorf("%x %q was answered %d times, want %d", c.hash[:2], c.country, got, c.want)
		}
	}
	if s := p.op.Stats(); s.Joined != 2 || s.Identities != 3 {
		t.Errorf("the counts are %+v", s)
	}
}

// TestID5ManyUsers sends as many users as the documentation's table of errors allows.
func TestID5ManyUsers(t *testing.T) {
	p := newPeer(t, Options{ID5: ID5Options{MaxUsers: 10000}})
	if got := len(p.numbers(t, 10000)); got != 10000 {
		t.Errorf("%d users are in the answer", got)
	}
}
