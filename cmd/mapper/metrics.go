package main

import (
	"cmp"
	"math"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mapper/client/transport"
	"mapper/jobs"
	"mapper/sinks"
)

// metrics shows a running job to Prometheus. Counts begin with the process; what a job counts anyway is read when
// somebody asks, so it costs nothing per row. Labels are words of this program, never of data.
type metrics struct {
	monitor     *jobs.Monitor
	readings    []reading
	identifiers *prometheus.Desc
	requests    *prometheus.CounterVec
	took, seal  prometheus.Histogram
}

// reading is a metric whose value the job knows. A negative value is unknown and not shown.
type reading struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*jobs.Totals) float64
}

// seconds are the upper bounds of the histograms' buckets: requests take 50 ms to 2 s when all is well and are given
// up after a minute.
var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// newMetrics returns the metrics of the job that monitor serves, which must not have begun.
func newMetrics(monitor *jobs.Monitor) *metrics {
	m := &metrics{
		monitor:  monitor,
		readings: readings(),
		identifiers: prometheus.NewDesc("mapper_identifiers_total",
			"Identifiers by what became of them: mapped, or unmapped and why.", []string{"result", "reason"}, nil),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mapper_requests_total", Help: "Requests that have ended, repeated ones included, by what came of them."}, []string{"outcome"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mapper_request_duration_seconds", Help: "Time from sending a request to the end of its reply.", Buckets: seconds}),
		seal: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "mapper_part_seal_duration_seconds", Help: "Time to finish the files of a part and to record it.", Buckets: seconds}),
	}
	for _, outcome := range transport.Outcomes() {
		m.requests.WithLabelValues(string(outcome)) // 0 until there is one: without it rate() would miss the first
	}
	monitor.OnAttempt = func(a transport.Attempt) {
		m.requests.WithLabelValues(string(a.Outcome)).Inc()
		m.took.Observe(a.Took.Seconds())
	}
	monitor.OnPart = func(p jobs.SealedPart) { m.seal.Observe(p.Seal.Seconds()) }
	return m
}

// registry returns everything that is served: the job, the Go runtime, the process, and which build it is.
func (m *metrics) registry() *prometheus.Registry {
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mapper_build_info", Help: "Always 1; the labels say which build it is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	r := prometheus.NewRegistry()
	r.MustRegister(m, m.requests, m.took, m.seal, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func readings() []reading {
	counter := func(name, help string, value func(*jobs.Totals) float64) reading {
		return reading{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, value}
	}
	gauge := func(name, help string, value func(*jobs.Totals) float64) reading {
		return reading{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, value}
	}
	return []reading{
		counter("mapper_lines_total", "Data rows and malformed lines that are done.",
			func(t *jobs.Totals) float64 { return float64(t.Lines) }),
		counter("mapper_malformed_lines_total", "Lines that could not be read.",
			func(t *jobs.Totals) float64 { return float64(t.Unmapped[sinks.ReasonInvalidRow]) }),
		counter("mapper_sealed_parts_total", "Parts sealed: what is in them is not asked again.",
			func(t *jobs.Totals) float64 { return float64(t.Parts) }),
		counter("mapper_throttle_seconds_total", "Time in which nothing was sent because the service asked for a pause; one that is on counts in full.",
			func(t *jobs.Totals) float64 { return t.Service.ThrottledFor.Seconds() }),
		gauge("mapper_requests_in_flight", "Requests under way.",
			func(t *jobs.Totals) float64 { return float64(t.Service.InFlight) }),
		gauge("mapper_requests_in_flight_limit", "Requests that may be under way at once (--max-in-flight).",
			func(t *jobs.Totals) float64 { return float64(t.MaxInFlight) }),
		gauge("mapper_request_rate_limit", "Requests a second that are sent at most, adapted to the service; +Inf when only the number in flight binds.",
			func(t *jobs.Totals) float64 { return cmp.Or(t.Service.Rate, math.Inf(1)) }),
		gauge("mapper_input_bytes", "Size of all inputs as they are stored; missing when it is unknown.",
			func(t *jobs.Totals) float64 { return float64(t.InputSize) }),
		gauge("mapper_input_read_bytes", "How far the inputs have been read, by earlier processes of the run too; missing when it is unknown.",
			func(t *jobs.Totals) float64 { return float64(t.InputRead) }),
		gauge("mapper_memory_budget_bytes", "Byte budget of the process (--memory).",
			func(t *jobs.Totals) float64 { return float64(t.Memory) }),
	}
}

// Describe names the metrics that Collect reads.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, r := range m.readings {
		out <- r.desc
	}
	out <- m.identifiers
}

// Collect reads what the job has done so far.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	t := m.monitor.Totals()
	for _, r := range m.readings {
		if v := r.value(&t); v >= 0 {
			out <- prometheus.MustNewConstMetric(r.desc, r.kind, v)
		}
	}
	identifiers := func(n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(m.identifiers, prometheus.CounterValue, float64(n), labels...)
	}
	identifiers(t.Mapped, "mapped", "")
	for _, reason := range sinks.Reasons() {
		if reason != sinks.ReasonInvalidRow { // a line, not an identifier
			identifiers(t.Unmapped[reason], "unmapped", reason.String())
		}
	}
}
