package sinks

import (
	"cmp"
	"encoding/binary"
	"slices"

	"mapper/normalize"
)

// refreshRows keeps what the dataset refresh_from needs of the mapped rows of a part until it can be written in its order.
//
// Rows are gathered in a batch that fits into a cache. A full batch is dealt into pieces, of one refresh_from each, in which
// rows stand as they will in the file: column by column, encoded. So the memory that a part takes is written and read
// from front to back, and at the end pieces are put in order and not rows.
type refreshRows struct {
	network Network
	batch   refreshBatch
	pieces  []piece
	slabs   [][]byte // of the data of pieces; those beyond len are to be used again
	rows    int
	bytes   int64 // of the slabs, with the room that is left in them
}

// A batch is full with so many rows or so many bytes of their texts. A piece ends with the row by which it has so many bytes
// of raw UIDs and ids: it is to be small beside a slab and beside a page.
const (
	refreshBatchRows  = 4096
	refreshBatchBytes = 256 << 10
	pieceBytes        = 16 << 10
	slabBytes         = 1 << 20
)

func newRefreshRows(network Network) *refreshRows {
	s := &refreshRows{network: network}
	s.batch.rows = make([]refreshRow, 0, refreshBatchRows)
	s.batch.number = make(map[int64]uint16)
	return s
}

// refreshBatch are the rows that came last, as they came.
type refreshBatch struct {
	rows  []refreshRow
	texts []byte // of each row: its raw UID and its id, behind their lengths

	times  []refreshTime
	number map[int64]uint16 // of a refresh_from in times
	recent [1024]uint16     // the same without the map, for those used last; by a hash of the refresh_from
	order  []uint16         // the rows by their refresh_from
}

// refreshRow is a row of a batch.
type refreshRow struct {
	identity normalize.ID
	time     uint16 // of refreshBatch.times
	at       uint32 // of its texts
	uid, id  uint32 // how many bytes of them are the raw UID, and the id; none for a null
	mappedAt int64
}

// refreshTime is a distinct refresh_from of a batch and how many rows have it. A service hands out few.
type refreshTime struct {
	value int64
	rows  int
}

// add keeps a mapped row.
func (s *refreshRows) add(r *Row) {
	b := &s.batch
	if len(b.rows) == refreshBatchRows || len(b.texts) >= refreshBatchBytes {
		s.deal()
	}
	b.rows = b.rows[:len(b.rows)+1]
	row := &b.rows[len(b.rows)-1]
	*row = refreshRow{identity: r.Identity, time: b.time(r.RefreshFrom), at: uint32(len(b.texts)), mappedAt: r.MappedAt}
	b.texts = append(binary.LittleEndian.AppendUint32(b.texts, uint32(len(r.UID))), r.UID...)
	row.uid = uint32(len(b.texts)) - row.at
	if r.HasID { // an empty id is not a null
		b.texts = append(binary.LittleEndian.AppendUint32(b.texts, uint32(len(r.ID))), r.ID...)
		row.id = uint32(len(b.texts)) - row.at - row.uid
	}
	s.rows++
}

// time returns the number of a refresh_from, and counts it.
func (b *refreshBatch) time(value int64) uint16 {
	recent := &b.recent[uint64(value)*0x9e3779b97f4a7c15>>54]
	if int(*recent) >= len(b.times) || b.times[*recent].value != value {
		n, ok := b.number[value]
		if !ok {
			n = uint16(len(b.times))
			b.number[value] = n
			b.times = append(b.times, refreshTime{value: value})
		}
		*recent = n
	}
	b.times[*recent].rows++
	return *recent
}

// deal makes pieces of the batch.
func (s *refreshRows) deal() {
	b := &s.batch
	b.sort()
	rows := b.order
	for _, t := range b.times {
		for n := t.rows; n > 0; {
			these := b.start(rows[:n])
			s.pieces = append(s.pieces, s.piece(t.value, these))
			rows, n = rows[len(these):], n-len(these)
		}
	}
	b.reset()
}

// start returns those of the rows that make up the next piece.
func (b *refreshBatch) start(rows []uint16) []uint16 {
	bytes := uint32(0)
	for n, i := range rows {
		if bytes += b.rows[i].uid + b.rows[i].id; bytes >= pieceBytes {
			return rows[:n+1]
		}
	}
	return rows
}

// sort sets the order of the rows: by the number of their refresh_from, and as they came.
func (b *refreshBatch) sort() {
	b.order = slices.Grow(b.order[:0], len(b.rows))[:len(b.rows)]
	var next [refreshBatchRows]uint16
	sum := 0
	for i, t := range b.times {
		next[i] = uint16(sum)
		sum += t.rows
	}
	for i := range b.rows {
		at := &next[b.rows[i].time]
		b.order[*at] = uint16(i)
		*at++
	}
}

func (b *refreshBatch) reset() {
	b.rows, b.texts, b.times = b.rows[:0], b.texts[:0], b.times[:0]
	clear(b.number)
	if cap(b.texts) > 2*refreshBatchBytes { // a huge id is not to be paid for ever after
		b.texts = nil
	}
}

// piece are rows of one refresh_from as they will stand in the file.
type piece struct {
	refreshFrom int64
	number      uint32 // in the order in which they were made
	rows        uint32
	uids, ids   uint32 // how many bytes of data the raw UIDs and the ids are

	// The hashes, raw UIDs and ids behind their lengths; mapped_at, 8 bytes each; the kinds, a byte each, and the
	// countries, 2 bytes each.
	data []byte
}

// piece encodes rows of the batch.
func (s *refreshRows) piece(refreshFrom int64, rows []uint16) piece {
	p := piece{refreshFrom: refreshFrom, number: uint32(len(s.pieces)), rows: uint32(len(rows))}
	b := &s.batch
	for _, i := range rows {
		p.uids += b.rows[i].uid
		p.ids += b.rows[i].id
	}
	slab := s.slab(len(rows)*(s.network.hashCell()+8+1+2) + int(p.uids+p.ids))
	to := *slab
	for _, i := range rows {
		to = s.network.appendHash(to, &b.rows[i].identity)
	}
	for _, i := range rows {
		r := &b.rows[i]
		to = append(to, b.texts[r.at:r.at+r.uid]...)
	}
	if p.ids > 0 {
		for _, i := range rows {
			r := &b.rows[i]
			to = append(to, b.texts[r.at+r.uid:r.at+r.uid+r.id]...)
		}
	}
	for _, i := range rows {
		to = binary.LittleEndian.AppendUint64(to, uint64(b.rows[i].mappedAt))
	}
	for _, i := range rows {
		r := &b.rows[i]
		kind := byte(r.identity.Kind)
		if r.id > 0 {
			kind |= kindHasID
		}
		to = append(to, kind)
	}
	for _, i := range rows {
		to = append(to, b.rows[i].identity.Country[:]...)
	}
	p.data = to[len(*slab):]
	*slab = to
	return p
}

// kindHasID is set in the kind of a row that has an id.
const kindHasID = 0x80

// slab returns the slab to append n bytes to.
func (s *refreshRows) slab(n int) *[]byte {
	if last := len(s.slabs) - 1; last >= 0 && cap(s.slabs[last])-len(s.slabs[last]) >= n {
		return &s.slabs[last]
	}
	next := len(s.slabs)
	s.slabs = slices.Grow(s.slabs, 1)[:next+1]
	slab := &s.slabs[next]
	if cap(*slab) < n {
		*slab = make([]byte, 0, max(n, slabBytes))
	}
	*slab = (*slab)[:0]
	s.bytes += int64(cap(*slab))
	return slab
}

// sorted returns all rows in the order of (refresh_from, arrival), those without a refresh_from last.
func (s *refreshRows) sorted() []piece {
	s.deal()
	slices.SortFunc(s.pieces, func(a, b piece) int {
		return cmp.Or(compareTimes(a.refreshFrom, b.refreshFrom), cmp.Compare(a.number, b.number))
	})
	return s.pieces
}

// compareTimes compares two refresh_from. 0 stands for null, which comes last.
func compareTimes(a, b int64) int {
	switch {
	case a == b:
		return 0
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return cmp.Compare(a, b)
}

// held returns how many bytes the rows take.
func (s *refreshRows) held() int64 {
	const row, piece = 64, 48
	return s.bytes + int64(len(s.batch.rows)*row+len(s.batch.texts)+len(s.pieces)*piece)
}

func (s *refreshRows) reset() {
	s.batch.reset()
	clear(s.pieces) // which refer to slabs that may be replaced
	s.pieces, s.slabs = s.pieces[:0], s.slabs[:0]
	s.rows, s.bytes = 0, 0
}
