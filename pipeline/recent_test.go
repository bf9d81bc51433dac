package pipeline

import (
	"math/rand/v2"
	"testing"

	"mapper/normalize"
)

// TestRecentIsAFIFO compares recent with the plainest thing that does the same, over far more identities than
// it remembers, so that it forgets and rebuilds many times.
func TestRecentIsAFIFO(t *testing.T) {
	const size = 64
	rng := rand.New(rand.NewPCG(1, 2))
	r := newRecent(size)
	var order []normalize.ID
	find := func(id normalize.ID) (uint64, bool) {
		for n := len(order) - 1; n >= max(0, len(order)-size); n-- {
			if order[n] == id {
				return uint64(n), true
			}
		}
		return 0, false
	}
	for range 100_000 {
		id := normalize.ID{Kind: normalize.Kind(rng.IntN(2))}
		id.Hash[rng.IntN(2)] = byte(rng.IntN(100))
		n, ok := r.find(&id, nil, r.hash(&id))
		wantN, wantOK := find(id)
		if n != wantN || ok != wantOK {
			t.Fatalf("after %d identities: find = %d, %v; want %d, %v", len(order), n, ok, wantN, wantOK)
		}
		if !ok {
			if got := r.add(&id, nil, r.hash(&id)); got != uint64(len(order)) {
				t.Fatalf("add = %d, want %d", got, len(order))
			}
			order = append(order, id)
		}
	}
	if len(order) < 20*size {
		t.Fatalf("only %d identities were added: too few to forget and rebuild", len(order))
	}
}

func BenchmarkRecent(b *testing.B) {
	r := newRecent(1 << 16)
	var id normalize.ID
	rng := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		x := rng.Uint64()
		for i := range 8 {
			id.Hash[i] = byte(x >> (8 * i))
		}
		if _, ok := r.find(&id, nil, r.hash(&id)); !ok {
			r.add(&id, nil, r.hash(&id))
		}
	}
}
