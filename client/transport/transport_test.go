package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
)

// step is one reply of a service, or the lack of one.
type step func(*http.Request) (*http.Response, error)

// script answers the n-th request, from 0, with its n-th step, and every later one with the last.
type script struct {
	mu    sync.Mutex
	steps []step
	times []time.Time
	sent  [][]byte
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	s.mu.Lock()
	step := s.steps[min(len(s.times), len(s.steps)-1)]
	s.times = append(s.times, time.Now())
	s.sent = append(s.sent, body)
	s.mu.Unlock()
	if err := late(r, 10*time.Millisecond); err != nil {
		return nil, err
	}
	return step(r)
}

func status(code int, header ...string) step {
	return func(*http.Request) (*http.Response, error) {
		r := reply(code, fmt.Sprint("body ", code))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r, nil
	}
}

func broken(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// cut is a reply whose body ends with an error.
func cut(code int) step {
	return func(*http.Request) (*http.Response, error) {
		r := reply(code, "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), failingReader{}))
		r.ContentLength = 100
		return r, nil
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestRetried lists what is asked again until it succeeds.
func TestRetried(t *testing.T) {
	for name, fault := range map[string]step{
		"connection reset": broken(errors.New("read tcp: connection reset by peer")),
		"cut body":         cut(http.StatusOK),
		"cut error body":   cut(http.StatusBadGateway),
		"cut 400":          cut(http.StatusBadRequest),
		"no reply":         hang,
		"500":              status(500),
		"502":              status(502),
		"503":              status(503),
		"504":              status(504),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &script{steps: []step{fault, fault, fault, status(200)}}
				var retries []Retry
				tr := New(Options{RoundTripper: service, OnRetry: func(r Retry) { retries = append(retries, r) }})
				built := 0
				call := newCall()
				call.Build = func(dst []byte) ([]byte, error) {
					built++
					return fmt.Append(dst, "attempt ", built), nil
				}
				got, err := tr.Do(t.Context(), call, []byte("kept:"))
				if err != nil {
					t.Fatal(err)
				}
				if string(got.Body) != "body 200" || string(got.Buffer) != "kept:body 200" {
					t.Errorf("got %q in %q", got.Body, got.Buffer)
				}
				for i, body := range service.sent {
					if want := fmt.Sprint("attempt ", i+1); string(body) != want {
						t.Errorf("attempt %d sent %q; want %q", i, body, want)
					}
				}
				if s := tr.Stats(); s.Requests != 4 || s.Retries != 3 || s.Throttled != 0 || s.InFlight != 0 {
					t.Errorf("stats %+v", s)
				}
				for i, r := range retries {
					if r.Op != "test" || r.Attempt != i+1 || (r.Status < 500) != (r.Err != nil) || r.Wait > backOffBase<<i {
						t.Errorf("retry %d reported as %+v", i, r)
					}
				}
			})
		})
	}
}

// TestHandedBack lists what is the caller's business at once.
func TestHandedBack(t *testing.T) {
	for _, code := range []int{200, 204, 301, 302, 307, 400, 401, 403, 404, 408, 413, 501, 505} {
		synctest.Test(t, func(t *testing.T) {
			service := &script{steps: []step{status(code, "Location", "https://elsewhere.example/")}}
			got, err := New(Options{RoundTripper: service}).Do(t.Context(), newCall(), nil)
			if err != nil || got.Status != code || len(service.times) != 1 || string(got.Body) != fmt.Sprint("body ", code) {
				t.Errorf("HTTP %d: got %d %q, %v after %d requests", code, got.Status, got.Body, err, len(service.times))
			}
		})
	}
}

// TestMax500 hands the 500 back that is the n-th in a row, and counts no other failure.
func TestMax500(t *testing.T) {
	for _, c := range []struct {
		name     string
		steps    []step
		max500   int
		requests int
		status   int
	}{
		{"the first", []step{status(500)}, 1, 1, 500},
		{"the third", []step{status(500)}, 3, 3, 500},
		{"in a row", []step{status(500), status(500), status(502), status(500), status(500), status(500)}, 3, 6, 500},
		{"no verdict from others", []step{status(502), status(503), status(504), cut(200), status(200)}, 1, 5, 200},
		{"none", []step{status(500), status(500), status(500), status(500), status(200)}, 0, 5, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &script{steps: c.steps}
				call := newCall()
				call.Max500 = c.max500
				got, err := New(Options{RoundTripper: service}).Do(t.Context(), call, nil)
				if err != nil || got.Status != c.status || len(service.times) != c.requests {
					t.Errorf("got %d, %v after %d requests; want %d after %d", got.Status, err, len(service.times), c.status, c.requests)
				}
			})
		})
	}
}

// TestBackOff measures the waits of a long outage: random, growing, at most 30 s.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &script{steps: []step{status(503)}}
		_, err := New(Options{RoundTripper: service, GiveUpAfter: time.Hour}).Do(t.Context(), newCall(), nil)
		var failed *client.Error
		if !errors.As(err, &failed) || failed.Fault != client.Unreachable || failed.Status != 503 {
			t.Fatalf("after an hour: %v", err)
		}
		var late time.Duration
		for i := 1; i < len(service.times); i++ {
			wait := service.times[i].Sub(service.times[i-1]) - 10*time.Millisecond
			if limit := min(30*time.Second, backOffBase<<min(i-1, 10)); wait < 0 || wait > limit {
				t.Errorf("wait %d is %v; want at most %v", i, wait, limit)
			}
			if i > 7 {
				late += wait
			}
		}
		if mean := late / time.Duration(len(service.times)-8); mean < 12*time.Second || mean > 18*time.Second {
			t.Errorf("the late waits are %v on average; full jitter of 30 s is 15 s", mean)
		}
	})
}

// TestGiveUp ends when nobody has had a success for GiveUpAfter, and not while anybody has one.
func TestGiveUp(t *testing.T) {
	for name, fault := range map[string]step{
		"500": status(500), "429": status(429), "429 with time": status(429, "Retry-After", "20"),
		"503 with time": status(503, "Retry-After", "20"), "network": broken(errors.New("no route to host")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := New(Options{RoundTripper: &script{steps: []step{fault}}}).Do(t.Context(), newCall(), nil)
				var failed *client.Error
				if !errors.As(err, &failed) || failed.Fault != client.Unreachable || !strings.Contains(err.Error(), "15m0s") {
					t.Fatalf("got %v", err)
				}
				if took := time.Since(began); took < 15*time.Minute || took > 16*time.Minute {
					t.Errorf("gave up after %v", took)
				}
			})
		})
	}
}

func TestGiveUpOnlyWithoutAnySuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := New(Options{RoundTripper: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/bad" {
				return status(500)(r)
			}
			return status(200)(r)
		})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		bad := newCall()
		bad.URL.Path = "/bad"
		var failing sync.WaitGroup
		failing.Go(func() {
			if _, err := tr.Do(ctx, bad, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("gave up although others succeed: %v", err)
			}
		})
		for ctx.Err() == nil {
			time.Sleep(10 * time.Minute)
			_, _ = tr.Do(t.Context(), newCall(), nil)
		}
		failing.Wait()
	})
}

// TestIdleIsNoOutage: a failure, an hour in which nobody asks, a failure. The hour is not part of the outage.
func TestIdleIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &script{steps: []step{status(500), status(500), status(500), status(200)}}
		tr := New(Options{RoundTripper: service})
		call := newCall()
		call.Max500 = 2
		if got, err := tr.Do(t.Context(), call, nil); err != nil || got.Status != 500 {
			t.Fatalf("got %d, %v", got.Status, err)
		}
		time.Sleep(time.Hour)
		if got, err := tr.Do(t.Context(), call, nil); err != nil || got.Status != 200 {
			t.Errorf("got %d, %v", got.Status, err)
		}
	})
}

// TestRetryAfterPausesAll sends one 429, or 503, with a Retry-After, and expects nothing from anybody until then.
func TestRetryAfterPausesAll(t *testing.T) {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		name   string
		code   int
		header func() []string
		want   time.Duration
	}{
		{"429, seconds", 429, func() []string { return []string{"Retry-After", "42"} }, 42 * time.Second},
		{"503, seconds", 503, func() []string { return []string{"Retry-After", "42"} }, 42 * time.Second},
		{"429, date", 429, func() []string { return []string{"Retry-After", at(30 * time.Second)} }, 29 * time.Second},
		{"429, date by a wrong clock", 429, func() []string {
			return []string{"Date", at(-time.Hour), "Retry-After", at(-time.Hour + 30*time.Second)}
		}, 30 * time.Second},
		{"capped", 429, func() []string { return []string{"Retry-After", "86400"} }, 5 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &script{steps: []step{
					func(r *http.Request) (*http.Response, error) { return status(c.code, c.header()...)(r) }, status(200),
				}}
				tr := New(Options{RoundTripper: service, MaxInFlight: 1})
				var callers sync.WaitGroup
				for range 5 {
					callers.Go(func() {
						if _, err := tr.Do(t.Context(), newCall(), nil); err != nil {
							t.Error(err)
						}
					})
				}
				callers.Wait()
				if pause := service.times[1].Sub(service.times[0]); pause < c.want || pause > c.want+2*time.Second {
					t.Errorf("the next request came after %v; want %v", pause, c.want)
				}
				s := tr.Stats()
				if s.Requests != 6 || s.Retries != 0 || (s.Throttled == 1) != (c.code == 429) || (s.Rate > 0) != (c.code == 429) {
					t.Errorf("stats %+v", s)
				}
				if s.ThrottledFor < c.want-time.Second || s.ThrottledFor > c.want+time.Second {
					t.Errorf("throttled for %v; want %v", s.ThrottledFor, c.want)
				}
			})
		})
	}
}

// TestAccept retries replies that cannot be believed a bounded number of times, and takes none for a success.
func TestAccept(t *testing.T) {
	wrong := errors.New("wrong nonce")
	for _, bad := range []int{1, 8, 9} {
		synctest.Test(t, func(t *testing.T) {
			service := &script{steps: []step{status(200)}}
			tr := New(Options{RoundTripper: service})
			seen := 0
			call := newCall()
			call.Accept = func(r Response) error {
				if string(r.Body) != "body 200" {
					t.Errorf("asked to accept %q", r.Body)
				}
				if seen++; seen <= bad {
					return wrong
				}
				return nil
			}
			_, err := tr.Do(t.Context(), call, nil)
			if bad <= maxSpoiled {
				if err != nil || seen != bad+1 {
					t.Errorf("%d bad replies: %v after %d", bad, err, seen)
				}
				return
			}
			var failed *client.Error
			if !errors.As(err, &failed) || failed.Fault != client.Broken || !errors.Is(err, wrong) || seen != 9 {
				t.Errorf("%d bad replies: %v after %d", bad, err, seen)
			}
			if tr.outage.since.IsZero() {
				t.Error("a bad reply counted as a success")
			}
		})
	}
}

// TestTooLong bounds what is read, of good replies and of others.
func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := func(code int, n int, told bool) step {
			return func(*http.Request) (*http.Response, error) {
				r := reply(code, strings.Repeat("x", n))
				if !told {
					r.ContentLength = -1
				}
				return r, nil
			}
		}
		do := func(s step) (Response, error) {
			return New(Options{RoundTripper: &script{steps: []step{s}}, MaxResponse: 1 << 20}).Do(t.Context(), newCall(), nil)
		}
		for _, told := range []bool{true, false} {
			if r, err := do(long(200, 1<<20, told)); err != nil || len(r.Body) != 1<<20 {
				t.Errorf("a reply of the longest length: %d bytes, %v", len(r.Body), err)
			}
			var failed *client.Error
			if _, err := do(long(200, 1<<20+1, told)); !errors.As(err, &failed) || failed.Fault != client.Broken {
				t.Errorf("a reply that is too long: %v", err)
			}
			if r, err := do(long(400, 1<<20, told)); err != nil || len(r.Body) != maxErrorBody {
				t.Errorf("a long error: %d bytes, %v", len(r.Body), err)
			}
		}
	})
}

// TestPlainHTTP sends credentials in the clear to this machine only.
func TestPlainHTTP(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://service.example/": true, "http://127.0.0.1:80/": true, "http://localhost/": true, "http://[::1]:8080/": true,
		"http://service.example/": false, "http://10.0.0.1/": false, "http://localhost.example/": false,
		"ftp://service.example/": false, "https:///path": false, "": false, "http://127.0.0.1.example/": false,
	} {
		service := &script{steps: []step{status(200)}}
		call := newCall()
		call.URL = mustParse(t, url)
		_, err := New(Options{RoundTripper: service}).Do(t.Context(), call, nil)
		var failed *client.Error
		if ok != (err == nil) || ok != (len(service.times) == 1) || err != nil && (!errors.As(err, &failed) || failed.Fault != client.Refused) {
			t.Errorf("%q: %v, %d requests", url, err, len(service.times))
		}
	}
}

// TestErrorsShowNoCredentials makes the network quote everything it was given.
func TestErrorsShowNoCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call := newCall()
		call.URL = mustParse(t, "https://marker-user:marker-pass@service.example/p?token=marker%2Dquery&b=1")
		call.Header = http.Header{"Authorization": {"Bearer marker-key"}}
		quote := func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%s %s %s %s: %w", r.Method, r.URL, r.URL.Query(), r.Header, io.ErrUnexpectedEOF)
		}
		var told bytes.Buffer
		tr := New(Options{RoundTripper: &script{steps: []step{quote}}, OnRetry: func(r Retry) { fmt.Fprintf(&told, "%+v %v\n", r, r.Err) }})
		_, err := tr.Do(t.Context(), call, nil)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the cause is lost: %v", err)
		}
		for _, text := range []string{err.Error(), told.String()} {
			if strings.Contains(text, "marker") || strings.Contains(text, "token=") || !strings.Contains(text, "service.example") {
				t.Errorf("shown: %.300s", text)
			}
		}
	})
}

// TestCancel ends every kind of wait at once, and with the cause.
func TestCancel(t *testing.T) {
	reason := errors.New("the user has had enough")
	for name, c := range map[string]struct {
		fault   step
		callers int
	}{
		"in the request": {hang, 1}, "in back-off": {status(503), 1}, "in a pause": {status(429, "Retry-After", "200"), 1},
		"before a place in flight": {hang, 30}, "before a token": {status(429), 30},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				tr := New(Options{RoundTripper: &script{steps: []step{c.fault}}, AttemptTimeout: time.Hour})
				var callers sync.WaitGroup
				for range c.callers {
					callers.Go(func() {
						if _, err := tr.Do(ctx, newCall(), nil); !errors.Is(err, reason) {
							t.Errorf("got %v", err)
						}
					})
				}
				time.Sleep(100 * time.Second)
				cancel(reason)
				cancelled := time.Now()
				callers.Wait()
				if took := time.Since(cancelled); took > 0 {
					t.Errorf("ended %v later", took)
				}
				if s := tr.Stats(); s.InFlight != 0 || len(tr.gate.slots) != 0 || len(tr.gate.turn) != 0 {
					t.Errorf("left behind: %+v, %d slots", s, len(tr.gate.slots))
				}
			})
		})
	}
}

// TestBackOffHoldsNoPlace: with one place in flight, a call that backs off lets others through.
func TestBackOffHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := New(Options{MaxInFlight: 1, GiveUpAfter: 10 * time.Hour, RoundTripper: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/bad" {
				return status(500)(r)
			}
			return status(200)(r)
		})})
		ctx, cancel := context.WithCancel(t.Context())
		bad := newCall()
		bad.URL.Path = "/bad"
		var failing sync.WaitGroup
		failing.Go(func() { _, _ = tr.Do(ctx, bad, nil) })
		time.Sleep(time.Hour)
		began := time.Now()
		if _, err := tr.Do(t.Context(), newCall(), nil); err != nil || time.Since(began) > 0 {
			t.Errorf("waited %v for a call that sleeps: %v", time.Since(began), err)
		}
		cancel()
		failing.Wait()
	})
}

func TestBuildError(t *testing.T) {
	wrong := errors.New("cannot build")
	service := &script{steps: []step{status(200)}}
	tr := New(Options{RoundTripper: service})
	call := newCall()
	call.Build = func([]byte) ([]byte, error) { return nil, wrong }
	if _, err := tr.Do(t.Context(), call, nil); !errors.Is(err, wrong) || len(service.times) != 0 || tr.Stats().InFlight != 0 {
		t.Errorf("got %v after %d requests", err, len(service.times))
	}
}
