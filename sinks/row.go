package sinks

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/normalize"
)

// maxUID is the length of the longest raw UID that is taken. Those of UID2 and EUID have 44 characters.
const maxUID = 64 << 10

// Row is one row of output: a pair of input row and identifier column, and what is known about it. Nothing
// of it is kept after the call it is handed to, so that one Row serves for all. All texts are UTF-8, which is
// the caller's duty: engines refuse whole files for a text that is not.
type Row struct {
	ID    []byte // the caller's key
	HasID bool   // false: the column id is null

	Identity normalize.ID
	HasKind  bool // Identity.Kind is known; must be true for Mapped
	HasHash  bool // Identity.Hash and Country are known; must be true for Mapped

	SourceFile   string // the input's URI without query; "" is null
	SourceColumn string // "" is null
	SourceRow    int64  // 1-based data row of the file; 0 is null
	MappedAt     int64  // when the service answered, Unix milliseconds

	UID         []byte // Mapped only: the raw UID, 1 byte to 64 KiB
	Previous    []byte // Mapped only: the raw UID before the last rotation, in the service's word; empty is null
	Former      []byte // what the table held for the identity before this answer, when it differs; empty is null
	RefreshFrom int64  // Mapped only: from when to ask again, Unix milliseconds; 0 is null

	Change Change

	Reason     Reason     // Unmapped only
	RawReason  []byte     // Unmapped only: the service's own word, or this program's
	RejectedBy RejectedBy // Unmapped only

	// The kept columns are row KeptRow of the columns from KeptFirst on of a record, with the types of
	// Options.Kept. They are null when there is no record.
	Kept      arrow.Record
	KeptFirst int
	KeptRow   int
}

// checkMapped refuses rows that would break the promises of the dataset. They come from a bug.
func (r *Row) checkMapped() error {
	switch {
	case !r.HasKind || !r.HasHash:
		return errors.New("mapped row: has no identity")
	case len(r.UID) == 0 || len(r.UID) > maxUID:
		return fmt.Errorf("mapped row: has a raw UID of %d bytes, not of 1 to %d", len(r.UID), maxUID)
	}
	return r.checkCommon()
}

func (r *Row) checkUnmapped() error {
	switch {
	case r.Reason >= reasons:
		return fmt.Errorf("unmapped row: %d is no reason", r.Reason)
	case r.RejectedBy >= rejecters:
		return fmt.Errorf("unmapped row: %d is nobody who rejects rows", r.RejectedBy)
	}
	return r.checkCommon()
}

func (r *Row) checkCommon() error {
	switch {
	case r.Change >= changes:
		return fmt.Errorf("row: %d is no change", r.Change)
	case r.Identity.Kind >= normalize.Kinds:
		return fmt.Errorf("row: %d is no kind of identity", r.Identity.Kind)
	case r.HasHash && !isCountry(r.Identity.Country):
		return errors.New("row: has a country that is not two capitals")
	}
	return nil
}
