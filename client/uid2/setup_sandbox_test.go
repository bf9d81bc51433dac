package uid2_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/transport"
	"mapper/client/uid2"
	"mapper/normalize"
)

// people returns n made-up identities of both kinds, mixed.
func people(n int) []normalize.ID {
	ids := make([]normalize.ID, n)
	for i := range ids {
		ids[i] = normalize.ID{Kind: normalize.KindEmail, Hash: sha256.Sum256(fmt.Appendf(nil, "user%d@example.com", i))}
		if i%3 == 1 {
			ids[i] = normalize.ID{Kind: normalize.KindPhone, Hash: sha256.Sum256(fmt.Appendf(nil, "+1202555%04d", i))}
		}
	}
	return ids
}

// choose returns k different ones of ids.
func choose(r *rand.Rand, ids []normalize.ID, k int) []normalize.ID {
	chosen := make([]normalize.ID, k)
	for i, at := range r.Perm(len(ids))[:k] {
		chosen[i] = ids[at]
	}
	return chosen
}

func newSandbox(t testing.TB, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	opts.Seed = "uid2"
	op, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func newClient(t testing.TB, opts uid2.Options) *uid2.Client {
	t.Helper()
	c, err := uid2.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// overTCP starts a sandbox on a real connection and returns the options to reach it.
func overTCP(t testing.TB, op *sandbox.Sandbox) uid2.Options {
	t.Helper()
	base, stop, err := op.Start("")
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
	return uid2.Options{
		BaseURL:      base,
		APIKey:       client.NewSecret(op.APIKey()),
		ClientSecret: client.NewSecret(op.ClientSecret()),
		Transport:    transport.Options{RoundTripper: rt},
	}
}

// inMemory returns options to reach a sandbox without a socket, for virtual time.
func inMemory(op *sandbox.Sandbox) uid2.Options {
	return uid2.Options{
		BaseURL:      "https://operator.example.com",
		APIKey:       client.NewSecret(op.APIKey()),
		ClientSecret: client.NewSecret(op.ClientSecret()),
		Transport:    transport.Options{RoundTripper: memory{op}},
	}
}

// memory is a RoundTripper that calls a handler. A reply that the handler cuts off is cut off here too.
type memory struct{ handler http.Handler }

func (m memory) RoundTrip(r *http.Request) (reply *http.Response, err error) {
	defer func() { err = errors.Join(err, r.Body.Close()) }()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	aborted := serve(m.handler, recorder, r)
	if aborted && recorder.Body.Len() == 0 {
		return nil, errors.New("connection reset by peer")
	}
	reply = recorder.Result()
	if n, err := strconv.Atoi(reply.Header.Get("Content-Length")); err == nil && n > recorder.Body.Len() {
		cut := io.MultiReader(bytes.NewReader(recorder.Body.Bytes()), failing{})
		reply.Body, reply.ContentLength = io.NopCloser(cut), int64(n)
	}
	return reply, nil
}

func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// check compares answers with what the operator has to say. bad are those that must be marked, and no others.
func check(t *testing.T, op *sandbox.Sandbox, ids []normalize.ID, answers *client.Answers, bad ...normalize.ID) {
	t.Helper()
	if len(answers.Items) != len(ids) {
		t.Fatalf("%d answers to %d identities", len(answers.Items), len(ids))
	}
	marked := map[normalize.ID]bool{}
	for _, id := range bad {
		marked[id] = true
	}
	wrong := 0
	for i, id := range ids {
		if problem := compare(op, id, answers, i, marked[id]); problem != "" {
			t.Errorf("answer %d of %d: %s", i, len(ids), problem)
			if wrong++; wrong == 3 {
				t.FailNow()
			}
		}
	}
}

const poisonWord = "HTTP 500 for this identity alone"

func compare(op *sandbox.Sandbox, id normalize.ID, answers *client.Answers, i int, marked bool) string {
	got := answers.Items[i]
	uid, previous, word := string(answers.UID(i)), string(answers.Previous(i)), string(answers.Word(i))
	want := op.Expect(id)
	switch {
	case got.At == 0:
		return "nobody said when"
	case marked && (got.Status != client.Unknown || word != poisonWord || uid != ""):
		return fmt.Sprintf("status %d, word %q; want it marked", got.Status, word)
	case marked:
		return ""
	case want.OptedOut && (got.Status != client.OptOut || uid != "" || word != "optout"):
		return fmt.Sprintf("status %d, word %q; want an opt-out", got.Status, word)
	case want.OptedOut:
		return ""
	case got.Status != client.Mapped:
		return fmt.Sprintf("status %d, word %q; want it mapped", got.Status, word)
	case uid != want.RawUID || previous != want.Previous || word != "":
		return fmt.Sprintf("raw UID %q, previous %q; want %q, %q", uid, previous, want.RawUID, want.Previous)
	case got.RefreshFrom != want.RefreshFrom.UnixMilli():
		return fmt.Sprintf("refresh_from %v; want %v", time.UnixMilli(got.RefreshFrom).UTC(), want.RefreshFrom)
	}
	return ""
}

// wantError checks what kind of error came and that each of the texts is in it.
func wantError(t *testing.T, err error, fault client.Fault, texts ...string) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v; want a *client.Error", err)
	}
	if e.Fault != fault {
		t.Errorf("the fault of %q is %d; want %d", err, e.Fault, fault)
	}
	for _, text := range texts {
		if !bytes.Contains([]byte(err.Error()), []byte(text)) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

// faultOf returns the *client.Error in err, or nil.
func faultOf(err error) *client.Error {
	var e *client.Error
	errors.As(err, &e)
	return e
}
