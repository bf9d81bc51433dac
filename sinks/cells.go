package sinks

import (
	"encoding/binary"

	"mapper/normalize"
)

// cells are rows of refresh_from, column by column and encoded as in a page. They are part of a piece.
type cells struct {
	rows        int
	refreshFrom int64  // of all of them; 0 is null
	hash        []byte // texts behind their lengths, as are uid and id
	uid         []byte
	id          []byte // of those rows that have one
	mappedAt    []byte // 8 bytes each
	kinds       []byte // with kindHasID
	countries   []byte // 2 bytes each
}

// cells returns the rows of a piece.
func (p *piece) cells(network Network) cells {
	rest := p.data
	cut := func(n int) []byte {
		head := rest[:n]
		rest = rest[n:]
		return head
	}
	n := int(p.rows)
	return cells{
		rows: n, refreshFrom: p.refreshFrom,
		hash: cut(n * network.hashCell()), uid: cut(int(p.uids)), id: cut(int(p.ids)),
		mappedAt: cut(n * 8), kinds: cut(n), countries: cut(n * 2),
	}
}

// take cuts the first n rows off.
func (c *cells) take(n int) cells {
	if n == c.rows {
		all := *c
		c.rows = 0
		return all
	}
	cut := func(column *[]byte, n int) []byte {
		head := (*column)[:n]
		*column = (*column)[n:]
		return head
	}
	ids := 0
	for _, k := range c.kinds[:n] {
		ids += int(k / kindHasID)
	}
	head := cells{
		rows: n, refreshFrom: c.refreshFrom,
		hash: cut(&c.hash, textsLen(c.hash, n)), uid: cut(&c.uid, textsLen(c.uid, n)), id: cut(&c.id, textsLen(c.id, ids)),
		mappedAt: cut(&c.mappedAt, n*8), kinds: cut(&c.kinds, n), countries: cut(&c.countries, n*2),
	}
	c.rows -= n
	return head
}

// textsLen returns how many bytes the first n texts are, behind their lengths.
func textsLen(texts []byte, n int) int {
	at := 0
	for range n {
		at += 4 + int(binary.LittleEndian.Uint32(texts[at:]))
	}
	return at
}

// putCells are how cells get into the columns of refresh_from.
var putCells = map[string]func(*column, *cells){
	"id":            putIDCells,
	"identity_type": putKindCells,
	"identity_hash": func(c *column, from *cells) { c.texts(from.hash, from.rows) },
	"country":       putCountryCells,
	"current_uid":   func(c *column, from *cells) { c.texts(from.uid, from.rows) },
	"refresh_from": func(c *column, from *cells) {
		for range from.rows {
			c.integerOrNull(from.refreshFrom)
		}
	},
	"mapped_at": func(c *column, from *cells) { c.integers(from.mappedAt) },
}

// alike returns how many kinds from the first on are the same in some bits.
func alike(kinds []byte, bits byte) int {
	n := 1
	for n < len(kinds) && (kinds[n]^kinds[0])&bits == 0 {
		n++
	}
	return n
}

func putIDCells(c *column, from *cells) {
	if len(from.id) == 0 {
		c.noValues(from.rows)
		return
	}
	ids := from.id
	for kinds := from.kinds; len(kinds) > 0; {
		n := alike(kinds, kindHasID)
		if kinds[0]&kindHasID == 0 {
			c.noValues(n)
		} else {
			bytes := textsLen(ids, n)
			c.texts(ids[:bytes], n)
			ids = ids[bytes:]
		}
		kinds = kinds[n:]
	}
}

func putKindCells(c *column, from *cells) {
	for kinds := from.kinds; len(kinds) > 0; {
		n := alike(kinds, ^byte(kindHasID))
		c.words(normalize.Kind(kinds[0]&^kindHasID).String(), n)
		kinds = kinds[n:]
	}
}

func putCountryCells(c *column, from *cells) {
	for i := 0; i < len(from.countries); i += 2 {
		c.words(countryText([2]byte(from.countries[i:])), 1)
	}
}
