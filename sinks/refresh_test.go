package sinks

import (
	"bytes"
	"testing"
)

// TestRefreshRowsMemory keeps rows of all sizes for part after part: the memory of the first one does for all, what held says
// of it is what the rows need and little more, and a huge id is forgotten.
func TestRefreshRowsMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		times, idBytes, rows int
		room                 float64 // how much more is held than needed
	}{
		"raw UIDs alone":      {30, 0, 5 * refreshBatchRows, 1.06},
		"one refresh_from":    {1, 8, 5 * refreshBatchRows, 1.06},
		"ids of half a piece": {1, pieceBytes / 2, 2000, 1.06},
		"ids of a kilobyte":   {3, 1 << 10, 20_000, 1.06},
		"ids of many pieces":  {30, 10 * pieceBytes, 200, 1.2},
		"ids beyond a slab":   {3, 2 * slabBytes, 10, 1.2},
		"all at other times":  {1 << 30, 8, 10 * refreshBatchRows, 1.06},
	} {
		rows := benchRows(1 << 10)
		s := newRefreshRows(NetworkUID2)
		id := bytes.Repeat([]byte("i"), tt.idBytes)
		part := func() {
			for i := range tt.rows {
				r := &rows[i%len(rows)]
				r.ID, r.HasID = id, tt.idBytes > 0
				r.RefreshFrom = int64(1 + i*7%tt.times)
				s.add(r)
			}
			s.sorted()
		}
		part()
		needed := 0
		for _, p := range s.pieces {
			needed += len(p.data) + 48
		}
		if held := s.held(); held < int64(needed) || float64(held) > float64(needed)*tt.room+slabBytes {
			t.Errorf("%s: %d bytes are held, %d needed", name, held, needed)
		}
		s.reset()
		if s.held() != 0 {
			t.Errorf("%s: %d bytes are held of no rows", name, s.held())
		}
		huge := tt.idBytes > 2*refreshBatchBytes
		if n := testing.AllocsPerRun(3, func() { part(); s.reset() }); n > 0 && !huge {
			t.Errorf("%s: %v allocations for a part like the first", name, n)
		}
	}
	s := newRefreshRows(NetworkUID2)
	r := &benchRows(1)[0]
	r.ID = make([]byte, 3*refreshBatchBytes)
	s.add(r)
	if held := s.held(); held < 3*refreshBatchBytes {
		t.Errorf("%d bytes are held of a batch with a huge id", held)
	}
	s.sorted()
	if cap(s.batch.texts) > 2*refreshBatchBytes {
		t.Errorf("a batch keeps %d bytes", cap(s.batch.texts))
	}
}
