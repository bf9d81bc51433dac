package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// serve runs a handler on a real socket and returns a Transport for it and its address.
func serve(t *testing.T, opts Options, h http.HandlerFunc) (*Transport, *url.URL) {
	t.Helper()
	server := httptest.NewServer(h)
	tr := New(opts)
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
	})
	return tr, mustParse(t, server.URL)
}

// TestRealBodies sends and receives large bodies by many callers at once, each in memory that others used before. A
// server that answers before it has read the body is the hard case: the connection still reads it.
func TestRealBodies(t *testing.T) {
	var requests atomic.Int64
	tr, u := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n%7 == 0 {
			w.WriteHeader(http.StatusBadGateway) // without a look at the body
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = w.Write(body)
	})
	var callers sync.WaitGroup
	for caller := range 20 {
		callers.Go(func() {
			var buf []byte
			for i := range 5 {
				want := bytes.Repeat(fmt.Append(nil, caller, " ", i, ";"), 60_000)
				got, err := tr.Do(t.Context(), &Call{Op: "echo", URL: u, Build: func(dst []byte) ([]byte, error) { return append(dst, want...), nil }}, buf[:0])
				if err != nil || !bytes.Equal(got.Body, want) {
					t.Errorf("caller %d: %d bytes back for %d, %v", caller, len(got.Body), len(want), err)
					return
				}
				buf = got.Buffer
			}
		})
	}
	callers.Wait()
}

// TestRealFaults resets and cuts real connections.
func TestRealFaults(t *testing.T) {
	var requests atomic.Int64
	tr, u := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		switch requests.Add(1) {
		case 1:
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset
		case 2:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		case 3:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		default:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
		}
	})
	got, err := tr.Do(t.Context(), &Call{Op: "faults", URL: u}, nil)
	if err != nil || string(got.Body) != "whole" || requests.Load() != 4 {
		t.Errorf("got %q after %d requests, %v", got.Body, requests.Load(), err)
	}
}

// TestRedirect is not followed: the other address sees nothing.
func TestRedirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		tr, u := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) })
		got, err := tr.Do(t.Context(), &Call{Op: "redirect", URL: u, Header: http.Header{"Authorization": {"Bearer x"}}}, nil)
		if err != nil || got.Status != code {
			t.Errorf("HTTP %d: got %d, %v", code, got.Status, err)
		}
	}
}

// TestAttemptTimeout counts to the last byte of the body, not to the first of the reply.
func TestAttemptTimeout(t *testing.T) {
	var requests atomic.Int64
	tr, u := serve(t, Options{AttemptTimeout: 100 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, "ok")
	})
	var told Retry
	tr.opts.OnRetry = func(r Retry) { told = r }
	if got, err := tr.Do(t.Context(), &Call{Op: "slow", URL: u}, nil); err != nil || string(got.Body) != "ok" {
		t.Errorf("got %q, %v", got.Body, err)
	}
	if !errors.Is(told.Err, context.DeadlineExceeded) {
		t.Errorf("told of %+v", told)
	}
}

// TestKeepAlive opens no more connections than there are requests in flight.
func TestKeepAlive(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(time.Millisecond)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	tr := New(Options{MaxInFlight: 8})
	defer tr.CloseIdleConnections()
	u := mustParse(t, server.URL)
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 30 {
				if _, err := tr.Do(t.Context(), &Call{Op: "often", URL: u}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	// A connection may still be on its way back to the pool when the next request leaves.
	if n := opened.Load(); n > 3*8 {
		t.Errorf("%d connections for 480 requests, 8 at once", n)
	}
}

// TestOldTLS is refused.
func TestOldTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked over TLS 1.1") }))
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	tr := New(Options{GiveUpAfter: time.Nanosecond})
	if _, err := tr.Do(t.Context(), &Call{Op: "tls", URL: mustParse(t, server.URL)}, nil); err == nil {
		t.Error("TLS 1.1 was good enough")
	}
}
