package pipeline

import "mapper/sinks"

// block is mapped rows that are on their way to the sink, which writes many at once faster than one by one. The row behind
// them is lent to be filled in.
type block struct {
	rows    [sinks.BlockRows]sinks.Row
	ids     [sinks.BlockRows][]byte // memory for their keys
	idBytes int                     // of keys that have been set
	pending int                     // rows that have been taken
}

// maxBlockIDs is from how many bytes of keys on a block is full, and their memory not kept: keys may be of any length.
const maxBlockIDs = 64 << 10

// room lends a row to fill in. It is the same one until it is taken.
func (b *block) room() *sinks.Row { return &b.rows[b.pending] }

// lent returns that row alone.
func (b *block) lent() []sinks.Row { return b.rows[b.pending:][:1] }

// setID gives the row that is lent the caller's key, if there is one, of which it keeps a copy.
func (b *block) setID(id []byte, ok bool) {
	out, kept := b.room(), &b.ids[b.pending]
	*kept = append((*kept)[:0], id...)
	out.ID, out.HasID = *kept, ok
	b.idBytes += len(id)
}

// take takes the row that is lent. It says whether the block is full then: before another one is lent it has to be emptied.
func (b *block) take() (full bool) {
	b.pending++
	return b.pending == len(b.rows) || b.idBytes >= maxBlockIDs
}

// taken returns the rows that have been taken.
func (b *block) taken() []sinks.Row { return b.rows[:b.pending] }

// empty forgets the rows. Nothing that they refer to is needed any more.
func (b *block) empty() {
	for i := range b.rows {
		b.rows[i].Kept = nil // it may be large
	}
	if b.idBytes >= maxBlockIDs {
		b.ids = [len(b.ids)][]byte{}
	}
	b.idBytes, b.pending = 0, 0
}
