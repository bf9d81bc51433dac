package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"mapper/client/objects"
	"mapper/pipeline"
	"mapper/sources"
)

// TestDeal: every stretch of every input is dealt once, in the order of the inputs, and evenly where inputs can be cut.
func TestDeal(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var inputs []pipeline.Input
		var total, largest int64 // bytes, and those of what cannot be cut
		for range random.IntN(12) {
			layout := sources.Layout{Format: sources.CSV, Rows: -1}
			size := random.Int64N(1 << random.IntN(30))
			least := size
			if random.IntN(2) == 0 {
				layout = sources.Layout{Format: sources.Parquet, Groups: make([]int64, random.IntN(200))}
				for g := range layout.Groups {
					layout.Groups[g] = 1000
					layout.Rows += 1000
				}
				least = size / int64(max(1, len(layout.Groups)))
			}
			total, largest = total+size, max(largest, least+1)
			inputs = append(inputs, pipeline.Input{Source: sources.Reopen(objects.Object{Size: size}, layout, sources.Options{})})
		}
		n := 1 + random.IntN(20)
		shards := deal(inputs, n)
		if len(shards) != n {
			t.Fatalf("%d shards, want %d", len(shards), n)
		}
		dealt := make(map[string]int)
		for _, shares := range shards {
			bytes, last := int64(0), -1
			for _, in := range sliceOf(inputs, shares) {
				from, to := in.Source.Span()
				bytes += to - from
			}
			for _, s := range shares {
				if s.Input < last {
					t.Fatalf("seed %d: %v is not in order", seed, shares)
				}
				last = s.Input
				for g := s.Split.First; g < max(1, s.Split.Last); g++ {
					if s.Split == (sources.Split{}) {
						for g := range max(1, len(inputs[s.Input].Source.Layout.Groups)) {
							dealt[fmt.Sprint(s.Input, g)]++
						}
						break
					}
					dealt[fmt.Sprint(s.Input, g)]++
				}
			}
			// No shard has more than its share, and one piece more.
			if most := total/int64(n) + max(largest, total/int64(n*piecesPerShard)+largest); bytes > most {
				t.Errorf("seed %d: a shard of %d has %d bytes of %d, at most %d expected", seed, n, bytes, total, most)
			}
		}
		want := 0
		for i, in := range inputs {
			for g := range in.Source.Splits() {
				if want++; dealt[fmt.Sprint(i, g)] != 1 {
					t.Errorf("seed %d: split %d of input %d was dealt %d times", seed, g, i, dealt[fmt.Sprint(i, g)])
				}
			}
		}
		if len(dealt) != want {
			t.Errorf("seed %d: %d splits were dealt of %d", seed, len(dealt), want)
		}
	}
}

// TestShardsShareTheLimits: together they have what one process has, and each has something.
func TestShardsShareTheLimits(t *testing.T) {
	for _, n := range []int{1, 3, 7, 20, 21, 64} {
		var each []int
		sum := 0
		for k := range n {
			m := Map{MaxInFlight: 20, MaxRPS: 100, Shard: Shard{K: k, N: n}}
			each = append(each, m.inFlight())
			sum += m.inFlight()
			if rps := m.rps(); rps != 100/float64(n) {
				t.Errorf("%d shards: %g requests a second each", n, rps)
			}
		}
		if sum != max(20, n) || slices.Max(each)-slices.Min(each) > 1 {
			t.Errorf("%d shards have %v", n, each)
		}
	}
}
