package sinks

import (
	"encoding/binary"
	"math/bits"
)

// dictionary holds the distinct values of a dictionary-encoded column in the open row group, and for the
// rows of the open page which value they have.
type dictionary struct {
	index map[string]uint32
	plain []byte // the values as they stand in a dictionary page: length and bytes

	last      string // most rows have the value of the row before
	lastIndex uint32

	indices []run    // of the rows of the open page
	loose   []uint32 // memory for encoding them, of 64 KB at most
}

func newDictionary() *dictionary { return &dictionary{index: make(map[string]uint32)} }

// add appends n rows of one value.
func (d *dictionary) add(v string, n int) {
	if v != d.last || len(d.index) == 0 {
		d.last, d.lastIndex = v, d.find(v)
	}
	if last := len(d.indices) - 1; last >= 0 && d.indices[last].value == d.lastIndex {
		d.indices[last].count += uint32(n)
		return
	}
	d.indices = append(d.indices, run{d.lastIndex, uint32(n)})
}

func (d *dictionary) find(v string) uint32 {
	i, ok := d.index[v]
	if !ok {
		i = uint32(len(d.index))
		d.index[v] = i
		d.plain = append(binary.LittleEndian.AppendUint32(d.plain, uint32(len(v))), v...)
	}
	return i
}

// appendPage appends the values of the open page: their width in bits, then their indices in the hybrid
// encoding. It forgets them. Later pages may be wider, as the dictionary grows.
func (d *dictionary) appendPage(dst []byte) []byte {
	width := max(1, bits.Len(uint(len(d.index)-1))) // not every reader knows what to do with a width of 0
	dst, d.loose = appendHybrid(append(dst, byte(width)), d.indices, width, d.loose)
	d.indices = d.indices[:0]
	return dst
}

func (d *dictionary) reset() {
	clear(d.index)
	d.plain = d.plain[:0]
	d.last, d.lastIndex = "", 0
	d.indices = d.indices[:0]
}

// held returns how many bytes are in memory for the open row group.
func (d *dictionary) held() int64 {
	const entry = 32 // of the map: the string's header, the index, and what the map leaves free
	return int64(len(d.plain)) + int64(len(d.index))*entry + int64(len(d.indices))*8
}
