package id5_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"weak"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/sandbox"
)

// TestMapKeepsNothing maps users who are in nobody's hands afterwards, with a retry and after an error too, and looks whether
// the Client, which is still in use, lets go of them.
func TestMapKeepsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		faults sandbox.Faults
		fails  bool
	}{
		"answered":       {},
		"tried again":    {faults: rules(sandbox.Fault{Do: sandbox.Truncate, First: 1})},
		"without number": {faults: signals(sandbox.ID5Faults{NoNumbers: true})},
		"refused":        {faults: fails(403, ""), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, opts := overTCP(t, c.faults)
			api := newClient(t, opts)
			user, answers := func() (weak.Pointer[id5.User], weak.Pointer[client.Answers]) {
				users, ans := people(10), new(client.Answers)
				users[3].KnownUIDs = []string{"ID5*a"}
				if err := api.Map(t.Context(), users, ans); (err != nil) != c.fails {
					t.Fatal(err)
				}
				return weak.Make(&users[0]), weak.Make(ans)
			}()
			// A second collection would empty the pools, whatever they hold.
			if runtime.GC(); user.Value() != nil || answers.Value() != nil {
				t.Errorf("users are held: %v, answers: %v", user.Value() != nil, answers.Value() != nil)
			}
			runtime.KeepAlive(api)
		})
	}
}

// TestMapReusedUsers fills the same users and known uids for call after call, at several requests at once with retries, and
// looks whether each known uid arrived with its user and nobody else's.
func TestMapReusedUsers(t *testing.T) {
	const calls, perCall, workers = 6, 30, 4
	s, err := sandbox.New(sandbox.Options{Trace: true, ID5: sandbox.ID5Options{Token: token}})
	if err != nil {
		t.Fatal(err)
	}
	// One short reply, not two: the second could be that to the question for the one missing in the first, who is then unmapped.
	opts := serve(t, s, sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Truncate, Every: 7}, {Do: sandbox.ResetMidway, Every: 9}, {Do: sandbox.ShortArrays, First: 1}}})
	api := newClient(t, opts)
	everybody := people(calls * perCall * workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			users, known := make([]id5.User, perCall), make([]string, perCall)
			var ans client.Answers
			for call := range calls {
				from := (w*calls + call) * perCall
				for i := range users {
					users[i], known[i] = everybody[from+i], fmt.Sprint("ID5*", from+i)
					if i%2 == 0 {
						users[i].KnownUIDs = known[i : i+1]
					}
				}
				if err := api.Map(t.Context(), users, &ans); err != nil {
					t.Error(err)
					return
				}
				checkAnswers(t, s, users, &ans, nil)
			}
		})
	}
	group.Wait()
	for i, u := range everybody {
		var want []string
		if i%perCall%2 == 0 {
			want = []string{fmt.Sprint("ID5*", i)}
		}
		if got := s.ID5Known(u.Hash, country(u)); !slices.Equal(got, want) {
			t.Errorf("user %d arrived with the known uids %q, want %q", i, got, want)
		}
	}
}
