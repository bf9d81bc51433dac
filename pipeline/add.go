package pipeline

import "mapper/normalize"

// adder hands the rows that are read to the merge.
type adder struct {
	*stages
	batch   *batch
	read    Read
	seen    int64 // identifiers and malformed lines
	invalid int64 // how many of them are malformed or cannot be asked
}

func (a *adder) begin(b *batch) { a.batch = b }

func (a *adder) expect([]found) {}

func (a *adder) malformed(i, n int) error {
	a.line(i)
	a.seen++
	a.invalid++
	a.read.Malformed = a.batch.malformed[n]
	return a.opts.Merge.Add(&a.read)
}

func (a *adder) row(i int, found []found) error {
	a.line(i)
	if len(found) == 0 {
		a.read.Blank = true
		return a.opts.Merge.Add(&a.read)
	}
	for n := range found {
		f, r := &found[n], &a.read
		r.Begins = n == 0
		r.Column, r.Note, r.Unnormalized = f.column, f.note, f.unnormalized
		r.Identity, r.Refusal = f.id, f.reason
		a.seen++
		if f.reason != normalize.ReasonNone {
			a.invalid++
			r.Identity = normalize.ID{Kind: a.batch.input.Identifiers[f.column].Form.Kind()}
		}
		if err := a.opts.Merge.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// line begins with row i of the batch.
func (a *adder) line(i int) {
	b := a.batch
	a.read = Read{Input: b.index, Row: b.rowNumber(i), Begins: true, Kept: b.kept, KeptRow: i}
	a.read.ID, a.read.HasID = b.id(i)
	a.opts.Progress.Added.Add(1)
}

// checkInvalid fails when too much of the inputs is invalid even before the service is asked.
func (a *adder) checkInvalid() error {
	limit := a.opts.MaxInvalid
	if limit == nil || float64(a.invalid) <= *limit*float64(a.seen) {
		return nil
	}
	return &TooManyInvalidError{Invalid: a.invalid, Seen: a.seen, Limit: *limit}
}
