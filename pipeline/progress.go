package pipeline

import "sync/atomic"

// Progress is what a Run has done so far. Anybody may read it at any time.
type Progress struct {
	Lines    atomic.Int64 // data rows written, those of earlier parts included
	Mapped   atomic.Int64 // of them mapped, since Run began
	Unmapped atomic.Int64
	Parts    atomic.Int64 // parts sealed since Run began
	input    atomic.Int64
	read     atomic.Int64
}

// At returns which input is being read and how many of its bytes are.
func (p *Progress) At() (input int, read int64) { return int(p.input.Load()), p.read.Load() }

func (p *Progress) readTo(input int, read int64) {
	p.input.Store(int64(input))
	p.read.Store(read)
}
