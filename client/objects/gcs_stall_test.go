package objects

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestUnstalled: a reply that goes silent in the middle is broken off, with an error that is repeated.
func TestUnstalled(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("begun")) // the client goes away
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	}))
	defer server.Close()
	client := &http.Client{Transport: unstalled{http.DefaultTransport, 50 * time.Millisecond}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was broken off
	buf := make([]byte, 10)
	n, err := resp.Body.Read(buf)
	if string(buf[:n]) != "begun" || err != nil {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if n, err := resp.Body.Read(buf); n != 0 || err == nil || !passes(err) {
		t.Errorf("%d bytes, %v", n, err)
	}
	<-ended
}
