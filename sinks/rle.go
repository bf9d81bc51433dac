package sinks

import "encoding/binary"

// Parquet writes definition levels and dictionary indices in a hybrid of run lengths and bit packing: runs,
// each behind a varint. An even one, count<<1, is followed by one value in as few whole bytes as hold the
// width; an odd one, groups<<1|1, by groups of eight values packed from the lowest bit up.

// run is a value and how many rows in a row have it. Runs next to each other have different values.
type run struct{ value, count uint32 }

// shortestRun is from how many equal values on a run length is shorter than packing them.
const shortestRun = 8

// appendHybrid appends runs of values, each less than 1<<width. The last group is padded with zeros. Values too few for a
// run length go through loose, memory that is handed back to be used again.
func appendHybrid(dst []byte, runs []run, width int, loose []uint32) ([]byte, []uint32) {
	loose = loose[:0]
	for _, r := range runs {
		n := r.count
		// The values before the run are packed in whole groups, so they borrow from it.
		for ; n > 0 && len(loose)%8 != 0; n-- {
			loose = append(loose, r.value)
		}
		if n >= shortestRun {
			dst = appendRun(appendPacked(dst, loose, width), r.value, int(n), width)
			loose, n = loose[:0], 0
		}
		for ; n > 0; n-- {
			loose = append(loose, r.value)
		}
	}
	return appendPacked(dst, loose, width), loose
}

func appendRun(dst []byte, value uint32, count, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(count)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

func appendPacked(dst []byte, values []uint32, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var bits uint64
	have := 0
	for _, v := range values {
		bits |= uint64(v) << have
		for have += width; have >= 8; have -= 8 {
			dst = append(dst, byte(bits))
			bits >>= 8
		}
	}
	for len(dst) < end {
		dst = append(dst, byte(bits))
		bits >>= 8
	}
	return dst
}

// setBits sets n bits from one on; from the lowest bit of a byte up, as they stand in definition levels.
func setBits(bits []byte, from, n int) {
	for ; n > 0 && from&7 != 0; from, n = from+1, n-1 {
		bits[from>>3] |= 1 << (from & 7)
	}
	for ; n >= 8; from, n = from+8, n-8 {
		bits[from>>3] = 0xff
	}
	for ; n > 0; from, n = from+1, n-1 {
		bits[from>>3] |= 1 << (from & 7)
	}
}

// levelsRoom is what putLevels needs at most for a page of that many rows.
func levelsRoom(rows int) int { return 4 + binary.MaxVarintLen32 + (rows+7)/8 }

// putLevels writes the definition levels of a page of rows>0 rows to the end of room and returns where they
// begin. Bit i of present says whether row i has a value.
func putLevels(room, present []byte, rows, nulls int) (start int) {
	levels := present[:(rows+7)/8]
	header := uint64(len(levels))<<1 | 1
	if nulls == 0 || nulls == rows {
		levels = levels[:1]
		levels[0] &= 1 // all rows are as the first
		header = uint64(rows) << 1
	}
	var varint [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(varint[:], header)
	start = len(room) - len(levels) - n - 4
	binary.LittleEndian.PutUint32(room[start:], uint32(n+len(levels)))
	copy(room[start+4:], varint[:n])
	copy(room[start+4+n:], levels)
	return start
}
