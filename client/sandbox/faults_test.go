package sandbox

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mapper/normalize"
)

// TestFailures checks what a plain client sees of each fault that leaves it without an encrypted reply.
func TestFailures(t *testing.T) {
	now := func() time.Time { return noon }
	for _, c := range []struct {
		name   string
		faults Faults
		status int
		body   string
		header map[string]string
	}{
		{"429", rule(Fault{Do: Fail, Status: 429}), 429, "", map[string]string{"Retry-After": ""}},
		{"429 with seconds", rule(Fault{Do: Fail, Status: 429, RetryAfter: 1500 * time.Millisecond}), 429, "",
			map[string]string{"Retry-After": "2"}},
		{"429 with a date", rule(Fault{Do: Fail, Status: 429, RetryAfter: 90 * time.Second, RetryAfterDate: true}), 429, "",
			map[string]string{"Retry-After": "Sat, 14 Mar 2026 12:01:30 GMT"}},
		{"500", rule(Fault{Do: Fail}), 500, `{"status":"unknown","message":"Unknown error while mapping identity v3"}`,
			map[string]string{"Content-Type": "application/json"}},
		{"400", rule(Fault{Do: Fail, Status: 400}), 400, `{"status":"client_error","message":"Incorrect request format"}`, nil},
		{"401", rule(Fault{Do: Fail, Status: 401}), 401, `{"status":"unauthorized"}`, nil},
		{"502", rule(Fault{Do: Fail, Status: 502}), 502, "Bad Gateway", nil},
		{"503", rule(Fault{Do: Fail, Status: 503, RetryAfter: time.Second}), 503, "Service Unavailable", map[string]string{"Retry-After": "1"}},
		{"504", rule(Fault{Do: Fail, Status: 504}), 504, "Gateway Timeout", nil},
		{"redirect", rule(Fault{Do: Fail, Status: 307, Location: "http://192.0.2.1/x"}), 307, "Temporary Redirect",
			map[string]string{"Location": "http://192.0.2.1/x"}},
		{"a page of the front end", rule(Fault{Do: Fail, Status: 503, Body: "<html>"}), 503, "<html>", nil},
		{"a 200 that is not ours", rule(Fault{Do: Fail, Status: 200, Body: "<html>"}), 200, "<html>", nil},
		{"outage", Faults{Outage: true}, 500, `{"status":"unknown","message":"Unknown error while mapping identity v3"}`, nil},
		{"body limit", Faults{MaxBody: 100}, 413, "Request Entity Too Large", nil},
		{"clock too far ahead", Faults{Skew: 5 * time.Minute}, 400, "Invalid timestamp: Request too old or client time drift.",
			map[string]string{"Date": "Sat, 14 Mar 2026 12:05:00 GMT"}},
		{"clock too far behind", Faults{Skew: -5 * time.Minute}, 400, "Invalid timestamp: Request too old or client time drift.",
			map[string]string{"Date": "Sat, 14 Mar 2026 11:55:00 GMT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Options{Now: now})
			p.op.SetFaults(c.faults)
			a, err := p.send(seal(t, p.op, noon, hello))
			if err != nil {
				t.Fatal(err)
			}
			if a.status != c.status || !strings.Contains(a.json, c.body) || (c.body == "") != (a.json == "") {
				t.Errorf("got %d %q, want %d %q", a.status, a.json, c.status, c.body)
			}
			for name, want := range c.header {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if s := p.op.Stats(); s.Status[c.status] != 1 || s.Identities != 0 || s.Requests != 1 || s.InFlight != 0 {
				t.Errorf("counts %+v", s)
			}
		})
	}
}

func rule(f Fault) Faults { return Faults{Rules: []Fault{f}} }

// TestSpoiledReplies checks the faults whose request is worked on and answered with 200, to no avail.
func TestSpoiledReplies(t *testing.T) {
	payload := payloadOf("email_hash", hashes(1000)) // more than any buffer of the server
	for _, c := range []struct {
		do    Action
		check func(t *testing.T, p *peer, a answer, err error)
	}{
		{WrongNonce, func(t *testing.T, p *peer, a answer, _ error) {
			plain, err := testAEAD(t, p.op).Open(nil, a.raw[:12], a.raw[12:], nil)
			if err != nil || [8]byte(plain[8:16]) == testNonce {
				t.Errorf("error %v, nonce %x, want another than %x", err, plain[8:16], testNonce)
			}
		}},
		{Garble, func(t *testing.T, p *peer, a answer, _ error) {
			if _, err := testAEAD(t, p.op).Open(nil, a.raw[:12], a.raw[12:], nil); err == nil {
				t.Error("the reply can be decrypted")
			}
		}},
		{ShortArrays, wantLengths(999)},
		{LongArrays, wantLengths(1001)},
		{Truncate, wantError(io.ErrUnexpectedEOF)},
		{ResetMidway, wantError(syscall.ECONNRESET)},
	} {
		p := newPeer(t, Options{Trace: true})
		p.op.SetFaults(rule(Fault{Do: c.do, First: 1}))
		a, err := p.send(seal(t, p.op, time.Now(), payload))
		if a.status != http.StatusOK {
			t.Fatalf("action %d: status %d %v, want 200", c.do, a.status, err)
		}
		c.check(t, p, a, err)
		if s := p.op.Stats(); s.Status[200] != 1 || s.Spoiled != 1 || s.Identities != 0 || s.Distinct != 0 || s.InFlight != 0 {
			t.Errorf("action %d: counts %+v", c.do, s)
		}
		if p.ask(t, payload); p.op.Stats().Identities != 1000 {
			t.Errorf("action %d: the next request does not count: %+v", c.do, p.op.Stats())
		}
	}
}

func wantLengths(n int) func(*testing.T, *peer, answer, error) {
	return func(t *testing.T, p *peer, a answer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		a.unseal(t, p.op)
		lists := a.elements(t)
		if got := len(lists["email_hash"]); got != n || len(lists["phone_hash"]) != 0 {
			t.Errorf("%d answers, want %d", got, n)
		}
	}
}

func wantError(want error) func(*testing.T, *peer, answer, error) {
	return func(t *testing.T, p *peer, a answer, err error) {
		if !errors.Is(err, want) || len(a.raw) == 0 {
			t.Errorf("error %v after %d bytes, want %v after some", err, len(a.raw), want)
		}
	}
}

func TestReset(t *testing.T) {
	p := newPeer(t, Options{})
	p.op.SetFaults(rule(Fault{Do: Reset}))
	_, err := p.send(seal(t, p.op, time.Now(), hello))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a reset", err)
	}
	if s := p.op.Stats(); s.Status[0] != 1 || s.InFlight != 0 {
		t.Errorf("counts %+v", s)
	}
}

// TestRules checks which requests a rule hits.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []Fault
		want  string // the action for each request in turn
	}{
		{"none", nil, "000000"},
		{"every request", []Fault{{Do: Fail}}, "111111"},
		{"the first two", []Fault{{Do: Fail, First: 2}}, "110000"},
		{"only the fourth", []Fault{{Do: Fail, Skip: 3, First: 1}}, "000100"},
		{"every third", []Fault{{Do: Fail, Every: 3}}, "001001"},
		{"every second after the first", []Fault{{Do: Fail, Skip: 1, Every: 2}}, "001010"},
		{"the first rule decides", []Fault{{Do: Fail, First: 2}, {Do: Reset, First: 4}}, "112200"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := newPlan(Faults{Rules: c.rules})
			got := ""
			for n := range int64(len(c.want)) {
				got += string('0' + rune(plan.pick(n+1).Do))
			}
			if got != c.want {
				t.Errorf("actions %s, want %s", got, c.want)
			}
		})
	}
}

// TestShareRepeats checks that chance is fair, follows the seed and is not the same for two rules.
func TestShareRepeats(t *testing.T) {
	const n = 10_000
	pick := func(seed uint64, rules ...Fault) (hits []int64, actions [3]int) {
		plan := newPlan(Faults{Seed: seed, Rules: rules})
		for i := range int64(n) {
			do := plan.pick(i + 1).Do
			actions[do]++
			if do != Slow {
				hits = append(hits, i)
			}
		}
		return hits, actions
	}
	a, _ := pick(1, Fault{Do: Fail, Share: 0.1})
	b, _ := pick(1, Fault{Do: Fail, Share: 0.1})
	c, _ := pick(2, Fault{Do: Fail, Share: 0.1})
	if len(a) < n*9/100 || len(a) > n*11/100 {
		t.Errorf("%d of %d requests hit, want a tenth", len(a), n)
	}
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the requests hit must follow from the seed")
	}
	_, both := pick(1, Fault{Do: Fail, Share: 0.1}, Fault{Do: Reset, Share: 0.1})
	if both[Reset] < n*8/100 || both[Reset] > n*10/100 {
		t.Errorf("the second rule hit %d of %d requests, want 9 %%", both[Reset], n)
	}
}

// TestLimit sends 10 requests at once and then one every 50 ms, in virtual time: a bucket of 3 with 10 a second
// lets the first 3 pass and then every second one.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, Options{})
		s.SetFaults(Faults{Limit: Limit{PerSecond: 10, Burst: 3, RetryAfter: 7 * time.Second}})
		got := ""
		for i := range 18 {
			if i >= 10 {
				time.Sleep(50 * time.Millisecond)
			}
			switch reply := serve(t, s); {
			case reply.Code == 200:
				got += "+"
			case reply.Code == 429 && reply.Header().Get("Retry-After") == "7":
				got += "-"
			default:
				t.Fatalf("request %d: status %d, header %v", i+1, reply.Code, reply.Header())
			}
		}
		if want := "+++--------+-+-+-+"; got != want {
			t.Errorf("let through %s, want %s", got, want)
		}
	})
}

// serve calls the sandbox without a network.
func serve(t *testing.T, s *Sandbox) *httptest.ResponseRecorder {
	t.Helper()
	body := bytes.NewReader(seal(t, s, time.Now(), hello))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v3/identity/map", body)
	r.Header.Set("Authorization", "Bearer "+s.APIKey())
	r.Header.Set("Content-Type", binaryType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestPoison checks that one value is enough to fail any request that holds it, however it is spelled, and
// that words other than the documented ones come through as they are.
func TestPoison(t *testing.T) {
	p := newPeer(t, Options{})
	poison, odd := emailID("poison@example.com"), phoneID("+12025550199")
	const word = `under "review" <é>`
	p.op.SetFaults(Faults{Poison: []normalize.ID{poison}, Words: map[normalize.ID]string{odd: word}})
	for payload, want := range map[string]int{
		`{"email":["user@example.com","POISON@example.com"],"phone_hash":["x"]}`: 500,
		payloadOf("email_hash", []string{hash64("poison@example.com")}):          500,
		payloadOf("phone_hash", []string{hash64("poison@example.com")}):          200,
		payloadOf("email_hash", hashes(100)):                                     200,
	} {
		if a := p.ask(t, payload); a.status != want {
			t.Errorf("%.60s: status %d, want %d", payload, a.status, want)
		}
	}
	a := p.ask(t, `{"phone":["+12025550199","+12025550198"]}`)
	list := a.elements(t)["phone"]
	if list[0].E == nil || *list[0].E != word || list[1].U == nil {
		t.Errorf("answers %s, want the word %q for the first", a.json, word)
	}
	if got := p.op.Stats().Other; got != 1 {
		t.Errorf("counted %d other words, want 1", got)
	}
}

// TestSlow checks, in virtual time, what each reply waits for.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustNew(t, Options{Latency: time.Second, Jitter: 100 * time.Millisecond})
		s.SetFaults(Faults{Rules: []Fault{{Do: Slow, Delay: time.Hour, First: 1}, {Do: Fail, Delay: time.Minute, First: 2}}})
		waits := map[time.Duration]bool{}
		for i, least := range []time.Duration{time.Hour + time.Second, time.Minute + time.Second, time.Second, time.Second} {
			start := time.Now()
			if got, want := serve(t, s).Code, []int{200, 500, 200, 200}[i]; got != want {
				t.Errorf("request %d: status %d, want %d", i+1, got, want)
			}
			jitter := time.Since(start) - least
			if jitter < 0 || jitter >= 100*time.Millisecond || waits[jitter] {
				t.Errorf("request %d: waited %v, want %v and a jitter of its own below 100 ms", i+1, least+jitter, least)
			}
			waits[jitter] = true
		}
	})
}

// TestClientGivesUp: a request that the client cut off was worked on, but is not an answered one.
func TestClientGivesUp(t *testing.T) {
	p := newPeer(t, Options{Latency: time.Hour, Trace: true})
	p.http.Timeout = 50 * time.Millisecond
	if _, err := p.send(seal(t, p.op, time.Now(), hello)); err == nil {
		t.Fatal("no timeout")
	}
	for p.op.Stats().InFlight > 0 { // the server notices on its own time
		time.Sleep(time.Millisecond)
	}
	if s := p.op.Stats(); s.Status[0] != 1 || s.Identities != 0 || p.op.Asked(emailID("user@example.com")) != 0 {
		t.Errorf("counts %+v", s)
	}
}
