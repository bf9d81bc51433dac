package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mapper/jobs"
)

// BenchmarkMap maps a CSV file end to end: the program and the service are processes of their own, joined by
// TCP. The input is all unique emails of 25 bytes in the mean, of which 90 % are mapped and a third of those
// have a previous raw UID. CPU and memory are those of the program alone, as the kernel counts them. Set
// MAPPER_BENCH_ROWS for other sizes than a million rows.
func BenchmarkMap(b *testing.B) {
	rows := benchRows(b)
	input := filepath.Join(b.TempDir(), "emails.csv")
	writeEmails(b, input, rows)
	for _, latency := range []string{"0s", "100ms"} {
		b.Run(fmt.Sprintf("rows=%d/latency=%s", rows, latency), func(b *testing.B) {
			o := startOperator(b, "--opt-out-share", "0.1", "--rotation-days", "270", "--latency", latency)
			var used usage
			for b.Loop() {
				used.add(measure(b, o, rows, "map", input, "--out", filepath.Join(b.TempDir(), "out")))
			}
			used.report(b, rows)
		})
	}
}

// BenchmarkSignals is BenchmarkMap for ID5, in requests of 1,000 users.
func BenchmarkSignals(b *testing.B) {
	rows := benchRows(b)
	input := filepath.Join(b.TempDir(), "emails.csv")
	writeEmails(b, input, rows)
	b.Run(fmt.Sprintf("rows=%d/latency=0s", rows), func(b *testing.B) {
		o := startOperator(b)
		var used usage
		for b.Loop() {
			used.add(measure(b, o, rows, "signals", input, "--country", "DE", "--refresh-after", "24h", "--out", filepath.Join(b.TempDir(), "out")))
		}
		used.report(b, rows)
	})
}

func benchRows(b *testing.B) int {
	b.Helper()
	s := os.Getenv("MAPPER_BENCH_ROWS")
	if s == "" {
		return 1_000_000
	}
	rows, err := strconv.Atoi(s)
	if err != nil {
		b.Fatal(err)
	}
	return rows
}

// usage is what runs of the program took.
type usage struct {
	cpu, wall time.Duration
	peak      int64 // kB
	requests  int64
	runs      int
}

func (u *usage) add(o usage) {
	u.cpu += o.cpu
	u.wall += o.wall
	u.peak = max(u.peak, o.peak)
	u.requests = o.requests
	u.runs += o.runs
}

func (u *usage) report(b *testing.B, rows int) {
	all := float64(rows * u.runs)
	b.ReportMetric(float64(u.cpu.Nanoseconds())/all, "cpu-ns/row")
	b.ReportMetric(all/u.wall.Seconds(), "rows/s")
	b.ReportMetric(float64(u.peak)/1000, "peak-MB")
	b.ReportMetric(float64(u.requests), "requests")
}

// measure runs a job of the program once.
func measure(b *testing.B, o *operator, rows int, args ...string) usage {
	b.Helper()
	c := command(b, o.env(), append(args, "--json", "--log-level", "error", "--progress", "off")...)
	c.Stderr = os.Stderr
	began := time.Now()
	result, err := c.Output()
	wall := time.Since(began)
	if err != nil {
		b.Fatal(err)
	}
	var s jobs.Summary
	if err := json.Unmarshal(result, &s); err != nil {
		b.Fatal(err)
	}
	if s.Status != jobs.StatusCommitted || s.Counts.Rows != int64(rows) || s.Counts.Mapped < int64(rows)*88/100 {
		b.Fatalf("the run is not what it should be: %s", result)
	}
	rusage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{
		cpu:      c.ProcessState.UserTime() + c.ProcessState.SystemTime(),
		wall:     wall,
		peak:     rusage.Maxrss,
		requests: s.Counts.Requests,
		runs:     1,
	}
}

// writeEmails writes unique emails, 25 bytes in the mean.
func writeEmails(tb testing.TB, path string, rows int) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "email")
	for i := range rows {
		name := strconv.FormatUint(uint64(i)*2654435761%1_000_000_007_000, 36)
		fmt.Fprintf(w, "%s.%s@example.com\n", strings.Repeat("x", 2+i%6), name)
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}
