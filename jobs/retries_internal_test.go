package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client/transport"
)

// TestRetryLog has requests fail and succeed over hours: one line begins an episode, one comes each half minute, and
// one ends it.
func TestRetryLog(t *testing.T) {
	type event struct {
		at   time.Duration
		code int // HTTP status
	}
	// Every 100 ms from first to last.
	often := func(first, last time.Duration, code int) (events []event) {
		for at := first; at <= last; at += 100 * time.Millisecond {
			events = append(events, event{at, code})
		}
		return events
	}
	for _, c := range []struct {
		name   string
		events []event
		want   []string // message, retries, throttled, seconds
	}{
		{"no failure", often(0, time.Minute, 200), nil},
		{"one failure", append([]event{{0, 500}}, often(time.Second, 20*time.Second, 200)...), []string{
			"requests have to be repeated 1 0 0", "requests had to be repeated 1 0 0"}},
		{"a failure and nothing after it", []event{{0, 429}}, []string{
			"requests have to be repeated 0 1 0", "requests had to be repeated 0 1 0"}},
		{"a minute of failures", append(often(0, time.Minute, 500), often(time.Minute+time.Second, 2*time.Minute, 200)...), []string{
			"requests have to be repeated 1 0 0", "requests still have to be repeated 301 0 30", "requests still have to be repeated 601 0 60",
			"requests had to be repeated 601 0 60"}},
		{"a share of the load", slices.Concat([]event{{0, 429}, {1, 200}, {5 * time.Second, 429}, {6 * time.Second, 200}, {14 * time.Second, 503}, {15 * time.Second, 200}}), []string{
			"requests have to be repeated 0 1 0", "requests had to be repeated 1 2 14"}},
		{"two episodes", []event{{0, 429}, {time.Second, 200}, {11 * time.Second, 200}, {time.Hour, 500}}, []string{
			"requests have to be repeated 0 1 0", "requests had to be repeated 0 1 0",
			"requests have to be repeated 1 0 0", "requests had to be repeated 1 0 0"}},
		{"two episodes without a success between them", []event{{0, 429}, {time.Minute, 500}}, []string{
			"requests have to be repeated 0 1 0", "requests had to be repeated 0 1 0",
			"requests have to be repeated 1 0 0", "requests had to be repeated 1 0 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				log := &retryLog{log: slog.New(slog.NewJSONHandler(&out, nil))}
				began := time.Now()
				for _, e := range c.events {
					time.Sleep(e.at - time.Since(began))
					if e.code == 200 {
						log.attempt(transport.Attempt{Outcome: transport.OK, Status: e.code})
						continue
					}
					log.attempt(transport.Attempt{Outcome: transport.ServerError, Status: e.code})
					log.repeat(transport.Retry{Status: e.code, Err: errors.New("why"), Wait: time.Second})
				}
				log.close()
				log.close() // once more does nothing
				var got []string
				for line := range strings.Lines(out.String()) {
					var l struct {
						Msg                string
						Retries, Throttled int
						Seconds            float64
					}
					if err := json.Unmarshal([]byte(line), &l); err != nil {
						t.Fatal(err)
					}
					got = append(got, fmt.Sprint(l.Msg, " ", l.Retries, " ", l.Throttled, " ", l.Seconds))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("logged\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
				}
			})
		})
	}
}
