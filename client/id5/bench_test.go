package id5

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"mapper/client"
)

func benchUsers(n int) (users []User, which []int) {
	users, which = make([]User, n), make([]int, n)
	for i := range users {
		users[i].Hash[0], users[i].Hash[1], users[i].Country, which[i] = byte(i), byte(i>>8), [2]byte{'F', 'R'}, i
	}
	return users, which
}

// TestRequestDoesNotAllocate builds a body in memory that held one before.
func TestRequestDoesNotAllocate(t *testing.T) {
	users, which := benchUsers(DefaultBatch)
	users[3].KnownUIDs = []string{"ID5*a", "ID5*b"}
	body := appendRequest(nil, users, which)
	if n := testing.AllocsPerRun(10, func() { body = appendRequest(body[:0], users, which) }); n > 0 {
		t.Errorf("building a request allocates %v times", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	users, which := benchUsers(DefaultBatch)
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = appendRequest(body[:0], users, which)
	}
	b.SetBytes(int64(len(body)))
}

// benchReply returns a reply to a whole batch, each user of which was given what answer says of him.
func benchReply(users []User, answer func(i int) string) []byte {
	body := []byte(`{"users":[`)
	for i, u := range users {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{%s,"email_sha256":"%x","country_alpha2":"FR"}`, answer(i), u.Hash)
	}
	return append(body, `]}`...)
}

func numbered(i int) string {
	return fmt.Sprintf(`"uid":"ID5*%0100d","partner_user_id":%q`, i, strconv.FormatInt(int64(i), numberBase))
}

func unnumbered(i int) string { return fmt.Sprintf(`"uid":"ID5*%0100d"`, i) }

func benchExchange() (x *exchange, which []int) {
	users, which := benchUsers(DefaultBatch)
	return &exchange{client: new(Client), users: users, ans: new(client.Answers), open: make([]bool, len(users))}, which
}

// readAgain decodes a reply and takes it, as if nobody had been answered before.
func (x *exchange) readAgain(body []byte, which []int) error {
	x.ans.Reset(len(x.users))
	for i := range x.open {
		x.open[i] = true
	}
	if err := x.said.parse(body); err != nil {
		return err
	}
	return x.take(x.said.Users, which)
}

// TestReplyDoesNotAllocate reads replies in memory that held one before, which is all of it once a run is under way.
func TestReplyDoesNotAllocate(t *testing.T) {
	for name, answer := range map[string]func(int) string{"numbered": numbered, "unnumbered": unnumbered} {
		x, which := benchExchange()
		body := benchReply(x.users, answer)
		if n := testing.AllocsPerRun(10, func() {
			if err := x.readAgain(body, which); err != nil {
				t.Error(err)
			}
		}); n > 0 {
			t.Errorf("%s: reading a reply allocates %v times", name, n)
		}
		for n := range x.users {
			if want := fmt.Sprintf("ID5*%0100d", n); string(x.ans.UID(n)) != want {
				t.Fatalf("%s: user %d has the uid %q", name, n, x.ans.UID(n))
			}
		}
	}
}

// BenchmarkReply decodes the reply to a whole batch and finds everybody in it, by number or by hash.
func BenchmarkReply(b *testing.B) {
	for name, answer := range map[string]func(int) string{"numbered": numbered, "unnumbered": unnumbered} {
		b.Run(name, func(b *testing.B) {
			x, which := benchExchange()
			body := benchReply(x.users, answer)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := x.readAgain(body, which); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x.users)), "ns/user")
		})
	}
}

// BenchmarkReplyByEncodingJSON decodes the same reply as a program would that knows no better.
func BenchmarkReplyByEncodingJSON(b *testing.B) {
	x, _ := benchExchange()
	body := benchReply(x.users, numbered)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var r struct {
			Users []struct {
				UID     string `json:"uid"`
				Hash    string `json:"email_sha256"`
				Country string `json:"country_alpha2"`
				Number  string `json:"partner_user_id"`
			} `json:"users"`
		}
		if err := json.Unmarshal(body, &r); err != nil || len(r.Users) != len(x.users) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x.users)), "ns/user")
}
