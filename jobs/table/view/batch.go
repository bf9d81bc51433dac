package view

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/client"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// batch is some rows of a part. Columns that the dataset does not have, or that are not needed, are empty.
type batch struct {
	run                           *run
	rows                          int
	first                         uint64 // the number of the first row among those of its run
	line                          int64  // and in its part, from 0
	id, kind, hash                texts
	country                       texts // of ID5 only
	uid, previous                 texts
	reason, rawReason, rejectedBy texts
	sourceFile, sourceColumn      texts
	sourceRow                     *array.Int64 // nil: where rows were read is not told
	refreshFrom, mappedAt         *array.Timestamp
	kept                          []keptReader
}

// texts is a column of texts. Unlike the library's, its values are bytes.
type texts struct {
	*array.String
	all   []byte
	first int // where all begins
}

func (t *texts) at(i int) []byte {
	from, to := t.ValueOffset(i)-t.first, t.ValueOffset(i+1)-t.first
	return t.all[from:to:to]
}

// newBatch takes the columns of a record. All but the first few of them, which are those of the contract, are kept ones.
func newBatch(from *sources.Batch, r *run, part runPart, contract int) (*batch, error) {
	rec := from.Record
	b := &batch{run: r, rows: int(rec.NumRows()), first: part.first + uint64(from.Start.Row), line: from.Start.Row}
	for i, f := range rec.Schema().Fields() {
		column := rec.Column(i)
		if column.Len() != b.rows {
			return nil, fmt.Errorf("column %s: ends early", f.Name)
		}
		if i >= contract {
			b.kept = append(b.kept, newKeptReader(r.storage[i-contract], column))
			continue
		}
		if err := b.put(f.Name, column); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// put notes a column of the contract.
func (b *batch) put(name string, column arrow.Array) error {
	switch c := column.(type) {
	case *array.String:
		t := map[string]*texts{
			"id": &b.id, "identity_type": &b.kind, "identity_hash": &b.hash, "country": &b.country, "current_uid": &b.uid, "previous_uid": &b.previous,
			"reason": &b.reason, "raw_reason": &b.rawReason, "rejected_by": &b.rejectedBy,
			"source_file": &b.sourceFile, "source_column": &b.sourceColumn,
		}[name]
		if t != nil {
			*t = texts{c, c.ValueBytes(), c.ValueOffset(0)}
			return nil
		}
	case *array.Int64:
		if name == "source_row" {
			b.sourceRow = c
			return nil
		}
	case *array.Timestamp:
		switch name {
		case "refresh_from":
			b.refreshFrom = c
			return nil
		case "mapped_at":
			b.mappedAt = c
			return nil
		}
	}
	return fmt.Errorf("column %s: this version does not know it; use a newer one", name)
}

// errorAt says in which row of its part something is wrong.
func (b *batch) errorAt(i int, err error) error {
	return fmt.Errorf("row %d: %w", b.line+int64(i)+1, err)
}

var errNoType = errors.New("has a hash, and a type that this version does not know; use a newer one")

// kindOf returns the type of a row that has a hash, which it looks at too, as at the country.
func (b *batch) kindOf(i int) (normalize.Kind, error) {
	if n := len(b.hash.at(i)); n != b.run.network.hashLen {
		return 0, fmt.Errorf("its hash has %d characters, not %d", n, b.run.network.hashLen)
	}
	if b.country.String != nil && !isCountry(b.country.at(i)) {
		return 0, errCountry
	}
	if b.kind.IsValid(i) {
		for kind := range normalize.Kinds {
			if string(b.kind.at(i)) == kind.String() {
				return kind, nil
			}
		}
	}
	return 0, errNoType
}

var errCountry = errors.New("has a country that is not two capitals")

func isCountry(text []byte) bool {
	return len(text) == 0 || len(text) == 2 && text[0]-'A' < 26 && text[1]-'A' < 26
}

// countryAt returns the country of an identity, zero if there is none, or no such column.
func (b *batch) countryAt(i int) (country [2]byte) {
	if b.country.String != nil {
		copy(country[:], b.country.at(i))
	}
	return country
}

// sourceRowAt returns the row of the input that a row was read from, 0 if it does not say.
func (b *batch) sourceRowAt(i int) int64 {
	if b.sourceRow.IsNull(i) {
		return 0
	}
	return b.sourceRow.Value(i)
}

// said is what a row says.
type said struct {
	status client.Status
	tier   byte
	life   lifeOf
}

// lifeOf is what a row says of the life of its pair, if its run tells of it.
type lifeOf uint8

const (
	begins     lifeOf = iota
	removed           // it ends
	suppressed        // it ends, whichever run says so
)

// said returns what a row says: one of mapped, if there are no reasons.
func (b *batch) said(i int) (said, error) {
	if b.reason.String == nil {
		return said{status: client.Mapped}, nil
	}
	reason, err := sinks.ParseReason(b.reason.Value(i))
	if err != nil {
		return said{}, err
	}
	switch reason {
	case sinks.ReasonOptOut:
		return said{status: client.OptOut}, nil
	case sinks.ReasonInvalidIdentifier:
		if b.rejectedBy.Value(i) == sinks.ByService.String() {
			return said{status: client.Invalid}, nil
		}
	case sinks.ReasonUnknown:
		return said{status: client.Unknown, tier: tierUnknown}, nil
	}
	return said{tier: tierSilent, life: lifeEnding(reason)}, nil
}

func lifeEnding(reason sinks.Reason) lifeOf {
	switch reason {
	case sinks.ReasonRemoved:
		return removed
	case sinks.ReasonSuppressed:
		return suppressed
	}
	return begins
}

// answer returns the texts and times of what a row says.
func (b *batch) answer(i int, status client.Status) answer {
	if status != client.Mapped {
		return answer{status: status, word: b.rawReason.at(i)}
	}
	a := answer{status: status, uid: b.uid.at(i)}
	if b.previous.String != nil && b.previous.IsValid(i) {
		a.previous = b.previous.at(i)
	}
	if b.refreshFrom.IsValid(i) {
		a.refreshFrom = int64(b.refreshFrom.Value(i))
	}
	return a
}
