package view

import (
	"errors"
	"fmt"

	"mapper/client"
	"mapper/normalize"
)

// row turns a row of a batch into a record. It has a number among those of its run.
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
	tellsLife := r.life || said.life == suppressed
	if said.tier == tierSilent && !tellsLife {
		return nil
	}
	p.key = appendAnswer(p.key, said.tier, int64(b.mappedAt.Value(i)), said.status == client.OptOut, r.place, number)
	var a answer
	if said.tier != tierSilent {
		a = b.answer(i, said.status)
	}
	p.value = a.append(p.value[:0])
	if tellsLife {
		p.life(b, i, said.life == begins)
	}
	return p.put(p.key, p.value)
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
	if len(hash) != normalize.Base64Len {
		return fmt.Errorf("its hash has %d characters, not %d", len(hash), normalize.Base64Len)
	}
	p.key = appendIdentity(p.key[:0], kind, hash)
	return nil
}

// life goes on with what a row says of its pair.
func (p *partReader) life(b *batch, i int, live bool) {
	id := pair{hasID: b.id.IsValid(i)}
	if id.hasID {
		id.id = b.id.at(i)
	}
	l := life{live: live}
	if b.sourceRow != nil { // which is not read of a run that tells of no life but its end
		if b.sourceFile.IsValid(i) {
			l.file = p.words.of(b.sourceFile.Value(i))
		}
		if b.sourceColumn.IsValid(i) {
			l.column = p.words.of(b.sourceColumn.Value(i))
		}
		if b.sourceRow.IsValid(i) {
			l.row = b.sourceRow.Value(i)
		}
	}
	p.value = l.append(id.append(p.value))
	for k := range b.kept {
		p.value = b.kept[k].append(p.value, i)
	}
}
