package pipeline

import "fmt"

// TooManyInvalidError says that more of the input is invalid than the caller puts up with.
type TooManyInvalidError struct {
	Invalid, Seen int64 // identifiers and malformed lines
	Limit         float64
}

// Error returns the counts and what to do.
func (e *TooManyInvalidError) Error() string {
	return fmt.Sprintf("%d of %d identifiers and lines are invalid, more than --max-invalid %g allows; see the unmapped rows for reasons, or raise it",
		e.Invalid, e.Seen, e.Limit)
}

// invalidFrom is how many identifiers have to be seen before their share of invalid ones means something.
const invalidFrom = 10_000

// checkInvalid fails when too much of what was seen is invalid. atEnd, there is nothing left to wait for. The tasks of a
// merge come in an order of their own, in which invalid ones stand together, so only their end says something.
func (p *partWriter) checkInvalid(atEnd bool) error {
	limit := p.opts.MaxInvalid
	if limit == nil || !atEnd && (p.seen < invalidFrom || p.opts.Merge != nil) || float64(p.invalid) <= *limit*float64(p.seen) {
		return nil
	}
	return &TooManyInvalidError{Invalid: p.invalid, Seen: p.seen, Limit: *limit}
}
