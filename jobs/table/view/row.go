package view

import (
	"github.com/apache/arrow/go/v17/arrow"

	"mapper/normalize"
	"mapper/pipeline"
)

// Row is a pair of a caller's id and an identity, and what the table knows of both. It belongs, with
// all it points to, to whom it is yielded to.
type Row struct {
	ID    []byte // the caller's key
	HasID bool   // false: the id is null, which is an id of its own

	Identity normalize.ID
	Answer   Answer // of the identity

	// Live says that the pair is in the customer's base. One that is not has been removed or suppressed since; its answer
	// may be that of other pairs of the identity.
	Live bool

	// Where the latest row of the pair was read, whether it is live or not. A remap run that suppresses it does not tell.
	SourceFile   string // "" is null
	SourceColumn string // "" is null
	SourceRow    int64  // 1-based; 0 is null

	// The kept columns of that row are row KeptRow of Kept, which has the columns of [View.Kept]. They are what
	// sinks.Row wants, with KeptFirst 0. Kept is nil when the view has none.
	Kept    arrow.Record
	KeptRow int
}

// Answer is the answer of an identity that counts.
type Answer = pipeline.Answer
