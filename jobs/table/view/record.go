package view

import (
	"encoding/binary"

	"mapper/client"
)

// The value of a row is what it says of its identity, and then, if it tells of life, what it says of its pair.

// answer is what a row says of its identity, but for the time, which is in the key.
type answer struct {
	status              client.Status
	refreshFrom         int64 // Unix milliseconds; 0: none
	uid, previous, word []byte
}

func (a *answer) append(dst []byte) []byte {
	dst = append(dst, byte(a.status))
	dst = binary.AppendVarint(dst, a.refreshFrom)
	for _, text := range [...][]byte{a.uid, a.previous, a.word} {
		dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	return dst
}

// take is the inverse of append. The texts are slices of what they are taken from.
func (a *answer) take(d *decoder) {
	a.status = client.Status(d.byte())
	a.refreshFrom = d.varint()
	a.uid, a.previous, a.word = d.text(), d.text(), d.text()
}

// pair is the id of a pair. Its life follows.
type pair struct {
	id    []byte
	hasID bool
}

func (p *pair) append(dst []byte) []byte {
	if !p.hasID {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(p.id))+1), p.id...)
}

// take is the inverse of append.
func (p *pair) take(d *decoder) {
	n := d.uvarint()
	p.hasID, p.id = n > 0, nil
	if p.hasID {
		p.id = d.bytes(int(min(n-1, maxArena)))
	}
}

// life is what a row says of its pair. The values of kept columns follow, see keptReader and keptColumn.
type life struct {
	live         bool
	file, column uint32 // words
	row          int64
}

func (l *life) append(dst []byte) []byte {
	live := byte(0)
	if l.live {
		live = 1
	}
	dst = append(dst, live)
	dst = binary.AppendUvarint(dst, uint64(l.file))
	dst = binary.AppendUvarint(dst, uint64(l.column))
	return binary.AppendVarint(dst, l.row)
}

// take is the inverse of append.
func (l *life) take(d *decoder) {
	l.live = d.byte() != 0
	l.file, l.column = uint32(d.uvarint()), uint32(d.uvarint())
	l.row = d.varint()
}

// decoder takes values off the front of a record. After its first error, all are zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail() { d.rest, d.err = nil, errDamagedSpill }

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail()
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() []byte { return d.bytes(int(min(d.uvarint(), maxArena))) }

// end fails when there is something left.
func (d *decoder) end() error {
	if len(d.rest) > 0 {
		d.fail()
	}
	return d.err
}
