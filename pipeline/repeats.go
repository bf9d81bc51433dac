package pipeline

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"mapper/normalize"
)

// Repeated is an identity that stands in many rows, probably a placeholder such as noemail@example.com.
type Repeated struct {
	Identity string `json:"identity,omitempty"` // the first 8 bytes of its hash, in hex: enough to add up parts, of which alone it stands
	Count    int64  `json:"count"`              // rows that repeat it, within about 0.5 % of all identifiers
	Input    int    `json:"input"`              // where one of them is
	Row      int64  `json:"row"`                // data row there, from 1
}

// maxRepeated bounds the identities that a part, and a run, names as repeated.
const maxRepeated = 32

// repeats finds the identities that a part repeats most, in fixed memory and a few nanoseconds. Each slot is a
// vote (the majority algorithm of Boyer and Moore) among the identities whose hashes lead there: a row counts
// for its own and against the others. Of n repetitions an identity loses about n/len(slots); only when another one
// as frequent leads to the same slot, the rarer of them is not seen. Rows count only when their identity was
// asked shortly before, so rows that differ cost nothing; what stands in a hundredth of the rows is always among
// those asked last.
type repeats struct {
	slots [1024]repeat
}

type repeat struct {
	key   uint64 // the first 8 bytes of the hash
	n     int64
	input int
	row   int64
}

// add counts a row that repeats an identity.
func (r *repeats) add(id *normalize.ID, input int, row int64) {
	key := binary.BigEndian.Uint64(id.Hash[:])
	switch s := &r.slots[key%uint64(len(r.slots))]; {
	case s.n == 0:
		*s = repeat{key: key, n: 1, input: input, row: row}
	case s.key == key:
		s.n++
	default:
		s.n--
	}
}

// take returns what was counted most and begins anew. What stands in less than a five-hundredth of the identifiers
// is left out, so that most parts name nothing.
func (r *repeats) take(identifiers int64) []Repeated {
	var list []Repeated
	for i := range r.slots {
		if s := &r.slots[i]; s.n >= max(2, identifiers/500) {
			id := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, s.key))
			list = append(list, Repeated{Identity: id, Count: s.n, Input: s.input, Row: s.row})
		}
	}
	*r = repeats{}
	return mostRepeated(list)
}

// mostRepeated sorts by count and cuts off what is too much.
func mostRepeated(list []Repeated) []Repeated {
	slices.SortFunc(list, func(a, b Repeated) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Identity, b.Identity))
	})
	return list[:min(len(list), maxRepeated)]
}

// addRepeated adds up what parts repeat. Neither list is changed.
func addRepeated(sum, more []Repeated) []Repeated {
	sum = slices.Clone(sum)
	for _, m := range more {
		i := slices.IndexFunc(sum, func(r Repeated) bool { return r.Identity == m.Identity })
		if i >= 0 {
			sum[i].Count += m.Count
		} else {
			sum = append(sum, m)
		}
	}
	return mostRepeated(sum)
}
