package jobs

import (
	"sync/atomic"
	"time"

	"mapper/client/transport"
	"mapper/pipeline"
	"mapper/sinks"
)

// Monitor lets anybody see what a running job is doing. The zero value is ready; it serves one job.
type Monitor struct {
	// OnAttempt is told of every request that has ended, and OnPart of every sealed part. They may be nil, are set
	// before the job runs, and hold it up. Several goroutines call OnAttempt at once.
	OnAttempt func(transport.Attempt)
	OnPart    func(SealedPart)

	progress pipeline.Progress
	running  atomic.Pointer[running]
}

// SealedPart is a part that counts from now on.
type SealedPart struct {
	pipeline.Part
	Seal time.Duration // how long finishing its files and recording it took
}

// running is what the job knows of itself once it has begun.
type running struct {
	before      int64   // lines that earlier processes have done
	starts      []int64 // where what is read of the inputs begins, in bytes
	sizes       []int64 // how much is read of them
	total       int64
	memory      int64
	maxInFlight int
	api         asker // nil: nobody is asked
}

// Snapshot is what a job is doing at one moment.
type Snapshot struct {
	Rows      int64   `json:"rows"`   // done, those of earlier processes included
	Share     float64 `json:"share"`  // of the input read, 0 to 1; negative when it is unknown
	Mapped    int64   `json:"mapped"` // since this process began
	Unmapped  int64   `json:"unmapped"`
	Parts     int64   `json:"parts"`     // sealed since this process began
	InFlight  int     `json:"in_flight"` // requests
	Throttled int64   `json:"throttled"` // replies 429 since this process began
	Retries   int64   `json:"retries"`
}

// Totals is what a job has done since this process began, and its limits. Counts never fall. They are read one
// after the other while the job goes on, so they add up only when it has ended.
type Totals struct {
	Lines       int64           // data rows and malformed lines
	Mapped      int64           // identifiers
	Unmapped    sinks.ByReason  // identifiers, and malformed lines
	Parts       int64           // sealed
	InputSize   int64           // bytes of all inputs; this and what follows is negative when it is unknown
	InputRead   int64           // of them read, in earlier processes too
	Memory      int64           // byte budget
	MaxInFlight int             // requests at once
	Service     transport.Stats // what the service was asked for
}

func (m *Monitor) begin(job *Map, inputs []pipeline.Input, last pipeline.Part, api asker) {
	r := &running{api: api, before: last.Cursor.Lines, memory: job.Memory, maxInFlight: job.inFlight()}
	for _, in := range inputs {
		from, to := in.Source.Span()
		r.starts, r.sizes = append(r.starts, from), append(r.sizes, to-from)
		if r.total >= 0 && to >= 0 {
			r.total += to - from
		} else {
			r.total = -1 // standard input
		}
	}
	m.progress.Lines.Store(last.Cursor.Lines)
	m.running.Store(r)
}

func (m *Monitor) attempt(a transport.Attempt) {
	if m.OnAttempt != nil {
		m.OnAttempt(a)
	}
}

func (m *Monitor) sealed(p SealedPart) {
	if m.OnPart != nil {
		m.OnPart(p)
	}
}

// Snapshot returns what the job is doing, and false while it has not begun.
func (m *Monitor) Snapshot() (s Snapshot, ok bool) {
	r := m.running.Load()
	if r == nil {
		return s, false
	}
	usage := r.usage()
	unmapped := m.progress.Unmapped()
	return Snapshot{
		Rows:      m.progress.Lines.Load(),
		Share:     r.share(m.progress.At()),
		Mapped:    m.progress.Mapped.Load(),
		Unmapped:  unmapped.Sum(),
		Parts:     m.progress.Parts.Load(),
		InFlight:  usage.InFlight,
		Throttled: usage.Throttled,
		Retries:   usage.Retries,
	}, true
}

// Totals returns what the job has done. Before it begins that is nothing.
func (m *Monitor) Totals() Totals {
	r := m.running.Load()
	if r == nil {
		return Totals{InputSize: -1, InputRead: -1, Memory: -1, MaxInFlight: -1}
	}
	return Totals{
		Lines:       m.progress.Lines.Load() - r.before,
		Mapped:      m.progress.Mapped.Load(),
		Unmapped:    m.progress.Unmapped(),
		Parts:       m.progress.Parts.Load(),
		InputSize:   r.total,
		InputRead:   r.read(m.progress.At()),
		Memory:      r.memory,
		MaxInFlight: r.maxInFlight,
		Service:     r.usage(),
	}
}

// usage is what the service was asked for.
func (r *running) usage() transport.Stats {
	if r.api == nil {
		return transport.Stats{} // a plan asks nobody
	}
	return r.api.Stats()
}

// share is the share of the inputs' bytes that has been read.
func (r *running) share(input int, read int64) float64 {
	read = r.read(input, read)
	if r.total <= 0 || read < 0 {
		return -1
	}
	return min(1, float64(read)/float64(r.total))
}

// read is how many of the inputs' bytes have been read, or negative.
func (r *running) read(input int, read int64) int64 {
	if r.total < 0 || read < 0 {
		return -1
	}
	if input < len(r.starts) {
		read = max(0, read-r.starts[input])
	}
	for _, size := range r.sizes[:min(input, len(r.sizes))] {
		read += size
	}
	return min(read, r.total)
}
