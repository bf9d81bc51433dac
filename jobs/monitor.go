package jobs

import (
	"sync/atomic"

	"mapper/client/uid2"
	"mapper/pipeline"
)

// Monitor lets anybody see what a running job is doing. The zero value is ready; it serves one job.
type Monitor struct {
	progress pipeline.Progress
	running  atomic.Pointer[running]
}

// running is what the job knows of itself once it has begun.
type running struct {
	sizes []int64 // of the inputs, in bytes
	total int64
	api   *uid2.Client
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

func (m *Monitor) begin(inputs []pipeline.Input, last pipeline.Part, api *uid2.Client) {
	r := &running{api: api}
	for _, in := range inputs {
		r.sizes = append(r.sizes, in.Source.Object.Size)
		if r.total >= 0 && in.Source.Object.Size >= 0 {
			r.total += in.Source.Object.Size
		} else {
			r.total = -1 // standard input
		}
	}
	m.progress.Lines.Store(last.Cursor.Lines)
	m.running.Store(r)
}

// Snapshot returns what the job is doing, and false while it has not begun.
func (m *Monitor) Snapshot() (s Snapshot, ok bool) {
	r := m.running.Load()
	if r == nil {
		return s, false
	}
	var usage uid2.Stats
	if r.api != nil { // a plan asks nobody
		usage = r.api.Stats()
	}
	return Snapshot{
		Rows:      m.progress.Lines.Load(),
		Share:     r.share(m.progress.At()),
		Mapped:    m.progress.Mapped.Load(),
		Unmapped:  m.progress.Unmapped.Load(),
		Parts:     m.progress.Parts.Load(),
		InFlight:  usage.InFlight,
		Throttled: usage.Throttled,
		Retries:   usage.Retries,
	}, true
}

// share is the share of the inputs' bytes that has been read.
func (r *running) share(input int, read int64) float64 {
	if r.total <= 0 || read < 0 {
		return -1
	}
	for _, size := range r.sizes[:min(input, len(r.sizes))] {
		read += size
	}
	return min(1, float64(read)/float64(r.total))
}
