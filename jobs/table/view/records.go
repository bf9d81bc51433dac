package view

import "mapper/client"

// recorder turns rows into records.
type recorder struct {
	files, columns wordCache
	put            func(key, value []byte) error // takes a record, of which it keeps nothing

	key, value []byte
}

func newRecorder(w *words, put func(key, value []byte) error) *recorder {
	return &recorder{files: newWordCache(w), columns: newWordCache(w), put: put}
}

// batch turns all rows of a batch into records.
func (p *recorder) batch(b *batch) error {
	for i := range b.rows {
		if err := p.row(b, i); err != nil {
			return b.errorAt(i, err)
		}
	}
	return nil
}

// row turns a row of a batch into a record.
func (p *recorder) row(b *batch, i int) error {
	if b.hash.IsNull(i) {
		return nil
	}
	kind, err := b.kindOf(i)
	if err != nil {
		return err
	}
	p.key = b.run.network.appendIdentity(p.key[:0], kind, b.hash.at(i), b.countryAt(i))
	said, err := b.said(i)
	if err != nil {
		return err
	}
	tellsLife := b.run.life || said.life == suppressed
	if said.tier == tierSilent && !tellsLife {
		return nil
	}
	p.key = appendAnswer(p.key, said.tier, int64(b.mappedAt.Value(i)), said.status == client.OptOut, b.run.place, b.first+uint64(i))
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

// life goes on with what a row says of its pair.
func (p *recorder) life(b *batch, i int, live bool) {
	id := pair{hasID: b.id.IsValid(i)}
	if id.hasID {
		id.id = b.id.at(i)
	}
	l := p.lifeOf(b, i, live)
	p.value = l.append(id.append(p.value))
	for k := range b.kept {
		p.value = b.kept[k].append(p.value, i)
	}
}

// lifeOf returns what a row says of its pair.
func (p *recorder) lifeOf(b *batch, i int, live bool) life {
	l := life{live: live}
	if b.sourceRow != nil {
		l.file, l.column, l.row = p.files.at(&b.sourceFile, i), p.columns.at(&b.sourceColumn, i), b.sourceRowAt(i)
	}
	return l
}
