package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mapper/client/sandbox"
	"mapper/client/transport"
	"mapper/jobs"
)

// logged is a line of a JSON log.
type logged map[string]any

func (l logged) number(t *testing.T, key string) int64 {
	t.Helper()
	n, ok := l[key].(float64)
	if !ok {
		t.Errorf("%s is %v in %v", key, l[key], l)
	}
	return int64(n)
}

// readLog takes a JSON log apart.
func readLog(t *testing.T, text []byte) (lines []logged) {
	t.Helper()
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for line := range bytes.Lines(text) {
		l := logged{}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for key := range l {
			if !snake.MatchString(key) {
				t.Errorf("the key %q is not in snake_case: %s", key, line)
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func named(lines []logged, message string) (found []logged) {
	for _, l := range lines {
		if l["msg"] == message {
			found = append(found, l)
		}
	}
	return found
}

// emails writes a list of so many emails, and a malformed line at its end.
func emails(t *testing.T, n int) (path string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,email\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,person%d@example.com\n", i, i)
	}
	b.WriteString("x,y,z,too many\n")
	path = filepath.Join(t.TempDir(), "emails.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// faulty is an operator that throttles, fails and lies.
func faulty(t *testing.T) (*sandbox.Sandbox, string) {
	t.Helper()
	s, url := operator(t, sandbox.Options{OptOutShare: 0.1})
	s.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{
		{Do: sandbox.Fail, Status: 429, Skip: 5, First: 2}, {Do: sandbox.Garble, Every: 7}, {Do: sandbox.Fail, Status: 503, Every: 9}}})
	return s, url
}

// TestRunLog runs a job through an operator that fails, and adds up what the log says.
func TestRunLog(t *testing.T) {
	t.Parallel()
	s, url := faulty(t)
	var out bytes.Buffer
	m := job(s, url, emails(t, 3000), filepath.Join(t.TempDir(), "out"))
	m.MaxBatch, m.MaxInFlight, m.PartRows, m.RunID = 200, 2, 1000, "nightly"
	m.Log = slog.New(slog.NewJSONHandler(&out, nil))
	summary, err := m.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := readLog(t, out.Bytes())
	about := map[string]int{"run begins": 1, "part sealed": 4, "run ends": 1, "requests have to be repeated": 1, "requests had to be repeated": 1}
	for message, times := range about {
		found := named(lines, message)
		if len(found) != times {
			t.Errorf("%q is logged %d times, want %d", message, len(found), times)
		}
		for _, l := range found {
			if l["run_id"] != "nightly" || l.number(t, "shard") != 0 {
				t.Errorf("it does not say which run: %v", l)
			}
		}
	}
	c := &summary.Counts
	total := map[string]int64{
		"lines": c.Lines, "rows": c.Rows, "malformed": c.Malformed, "mapped": c.Mapped, "unmapped": c.UnmappedTotal(),
		"requests": c.Requests, "retries": c.Retries, "throttled": c.Throttled}
	if c.Retries == 0 || c.Throttled == 0 || c.Malformed == 0 || c.UnmappedTotal() < 2 {
		t.Fatalf("the run was too easy: %+v", c)
	}
	end := named(lines, "run ends")[0]
	for key, want := range total {
		sum := int64(0)
		for _, l := range named(lines, "part sealed") {
			sum += l.number(t, key)
		}
		if sum != want || end.number(t, key) != want {
			t.Errorf("%s: %d in the parts, %d at the end, %d in the summary", key, sum, end.number(t, key), want)
		}
	}
	for i, l := range named(lines, "part sealed") {
		if l.number(t, "part") != int64(i+1) || l.number(t, "bytes") <= 0 || l["seconds"].(float64) < l["seal_seconds"].(float64) {
			t.Errorf("part %d: %v", i+1, l)
		}
	}
	if end["status"] != "committed" || end["error"] != nil || end.number(t, "parts") != int64(summary.Parts) {
		t.Errorf("the end is %v", end)
	}
	if begin := named(lines, "run begins")[0]; begin.number(t, "inputs") != 1 || begin.number(t, "lines_done") != 0 {
		t.Errorf("the begin is %v", begin)
	}
	episode := named(lines, "requests had to be repeated")[0]
	if episode.number(t, "retries")+episode.number(t, "throttled") != c.Retries+c.Throttled {
		t.Errorf("%d retries and %d throttled in the counts, but %v", c.Retries, c.Throttled, episode)
	}
	order := []string{"run begins", "requests have to be repeated", "part sealed", "run ends"}
	var seen []string
	for _, l := range lines {
		if msg := l["msg"].(string); slices.Contains(order, msg) && !slices.Contains(seen, msg) {
			seen = append(seen, msg)
		}
	}
	if !slices.Equal(seen, order) {
		t.Errorf("they come in the order %q", seen)
	}
}

// TestRunLogText is the same as text.
func TestRunLogText(t *testing.T) {
	t.Parallel()
	s, url := faulty(t)
	var out bytes.Buffer
	m := job(s, url, emails(t, 3000), filepath.Join(t.TempDir(), "out"))
	m.MaxBatch, m.MaxInFlight, m.RunID = 200, 2, "nightly"
	m.Log = slog.New(slog.NewTextHandler(&out, nil))
	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=INFO msg="run begins" run_id=nightly shard=0 shards=1 inputs=1 lines_done=0\n`,
		`level=INFO msg="part sealed" run_id=nightly shard=0 part=1 lines=3001 rows=3000 malformed=1 mapped=\d+ unmapped=\d+ bytes=\d+ requests=\d+ retries=\d+ throttled=\d+ seconds=[\d.]+ seal_seconds=[\d.]+ lines_done=3001\n`,
		`level=WARN msg="requests have to be repeated" run_id=nightly shard=0 retries=\d throttled=\d seconds=0 http_status=\d+ wait_seconds=[\d.]+( error=".*")?\n`,
		`level=WARN msg="requests had to be repeated" run_id=nightly shard=0 retries=\d+ throttled=\d+ seconds=[\d.]+\n`,
		`level=INFO msg="run ends" run_id=nightly shard=0 status=committed lines=3001 rows=3000 malformed=1 identifiers=3000 mapped=\d+ unmapped=\d+ requests=\d+ retries=\d+ throttled=\d+ parts=3 seconds=[\d.]+\n`,
	} {
		if found := regexp.MustCompile(want).FindAllString(out.String(), -1); len(found) != 1 {
			t.Errorf("%d lines look like %s", len(found), want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestRunLogOfFailure: a run that fails or is interrupted says so, and one that continues it says where it begins.
func TestRunLogOfFailure(t *testing.T) {
	t.Parallel()
	s, url := operator(t, sandbox.Options{})
	s.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 401, Skip: 8}}})
	var out bytes.Buffer
	m := job(s, url, emails(t, 3000), filepath.Join(t.TempDir(), "out"))
	m.MaxBatch, m.MaxInFlight, m.PartRows = 200, 1, 500
	m.Log = slog.New(slog.NewJSONHandler(&out, nil))
	if _, err := m.Run(t.Context()); err == nil {
		t.Fatal("it did not fail")
	}
	failed := named(readLog(t, out.Bytes()), "run ends")[0]
	if failed["status"] != "failed" || failed["error"] == nil || failed["level"] != "WARN" {
		t.Errorf("the end is %v", failed)
	}
	s.SetFaults(sandbox.Faults{})
	out.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	m.Monitor = &jobs.Monitor{OnAttempt: func(transport.Attempt) { cancel() }}
	if _, err := m.Run(ctx); err == nil {
		t.Fatal("it was not interrupted")
	}
	lines := readLog(t, out.Bytes())
	if begin := named(lines, "run begins")[0]; begin.number(t, "lines_done") != failed.number(t, "lines") || failed.number(t, "lines") == 0 {
		t.Errorf("it begins with %v after %v", begin, failed)
	}
	if end := named(lines, "run ends")[0]; end["status"] != "interrupted" {
		t.Errorf("the end is %v", end)
	}
}
