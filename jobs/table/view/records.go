package view

import (
	"errors"

	"mapper/client"
	"mapper/normalize"
)

// row turns a row of a batch into records. It has a number among those of its run.
func (p *partReader) row(b *batch, r *run, i int, number uint64) error {
	if b.hash.IsNull(i) {
		return nil
	}
	if err := p.identity(b, i); err != nil {
		return err
	}
	said, err := b.said(i)
	if err != nil {
		return err
	}
	if !said.silent {
		answer := b.answer(i, said.status)
		at := int64(b.mappedAt.Value(i))
		p.key = appendAnswer(p.key[:identityLen], said.tier, at, said.status == client.OptOut, r.place, number)
		p.value = answer.append(p.value[:0])
		if err := p.to.add(p.key, p.value); err != nil {
			return err
		}
	}
	if !r.life {
		return nil
	}
	return p.life(b, r, i, !said.ends, number)
}

var errNoType = errors.New("has a hash, and a type that this version does not know; use a newer one")

// identity begins a key.
func (p *partReader) identity(b *batch, i int) error {
	kind := normalize.KindEmail
	for b.kind.IsNull(i) || b.kind.Value(i) != kind.String() {
		if kind++; kind == normalize.Kinds {
			return errNoType
		}
	}
	hash := b.hash.at(i)
	p.key = appendIdentity(p.key[:0], kind, hash)
	var id normalize.ID
	return decodeHash(&id, hash)
}

// life adds what a row says of its pair.
func (p *partReader) life(b *batch, r *run, i int, live bool, number uint64) error {
	p.key = appendLife(p.key[:identityLen], b.id.at(i), b.id.IsValid(i), r.rank, number)
	l := life{live: live}
	if b.sourceFile.IsValid(i) {
		l.file = p.words.of(b.sourceFile.Value(i))
	}
	if b.sourceColumn.IsValid(i) {
		l.column = p.words.of(b.sourceColumn.Value(i))
	}
	if b.sourceRow.IsValid(i) {
		l.row = b.sourceRow.Value(i)
	}
	p.value = l.append(p.value[:0])
	for k := range b.kept {
		p.value = b.kept[k].append(p.value, i)
	}
	return p.to.add(p.key, p.value)
}
