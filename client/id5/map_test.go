package id5_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/sandbox"
)

// rejecting makes the sandbox refuse some of the users.
func rejecting(users []id5.User, code string, which ...int) map[[32]byte]string {
	codes := map[[32]byte]string{}
	for _, i := range which {
		codes[users[i].Hash] = code
	}
	return codes
}

func words(word string, which ...int) map[int]string {
	m := map[int]string{}
	for _, i := range which {
		m[i] = word
	}
	return m
}

func rules(f ...sandbox.Fault) sandbox.Faults { return sandbox.Faults{Rules: f} }

func signals(f sandbox.ID5Faults) sandbox.Faults { return sandbox.Faults{ID5: f} }

const code = "sha256_length_invalid"

// TestMap maps 40 users in every mode of the sandbox. Few of the users are refused, so that halving stays below MaxPoison.
func TestMap(t *testing.T) {
	users := people(40)
	bad := rejecting(users, code, 3, 17, 39)
	badWords := words(code, 3, 17, 39)
	anonymous := words("user_objects_invalid", 3, 17, 39)
	everybody := map[[32]byte]string{}
	for _, u := range users {
		everybody[u.Hash] = code
	}
	all := map[int]string{}
	for i := range users {
		all[i] = code
	}
	noID := map[[32]byte]bool{users[5].Hash: true}

	for _, c := range []struct {
		name     string
		faults   sandbox.Faults
		other    map[int]string
		requests int // 0 for any
		extra    int64
	}{
		{"fine", sandbox.Faults{}, nil, 1, 0},
		{"shuffled", signals(sandbox.ID5Faults{Shuffle: true}), nil, 1, 0},
		{"no numbers", signals(sandbox.ID5Faults{NoNumbers: true}), nil, 1, 0},
		{"no numbers, shuffled", signals(sandbox.ID5Faults{NoNumbers: true, Shuffle: true}), nil, 1, 0},
		{"one omitted once", rules(sandbox.Fault{Do: sandbox.ShortArrays, First: 1}), nil, 2, 0},
		{"one always omitted", rules(sandbox.Fault{Do: sandbox.ShortArrays}), words(id5.WordNoAnswer, 39), 2, 0},
		{"one twice", rules(sandbox.Fault{Do: sandbox.LongArrays}), nil, 1, 1},
		{"no id", signals(sandbox.ID5Faults{NoID: noID}), words(id5.WordNoID, 5), 1, 0},
		{"no id, no numbers", signals(sandbox.ID5Faults{NoID: noID, NoNumbers: true}), words(id5.WordNoID, 5), 1, 0},

		{"culprits", signals(sandbox.ID5Faults{Reject: bad}), badWords, 2, 0},
		{"culprits under 200", signals(sandbox.ID5Faults{Reject: bad, Status200: true}), badWords, 2, 0},
		{"culprits, no numbers", signals(sandbox.ID5Faults{Reject: bad, NoNumbers: true, Shuffle: true}), badWords, 2, 0},
		{"culprits under 200, no numbers", signals(sandbox.ID5Faults{Reject: bad, NoNumbers: true, Status200: true}), badWords, 2, 0},
		{"nameless culprits", signals(sandbox.ID5Faults{Reject: bad, Nameless: true}), anonymous, 0, 0},
		{"nameless culprits under 200", signals(sandbox.ID5Faults{Reject: bad, Nameless: true, Status200: true}), anonymous, 0, 0},
		{"culprits beside answers", signals(sandbox.ID5Faults{Reject: bad, Partial: true}), badWords, 1, 0},
		{"culprits, a batch that empties", signals(sandbox.ID5Faults{Reject: everybody}), all, 1, 0},

		{"one always omitted by turns", signals(sandbox.ID5Faults{Omit: 2}), nil, 1, 0},
		{"one omitted, then he again", signals(sandbox.ID5Faults{Omit: 1}), words(id5.WordNoAnswer, 1), 2, 0},
		{"one twice, shuffled, no numbers", signals(sandbox.ID5Faults{Duplicate: 1, Shuffle: true, NoNumbers: true}), nil, 1, 1},
		{"slow body", rules(sandbox.Fault{Do: sandbox.SlowBody, Delay: 200 * time.Millisecond}), nil, 1, 0},

		{"429", rules(sandbox.Fault{Do: sandbox.Fail, Status: 429, First: 1}), nil, 2, 0},
		{"429 with Retry-After", rules(sandbox.Fault{Do: sandbox.Fail, Status: 429, First: 1, RetryAfter: time.Second}), nil, 2, 0},
		{"502 in HTML", rules(sandbox.Fault{Do: sandbox.Fail, Status: 502, First: 1, Body: "<html>Bad Gateway</html>"}), nil, 2, 0},
		{"HTML under 200", rules(sandbox.Fault{Do: sandbox.Fail, Status: 200, First: 1, Body: "<html>Welcome</html>"}), nil, 2, 0},
		{"nothing under 200", rules(sandbox.Fault{Do: sandbox.Fail, Status: 200, First: 1, Body: "{}"}), nil, 2, 0},
		{"too many requests under 200", rules(sandbox.Fault{Do: sandbox.Fail, Status: 200, First: 1, Body: `{"error":{"type":"rate_limit_error"}}`}), nil, 2, 0},
		{"truncated", rules(sandbox.Fault{Do: sandbox.Truncate, First: 1}), nil, 2, 0},
		{"not JSON", rules(sandbox.Fault{Do: sandbox.Garble, First: 1}), nil, 2, 0},
		{"reset", rules(sandbox.Fault{Do: sandbox.Reset, First: 1}), nil, 2, 0},
		{"reset midway", rules(sandbox.Fault{Do: sandbox.ResetMidway, First: 1}), nil, 2, 0},
		{"slow", rules(sandbox.Fault{Delay: 200 * time.Millisecond}), nil, 1, 0},
		{"413", sandbox.Faults{MaxBody: 3000}, nil, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			s, opts := overTCP(t, c.faults)
			api := newClient(t, opts)
			var ans client.Answers
			if err := api.Map(t.Context(), users, &ans); err != nil {
				t.Fatal(err)
			}
			checkAnswers(t, s, users, &ans, c.other)
			if got := s.Stats().Requests; c.requests > 0 && got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
			if got := api.Stats().Extra; got != c.extra {
				t.Errorf("%d surplus users, want %d", got, c.extra)
			}
			for i := range c.other {
				if want := c.other[i] != id5.WordNoAnswer && c.other[i] != id5.WordNoID; (ans.Items[i].Status == client.Invalid) != want {
					t.Errorf("user %d has the status %d", i, ans.Items[i].Status)
				}
			}
		})
	}
}

// TestMapBatches maps in several requests, with Answers that held others before, and finds every user in his place.
func TestMapBatches(t *testing.T) {
	s, opts := overTCP(t, sandbox.Faults{})
	opts.MaxBatch = 7
	api := newClient(t, opts)
	var ans client.Answers
	for _, n := range []int{30, 0, 7, 15} {
		users := people(n)
		if err := api.Map(t.Context(), users, &ans); err != nil {
			t.Fatal(err)
		}
		checkAnswers(t, s, users, &ans, nil)
	}
	if got, want := s.Stats().Requests, 5+0+1+3; got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

// TestMapSame sends the same hash with several countries, twice each, without numbers to tell them apart by.
func TestMapSame(t *testing.T) {
	for name, reject := range map[string]bool{"answered": false, "rejected": true} {
		t.Run(name, func(t *testing.T) {
			one := people(1)[0]
			other := people(2)[1]
			var users []id5.User
			for range 2 {
				for _, c := range [][2]byte{{}, {'F', 'R'}, {'D', 'E'}} {
					users = append(users, id5.User{Hash: one.Hash, Country: c})
				}
				users = append(users, other)
			}
			faults := sandbox.ID5Faults{NoNumbers: true, Shuffle: true}
			want := map[int]string{}
			if reject {
				faults.Reject = rejecting(users, code, 0)
				want = words(code, 0, 1, 2, 4, 5, 6)
			}
			s, opts := overTCP(t, signals(faults))
			var ans client.Answers
			if err := newClient(t, opts).Map(t.Context(), users, &ans); err != nil {
				t.Fatal(err)
			}
			checkAnswers(t, s, users, &ans, want)
		})
	}
}

func TestMapCountryThatIsNone(t *testing.T) {
	s, opts := overTCP(t, sandbox.Faults{})
	users := people(3)
	users[1].Country = [2]byte{'f', 'r'}
	var ans client.Answers
	if err := newClient(t, opts).Map(t.Context(), users, &ans); err != nil {
		t.Fatal(err)
	}
	checkAnswers(t, s, users, &ans, words("country_alpha2_invalid", 1))
}

// TestMapOtherHash is answered with a user's number and the hash of another.
func TestMapOtherHash(t *testing.T) {
	users := people(4)
	_, opts := overTCP(t, signals(sandbox.ID5Faults{NoHash: map[[32]byte]bool{users[2].Hash: true}}))
	var ans client.Answers
	if err := newClient(t, opts).Map(t.Context(), users, &ans); !isFault(err, client.Broken) {
		t.Errorf("the error is %v", err)
	}
}

// TestMapPoisonIsBounded gives up on a service that refuses everybody and names nobody.
func TestMapPoisonIsBounded(t *testing.T) {
	users := people(64)
	which := make([]int, len(users))
	for i := range which {
		which[i] = i
	}
	s, opts := overTCP(t, signals(sandbox.ID5Faults{Nameless: true, Reject: rejecting(users, code, which...)}))
	opts.MaxPoison = 5
	api := newClient(t, opts)
	var ans client.Answers
	if err := api.Map(t.Context(), users, &ans); !isFault(err, client.Broken) {
		t.Errorf("the error is %v", err)
	}
	if got := api.Stats().Poisoned; got != 5 {
		t.Errorf("%d users are marked", got)
	}
	if got := s.Stats().Requests; got > 30 {
		t.Errorf("it took %d requests to give up", got)
	}
}

// TestMapLongRefusal is refused with a list of culprits that is longer than what is read of it.
func TestMapLongRefusal(t *testing.T) {
	users := people(id5.DefaultBatch)
	which := make([]int, len(users)-1) // all but the last
	for i := range which {
		which[i] = i
	}
	s, opts := overTCP(t, signals(sandbox.ID5Faults{Reject: rejecting(users, code, which...)}))
	var ans client.Answers
	if err := newClient(t, opts).Map(t.Context(), users, &ans); err != nil {
		t.Fatal(err)
	}
	checkAnswers(t, s, users, &ans, words(code, which...))
	if got := s.Stats().Requests; got > 20 {
		t.Errorf("it took %d requests", got)
	}
}

// TestMapEmptyAnswers is answered with nobody in the reply, again and again: an answer that is missing is no error.
func TestMapEmptyAnswers(t *testing.T) {
	s, opts := overTCP(t, fails(200, `{"users":[]}`))
	users := people(2)
	var ans client.Answers
	if err := newClient(t, opts).Map(t.Context(), users, &ans); err != nil {
		t.Fatal(err)
	}
	checkAnswers(t, s, users, &ans, words(id5.WordNoAnswer, 0, 1))
}

// TestMapAtOnce uses one client from several goroutines.
func TestMapAtOnce(t *testing.T) {
	users := people(60)
	s, opts := overTCP(t, signals(sandbox.ID5Faults{Shuffle: true, Reject: rejecting(users, code, 30)}))
	opts.MaxBatch = 10
	api := newClient(t, opts)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var ans client.Answers
			if err := api.Map(t.Context(), users, &ans); err != nil {
				t.Error(err)
				return
			}
			checkAnswers(t, s, users, &ans, words(code, 30))
		})
	}
	group.Wait()
	if got := s.Stats().MaxInFlight; got > 4 {
		t.Errorf("%d requests were in flight at once", got)
	}
}

// TestMapInterrupted ends while it waits for a reply.
func TestMapInterrupted(t *testing.T) {
	_, opts := overTCP(t, rules(sandbox.Fault{Delay: time.Hour}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var ans client.Answers
	if err := newClient(t, opts).Map(ctx, people(1), &ans); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
}

func TestParseCountry(t *testing.T) {
	for text, want := range map[string][2]byte{"": {}, "FR": {'F', 'R'}, "fr": {'F', 'R'}, "uK": {'U', 'K'}, "AA": {'A', 'A'}} {
		if got, ok := id5.ParseCountry(text); !ok || got != want {
			t.Errorf("%q is %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"F", "FRA", "F1", " F", "É", "\x00\x00"} {
		if _, ok := id5.ParseCountry(text); ok {
			t.Errorf("%q is a country", text)
		}
	}
}
