package transport

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestOnAttempt has a service do everything it can and looks at what an observer is told of each request.
func TestOnAttempt(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	const took = 10 * time.Millisecond // what the script needs for a reply
	want := []Attempt{
		{Throttled, 429, took}, {ServerError, 500, took}, {ServerError, 503, took}, {NetworkError, 0, took}, {NetworkError, 200, took},
		{Timeout, 0, time.Minute}, {Spoiled, 200, took}, {OK, 200, took},
	}
	synctest.Test(t, func(t *testing.T) {
		service := &script{steps: []step{status(429), status(500), status(503, "Retry-After", "2"), broken(errors.New("reset")), cut(200), hang, status(200)}}
		var told []Attempt
		var retries int
		tr := New(Options{RoundTripper: service, OnAttempt: func(a Attempt) { told = append(told, a) }, OnRetry: func(Retry) { retries++ }})
		accepted := 0
		c := newCall()
		c.Accept = func(Response) error {
			if accepted++; accepted == 1 {
				return errors.New("not believed")
			}
			return nil
		}
		if _, err := tr.Do(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, want) {
			t.Errorf("told  %v\nwant %v", told, want)
		}
		if s := tr.Stats(); s.Requests != int64(len(want)) || retries != len(want)-1 {
			t.Errorf("%d requests and %d retries", s.Requests, retries)
		}
	})
}

// TestOnAttemptEnds: a request that says something to the caller, and one that nobody waits for any more.
func TestOnAttemptEnds(t *testing.T) {
	for _, c := range []struct {
		status int
		cancel time.Duration
		want   Attempt
	}{
		{401, time.Hour, Attempt{Rejected, 401, 10 * time.Millisecond}},
		{302, time.Hour, Attempt{Rejected, 302, 10 * time.Millisecond}},
		{200, 4 * time.Millisecond, Attempt{Interrupted, 0, 4 * time.Millisecond}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told []Attempt
			tr := New(Options{RoundTripper: &script{steps: []step{status(c.status)}}, OnAttempt: func(a Attempt) { told = append(told, a) }})
			ctx, cancel := context.WithTimeout(t.Context(), c.cancel)
			defer cancel()
			_, _ = tr.Do(ctx, newCall(), nil)
			if !slices.Equal(told, []Attempt{c.want}) {
				t.Errorf("told %v, want %v", told, c.want)
			}
		})
	}
}

// TestOnAttemptIsOutsideOfLocks asks for the counts from within the observer, from many goroutines.
func TestOnAttemptIsOutsideOfLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *Transport
		var mu sync.Mutex
		count := 0
		tr = New(Options{RoundTripper: &script{steps: []step{status(429), status(500), status(200)}}, OnAttempt: func(Attempt) {
			_ = tr.Stats()
			mu.Lock()
			count++
			mu.Unlock()
		}})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := tr.Do(t.Context(), newCall(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if s := tr.Stats(); int64(count) != s.Requests || s.InFlight != 0 {
			t.Errorf("told of %d requests: %+v", count, s)
		}
	})
}
