package uid2_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/uid2"
	"mapper/normalize"
)

func TestMapOverTCP(t *testing.T) {
	for _, network := range []uid2.Service{uid2.UID2, uid2.EUID} {
		for _, version := range []int{2, 3, 4} {
			t.Run(network.String()+"/v"+string(rune('0'+version)), func(t *testing.T) {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				t.Run("run", func(t *testing.T) {
					op := newSandbox(t, sandbox.Options{EUID: network == uid2.EUID, RawUIDVersion: version, RotationDays: 270, OptOutShare: 0.1})
					opts := overTCP(t, op)
					opts.Service = network
					c := newClient(t, opts)
					var answers client.Answers
					for _, n := range []int{7, 0, 1, 500} { // the same answers, reused
						ids := people(n)
						if err := c.Map(t.Context(), ids, &answers); err != nil {
							t.Fatal(err)
						}
						check(t, op, ids, &answers)
					}
				})
			})
		}
	}
}

func TestMapSplits(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	opts := inMemory(op)
	opts.MaxBatch = 100
	ids := people(1050)
	var answers client.Answers
	if err := newClient(t, opts).Map(t.Context(), ids, &answers); err != nil {
		t.Fatal(err)
	}
	check(t, op, ids, &answers)
	if s := op.Stats(); s.Requests != 11 || s.MaxInFlight != 1 {
		t.Errorf("%d requests, %d at once; want 11, one at a time", s.Requests, s.MaxInFlight)
	}
}

func TestMapSplitsAt5000(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	ids := people(5001)
	var answers client.Answers
	if err := newClient(t, inMemory(op)).Map(t.Context(), ids, &answers); err != nil {
		t.Fatal(err)
	}
	check(t, op, ids, &answers)
	if n := op.Stats().Requests; n != 2 {
		t.Errorf("%d requests for 5001 identities; want 2", n)
	}
}

func TestMapKeepsUnknownWords(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	ids := people(9)
	op.SetFaults(sandbox.Faults{Words: map[normalize.ID]string{
		ids[2]: "under review", ids[4]: "invalid identifier", ids[5]: "optout", ids[7]: `quoted "Zürich" \ word`,
	}})
	var answers client.Answers
	if err := newClient(t, overTCP(t, op)).Map(t.Context(), ids, &answers); err != nil {
		t.Fatal(err)
	}
	want := map[int]client.Status{2: client.Unknown, 4: client.Invalid, 5: client.OptOut, 7: client.Unknown}
	words := map[int]string{2: "under review", 4: "invalid identifier", 5: "optout", 7: `quoted "Zürich" \ word`}
	for i := range ids {
		status, special := want[i]
		if !special {
			status = client.Mapped
		}
		if answers.Items[i].Status != status || string(answers.Word(i)) != words[i] || (len(answers.UID(i)) > 0) != (status == client.Mapped) {
			t.Errorf("answer %d: status %d, word %q; want %d, %q", i, answers.Items[i].Status, answers.Word(i), status, words[i])
		}
	}
}

func TestHalving(t *testing.T) {
	ids := people(64)
	for name, test := range map[string]struct{ maxBody, answered int }{
		"halves":  {2000, 2}, // 32 identities make about 1,600 bytes
		"singles": {150, 64}, // one makes 120, two 167
	} {
		t.Run(name, func(t *testing.T) {
			op := newSandbox(t, sandbox.Options{})
			op.SetFaults(sandbox.Faults{MaxBody: test.maxBody})
			var answers client.Answers
			if err := newClient(t, inMemory(op)).Map(t.Context(), ids, &answers); err != nil {
				t.Fatal(err)
			}
			check(t, op, ids, &answers)
			status := op.Stats().Status
			if status[http.StatusOK] != test.answered || status[http.StatusRequestEntityTooLarge] != test.answered-1 {
				t.Errorf("replies by status %v; want %d of 200 and one less of 413", status, test.answered)
			}
		})
	}
	t.Run("one is too large", func(t *testing.T) {
		op := newSandbox(t, sandbox.Options{})
		op.SetFaults(sandbox.Faults{MaxBody: 50})
		var answers client.Answers
		err := newClient(t, inMemory(op)).Map(t.Context(), ids, &answers)
		wantError(t, err, client.Broken, "413", "one identity")
	})
}

func TestConcurrentMaps(t *testing.T) {
	op := newSandbox(t, sandbox.Options{Trace: true})
	opts := overTCP(t, op)
	opts.MaxBatch = 50
	opts.Transport.MaxInFlight = 4
	c := newClient(t, opts)
	ids := people(1600)
	var wg sync.WaitGroup
	answers := make([]client.Answers, 16)
	for i := range answers {
		wg.Go(func() {
			if err := c.Map(t.Context(), ids[i*100:(i+1)*100], &answers[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range answers {
		check(t, op, ids[i*100:(i+1)*100], &answers[i])
	}
	if s := op.Stats(); s.Distinct != len(ids) || s.Identities != len(ids) || s.MaxInFlight > 4 {
		t.Errorf("%d identities, %d different, %d requests at once; want %d, all different, at most 4", s.Identities, s.Distinct, s.MaxInFlight, len(ids))
	}
	if got, want := c.Stats().Requests, int64(op.Stats().Requests); got != want {
		t.Errorf("the client counts %d requests, the operator %d", got, want)
	}
}

func TestCancelledMap(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	var answers client.Answers
	err := newClient(t, inMemory(op)).Map(ctx, people(3), &answers)
	if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) || op.Stats().Requests > 0 {
		t.Errorf("the error is %v after %d requests; want the cause of the context and none", err, op.Stats().Requests)
	}
}

// TestHeaders looks at what leaves: the bare media type, without which the operator reads the body as base64, and
// who asks.
func TestHeaders(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	var got http.Header
	opts := inMemory(op)
	opts.Version = "1.2.3"
	opts.Transport.RoundTripper = memory{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		op.ServeHTTP(w, r)
	})}
	var answers client.Answers
	if err := newClient(t, opts).Map(t.Context(), people(1), &answers); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-UID2-Client-Version": "mapper-1.2.3",
		"Content-Type":          "application/octet-stream",
		"Authorization":         "Bearer " + op.APIKey(),
	} {
		if values := got.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("the header %s is %q; want %q", name, values, want)
		}
	}
}

// TestReplyVariants has the replies of the operator reach the client in every form that it or a proxy may give them.
func TestReplyVariants(t *testing.T) {
	for name, test := range map[string]struct {
		contentType string
		change      func(body []byte) []byte
	}{
		"binary":                   {"application/octet-stream", same},
		"binary with a parameter":  {"application/octet-stream; charset=utf-8", same},
		"binary in capitals":       {"Application/Octet-Stream", same},
		"text":                     {"text/plain", base64Of},
		"text with a parameter":    {"text/plain; charset=utf-8", base64Of},
		"text with a line end":     {"text/plain", func(b []byte) []byte { return append(base64Of(b), '\n') }},
		"text with a CR LF":        {"text/plain", func(b []byte) []byte { return append(base64Of(b), "\r\n"...) }},
		"text without a type":      {"", base64Of},
		"text with an unknown one": {"application/x-unknown", base64Of},
	} {
		t.Run(name, func(t *testing.T) {
			op := newSandbox(t, sandbox.Options{})
			opts := inMemory(op)
			opts.Transport.RoundTripper = rewriting{op, func(r *http.Response, body []byte) []byte {
				r.Header.Set("Content-Type", test.contentType)
				if test.contentType == "" {
					r.Header.Del("Content-Type")
				}
				return test.change(body)
			}}
			ids := people(20)
			var answers client.Answers
			if err := newClient(t, opts).Map(t.Context(), ids, &answers); err != nil {
				t.Fatal(err)
			}
			check(t, op, ids, &answers)
		})
	}
}
