// Command bench reads the output of `go test -bench`, which benchstat reads too, and prints it as one table: what each stage
// of a run costs a row beside the floor of that stage, which is the plainest loop over the same bytes in the same run, and
// what whole runs cost. With -baseline it compares the ratios with earlier ones and fails when one has more than doubled:
// ratios hold on any machine, times do not.
//
//	make bench                                    # measures everything and prints the table
//	go run ./testdata/bench < bench.txt           # prints it again
//	go run ./testdata/bench -baseline testdata/bench/baseline.txt < stages.txt
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// worse is by how much a ratio may be above that of the baseline.
const worse = 2

func main() {
	baseline := flag.String("baseline", "", "output of an earlier run to compare ratios with")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *baseline); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, baseline string) error {
	now, err := read(in)
	if err != nil {
		return err
	}
	if len(now.stages) == 0 && len(now.runs) == 0 {
		return errors.New("no benchmark of a stage or of whole runs in the input")
	}
	var before *results
	if baseline != "" {
		f, err := os.Open(baseline)
		if err != nil {
			return err
		}
		defer f.Close()
		if before, err = read(f); err != nil {
			return fmt.Errorf("%s: %w", baseline, err)
		}
	}
	now.print(out, before)
	if before == nil {
		return nil
	}
	return now.compare(before)
}

// results is what benchmarks have measured.
type results struct {
	machine []string // the lines goos, goarch and cpu
	stages  []*stage
	runs    []measurement
}

// stage is one stage with its floor.
type stage struct {
	name       string
	own, floor measurement
}

// measurement is the best of the lines of one benchmark: noise only ever adds.
type measurement struct {
	name    string
	metrics map[string]float64 // by unit
}

// A line is "BenchmarkStage/read_CSV/own-2  100  12.3 ns/op  4 MB/s ...", or of whole runs "BenchmarkMap/rows=...".
var (
	stageLine = regexp.MustCompile(`^BenchmarkStage/([^/]+)/(own|floor)(?:-\d+)?\s+\d+\s+(.*)$`)
	runLine   = regexp.MustCompile(`^Benchmark((?:Map|Signals|Shards|Start)(?:/\S*?)?)(?:-\d+)?\s+\d+\s+(.*)$`)
)

func read(in io.Reader) (*results, error) {
	r := new(results)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := lines.Text()
		if m := stageLine.FindStringSubmatch(line); m != nil {
			metrics, err := parse(m[3])
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			s := r.stage(strings.ReplaceAll(m[1], "_", " "))
			if m[2] == "own" {
				s.own.take(metrics)
			} else {
				s.floor.take(metrics)
			}
		} else if m := runLine.FindStringSubmatch(line); m != nil {
			metrics, err := parse(m[2])
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			r.run(m[1]).take(metrics)
		} else if key, _, ok := strings.Cut(line, ":"); ok && slices.Contains([]string{"goos", "goarch", "cpu"}, key) && !slices.Contains(r.machine, line) {
			r.machine = append(r.machine, line)
		}
	}
	return r, lines.Err()
}

// parse reads "12.3 ns/op  4 MB/s".
func parse(text string) (map[string]float64, error) {
	fields := strings.Fields(text)
	metrics := map[string]float64{}
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil, err
		}
		metrics[fields[i+1]] = v
	}
	return metrics, nil
}

// stage returns a stage, which is added if there is none of the name.
func (r *results) stage(name string) *stage {
	if s, ok := r.find(name); ok {
		return s
	}
	s := &stage{name: name}
	r.stages = append(r.stages, s)
	return s
}

func (r *results) find(name string) (s *stage, ok bool) {
	i := slices.IndexFunc(r.stages, func(s *stage) bool { return s.name == name })
	if i < 0 {
		return new(stage), false
	}
	return r.stages[i], true
}

func (r *results) run(name string) *measurement {
	for i := range r.runs {
		if r.runs[i].name == name {
			return &r.runs[i]
		}
	}
	r.runs = append(r.runs, measurement{name: name})
	return &r.runs[len(r.runs)-1]
}

// take keeps the metrics if they are the best so far.
func (m *measurement) take(metrics map[string]float64) {
	if m.metrics == nil || cost(metrics) < cost(m.metrics) {
		m.metrics = metrics
	}
}

// cost is what a row takes: CPU where it is measured by itself, as that is the same whatever the disk is like.
func cost(metrics map[string]float64) float64 { return metrics[costUnit(metrics)] }

func costUnit(metrics map[string]float64) string {
	for _, unit := range []string{"cpu-ns/op", "cpu-ns/row", "ns/op"} {
		if _, ok := metrics[unit]; ok {
			return unit
		}
	}
	return ""
}

// ratio is how many times its floor a stage takes, or no number unless both were measured, and by the same clock.
func (s *stage) ratio() float64 {
	own, floor := cost(s.own.metrics), cost(s.floor.metrics)
	if own <= 0 || floor <= 0 || costUnit(s.own.metrics) != costUnit(s.floor.metrics) {
		return math.NaN()
	}
	return own / floor
}

func (r *results) print(out io.Writer, before *results) {
	for _, line := range r.machine {
		fmt.Fprintln(out, line)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.stages) > 0 {
		fmt.Fprint(t, "\nstage\tns/row\tMB/s\tallocs/row\tfloor ns/row\tratio\t")
		if before != nil {
			fmt.Fprint(t, "baseline\t")
		}
		fmt.Fprintln(t)
	}
	for _, s := range r.stages {
		fmt.Fprintf(t, "%s\t%.1f\t%s\t%s\t%.1f\t%.2f\t", s.name, cost(s.own.metrics), s.own.show("MB/s", "%.0f"),
			s.own.show("allocs/op", "%.2f"), cost(s.floor.metrics), s.ratio())
		if before != nil {
			was, _ := before.find(s.name)
			fmt.Fprintf(t, "%.2f\t", was.ratio())
		}
		fmt.Fprintln(t)
	}
	if len(r.runs) > 0 {
		fmt.Fprint(t, "\nwhole runs\trows/s\tCPU us/row\tpeak MB\trequests\tms\t\n")
	}
	for _, m := range r.runs {
		cpu := "-"
		if v, ok := m.metrics["cpu-ns/row"]; ok {
			cpu = strconv.FormatFloat(v/1000, 'f', 2, 64)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.0f\t\n", m.name, m.show("rows/s", "%.0f"), cpu, m.show("peak-MB", "%.0f"),
			m.show("requests", "%.0f"), m.metrics["ns/op"]/1e6)
	}
	_ = t.Flush() // to a terminal or a file of the user
}

func (m *measurement) show(unit, format string) string {
	v, ok := m.metrics[unit]
	if !ok {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// compare fails when a stage of the baseline is missing, has no floor, or takes more than it may.
func (r *results) compare(before *results) error {
	var errs []error
	for _, b := range before.stages {
		now, _ := r.find(b.name)
		switch ratio := now.ratio(); {
		case math.IsNaN(b.ratio()):
			errs = append(errs, fmt.Errorf("%s: has no ratio in the baseline; make bench-baseline", b.name))
		case math.IsNaN(ratio):
			errs = append(errs, fmt.Errorf("%s: was not measured together with its floor", b.name))
		case ratio > worse*b.ratio():
			errs = append(errs, fmt.Errorf("%s: takes %.2f times its floor, and %.2f in the baseline: more than %d times as much",
				b.name, ratio, b.ratio(), worse))
		}
	}
	for _, s := range r.stages {
		if _, ok := before.find(s.name); !ok {
			errs = append(errs, fmt.Errorf("%s: is not in the baseline; make bench-baseline", s.name))
		}
	}
	return errors.Join(errs...)
}
