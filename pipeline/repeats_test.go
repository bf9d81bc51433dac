package pipeline

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"mapper/normalize"
)

// numbered returns an identity that is told from others by a number.
func numbered(n uint64) *normalize.ID {
	return &normalize.ID{Hash: sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))}
}

// TestRepeats: among repetitions of very many identities, those in a hundredth of them are found, with counts
// that miss a two hundred and fiftieth of all rows at most, wherever in the input they stand.
func TestRepeats(t *testing.T) {
	const rows = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	heavy := map[uint64]int{1: rows / 100, 2: rows / 50, 3: rows / 4}
	var input []uint64
	for n, count := range heavy {
		for range count {
			input = append(input, n)
		}
	}
	for len(input) < rows {
		input = append(input, 10+random.Uint64N(rows)) // many distinct ones, few of them twice
	}
	for _, order := range []string{"shuffled", "heavy first", "heavy last"} {
		switch order {
		case "shuffled":
			random.Shuffle(len(input), func(i, k int) { input[i], input[k] = input[k], input[i] })
		case "heavy first":
			slices.Sort(input)
		case "heavy last":
			slices.Reverse(input)
		}
		var r repeats
		for row, n := range input {
			r.add(numbered(n), 0, int64(row))
		}
		found := map[string]Repeated{}
		for _, f := range r.take(rows) {
			found[f.Identity] = f
		}
		for n, count := range heavy {
			var one repeats
			one.add(numbered(n), 0, 0)
			one.add(numbered(n), 0, 0)
			f := found[one.take(1)[0].Identity]
			if f.Count > int64(count) || f.Count < int64(count-rows/250) {
				t.Errorf("%s: identity %d counts %d, want %d", order, n, f.Count, count)
			}
			if f.Count > 0 && input[f.Row] != n {
				t.Errorf("%s: identity %d is said to stand in row %d, where %d stands", order, n, f.Row, input[f.Row])
			}
		}
		if r != (repeats{}) {
			t.Errorf("%s: taking leaves counts", order)
		}
	}
}

func TestRepeatsLeavesOutTheRare(t *testing.T) {
	var r repeats
	for n := range uint64(100) {
		for range n%3 + 1 {
			r.add(numbered(n), 0, 1)
		}
	}
	if got := r.take(10_000); len(got) != 0 {
		t.Errorf("got %+v, want nothing of 10,000 identifiers", got)
	}
}

// TestAddRepeated: counts of parts add up in any order, and the list stays short.
func TestAddRepeated(t *testing.T) {
	a := []Repeated{{"aa", 5, 0, 1}, {"bb", 4, 0, 2}}
	b := []Repeated{{"bb", 4, 1, 7}, {"cc", 1, 1, 8}}
	got := addRepeated(addRepeated(nil, a), b)
	want := []Repeated{{"bb", 8, 0, 2}, {"aa", 5, 0, 1}, {"cc", 1, 1, 8}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if a[1].Count != 4 || b[0].Count != 4 {
		t.Error("adding changes what is added")
	}
	var many []Repeated
	for i := range 3 * maxRepeated {
		many = append(many, Repeated{Identity: string(rune('a' + i)), Count: int64(i)})
	}
	if got = addRepeated(got, many); len(got) != maxRepeated || got[0].Count != 3*maxRepeated-1 {
		t.Errorf("%d are left, the first with %d", len(got), got[0].Count)
	}
}

// TestLooksAllocateNothing: neither counting repetitions nor looking for hashes that were not normalized costs
// memory for a row.
func TestLooksAllocateNothing(t *testing.T) {
	var r repeats
	one, other := numbered(1), numbered(2)
	if allocs := testing.AllocsPerRun(100, func() { r.add(one, 0, 1); r.add(other, 0, 2) }); allocs > 0 {
		t.Errorf("counting repetitions: %v allocations", allocs)
	}
	var u unnormalized
	row, raw := pair("Jane@Example.com", "jane@example.org")
	if allocs := testing.AllocsPerRun(100, func() { u.mark(row, func(uint8) normalize.Raw { return raw }) }); allocs > 0 {
		t.Errorf("looking at hashes: %v allocations", allocs)
	}
}

// BenchmarkRepeats counts rows that all repeat something: one identity, and as many as possible.
func BenchmarkRepeats(b *testing.B) {
	ids := make([]*normalize.ID, 1<<16)
	for i := range ids {
		ids[i] = numbered(uint64(i))
	}
	for name, mask := range map[string]int{"one": 0, "many": len(ids) - 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var r repeats
			i := 0
			for b.Loop() {
				r.add(ids[i&mask], 0, int64(i))
				i++
			}
		})
	}
}
