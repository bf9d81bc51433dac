package pipeline

import (
	"sync/atomic"

	"mapper/sinks"
)

// Progress is what a Run has done so far. Anybody may read it at any time.
type Progress struct {
	Lines    atomic.Int64 // data rows written, those of earlier parts included
	Added    atomic.Int64 // data rows that the merge was told of, since Run began
	Mapped   atomic.Int64 // of them mapped, since Run began
	Parts    atomic.Int64 // parts sealed since Run began
	unmapped [len(sinks.ByReason{})]atomic.Int64
	input    atomic.Int64
	read     atomic.Int64
}

// Unmapped returns how many rows are unmapped, since Run began.
func (p *Progress) Unmapped() (by sinks.ByReason) {
	for reason := range p.unmapped {
		by[reason] = p.unmapped[reason].Load()
	}
	return by
}

// At returns which input is being read and how many of its bytes are.
func (p *Progress) At() (input int, read int64) { return int(p.input.Load()), p.read.Load() }

func (p *Progress) readTo(input int, read int64) {
	p.input.Store(int64(input))
	p.read.Store(read)
}
