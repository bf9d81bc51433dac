package sinks

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRefreshSort compares with the library's sort: groups of all sizes that are sorted differently, hashes that are spread
// evenly, that have much in common, and that are the same.
func TestRefreshSort(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, few, few + 1, 1000, scratchKeys, 3 * scratchKeys} {
		for name, hash := range map[string]func() uint64{
			"even":       random.Uint64,
			"low bits":   func() uint64 { return random.Uint64N(1 << 20) },
			"middle":     func() uint64 { return random.Uint64N(1<<10) << 30 },
			"few":        func() uint64 { return random.Uint64N(5) << 61 },
			"one":        func() uint64 { return 7 },
			"one or two": func() uint64 { return uint64(random.IntN(1000)/999) << 40 },
		} {
			rows := newRefreshRows()
			r := benchRows(1)[0]
			for range n {
				binary.BigEndian.PutUint64(r.Identity.Hash[:], hash())
				r.Identity.Hash[31] = byte(random.IntN(2))
				r.RefreshFrom = int64(random.IntN(3)) // 0 is none
				if n > scratchKeys {
					r.RefreshFrom = 1
				}
				rows.add(&r)
			}
			rows.sort()
			got := slices.Clone(rows.keys)
			time := func(k refreshKey) int64 {
				var r Row
				rows.row(k.place, &r)
				return r.RefreshFrom
			}
			slices.SortFunc(rows.keys, func(a, b refreshKey) int {
				if c := compareTimes(time(a), time(b)); c != 0 {
					return c
				}
				return rows.compare(a, b)
			})
			if len(got) != n || !slices.Equal(got, rows.keys) {
				t.Errorf("%d keys, %s: not in order", n, name)
			}
		}
	}
}
