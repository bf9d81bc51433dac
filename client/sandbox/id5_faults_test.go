package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// id5Body asks for n made-up users, numbered from 0.
func id5Body(n int) string {
	users := make([]id5User, n)
	for i := range users {
		users[i] = id5User{Hash: fmt.Sprintf("%064x", i), Country: "FR", Number: fmt.Sprint(i)}
	}
	body, err := json.Marshal(map[string]any{"users": users})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// TestID5GeneralFaults checks what a plain client of Partner Signals sees of the faults that are not of it alone. A reply
// that reads well has all users in it.
func TestID5GeneralFaults(t *testing.T) {
	const n = 1000 // more than any buffer of the server
	for _, c := range []struct {
		name   string
		faults Faults
		status int // 0: no reply
		header string
		err    error // of reading the reply
		users  int   // -1: no JSON
		least  time.Duration
	}{
		{name: "429", faults: rule(Fault{Do: Fail, Status: 429}), status: 429, users: -1},
		{name: "429 with Retry-After", faults: rule(Fault{Do: Fail, Status: 429, RetryAfter: 2 * time.Second}), status: 429, header: "2", users: -1},
		{name: "first of a rate", faults: Faults{Limit: Limit{PerSecond: 1e-9}}, status: 200, users: n},
		{name: "502 in HTML", faults: rule(Fault{Do: Fail, Status: 502, Body: "<html>Bad Gateway</html>"}), status: 502, users: -1},
		{name: "outage", faults: Faults{Outage: true}, status: 500, users: 0},
		{name: "body limit", faults: Faults{MaxBody: 1000}, status: 413, users: -1},
		{name: "truncated", faults: rule(Fault{Do: Truncate}), status: 200, err: io.ErrUnexpectedEOF, users: -1},
		{name: "reset midway", faults: rule(Fault{Do: ResetMidway}), status: 200, err: syscall.ECONNRESET, users: -1},
		{name: "reset", faults: rule(Fault{Do: Reset}), err: syscall.ECONNRESET},
		{name: "garbled", faults: rule(Fault{Do: Garble}), status: 200, users: -1},
		{name: "short", faults: rule(Fault{Do: ShortArrays}), status: 200, users: n - 1},
		{name: "long", faults: rule(Fault{Do: LongArrays}), status: 200, users: n + 1},
		{name: "late", faults: rule(Fault{Delay: 30 * time.Millisecond}), status: 200, users: n, least: 30 * time.Millisecond},
		{name: "slow body", faults: rule(Fault{Do: SlowBody, Delay: 30 * time.Millisecond}), status: 200, users: n, least: 30 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Options{})
			p.op.SetFaults(c.faults)
			start := time.Now()
			r, err := p.http.Post(p.url+"/partners/v1/173/signals?token="+p.op.ID5Token(), "application/json", strings.NewReader(id5Body(n)))
			if c.status == 0 {
				if !errors.Is(err, c.err) {
					t.Errorf("the error is %v, want %v", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if r.StatusCode != c.status || r.Header.Get("Retry-After") != c.header || !errors.Is(err, c.err) {
				t.Errorf("got %d, Retry-After %q, error %v; want %d, %q, %v", r.StatusCode, r.Header.Get("Retry-After"), err, c.status, c.header, c.err)
			}
			if took := time.Since(start); took < c.least {
				t.Errorf("it took %v, want %v at least", took, c.least)
			}
			var reply id5Reply
			if err := json.Unmarshal(text, &reply); (err != nil) != (c.users < 0) || err == nil && len(reply.Users) != c.users {
				t.Errorf("%d users, %v; want %d", len(reply.Users), err, c.users)
			}
			whole := c.status == 200 && c.users == n
			if s := p.op.Stats(); s.Status[c.status] != 1 || s.InFlight != 0 || (s.Identities == n) != whole || (s.Spoiled == 1) != (c.status == 200 && !whole) {
				t.Errorf("the counts are %+v", s)
			}
		})
	}
}

// TestID5SlowBody receives the beginning of a reply long before its end, and is not counted when it does not wait for that.
func TestID5SlowBody(t *testing.T) {
	p := newPeer(t, Options{})
	p.op.SetFaults(rule(Fault{Do: SlowBody, Delay: time.Hour}))
	r, err := p.http.Post(p.url+"/partners/v1/173/signals?token="+p.op.ID5Token(), "application/json", strings.NewReader(id5Body(2)))
	if err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, 10)
	if _, err := io.ReadFull(r.Body, begin); err != nil || string(begin) != `{"users":[` {
		t.Errorf("the reply begins with %q, %v", begin, err)
	}
	_ = r.Body.Close() // which closes the connection
	for p.op.Stats().InFlight > 0 {
		time.Sleep(time.Millisecond)
	}
	if s := p.op.Stats(); s.Status[0] != 1 || s.Identities != 0 {
		t.Errorf("the counts are %+v", s)
	}
}

// numbers asks for n users and returns the numbers in the reply, in its order.
func (p *peer) numbers(t *testing.T, n int) []string {
	t.Helper()
	status, text := p.signal(t, p.op.ID5Partner(), p.op.ID5Token(), id5Body(n))
	var reply id5Reply
	if err := json.Unmarshal([]byte(text), &reply); err != nil || status != http.StatusOK || reply.Error != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	var got []string
	for _, u := range reply.Users {
		got = append(got, u.Number)
	}
	return got
}

// TestID5OddAnswers looks at who is in five answers to four users each, and that it repeats.
func TestID5OddAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults ID5Faults
		want   string
	}{
		{"omit one of each", ID5Faults{Omit: 1}, "023 013 012 123 023"},
		{"omit one of each third", ID5Faults{Omit: 3}, "0123 0123 023 0123 0123"},
		{"one of each twice", ID5Faults{Duplicate: 1}, "01231 01232 01233 01230 01231"},
		{"one of each second twice", ID5Faults{Duplicate: 2}, "0123 01231 0123 01232 0123"},
		{"both", ID5Faults{Duplicate: 1, Omit: 1}, "0232 0133 0120 1232 0233"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Options{})
			for range 2 {
				p.op.SetFaults(Faults{ID5: c.faults})
				var got []string
				for range 5 {
					got = append(got, strings.Join(p.numbers(t, 4), ""))
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("the answers are %s, want %s", got, c.want)
				}
			}
		})
	}
}

// TestID5OmitsFromAnswersOnly: who is refused is named, and a refusal does not count as an answer.
func TestID5OmitsFromAnswersOnly(t *testing.T) {
	p := newPeer(t, Options{})
	p.op.SetFaults(Faults{ID5: ID5Faults{Omit: 1, Duplicate: 1, Status200: true}})
	status, text := p.signal(t, "173", p.op.ID5Token(), `{"users":[{"email_sha256":"short","partner_user_id":"8"}]}`)
	if got, want := summary(t, status, text), "200 user_objects_invalid validation_error | 8 AA sha256_length_invalid"; got != want {
		t.Errorf("the reply is %q, want %q", got, want)
	}
	if got := p.numbers(t, 1); len(got) != 0 {
		t.Errorf("the answer is %v, want nobody", got)
	}
}

func TestID5Shuffle(t *testing.T) {
	p := newPeer(t, Options{})
	orders := map[string]int{}
	for range 2 {
		p.op.SetFaults(Faults{Seed: 7, ID5: ID5Faults{Shuffle: true}})
		for range 3 {
			got := p.numbers(t, 20)
			orders[strings.Join(got, " ")]++
			if slices.Sort(got); len(slices.Compact(got)) != 20 {
				t.Errorf("%d of 20 users are in the answer", len(got))
			}
		}
	}
	if len(orders) != 3 {
		t.Errorf("%d orders, want 3 that repeat", len(orders))
	}
}
