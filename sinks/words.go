package sinks

import "fmt"

// Change says what an answer did to what the table held for the identity. It is the column change.
type Change uint8

// The words of the column change.
const (
	ChangeNew      Change = iota // the table held nothing for the identity, or there was no table to compare with
	ChangeSame                   // the same raw UID as before
	ChangeRotated                // another raw UID than before
	ChangeOptedOut               // a raw UID before, an opt-out now
	ChangeRestored               // no raw UID before, one now
	ChangeRemoved                // the pair of id and identity has left the customer's base

	changes
)

// String returns the change as it stands in the column change.
func (c Change) String() string {
	return wordOf(uint8(c), "new", "same", "rotated", "opted_out", "restored", "removed")
}

// ParseChange is the inverse of [Change.String].
func ParseChange(s string) (Change, error) {
	for c := range changes {
		if c.String() == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is no change", s)
}

// Reason says why a row has no raw UID. It is the column reason.
type Reason uint8

// The words of the column reason.
const (
	ReasonOptOut            Reason = iota // the person has opted out
	ReasonInvalidIdentifier               // not an email or phone, for the service or for this program
	ReasonUnknown                         // the service gave no answer, or one that is not understood
	ReasonSuppressed                      // on the list of identifiers never to ask
	ReasonRemoved                         // the pair of id and identity has left the customer's base
	ReasonInvalidRow                      // a malformed line; it has no identity

	reasons
)

// String returns the reason as it stands in the column reason.
func (r Reason) String() string {
	return wordOf(uint8(r), "OPTOUT", "INVALID_IDENTIFIER", "UNKNOWN", "SUPPRESSED", "REMOVED", "INVALID_ROW")
}

// Reasons returns all reasons, in the order of their values.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// ParseReason is the inverse of [Reason.String].
func ParseReason(s string) (Reason, error) {
	for r := range reasons {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is no reason", s)
}

// ByReason counts unmapped rows by [Reason].
type ByReason [reasons]int64

// Sum returns how many rows there are of all reasons together.
func (b *ByReason) Sum() int64 {
	var sum int64
	for _, n := range b {
		sum += n
	}
	return sum
}

// RejectedBy says who turned a row down. It is the column rejected_by.
type RejectedBy uint8

// The words of the column rejected_by.
const (
	ByService RejectedBy = iota // the service, after it was asked
	ByMapper                    // this program, which did not ask

	rejecters
)

// String returns who it was as it stands in the column rejected_by.
func (r RejectedBy) String() string { return wordOf(uint8(r), "service", "mapper") }

// ParseRejectedBy is the inverse of [RejectedBy.String].
func ParseRejectedBy(s string) (RejectedBy, error) {
	for r := range rejecters {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is nobody who rejects rows", s)
}

// wordOf returns the word of a value, or something that stands out in a table and is refused by every Parse.
func wordOf(value uint8, words ...string) string {
	if int(value) < len(words) {
		return words[value]
	}
	return fmt.Sprintf("value %d", value)
}
