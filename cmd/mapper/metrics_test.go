package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/jobs"
)

// metricsURL finds out from the log where metrics are served.
var metricsURL = regexp.MustCompile(`http://[^ "]+/metrics`)

// scrape is what a scrape found: families by name.
type scrape map[string]*dto.MetricFamily

func parseScrape(t *testing.T, text []byte) scrape {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// sum adds up the values of a family: those with the given labels, name and value in turn.
func (s scrape) sum(name string, labels ...string) (total float64) {
	for _, m := range s[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.GetLabel() {
			has[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		if fits {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if body, err = io.ReadAll(reply.Body); err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, body
}

// served starts the program's metrics in this process and returns where they are.
func served(t *testing.T) (a *app, out *safeBuffer, url string) {
	t.Helper()
	var log safeBuffer
	out = new(safeBuffer)
	a = &app{stdout: out, stderr: io.Discard, progress: "off", json: true, metricsListen: "127.0.0.1:0", log: slog.New(slog.NewTextHandler(&log, nil))}
	stop, err := a.serveMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if url = metricsURL.FindString(log.String()); url == "" {
		t.Fatalf("the log does not say where: %s", log.String())
	}
	return a, out, url
}

// TestMetrics scrapes a job before it begins, while it runs through an operator that throttles, fails and takes its
// time, and when it has ended: then everything adds up to the summary.
func TestMetrics(t *testing.T) {
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
	s, err := sandbox.New(sandbox.Options{Latency: 20 * time.Millisecond, OptOutShare: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	s.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{
		{Do: sandbox.Fail, Status: 429, Skip: 25, First: 1}, {Do: sandbox.Fail, Status: 503, Every: 11}, {Do: sandbox.Garble, Every: 13}, {Do: sandbox.Reset, Every: 17}}})
	base, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop(t.Context()) })
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 4000)
	file, err := os.OpenFile(input, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("not-an-email\none,two,three,four,five,six\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	a, out, url := served(t)
	read := func() scrape {
		_, text := get(t, url)
		return parseScrape(t, text)
	}
	if before := read(); before.sum("mapper_lines_total") != 0 || len(before["mapper_requests_total"].GetMetric()) != 8 || before["mapper_input_bytes"] != nil {
		t.Errorf("before it begins: %v", before)
	}
	ended := make(chan error, 1)
	go func() {
		job := jobs.Map{
			BaseURL: base, APIKey: client.NewSecret(s.APIKey()), ClientSecret: client.NewSecret(s.ClientSecret()), Log: a.log,
			Inputs: []string{input}, Out: filepath.Join(t.TempDir(), "out"), MaxBatch: 100, MaxInFlight: 3, PartRows: 1500,
		}
		ended <- a.runJob(t.Context(), &job, &job)
	}()
	// In the middle: a part is sealed, and requests are under way.
	var middle scrape
	for began := time.Now(); middle.sum("mapper_sealed_parts_total") == 0 || middle.sum("mapper_requests_in_flight") == 0; middle = read() {
		select {
		case err := <-ended:
			t.Fatalf("it ended before its middle was seen: %v", err)
		default:
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal("nothing happens")
		}
	}
	if lines := middle.sum("mapper_lines_total"); lines < 1500 || lines >= 4002 {
		t.Errorf("in the middle %v lines", lines)
	}
	if n := middle.sum("mapper_requests_in_flight"); n > 3 || middle.sum("mapper_requests_in_flight_limit") != 3 {
		t.Errorf("in the middle %v in flight", n)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	end := read()
	for name, family := range middle {
		if family.GetType() == dto.MetricType_COUNTER && end.sum(name) < middle.sum(name) {
			t.Errorf("%s fell from %v to %v", name, middle.sum(name), end.sum(name))
		}
	}
	var summary jobs.Summary
	if err := json.Unmarshal([]byte(out.String()), &summary); err != nil {
		t.Fatal(err)
	}
	adds(t, end, &summary)
	if size, err := os.Stat(input); err != nil || end.sum("mapper_input_bytes") != float64(size.Size()) || end.sum("mapper_input_read_bytes") != float64(size.Size()) {
		t.Errorf("%v of %v bytes read", end.sum("mapper_input_read_bytes"), end.sum("mapper_input_bytes"))
	}
	if rate := end.sum("mapper_request_rate_limit"); rate <= 0 || rate > 1e6 {
		t.Errorf("after 429s the rate is %v", rate)
	}
}

// adds compares metrics with the summary of the same job.
func adds(t *testing.T, m scrape, summary *jobs.Summary) {
	t.Helper()
	c := &summary.Counts
	for _, of := range []struct {
		name   string
		labels []string
		want   int64
	}{
		{"mapper_lines_total", nil, c.Lines},
		{"mapper_malformed_lines_total", nil, c.Malformed},
		{"mapper_identifiers_total", nil, c.Identifiers},
		{"mapper_identifiers_total", []string{"result", "mapped"}, c.Mapped},
		{"mapper_identifiers_total", []string{"result", "unmapped"}, c.UnmappedTotal() - c.Malformed},
		{"mapper_identifiers_total", []string{"reason", "OPTOUT"}, c.Unmapped["OPTOUT"]},
		{"mapper_identifiers_total", []string{"reason", "INVALID_IDENTIFIER"}, c.Unmapped["INVALID_IDENTIFIER"]},
		{"mapper_requests_total", nil, c.Requests},
		{"mapper_requests_total", []string{"outcome", "ok"}, c.Requests - c.Retries - c.Throttled},
		{"mapper_requests_total", []string{"outcome", "throttled"}, c.Throttled},
		{"mapper_request_duration_seconds", nil, c.Requests},
		{"mapper_part_seal_duration_seconds", nil, int64(m.sum("mapper_sealed_parts_total"))},
		{"mapper_requests_in_flight", nil, 0},
		{"mapper_memory_budget_bytes", nil, jobs.DefaultMemory},
	} {
		if got := m.sum(of.name, of.labels...); got != float64(of.want) {
			t.Errorf("%s %v is %v, want %d", of.name, of.labels, got, of.want)
		}
	}
	if c.Throttled == 0 || c.Malformed == 0 || c.Unmapped["OPTOUT"] == 0 || c.Unmapped["INVALID_IDENTIFIER"] == 0 {
		t.Errorf("the run was too easy: %+v", c)
	}
	for _, outcome := range []string{"server_error", "spoiled", "network_error"} {
		if m.sum("mapper_requests_total", "outcome", outcome) == 0 {
			t.Errorf("no request was %s", outcome)
		}
	}
	if m.sum("mapper_throttle_seconds_total") <= 0 || m.sum("process_resident_memory_bytes") <= 0 || m.sum("go_goroutines") <= 0 {
		t.Error("some metrics are missing")
	}
}

// TestMetricsServeNothingElse looks for anything beside /metrics.
func TestMetricsServeNothingElse(t *testing.T) {
	_, _, url := served(t)
	for path, want := range map[string]int{"": 200, "/../": 404, "/x": 404, "/../debug/pprof/": 404} {
		if status, _ := get(t, url+path); status != want {
			t.Errorf("%q answers with %d, want %d", path, status, want)
		}
	}
	reply, err := http.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered with %d", reply.StatusCode)
	}
}

// gather returns all metrics of a job that has everything to show.
func gather(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := newMetrics(new(jobs.Monitor))
	for i := range m.readings {
		m.readings[i].value = func(*jobs.Totals) float64 { return 1 }
	}
	families, err := m.registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// TestMetricsLint holds the metrics against Prometheus' conventions.
func TestMetricsLint(t *testing.T) {
	problems, err := promlint.NewWithMetricFamilies(gather(t)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	r := prometheus.NewPedanticRegistry() // which checks that what is collected was described
	r.MustRegister(newMetrics(new(jobs.Monitor)))
	if _, err := r.Gather(); err != nil {
		t.Error(err)
	}
}

// TestMetricsAreDocumented compares the metrics with the table in the README, their types too.
func TestMetricsAreDocumented(t *testing.T) {
	want := map[string]string{}
	for _, f := range gather(t) {
		if strings.HasPrefix(f.GetName(), "mapper_") {
			want[f.GetName()] = strings.ToLower(f.GetType().String())
		}
	}
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(mapper_[a-z_]+)` \\| ([a-z]+) \\| .+ \\|$").FindAllStringSubmatch(string(data), -1) {
		got[row[1]] = row[2]
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is a %s; the README says %q", name, want[name], got[name])
		}
	}
	for name := range got {
		if want[name] == "" {
			t.Errorf("the README names %s, which there is not", name)
		}
	}
}

// TestMetricsPortTaken: nothing has happened when the address is not to be had.
func TestMetricsPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, env := inProcess(t, sandbox.Options{})
	for _, address := range []string{taken.Addr().String(), "localhost", "127.0.0.1:http-no-such", "192.0.2.1:9090"} {
		place := t.TempDir()
		for _, args := range [][]string{
			{"map", filepath.Join(place, "missing.csv"), "--out", filepath.Join(place, "out")},
			{"run", filepath.Join(place, "missing.yaml")},
			{"demo", "--out", filepath.Join(place, "demo")},
		} {
			code, output := runToEnd(t, command(t, env, append(args, "--metrics-listen", address)...))
			want, isTaken := exitUsage, address == taken.Addr().String()
			if isTaken {
				want = exitFailed // it may be free the next time
			}
			if code != want || !strings.Contains(output, "--metrics-listen "+address) || strings.Contains(output, "end the process") != isTaken {
				t.Errorf("exit code %d, want %d\n%s", code, want, output)
			}
		}
		if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
			t.Errorf("%v was written, %v", left, err)
		}
	}
}

// runScraped runs a command to its end and scrapes its metrics all the time. It returns the last scrape that was whole.
func runScraped(t *testing.T, c *exec.Cmd) (code int, output string, last []byte) {
	t.Helper()
	var text safeBuffer
	c.Stdout, c.Stderr = &text, &text
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // the exit code says it
	}()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-time.After(2 * time.Millisecond): // polls another process
		}
		url := metricsURL.FindString(text.String())
		if url == "" {
			continue
		}
		if reply, err := http.Get(url); err == nil {
			if body, err := io.ReadAll(reply.Body); err == nil {
				last = body
			}
			_ = reply.Body.Close()
		}
	}
	return c.ProcessState.ExitCode(), text.String(), last
}

// TestMetricsEnd: from the first moment on until the command ends, and no longer.
func TestMetricsEnd(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{Latency: 50 * time.Millisecond})
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 500)
	code, output, last := runScraped(t, command(t, env, "map", input, "--out", filepath.Join(t.TempDir(), "out"), "--metrics-listen", "127.0.0.1:0", "--log-format", "json"))
	if code != exitDone || !strings.Contains(output, `"msg":"metrics are served","url":"http://127.0.0.1:`) {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	if strings.Index(output, "metrics are served") > strings.Index(output, "is read as") {
		t.Errorf("the input was looked at before\n%s", output)
	}
	if m := parseScrape(t, last); m.sum("mapper_build_info", "version", version) != 1 {
		t.Errorf("the last scrape is\n%s", last)
	}
	if reply, err := http.Get(metricsURL.FindString(output)); err == nil {
		_ = reply.Body.Close()
		t.Error("somebody still serves metrics")
	}
}
