package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mapper/jobs"
)

// throttle is how many requests a second a throttling operator lets through: far less than the program can make.
const throttle = 50

// BenchmarkMap maps a CSV file end to end: the program and the service are processes of their own, joined by
// TCP. The input is all unique emails of 25 bytes in the mean, of which 90 % are mapped and a third of those
// have a previous raw UID. CPU and memory are those of the program alone, as the kernel counts them. Set
// MAPPER_BENCH_ROWS for other sizes than a million rows: 1000000,10000000.
func BenchmarkMap(b *testing.B) {
	for _, rows := range benchRows(b) {
		input := filepath.Join(b.TempDir(), "emails.csv")
		writeEmails(b, input, rows)
		for _, latency := range []string{"0s", "20ms", "100ms"} {
			for _, rate := range []int{0, throttle} {
				name, args := fmt.Sprintf("rows=%d/latency=%s", rows, latency), []string{"--latency", latency}
				if rate > 0 {
					name, args = fmt.Sprintf("%s/throttle=%d", name, rate), append(args, "--rate", strconv.Itoa(rate))
				}
				b.Run(name, func(b *testing.B) {
					o := startOperator(b, append(args, "--opt-out-share", "0.1", "--rotation-days", "270")...)
					var used usage
					for b.Loop() {
						used.add(measure(b, o, rows, "map", input, "--out", filepath.Join(b.TempDir(), "out")))
					}
					used.report(b, rows)
				})
			}
		}
	}
}

// BenchmarkShards is BenchmarkMap with several processes that are shards of one run, each with files of its own.
func BenchmarkShards(b *testing.B) {
	rows := slices.Max(benchRows(b))
	folder := b.TempDir()
	const files = 4
	for i := range files {
		writeEmailsFrom(b, filepath.Join(folder, fmt.Sprintf("emails-%d.csv", i)), i*rows/files, rows/files)
	}
	for _, shards := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("rows=%d/shards=%d", rows, shards), func(b *testing.B) {
			o := startOperator(b, "--opt-out-share", "0.1", "--rotation-days", "270")
			var used usage
			for b.Loop() {
				out, ran := filepath.Join(b.TempDir(), "out"), make([]usage, shards)
				began := time.Now()
				var all sync.WaitGroup
				for i := range shards {
					all.Go(func() {
						ran[i] = measure(b, o, 0, "map", filepath.Join(folder, "*.csv"), "--out", out, "--run-id", "r", "--shard", fmt.Sprintf("%d/%d", i, shards))
					})
				}
				all.Wait()
				var sum usage
				for _, r := range ran {
					sum.add(r)
				}
				// Each process tells of the whole run as far as it has got; the last one of all of it.
				last := slices.MaxFunc(ran, func(x, y usage) int { return cmp.Compare(x.requests, y.requests) })
				sum.requests, sum.retries, sum.wall, sum.runs = last.requests, last.retries, time.Since(began), 1
				used.add(sum)
			}
			used.report(b, rows)
		})
	}
}

// BenchmarkStart is how long the program takes to start, read an input of one row, and say what it would do.
func BenchmarkStart(b *testing.B) {
	input := filepath.Join(b.TempDir(), "email.csv")
	writeEmails(b, input, 1)
	for b.Loop() {
		if out, err := command(b, nil, "plan", input).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}

// BenchmarkSignals is BenchmarkMap for ID5, in requests of 1,000 users.
func BenchmarkSignals(b *testing.B) {
	rows := benchRows(b)[0]
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

// benchRows returns the sizes to measure.
func benchRows(b *testing.B) (sizes []int) {
	b.Helper()
	for size := range strings.SplitSeq(cmp.Or(os.Getenv("MAPPER_BENCH_ROWS"), "1000000"), ",") {
		rows, err := strconv.Atoi(size)
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, rows)
	}
	return sizes
}

// usage is what runs of the program took.
type usage struct {
	cpu, wall time.Duration
	peak      int64 // kB
	requests  int64
	retries   int64 // of them
	runs      int
}

func (u *usage) add(o usage) {
	u.cpu += o.cpu
	u.wall += o.wall
	u.peak = max(u.peak, o.peak)
	u.requests += o.requests
	u.retries += o.retries
	u.runs += o.runs
}

func (u *usage) report(b *testing.B, rows int) {
	all := float64(rows * u.runs)
	b.ReportMetric(float64(u.cpu.Nanoseconds())/all, "cpu-ns/row")
	b.ReportMetric(all/u.wall.Seconds(), "rows/s")
	b.ReportMetric(float64(u.peak)/1000, "peak-MB")
	b.ReportMetric(float64(u.requests)/float64(u.runs), "requests")
	b.ReportMetric(float64(u.requests-u.retries)/u.wall.Seconds(), "accepted/s")
}

// measure runs a job of the program once. With rows, it has to commit a run of as many.
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
	if rows > 0 && (s.Status != jobs.StatusCommitted || s.Counts.Rows != int64(rows) || s.Counts.Mapped < int64(rows)*88/100) {
		b.Fatalf("the run is not what it should be: %s", result)
	}
	rusage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{
		cpu:      c.ProcessState.UserTime() + c.ProcessState.SystemTime(),
		wall:     wall,
		peak:     rusage.Maxrss,
		requests: s.Counts.Requests,
		retries:  s.Counts.Retries,
		runs:     1,
	}
}

// writeEmails writes unique emails, 25 bytes in the mean.
func writeEmails(tb testing.TB, path string, rows int) {
	tb.Helper()
	writeEmailsFrom(tb, path, 0, rows)
}

func writeEmailsFrom(tb testing.TB, path string, first, rows int) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "email")
	for i := first; i < first+rows; i++ {
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

// BenchmarkProfile is BenchmarkMap in this process, to take its profile: see make profile.
func BenchmarkProfile(b *testing.B) {
	rows := benchRows(b)[0]
	input := filepath.Join(b.TempDir(), "emails.csv")
	writeEmails(b, input, rows)
	o := startOperator(b, "--opt-out-share", "0.1", "--rotation-days", "270")
	for _, pair := range o.env() {
		name, value, _ := strings.Cut(pair, "=")
		b.Setenv(name, value)
	}
	for b.Loop() {
		a := &app{stdin: os.Stdin, stdout: io.Discard, stderr: os.Stderr, env: os.LookupEnv}
		args := []string{"map", input, "--out", filepath.Join(b.TempDir(), "out"), "--log-level", "error", "--progress", "off"}
		if code := a.run(b.Context(), args); code != 0 {
			b.Fatal("exit code", code)
		}
	}
}
