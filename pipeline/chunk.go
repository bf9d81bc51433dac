package pipeline

import (
	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client"
	"mapper/normalize"
	"mapper/sources"
)

// chunkRowBytes is how much memory a chunk's own rows may take before it is sent partly filled. It binds when
// most identities of the input have been asked already.
const chunkRowBytes = 3 << 20

// chunk is consecutive rows of the input, or tasks of a merge, and the request that they need.
type chunk struct {
	first      uint64         // number of asks[0]
	asks       Asks           // what is asked, numbered from first in order
	suppressed []normalize.ID // what is never to be asked
	rows       []row
	segments   []segment
	rowBytes   int64 // what the rows cost
	held       int64 // of the byte budget
	booked     int   // of asks, in order: those that a written row has used

	answers client.Answers
	err     error
	done    chan struct{} // closed when answers and err are set
}

// segment is a stretch of a chunk's rows that come from one batch of one input, or from some tasks.
type segment struct {
	batch *batch
	tasks *Tasks // instead of batch
}

// batch is what is kept of a batch of records once its identifiers are hashed.
type batch struct {
	input       *Input
	index       int // of input
	start       sources.Position
	malformed   []string // reasons, in the order of the malformed rows
	ids         cells    // the caller's keys, or nil
	kept        arrow.Record
	bytesPerRow int64
}

// rowNumber is the number of row i among the data rows of the input, from 1.
func (b *batch) rowNumber(i int) int64 { return b.start.Row + int64(i) + 1 }

// id returns the caller's key of row i, if it has one. It is valid until the next call.
func (b *batch) id(i int) (id []byte, ok bool) {
	if b.ids == nil {
		return nil, false
	}
	raw, ok := b.ids(i)
	if !ok {
		return nil, false
	}
	return raw.Reveal(), true
}

// row is one output row to be, or a row without identifiers, or a task.
type row struct {
	ref     uint64           // asked: the number of the identity; malformed: index into the batch's malformed; suppressed: into the chunk's
	index   int32            // row of the batch, or task of the tasks
	segment int32            // segment of the chunk
	column  uint8            // asked, refused: index into the input's identifiers
	outcome outcome          // a task says itself what is to be done
	refusal normalize.Reason // refused: why
	note    normalize.Note
	begins  bool // the first of its input row; of tasks, the first that tells what is known of its identity
	// unnormalized says that the value is the hash of the email beside it, which was not normalized.
	unnormalized bool
}

// rowBytes is what a row costs besides its kept columns.
const rowBytes = 24

// outcome is what reading made of a row.
type outcome uint8

const (
	empty      outcome = iota // the row holds no identifier
	malformed                 // the line cannot be read
	refused                   // the cell holds no identifier that can be asked
	asked                     // the identity has been asked
	suppressed                // the identity is never to be asked
)

func (c *chunk) reset(first uint64) {
	c.first = first
	c.asks.reset()
	c.rows = c.rows[:0]
	c.letGo()
	c.suppressed = c.suppressed[:0]
	c.rowBytes, c.booked = 0, 0
	c.err = nil
	c.done = make(chan struct{})
}

// letGo drops the batches that the chunk's rows came from.
func (c *chunk) letGo() {
	clear(c.segments)
	c.segments = c.segments[:0]
}

// What an identity costs, an answer, and the texts of one: at 44 characters for a raw UID and a previous one each, and some
// for the rest of the reply.
const identityBytes, answerBytes, textBytes = 33, 48, 128

// weight is what the chunk costs of the byte budget: its rows, its identities, and the answers to come.
func (c *chunk) weight() int64 {
	return c.rowBytes + int64(len(c.suppressed))*identityBytes + int64(len(c.asks.IDs))*(identityBytes+answerBytes+textBytes) + int64(len(c.asks.text))
}

// memory is what the chunk holds for its next use. That is to be about what it costs: chunks of many rows, of many
// identities and of large replies may follow each other, and each chunk would in time hold enough for all of them.
func (c *chunk) memory() int64 {
	return int64(cap(c.rows))*rowBytes + int64(cap(c.suppressed)+cap(c.asks.IDs))*identityBytes + int64(cap(c.answers.Items))*answerBytes +
		int64(cap(c.asks.text)+cap(c.answers.Text))
}

// isFull says whether a row that adds fresh identities has to go into the next chunk.
func (c *chunk) isFull(fresh, maxBatch int) bool {
	return len(c.asks.IDs) > 0 && len(c.asks.IDs)+fresh > maxBatch || c.rowBytes >= chunkRowBytes
}
