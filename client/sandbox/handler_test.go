package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAuthorization(t *testing.T) {
	mapper := newPeer(t, Options{})
	reader := newPeer(t, Options{Roles: []string{"ID_READER", "SHARER"}})
	key := mapper.op.APIKey()
	for _, c := range []struct {
		name   string
		p      *peer
		header string
		status int
	}{
		{"right key", mapper, "Bearer " + key, 200},
		{"scheme in small letters", mapper, "bearer " + key, 200},
		{"scheme in capitals", mapper, "BEARER " + key, 200},
		{"no header", mapper, "", 401},
		{"unknown key", mapper, "Bearer " + key + "x", 401},
		{"key without scheme", mapper, key, 401},
		{"other scheme", mapper, "Basic " + key, 401},
		{"key in other letters", mapper, "Bearer " + strings.ToLower(key), 401},
		{"key without the role", reader, "Bearer " + reader.op.APIKey(), 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := c.p.send(seal(t, c.p.op, time.Now(), hello), "Authorization", c.header)
			if err != nil {
				t.Fatal(err)
			}
			if a.status != c.status || a.status == 401 && a.json != `{"status":"unauthorized"}` {
				t.Errorf("status %d %s, want %d", a.status, a.json, c.status)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	p := newPeer(t, Options{})
	for _, c := range []struct {
		method, path string
		outage       bool
		status       int
		body         string
	}{
		{"GET", "/ops/healthcheck", false, 200, "OK"},
		{"GET", "/ops/healthcheck", true, 503, "Unhealthy\n"},
		{"GET", "/v3/identity/map", false, 405, "Method Not Allowed\n"},
		{"PUT", "/v3/identity/map", false, 405, "Method Not Allowed\n"},
		{"POST", "/v2/v3/identity/map", false, 404, "Not Found\n"},
		{"POST", "/v3/identity/map/", false, 404, "Not Found\n"},
		{"GET", "/", false, 404, "Not Found\n"},
	} {
		p.op.SetFaults(Faults{Outage: c.outage})
		r, err := http.NewRequest(c.method, p.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != c.status || string(body) != c.body {
			t.Errorf("%s %s: %d %q %v, want %d %q", c.method, c.path, response.StatusCode, body, err, c.status, c.body)
		}
	}
	if got := p.op.Stats().Requests; got != 0 {
		t.Errorf("%d requests counted, want none: these are not calls of identity/map", got)
	}
}

// TestBodyLimit checks the limit to the byte, with and without a declared length: 1,048,576 is the most.
func TestBodyLimit(t *testing.T) {
	p := newPeer(t, Options{})
	sealed := func(size int) []byte {
		frame := len(seal(t, p.op, time.Now(), `{"email":[""]}`))
		return seal(t, p.op, time.Now(), `{"email":["`+strings.Repeat("x", size-frame)+`"]}`)
	}
	for size, want := range map[int]int{1 << 20: 200, 1<<20 + 1: 413, 3 << 20: 413} {
		body := sealed(size)
		if len(body) != size {
			t.Fatalf("made a body of %d bytes, want %d", len(body), size)
		}
		a, err := p.send(body)
		if err != nil || a.status != want {
			t.Errorf("%d bytes: status %d %v, want %d", size, a.status, err, want)
		}
		r, err := http.NewRequest(http.MethodPost, p.url+"/v3/identity/map", io.MultiReader(strings.NewReader(string(body))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.op.APIKey())
		r.Header.Set("Content-Type", binaryType)
		response, err := p.http.Do(r)
		if err != nil {
			t.Fatalf("%d bytes in chunks: %v", size, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d bytes in chunks: status %d, want %d", size, response.StatusCode, want)
		}
	}
}

// TestCounts asks from many goroutines at once. Each client sees itself counted by the time it has its reply,
// and never more requests in flight than there are clients.
func TestCounts(t *testing.T) {
	p := newPeer(t, Options{Trace: true, Latency: time.Millisecond})
	const clients, calls, size = 8, 20, 200
	payload := payloadOf("email_hash", append(hashes(size), hash64(person(0)), "x"))
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for i := range calls {
				if a, err := p.send(seal(t, p.op, time.Now(), payload)); err != nil || a.status != 200 {
					t.Errorf("status %d, %v", a.status, err)
				}
				if got := p.op.Asked(emailID(person(1))); got < i+1 {
					t.Errorf("asked %d times after %d replies", got, i+1)
				}
			}
		})
	}
	wait.Wait()
	s := p.op.Stats()
	const n = clients * calls
	if s.Requests != n || s.Status[200] != n || s.Identities != n*(size+2) || s.Invalid != n || s.Distinct != size || s.InFlight != 0 {
		t.Errorf("counts %+v", s)
	}
	if s.MaxInFlight < 2 || s.MaxInFlight > clients {
		t.Errorf("at most %d in flight, want 2 to %d", s.MaxInFlight, clients)
	}
	if once, twice := p.op.Asked(emailID(person(1))), p.op.Asked(emailID(person(0))); once != n || twice != 2*n {
		t.Errorf("asked %d and %d times, want %d and %d", once, twice, n, 2*n)
	}
	if got := p.op.Asked(phoneID("+12025550123")); got != 0 {
		t.Errorf("somebody else was asked %d times", got)
	}
}

// TestResetWithoutConnection: behind a server that does not give its connections away the reply is aborted.
func TestResetWithoutConnection(t *testing.T) {
	s := mustNew(t, Options{})
	s.SetFaults(rule(Fault{Do: Reset}))
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("panic with %v, want %v", err, http.ErrAbortHandler)
		}
	}()
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v3/identity/map", http.NoBody))
}

func TestStart(t *testing.T) {
	s := mustNew(t, Options{})
	if _, _, err := s.Start("nonsense:address:1"); err == nil {
		t.Error("no error for an impossible address")
	}
	url, stop, err := s.Start(":0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("base URL %s, want one that can be dialled", url)
	}
	// A connection on which nothing is asked must not hold up stop, as it would hold up http.Server.Shutdown.
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	response, err := http.Get(url + "/ops/healthcheck")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// TestStopCutsOff: what does not finish in time is cut off, and stop says so.
func TestStopCutsOff(t *testing.T) {
	s := mustNew(t, Options{Latency: time.Hour})
	url, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{op: s, url: url, http: &http.Client{Transport: &http.Transport{}}}
	asked := make(chan error, 1)
	go func() {
		_, err := p.send(seal(t, s, time.Now(), hello))
		asked <- err
	}()
	for s.Stats().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v, want %v", err, context.DeadlineExceeded)
	}
	if err := <-asked; err == nil {
		t.Error("the request was answered")
	}
}

func TestOptionErrors(t *testing.T) {
	for want, opts := range map[string]Options{
		"32 bytes":      {ClientSecret: "c2hvcnQ="},
		"in base64":     {ClientSecret: "?"},
		"version 5":     {RawUIDVersion: 5},
		"every 7 days":  {RotationDays: 7},
		"-1 days late":  {SaltsLateDays: -1},
		"share 1.5":     {OptOutShare: 1.5},
		"negative time": {Latency: -1},
	} {
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", opts, err, want)
		}
	}
}

// TestClientGoesWhileSending: half a request is none.
func TestClientGoesWhileSending(t *testing.T) {
	p := newPeer(t, Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST /v3/identity/map HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	for p.op.Stats().Status[0] == 0 { // the server notices on its own time
		time.Sleep(time.Millisecond)
	}
	if s := p.op.Stats(); s.Requests != 1 || s.InFlight != 0 {
		t.Errorf("counts %+v", s)
	}
}

// gone is the ResponseWriter of a client that has gone.
type gone struct{ discard }

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestClientGoesWhileReceiving: a reply that could not be written whole answers nobody.
func TestClientGoesWhileReceiving(t *testing.T) {
	s := mustNew(t, Options{Trace: true})
	body := strings.NewReader(string(seal(t, s, time.Now(), hello)))
	r := httptest.NewRequest(http.MethodPost, "/v3/identity/map", body)
	r.Header.Set("Authorization", "Bearer "+s.APIKey())
	r.Header.Set("Content-Type", binaryType)
	s.ServeHTTP(gone{discard{http.Header{}}}, r)
	if c := s.Stats(); c.Status[0] != 1 || c.Identities != 0 || c.Distinct != 0 || c.InFlight != 0 {
		t.Errorf("counts %+v", c)
	}
}
