package view

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"mapper/normalize"
	"mapper/pipeline"
)

// The key of an identifier that can be asked is that of its pair, which is the packed identity and the id, and then
// where it was read. The key of any other, and of a malformed line, begins with a byte that comes after all types, and
// goes on with where it was read.
//
// The value begins, if the key has no pair, with what such a key lacks. Then come flags, the note and the kept columns.

// noIdentity begins the keys without a pair. The zeros are there because a sorter wants 8 bytes.
const noIdentity = byte(normalize.Kinds)

var noPair = [8]byte{noIdentity}

const (
	flagBegins byte = 1 << iota // the line
	flagUnnormalized
	flagKept
)

// recordOverhead is how many bytes a sorter puts before a record at most.
const recordOverhead = 2 * binary.MaxVarintLen32

func isIdentity(r *pipeline.Read) bool {
	return r.Malformed == "" && r.Refusal == normalize.ReasonNone
}

func appendReadKey(dst []byte, r *pipeline.Read) []byte {
	if isIdentity(r) {
		dst = appendID(appendPacked(dst, &r.Identity), r.ID, r.HasID)
	} else {
		dst = append(dst, noPair[:]...)
	}
	dst = appendOrdered(dst, uint64(r.Input))
	dst = appendOrdered(dst, uint64(r.Row))
	return append(dst, r.Column)
}

// appendRead appends a value, but for the kept columns.
func appendRead(dst []byte, r *pipeline.Read) []byte {
	flags := byte(0)
	if r.Begins || r.Malformed != "" {
		flags |= flagBegins
	}
	if r.Unnormalized {
		flags |= flagUnnormalized
	}
	if r.Kept != nil {
		flags |= flagKept
	}
	if isIdentity(r) {
		return append(dst, flags, byte(r.Note))
	}
	has := byte(0)
	if r.Malformed != "" {
		has |= hasMalformed
	}
	if r.HasID {
		has |= hasID
	}
	dst = append(dst, has, byte(r.Identity.Kind), byte(r.Refusal))
	dst = append(binary.AppendUvarint(dst, uint64(len(r.Malformed))), r.Malformed...)
	dst = append(binary.AppendUvarint(dst, uint64(len(r.ID))), r.ID...)
	return append(dst, flags, byte(r.Note))
}

// unaskable is what stands in the value because the key has no pair.
type unaskable struct {
	kind        normalize.Kind
	refusal     normalize.Reason
	isMalformed bool
	malformed   []byte
	hasID       bool
	id          []byte
}

const (
	hasMalformed byte = 1 << iota
	hasID
)

// takeUnaskable takes it off a value, of which the texts are slices.
func takeUnaskable(d *decoder) unaskable {
	has := d.byte()
	return unaskable{
		isMalformed: has&hasMalformed != 0, hasID: has&hasID != 0,
		kind: normalize.Kind(d.byte()), refusal: normalize.Reason(d.byte()),
		malformed: d.text(), id: d.text(),
	}
}

// pairKey returns the part of a key that is the pair, and what follows.
func pairKey(key []byte) (pair, place []byte, err error) {
	if len(key) <= packedLen {
		return nil, nil, errDamagedSpill
	}
	if key[packedLen] == 0 {
		return key[:packedLen+1], key[packedLen+1:], nil
	}
	for at := packedLen + 1; ; at += 2 { // a zero byte is followed by 0xff, or by the zero that ends the id
		i := bytes.IndexByte(key[at:], 0)
		if i < 0 || at+i+1 == len(key) {
			return nil, nil, errDamagedSpill
		}
		if at += i; key[at+1] == 0 {
			return key[:at+2], key[at+2:], nil
		}
	}
}

// takePlace takes where a task was read off the end of a key.
func takePlace(place []byte, t *pipeline.Task) error {
	d := decoder{rest: place}
	t.Input, t.Row, t.Column = int(takeOrdered(&d)), int64(takeOrdered(&d)), d.byte()
	return d.end()
}

// Numbers in keys compare as bytes do. Small ones are a byte; before others stands how many bytes they have.
const orderedLen = 0xff - 8

func appendOrdered(dst []byte, n uint64) []byte {
	if n <= orderedLen {
		return append(dst, byte(n))
	}
	width := (bits.Len64(n) + 7) / 8
	dst = append(dst, byte(orderedLen+width))
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

func takeOrdered(d *decoder) uint64 {
	first := d.byte()
	if first <= orderedLen {
		return uint64(first)
	}
	n := uint64(0)
	for _, b := range d.bytes(int(first - orderedLen)) {
		n = n<<8 | uint64(b)
	}
	return n
}
