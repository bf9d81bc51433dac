package uid2

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"mapper/client"
	"mapper/client/jsonscan"
	"mapper/client/transport"
	"mapper/normalize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMap asks for emails and phones mixed, in several requests, in both encodings of the reply.
func TestMap(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 99, 100, 101, 1000} {
		for _, text := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, base64 %v", n, text), func(t *testing.T) {
				o := newOperator(t)
				o.base64 = text
				opts := testOptions(o)
				opts.MaxBatch = 100
				c := newClient(t, opts)
				ids := people(n)
				var ans client.Answers
				if err := c.Map(t.Context(), ids, &ans); err != nil {
					t.Fatal(err)
				}
				checkStandard(t, ids, &ans)
				if want := (n + 99) / 100; len(o.requests) != want || int(c.Stats().Requests) != want {
					t.Errorf("%d requests, counted %d; want %d", len(o.requests), c.Stats().Requests, want)
				}
			})
		}
	}
}

// TestMapReuse overwrites what the answers of an earlier call left behind.
func TestMapReuse(t *testing.T) {
	o := newOperator(t)
	c := newClient(t, testOptions(o))
	var ans client.Answers
	for _, ids := range [][]normalize.ID{people(500), people(20)[10:], people(700)[100:], nil, people(3)} {
		if err := c.Map(t.Context(), ids, &ans); err != nil {
			t.Fatal(err)
		}
		checkStandard(t, ids, &ans)
	}
}

func TestMapDuplicates(t *testing.T) {
	o := newOperator(t)
	c := newClient(t, testOptions(o))
	ids := append(append(people(5), people(5)...), people(2)...)
	var ans client.Answers
	if err := c.Map(t.Context(), ids, &ans); err != nil {
		t.Fatal(err)
	}
	checkStandard(t, ids, &ans)
}

// TestMapOtherTexts are escapes, which take another way to the answers, and words we do not know.
func TestMapOtherTexts(t *testing.T) {
	for _, text := range []bool{false, true} {
		o := newOperator(t)
		o.base64 = text
		o.element = func(id normalize.ID) string {
			if id.Kind == normalize.KindPhone {
				return `{"e":"not \u00e0 la carte"}`
			}
			return `{"u":"a\/\u0041","p":"b\/c","r":1760000000}`
		}
		c := newClient(t, testOptions(o))
		ids := people(1000)
		var ans client.Answers
		if err := c.Map(t.Context(), ids, &ans); err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			got := fmt.Sprintf("%d %s %s %s", ans.Items[i].Status, ans.UID(i), ans.Previous(i), ans.Word(i))
			want := "1 a/A b/c "
			if id.Kind == normalize.KindPhone {
				want = "0   not à la carte"
			}
			if got != want {
				t.Fatalf("answer %d: got %q; want %q", i, got, want)
			}
		}
	}
}

// TestMapServerTime takes the time of answers from inside the envelope.
func TestMapServerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(t)
		o.ahead = 42 * time.Second
		c := newClient(t, testOptions(o))
		var ans client.Answers
		if err := c.Map(t.Context(), people(3), &ans); err != nil {
			t.Fatal(err)
		}
		if want := time.Now().Add(o.ahead).UnixMilli(); ans.Items[2].At != want {
			t.Errorf("answered at %d; want %d", ans.Items[2].At, want)
		}
	})
}

// TestMapIntegrity: a reply that cannot be believed is asked for again, with a fresh envelope; what it said is forgotten.
func TestMapIntegrity(t *testing.T) {
	const list = `"email_hash":[`
	shorter := func(json string) string {
		before, after, _ := strings.Cut(json, list)
		_, after, _ = strings.Cut(after, "},")
		return before + list + after
	}
	// A reply that says something wrong about everybody before it turns out to be bad itself.
	lying := func(json string) string {
		json = strings.NewReplacer(`"p":null`, `"p":"lie"`, `"e":`, `"u":"lie","x":`).Replace(json)
		return json[:len(json)-1] + `,"status":"success"}`
	}
	for _, c := range []struct {
		name  string
		fault *fault
		spoil func(string) string
	}{
		{"wrong nonce", &fault{wrongNonce: true}, nil},
		{"garbled", &fault{garble: true}, nil},
		{"short plaintext", &fault{plain: []byte("short")}, nil},
		{"no JSON", nil, func(string) string { return "<html>" }},
		{"cut JSON", nil, func(json string) string { return json[:len(json)-20] }},
		{"one element less", nil, shorter},
		{"one element more", nil, func(json string) string { return strings.Replace(json, list, list+`{},`, 1) }},
		{"lies", nil, lying},
		{"204", &fault{status: 204}, nil},
		{"HTML", &fault{html: true}, nil},
	} {
		for _, times := range []int{1, 3, 100} {
			t.Run(fmt.Sprintf("%s, %d times", c.name, times), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOperator(t)
					o.fault = func(n int, _ []normalize.ID) *fault {
						if n < times {
							return c.fault
						}
						return nil
					}
					o.spoil = func(n int, json string) string {
						if n < times && c.spoil != nil {
							return c.spoil(json)
						}
						return json
					}
					api := newClient(t, testOptions(o))
					ids := people(50)
					var ans client.Answers
					err := api.Map(t.Context(), ids, &ans)
					var broken *client.Error
					switch {
					case times == 100:
						if !errors.As(err, &broken) || broken.Fault != client.Broken || len(o.requests) != 9 {
							t.Errorf("got %v after %d requests", err, len(o.requests))
						}
					case err != nil || len(o.requests) != times+1:
						t.Errorf("got %v after %d requests", err, len(o.requests))
					default:
						checkStandard(t, ids, &ans)
					}
				})
			})
		}
	}
}

// TestMap413 halves until it fits.
func TestMap413(t *testing.T) {
	for _, limit := range []int{1, 7, 600} {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(t)
			o.fault = func(_ int, ids []normalize.ID) *fault {
				if len(ids) > limit {
					return &fault{status: 413, body: "Request Entity Too Large"}
				}
				return nil
			}
			c := newClient(t, testOptions(o))
			ids := people(1000)
			var ans client.Answers
			if err := c.Map(t.Context(), ids, &ans); err != nil {
				t.Fatal(err)
			}
			checkStandard(t, ids, &ans)
		})
	}
	o := newOperator(t)
	o.fault = func(int, []normalize.ID) *fault { return &fault{status: 413} }
	var broken *client.Error
	err := newClient(t, testOptions(o)).Map(t.Context(), people(4), new(client.Answers))
	if !errors.As(err, &broken) || broken.Fault != client.Broken || broken.Status != 413 || len(o.requests) != 3 {
		t.Errorf("got %v after %d requests", err, len(o.requests))
	}
}

// TestMapClock runs the vectors: how far a client may be off.
func TestMapClock(t *testing.T) {
	for _, v := range readVectors(t).ClockDrift {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(t)
			o.ahead = -time.Duration(v.AheadMS) * time.Millisecond
			err := newClient(t, testOptions(o)).Map(t.Context(), people(2), new(client.Answers))
			if v.Accepted != (err == nil) {
				t.Fatalf("%d ms ahead: %v", v.AheadMS, err)
			}
			if v.Accepted {
				return
			}
			var refused *client.Error
			want := "s ahead"
			if v.AheadMS < 0 {
				want = "120 s behind"
			}
			if !errors.As(err, &refused) || refused.Fault != client.Refused || !strings.Contains(refused.Remedy, want) || len(o.requests) != 2 {
				t.Errorf("%d ms ahead: %v after %d requests", v.AheadMS, err, len(o.requests))
			}
		})
	}
}

// TestMapEnvelopeIsFresh: requests that wait for minutes at the gate, and back-off, arrive with the present time.
func TestMapEnvelopeIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOperator(t)
		o.fault = func(n int, _ []normalize.ID) *fault {
			switch {
			case n == 0:
				return &fault{status: 429, header: map[string]string{"Retry-After": "280"}}
			case n < 12:
				return &fault{status: 503}
			}
			return nil
		}
		opts := testOptions(o)
		opts.Transport.MaxRPS, opts.Transport.MaxInFlight = 0.5, 1
		c := newClient(t, opts)
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				if err := c.Map(t.Context(), people(2), new(client.Answers)); err != nil {
					t.Error(err) // the operator refuses envelopes that are older than two minutes
				}
			})
		}
		callers.Wait()
	})
}

// TestMapConcurrent is for the race detector, over real sockets.
func TestMapConcurrent(t *testing.T) {
	o := newOperator(t)
	o.fault = func(n int, _ []normalize.ID) *fault {
		switch n % 11 {
		case 3:
			return &fault{err: errors.New("reset")}
		case 7:
			return &fault{wrongNonce: true}
		}
		return nil
	}
	server := httptest.NewServer(o)
	defer server.Close()
	opts := testOptions(nil)
	opts.BaseURL, opts.MaxBatch = server.URL, 50
	opts.Transport = transport.Options{MaxInFlight: 4}
	c := newClient(t, opts)
	defer c.CloseIdleConnections()
	all := people(400)
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			var ans client.Answers
			for round := range 2 {
				ids := all[caller*10+round*20 : 200+caller*20]
				if err := c.Map(t.Context(), ids, &ans); err != nil {
					t.Error(err)
					return
				}
				checkStandard(t, ids, &ans)
			}
		})
	}
	callers.Wait()
	if s := c.Stats(); s.MaxInFlight > 4 || s.InFlight != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestMapCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := newOperator(t)
	if err := newClient(t, testOptions(o)).Map(ctx, people(2), new(client.Answers)); !errors.Is(err, context.Canceled) || len(o.requests) != 0 {
		t.Errorf("got %v after %d requests", err, len(o.requests))
	}
}

// TestMapAllocations: what a call takes does not grow with the identities in it.
func TestMapAllocations(t *testing.T) {
	ids := people(MaxItems)
	text := []byte(benchReply(ids))
	var ans client.Answers
	buffer := make([]byte, 0, 1<<20)
	got := testing.AllocsPerRun(10, func() {
		buffer = appendRequest(buffer[:0], ids)
		ans.Reset(len(ids))
		ans.Text = append(ans.Text, text...)
		r := reply{Scanner: jsonscan.Scanner{Data: ans.Text}, part: part{ids: ids, ans: &ans}}
		if err := r.read(); err != nil {
			t.Fatal(err)
		}
	})
	if got > 3 {
		t.Errorf("%v allocations for %d identities", got, len(ids))
	}
}
