package id5_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/sandbox"
	"mapper/client/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// token holds what an URL escapes, so that both forms of it can be searched for.
const token = "marker+token/a8f3&x=%"

// people returns n made-up users, from various countries and from none.
func people(n int) []id5.User {
	users := make([]id5.User, n)
	for i := range users {
		users[i].Hash = sha256.Sum256(fmt.Appendf(nil, "user%d@example.com", i))
		if i%3 > 0 {
			users[i].Country = [2]byte{'A' + byte(i%26), 'X'}
		}
	}
	return users
}

// country is what the sandbox has for a user's country.
func country(u id5.User) string {
	if u.Country == [2]byte{} {
		return ""
	}
	return string(u.Country[:])
}

// overTCP starts a sandbox on a real connection and returns the options to reach it.
func overTCP(t testing.TB, faults sandbox.Faults) (*sandbox.Sandbox, id5.Options) {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{ID5: sandbox.ID5Options{Token: token}})
	if err != nil {
		t.Fatal(err)
	}
	return s, serve(t, s, faults)
}

// serve starts a sandbox and returns the options to reach it.
func serve(t testing.TB, s *sandbox.Sandbox, faults sandbox.Faults) id5.Options {
	t.Helper()
	s.SetFaults(faults)
	base, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	rt := &http.Transport{}
	t.Cleanup(func() {
		rt.CloseIdleConnections()
		if err := stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return id5.Options{
		BaseURL: base, Partner: s.ID5Partner(), Token: client.NewSecret(token),
		Transport: transport.Options{RoundTripper: rt, AttemptTimeout: 5 * time.Second},
	}
}

func newClient(t testing.TB, opts id5.Options) *id5.Client {
	t.Helper()
	c, err := id5.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkAnswers compares the answers with what the sandbox has for the users; other has the words of those without a uid.
func checkAnswers(t *testing.T, s *sandbox.Sandbox, users []id5.User, ans *client.Answers, other map[int]string) {
	t.Helper()
	if len(ans.Items) != len(users) {
		t.Fatalf("%d answers for %d users", len(ans.Items), len(users))
	}
	for i, u := range users {
		word, without := other[i]
		want := s.ID5UID(u.Hash, country(u))
		switch got := string(ans.UID(i)); {
		case without && (got != "" || string(ans.Word(i)) != word):
			t.Errorf("user %d: uid %q, word %q; want the word %q", i, got, ans.Word(i), word)
		case !without && (ans.Items[i].Status != client.Mapped || got != want):
			t.Errorf("user %d: status %d, uid %q, word %q; want %q", i, ans.Items[i].Status, got, ans.Word(i), want)
		}
		if at := time.UnixMilli(ans.Items[i].At); time.Since(at) > time.Minute || time.Until(at) > time.Minute {
			t.Errorf("user %d was answered at %v", i, at)
		}
	}
}

func isFault(err error, f client.Fault) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Fault == f
}
