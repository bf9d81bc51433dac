package jobs

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client"
	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// Estimate is what a job would do: its inputs are read and counted as a run does it, and nothing is asked or written.
type Estimate struct {
	Type        string           `json:"type"` // "plan"
	Service     string           `json:"service"`
	Environment string           `json:"environment"`
	Inputs      []EstimatedInput `json:"inputs"`
	Splits      int              `json:"splits"` // stretches of the inputs that can be read apart from each other
	Limit       int64            `json:"limit"`  // rows that were read at most; 0 is all
	Lines       int64            `json:"lines"`
	Malformed   int64            `json:"malformed"`
	EmptyRows   int64            `json:"empty_rows"`  // rows without an identifier
	Identifiers int64            `json:"identifiers"` // cells that hold one
	Invalid     map[string]int64 `json:"invalid"`     // of them, by reason: they would be unmapped without being asked
	Asked       int64            `json:"asked"`       // identities that would be asked
	Unique      int64            `json:"unique_estimate"`
	Duplicates  int64            `json:"duplicates"`       // valid identifiers whose identity would not be asked again
	Withheld    int64            `json:"withheld"`         // identifiers of which an incremental run would write nothing
	Suppressed  int64            `json:"suppressed"`       // identifiers that are never to be asked
	Removed     int64            `json:"removed"`          // pairs that are not in the whole base any more
	TooMany     bool             `json:"too_many_removed"` // more than MaxRemoved allows: the run would be refused
	Requests    int64            `json:"requests"`         // without repetitions
	InFlight    int              `json:"max_in_flight"`
	// Seconds is how long the requests take if each takes so many milliseconds and the service allows all of them.
	Seconds map[string]float64 `json:"seconds_by_latency_ms"`
	Took    float64            `json:"took_seconds"` // for reading and counting alone
	Advice  []Advice           `json:"advice"`
}

// EstimatedInput is how an input would be read.
type EstimatedInput struct {
	objects.Object
	Format  sources.Format `json:"format"`
	Rows    int64          `json:"rows"` // -1 when only reading tells
	Splits  int            `json:"splits"`
	Columns []string       `json:"columns"` // what speaks for and against each column
}

// latencies are those that an estimate is made for, in milliseconds.
var latencies = []int{50, 100, 200}

// Plan says what the job would do. It needs no credentials, and no table unless it compares with one.
func (m Map) Plan(ctx context.Context) (*Estimate, error) {
	m, err := m.withDefaults()
	if err != nil {
		return nil, err
	}
	if m.Incremental {
		if err := m.checkOut(); err != nil {
			return nil, err
		}
	}
	j := &job{Map: &m, kind: &mapping{Map: &m}, service: m.Service.String(), environment: m.Environment}
	return j.estimate(ctx, j.lookInto(ctx))
}

// lookInto returns what finds out what a job with inputs would read.
func (j *job) lookInto(ctx context.Context) func(*Estimate, *run) error {
	return func(e *Estimate, r *run) error {
		if j.Out != "" { // the run would be refused if the table there were another service's
			if err := r.onto(ctx, j); err != nil {
				return err
			}
		}
		found, err := j.list(ctx)
		if err != nil {
			return err
		}
		looked, err := j.lookAtAll(ctx, found)
		if err != nil {
			return err
		}
		for i, l := range looked {
			r.inputs = append(r.inputs, l.Input)
			r.plan.Inputs = append(r.plan.Inputs, table.PlannedInput{Object: found[i]})
			e.addInput(l)
		}
		return nil
	}
}

// estimate counts what a job would do; look finds out what it would read.
func (j *job) estimate(ctx context.Context, look func(*Estimate, *run) error) (*Estimate, error) {
	began := time.Now()
	defer j.connect(ctx)()
	if err := j.ready(ctx); err != nil {
		return nil, err
	}
	e := &Estimate{Type: "plan", Service: j.service, Environment: j.environment, Inputs: []EstimatedInput{}, Limit: j.Limit, InFlight: j.MaxInFlight}
	r := &run{plan: table.Plan{AsOf: j.asOf()}, chain: &table.Chain{}}
	if err := look(e, r); err != nil {
		return nil, err
	}
	r.plan.Shards = deal(r.inputs, 1)
	asked := new(unasked)
	if err := j.count(ctx, r, asked); err != nil {
		return nil, err
	}
	e.fill(r, asked.requests.Load(), j.maxRemoved())
	e.Took = time.Since(began).Seconds()
	return e, nil
}

// onto makes the run one that would build on the table as it is.
func (r *run) onto(ctx context.Context, j *job) (err error) {
	if r.table, err = table.Open(ctx, j.Store, j.Out); err != nil {
		return outError(err)
	}
	if err := r.table.Check(ctx, j.service, j.environment); err != nil {
		return err
	}
	runs, err := r.table.Runs(ctx)
	for _, live := range table.Live(runs) {
		r.plan.Base = append(r.plan.Base, live.ID)
	}
	return err
}

// count sends what would be read through the pipeline, with nobody at its end.
func (j *job) count(ctx context.Context, r *run, asked *unasked) (err error) {
	options := j.pipelineOptions(r)
	options.Usage, options.MaxInvalid = nil, nil
	kept, letGo, err := r.stage(ctx, j, &options)
	if err != nil {
		return err
	}
	defer func() {
		if closed := letGo(); err == nil {
			err = closed
		}
	}()
	w, err := sinks.New(objects.Nowhere(), "plan", sinks.Options{Network: networkOf(j.service), Compression: sinks.CompressionNone, Kept: kept})
	if err != nil {
		return usagef("--keep: %v", err)
	}
	j.Monitor.begin(j.Map, r.inputs, pipeline.Part{}, nil)
	return pipeline.Run(ctx, r.inputs, pipeline.Part{}, asked, w, func(_ context.Context, p pipeline.Part) error {
		r.chain.Links = append(r.chain.Links, table.Link{Part: p})
		return nil
	}, options)
}

// unasked stands for the service, and counts what it would be asked.
type unasked struct{ requests atomic.Int64 }

// Map answers nothing.
func (u *unasked) Map(_ context.Context, asks *pipeline.Asks, answers *client.Answers) error {
	u.requests.Add(1)
	answers.Reset(len(asks.IDs))
	return nil
}

func (e *Estimate) addInput(l looked) {
	source := l.Source
	in := EstimatedInput{Object: source.Object, Format: source.Layout.Format, Rows: source.Layout.Rows, Splits: len(source.Splits()), Columns: append([]string{}, l.why...)}
	e.Inputs = append(e.Inputs, in)
	e.Splits += in.Splits
}

// fill takes over what was counted.
func (e *Estimate) fill(r *run, requests int64, maxRemoved float64) {
	m := r.manifest(r.chain)
	c := &m.Counts
	e.Lines, e.Malformed, e.EmptyRows, e.Identifiers = c.Lines, c.Malformed, c.EmptyRows, c.Identifiers
	e.Asked, e.Unique, e.Requests = c.Asked, c.UniqueEstimate, requests
	e.Invalid = map[string]int64{}
	for reason, n := range ofInput(c.Reasons) {
		e.Invalid[reason] = n
	}
	delete(e.Invalid, pipeline.NoAnswer) // which is what they all got that would be asked
	delete(e.Invalid, pipeline.OnSuppression)
	e.Withheld, e.Suppressed, e.Removed = c.Withheld, c.Unmapped[sinks.ReasonSuppressed.String()], c.Unmapped[sinks.ReasonRemoved.String()]
	e.TooMany = float64(e.Removed) > maxRemoved*float64(c.Live)
	e.Duplicates = c.Identifiers - c.Unmapped[sinks.ReasonInvalidIdentifier.String()] - c.Asked - e.Withheld - e.Suppressed
	e.Seconds = secondsByLatency(requests, e.InFlight)
	e.Advice = advise(&m)
}

// secondsByLatency returns how long requests take, by the milliseconds that each takes.
func secondsByLatency(requests int64, inFlight int) map[string]float64 {
	seconds := map[string]float64{}
	for _, ms := range latencies {
		seconds[fmt.Sprint(ms)] = float64(requests) * float64(ms) / 1000 / float64(inFlight)
	}
	return seconds
}

// timeText writes how long requests take for people.
func timeText(requests int64, inFlight int, seconds map[string]float64) string {
	var times []string
	for _, ms := range latencies {
		took := time.Duration(seconds[fmt.Sprint(ms)] * float64(time.Second))
		times = append(times, fmt.Sprintf("%s at %d ms", took.Round(100*time.Millisecond), ms))
	}
	return fmt.Sprintf("%s, %d at once: %s", counted(requests, "request", "requests"), inFlight, strings.Join(times, ", "))
}

// hugeText is from what size on a text input, which only one process can read at a time, is worth a remark.
const hugeText = 10 << 30

// String writes the estimate for people.
func (e *Estimate) String() string {
	var b strings.Builder
	for _, in := range e.Inputs {
		fmt.Fprintf(&b, "%s: %s", in.URI, in.Format)
		if in.Size >= 0 {
			fmt.Fprintf(&b, ", %s", humanize.IBytes(uint64(in.Size)))
		}
		if in.Splits > 1 {
			fmt.Fprintf(&b, ", %d row groups", in.Splits)
		}
		b.WriteString("\n")
		for _, why := range in.Columns {
			fmt.Fprintf(&b, "  %s\n", strings.TrimPrefix(why, in.URI+": "))
		}
		if in.Splits == 1 && in.Size >= hugeText {
			b.WriteString("  it can be read by one process only, whatever the shards; write it as several files, or as Parquet\n")
		}
	}
	if e.Limit > 0 {
		fmt.Fprintf(&b, "of the first %s rows alone:\n", humanize.Comma(e.Limit))
	}
	fmt.Fprintf(&b, "%s lines, %s malformed, %s rows without an identifier\n", humanize.Comma(e.Lines), humanize.Comma(e.Malformed), humanize.Comma(e.EmptyRows))
	fmt.Fprintf(&b, "%s identifiers, %s identities to ask (about %s different ones), %s known from rows before\n",
		humanize.Comma(e.Identifiers), humanize.Comma(e.Asked), humanize.Comma(e.Unique), humanize.Comma(e.Duplicates))
	if e.Withheld > 0 {
		fmt.Fprintf(&b, "%s known from the table or repeated\n", humanize.Comma(e.Withheld))
	}
	if e.Suppressed > 0 {
		fmt.Fprintf(&b, "%s suppressed\n", humanize.Comma(e.Suppressed))
	}
	if e.Removed > 0 {
		fmt.Fprintf(&b, "%s to be removed", counted(e.Removed, "live pair", "live pairs"))
		if e.TooMany {
			b.WriteString(", more than --max-removed allows: the run would be refused")
		}
		b.WriteString("\n")
	}
	if len(e.Invalid) > 0 {
		fmt.Fprintf(&b, "never asked:%s\n", strings.TrimPrefix(reasons(e.Invalid), ","))
	}
	b.WriteString(timeText(e.Requests, e.InFlight, e.Seconds))
	fmt.Fprintf(&b, "; reading and counting took %s", time.Duration(e.Took*float64(time.Second)).Round(10*time.Millisecond))
	for _, a := range e.Advice {
		fmt.Fprintf(&b, "\n%s: %s", a.Code, a.Message)
	}
	return b.String()
}
