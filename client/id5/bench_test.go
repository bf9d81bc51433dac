package id5

import (
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

// BenchmarkReply decodes the reply to a whole batch and finds everybody in it.
func BenchmarkReply(b *testing.B) {
	users, which := benchUsers(DefaultBatch)
	body := []byte(`{"users":[`)
	for i, u := range users {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"uid":"ID5*%0100d","email_sha256":"%x","country_alpha2":"FR","partner_user_id":%q}`, i, u.Hash, strconv.FormatInt(int64(i), numberBase))
	}
	body = append(body, `]}`...)
	var ans client.Answers
	x := exchange{client: new(Client), users: users, ans: &ans, open: make([]bool, len(users))}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.readAgain(body, which); err != nil {
			b.Fatal(err)
		}
	}
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
