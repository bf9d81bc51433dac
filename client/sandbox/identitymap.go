package sandbox

import (
	"encoding/binary"
	"strconv"
	"time"

	"mapper/normalize"
)

// instant is a moment as the salts see it.
type instant struct{ millis, day int64 }

const millisADay = 24 * 60 * 60 * 1000

func instantOf(t time.Time) instant {
	millis := t.UnixMilli()
	return instant{millis: millis, day: floorDiv(millis, millisADay)}
}

// mapping is what the operator knows about one identity.
type mapping struct {
	firstLevel  [32]byte
	salt        salt
	optedOut    bool
	hasPrevious bool
	refreshFrom int64 // Unix seconds
}

// predecessor returns the salt before the present one.
func (m *mapping) predecessor() salt {
	return salt{bucket: m.salt.bucket, version: m.salt.version - 1}
}

// lookup finds what the operator knows about an identity. The caller holds s.mu.
func (s *Sandbox) lookup(who *identity, at instant) mapping {
	m := mapping{firstLevel: firstLevelHash(who.hash[:who.size], s.salts.firstLevel[:])}
	if m.optedOut = s.optedOut(who, &m.firstLevel); m.optedOut {
		return m
	}
	bucket := s.salts.on(bucketOf(&m.firstLevel), at.day-int64(s.opts.SaltsLateDays))
	m.salt = bucket.salt
	m.hasPrevious = at.day-bucket.updated < previousFor
	due := bucket.due
	if due*millisADay < at.millis {
		due = at.day + 1
	}
	m.refreshFrom = due * (millisADay / 1000)
	return m
}

func (s *Sandbox) optedOut(who *identity, firstLevel *[32]byte) bool {
	if id, ok := who.id(); ok {
		switch id {
		case alwaysOutEmail, alwaysOutPhone:
			return true
		case neverOutEmail, neverOutPhone:
			return false
		}
		if out, said := s.optOuts[id]; said {
			return out
		}
	}
	return share(binary.BigEndian.Uint64(firstLevel[8:])) < s.opts.OptOutShare
}

// appendUID appends the raw UID that a salt gives.
func (s *Sandbox) appendUID(dst []byte, kind normalize.Kind, firstLevel *[32]byte, of salt) []byte {
	prefix := prefixOf(s.opts.EUID, kind)
	if s.opts.RawUIDVersion == 4 {
		return appendV4(dst, prefix, firstLevel, s.salts.key(of))
	}
	text := s.salts.text(of)
	if s.opts.RawUIDVersion == 2 {
		return appendV2(dst, firstLevel, text[:])
	}
	return appendV3(dst, prefix, firstLevel, text[:])
}

// batch answers the identities of one request, all as of one moment.
type batch struct {
	s    *Sandbox
	plan *plan
	at   instant
	fate Action // ShortArrays and LongArrays are done here

	who      identity
	counts   tally
	asked    []normalize.ID // what was asked, if Options.Trace
	poisoned bool           // an identity of Faults.Poison was among them
}

// appendReply appends the whole JSON of a reply. It always has all four arrays.
func (b *batch) appendReply(dst []byte, q *query) []byte {
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	dst = append(dst, `{"body":{`...)
	for k := range keys {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(dst, k.String()...)
		dst = append(dst, `":[`...)
		dst = b.appendAnswers(dst, k, q[k])
		dst = append(dst, ']')
	}
	return append(dst, `},"status":"success"}`...)
}

func (b *batch) appendAnswers(dst []byte, k key, texts [][]byte) []byte {
	n := len(texts)
	if n == 0 {
		return dst
	}
	switch b.fate {
	case ShortArrays:
		texts = texts[:n-1]
	case LongArrays:
		dst = b.appendAnswer(dst, k, texts[0])
		dst = append(dst, ',')
	}
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = b.appendAnswer(dst, k, text)
	}
	return dst
}

func (b *batch) appendAnswer(dst []byte, k key, text []byte) []byte {
	b.counts.identities++
	b.who.read(k, text)
	if b.who.size == 0 {
		b.counts.invalid++
		return append(dst, `{"e":"invalid identifier"}`...)
	}
	if b.s.opts.Trace {
		if id, ok := b.who.id(); ok {
			b.asked = append(b.asked, id)
		}
	}
	if m := b.plan.mark(&b.who); m != (mark{}) {
		b.poisoned = b.poisoned || m.poison
		if m.word != "" {
			b.counts.other++
			return append(append(append(dst, `{"e":`...), m.word...), '}')
		}
	}
	m := b.s.lookup(&b.who, b.at)
	if m.optedOut {
		b.counts.optedOut++
		return append(dst, `{"e":"optout"}`...)
	}
	b.counts.mapped++
	return b.appendMapped(dst, &m)
}

func (b *batch) appendMapped(dst []byte, m *mapping) []byte {
	dst = append(dst, `{"u":"`...)
	dst = b.s.appendUID(dst, b.who.kind, &m.firstLevel, m.salt)
	dst = append(dst, `","p":`...)
	if m.hasPrevious {
		dst = append(dst, '"')
		dst = b.s.appendUID(dst, b.who.kind, &m.firstLevel, m.predecessor())
		dst = append(dst, '"')
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"r":`...)
	dst = strconv.AppendInt(dst, m.refreshFrom, 10)
	return append(dst, '}')
}
