package pipeline

import (
	"context"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client"
	"mapper/normalize"
)

// Merge is the optional stage between reading and asking: it compares what is read with what is known, and says what is
// to be done in which order. Without inputs it says so of what is known alone. See the package comment.
type Merge interface {
	// Add takes a line of an input, or one identifier of it. One goroutine calls it, in source order; nothing of what it
	// is handed may be kept after the call.
	Add(*Read) error
	// Tasks yields what is to be done, in the order of the run. It is called once, after the last Add. Its yield depends on
	// nothing but what was added and what is known, never on time: a run that is continued adds all again and passes over
	// as many tasks as are done. The tasks of one identity stand together: then it is asked once. What was yielded belongs
	// to the pipeline, which stops taking at the first error, and when ctx is cancelled.
	Tasks(ctx context.Context) iter.Seq2[*Tasks, error]
}

// Read is an identifier of an input, or a line without one.
type Read struct {
	Input  int   // which input
	Row    int64 // data row in it, from 1
	Begins bool  // the first of its row

	Blank     bool   // the row holds no identifier
	Malformed string // why the line cannot be read; empty when it can
	// An identifier, when it is neither:
	Column       uint8            // index into the input's Identifiers
	Refusal      normalize.Reason // why it cannot be asked, or ReasonNone
	Identity     normalize.ID     // if it can; otherwise its kind alone
	Note         normalize.Note
	Unnormalized bool // it is the hash of the email beside it, which was not normalized

	ID      []byte // the caller's key
	HasID   bool
	Kept    arrow.Record // the kept columns are row KeptRow of it; nil is none
	KeptRow int
}

// Do says what is to be done with a task.
type Do uint8

// What there is to be done.
const (
	Ask       Do = iota // ask the service, and write what it says
	Tell                // write what is known: Task.Answer
	Withhold            // write nothing; it is counted
	Remove              // write that the pair has left the base; it is no identifier of an input
	Suppress            // write that the identity is never to be asked
	Refuse              // write why it is no identity that can be asked: Task.Refusal
	Malformed           // write why the line could not be read: Task.Malformed
	Blank               // write nothing: Task.Lines rows without an identifier
)

// NoInput is the input of what a table holds.
const NoInput = -1

// Task is one row to be written, or to be counted.
type Task struct {
	Do Do
	// Lines is how many lines it accounts for: 1 for the first task of a line, 0 for others of it, any number if Blank.
	// What is of no input counts as a line of its own, 1, unless it is to be removed: then 0.
	Lines int64
	Live  bool // the pair was live before; counted, to tell which share of them is removed

	Input        int // of the inputs, or NoInput
	Row          int64
	Column       uint8
	Refusal      normalize.Reason
	Malformed    string
	Note         normalize.Note
	Unnormalized bool

	Identity normalize.ID
	ID       []byte
	HasID    bool
	KeptRow  int // row of Tasks.Kept

	// Where the pair was read, if the task is of no input.
	SourceFile, SourceColumn string
	SourceRow                int64

	Answer Answer // what the table holds for the identity; the zero Answer when it holds none
}

// Tasks is some tasks. All that it points to is its own.
type Tasks struct {
	List []Task
	Kept arrow.Record // the kept columns; nil is none
}

// Answer is what is known of an identity, with its texts.
type Answer struct {
	Status      client.Status // Unknown: there is no answer
	UID         []byte        // Mapped only: the raw UID
	Previous    []byte        // Mapped only: the raw UID before the last rotation, or nothing
	RefreshFrom int64         // Mapped only: from when to ask again, Unix milliseconds, or 0
	RawReason   []byte        // unless Mapped: the service's own word, or for Unknown why there is no answer
	MappedAt    int64         // when the service answered or did not, Unix milliseconds; 0: it was never asked
}
