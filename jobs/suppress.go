package jobs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/dustin/go-humanize"

	"mapper/client/objects"
	"mapper/normalize"
	"mapper/sources"
)

// identitySet is a set of identities that a list of people names: those never to ask, or those to forget. It never
// changes, and is safe for concurrent use. A nil one is empty.
//
// Of each hash it holds the first 16 bytes. That two people share them is as good as impossible: among a billion
// identities the chance that one is taken for another is below one in 10^20.
type identitySet struct {
	kinds  [normalize.Kinds]hashes
	n      int
	digest string
}

// Has says whether the identity is in the set.
func (s *identitySet) Has(id *normalize.ID) bool {
	return s != nil && s.kinds[id.Kind].has(startOf(&id.Hash))
}

// Len returns how many different hashes there are. A hash that stands for both kinds counts once.
func (s *identitySet) Len() int {
	if s == nil {
		return 0
	}
	return s.n
}

// Digest returns 16 hex digits that tell sets apart: two lists with the same identities in any order and spelling have
// the same.
func (s *identitySet) Digest() string {
	if s == nil {
		s = newIdentitySet([normalize.Kinds][]hashStart{})
	}
	return s.digest
}

// newIdentitySet takes over lists in any order, with repetitions.
func newIdentitySet(lists [normalize.Kinds][]hashStart) *identitySet {
	s := new(identitySet)
	digest := sha256.New()
	var buf []byte
	for kind, list := range lists {
		s.kinds[kind] = newHashes(distinct(list))
		buf = binary.BigEndian.AppendUint64(append(buf[:0], byte(kind)), uint64(len(s.kinds[kind].sorted)))
		for _, p := range s.kinds[kind].sorted {
			if len(buf) >= 64<<10 {
				digest.Write(buf)
				buf = buf[:0]
			}
			buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(buf, p.high), p.low)
		}
		digest.Write(buf)
	}
	s.digest = hex.EncodeToString(digest.Sum(nil)[:8])
	s.n = len(s.kinds[normalize.KindEmail].sorted)
	for _, p := range s.kinds[normalize.KindPhone].sorted {
		if !s.kinds[normalize.KindEmail].has(p) {
			s.n++
		}
	}
	return s
}

// hashStart is the first 16 bytes of a hash.
type hashStart struct{ high, low uint64 }

const startBytes = 16

func startOf(hash *[32]byte) hashStart {
	return hashStart{binary.BigEndian.Uint64(hash[:]), binary.BigEndian.Uint64(hash[8:])}
}

func (p hashStart) compare(q hashStart) int {
	return cmp.Or(cmp.Compare(p.high, q.high), cmp.Compare(p.low, q.low))
}

// distinct sorts a list in place and drops repetitions.
func distinct(list []hashStart) []hashStart {
	slices.SortFunc(list, hashStart.compare)
	return slices.Compact(list)
}

// hashes is a sorted set with an index: those whose first 16 bits are b lie in sorted[first[b]:first[b+1]]. Hashes are
// spread evenly, so that a search looks at one of 65,536 slices of the same length.
type hashes struct {
	sorted []hashStart
	first  []uint32 // nil when there is nothing
}

const indexBytes = (1<<16 + 1) * 4

func newHashes(sorted []hashStart) hashes {
	if len(sorted) == 0 {
		return hashes{}
	}
	h := hashes{sorted: sorted, first: make([]uint32, 1<<16+1)}
	for _, p := range sorted {
		h.first[p.high>>48+1]++
	}
	for b := range 1 << 16 {
		h.first[b+1] += h.first[b]
	}
	return h
}

func (h *hashes) has(p hashStart) bool {
	if h.first == nil {
		return false
	}
	b := p.high >> 48
	from, to := h.first[b], h.first[b+1]
	for from < to { // slices.BinarySearchFunc takes twice the time, as it calls a function for each comparison
		middle := from + (to-from)/2
		switch at := &h.sorted[middle]; {
		case *at == p:
			return true
		case at.high < p.high || at.high == p.high && at.low < p.low:
			from = middle + 1
		default:
			to = middle
		}
	}
	return false
}

// identifierReading is how a list of identifiers is read.
type identifierReading struct {
	Store   *objects.Store
	Stdin   io.Reader         // what the URI "-" reads
	Profile normalize.Profile // whose rule for emails makes the hashes; phones have but one
	Memory  int64             // byte budget of the set, also while it is read; default 64 MB
}

// readIdentifiers reads a list from a path, a URL, or "-": one a line, an email, a phone in E.164, or a SHA-256 in base64
// or hex of either, which stands for both kinds. It is UTF-8, and may be
// compressed, as inputs may. Blank lines are passed over, and
// white space around a value. A line that is anything else is an error, which names the line and not the value: were it
// passed over, a person whom the list is there to protect would be asked, or kept.
func readIdentifiers(ctx context.Context, uri string, o identifierReading) (*identitySet, error) {
	in, letGo, err := o.open(ctx, uri)
	defer letGo()
	if errors.Is(err, sources.ErrEmpty) {
		return newIdentitySet([normalize.Kinds][]hashStart{}), nil
	}
	if err != nil {
		return nil, err
	}
	l := identifierList{name: uri, budget: cmp.Or(o.Memory, 64<<20), emails: normalize.New(normalize.Options{Profile: o.Profile}), phones: normalize.New(normalize.Options{})}
	if uri == "-" {
		l.name = "standard input"
	}
	for b, err := range in.Batches(ctx, []int{0}, in.Layout.Start) {
		if err == nil {
			err = l.addBatch(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return newIdentitySet(l.lists), nil
}

// open finds out how a list is to be read.
func (o *identifierReading) open(ctx context.Context, uri string) (in *sources.Input, letGo func(), err error) {
	options := sources.Options{Store: o.Store, Format: sources.Text, Encoding: sources.UTF8}
	if uri == "-" {
		options.Stdin, letGo = sources.Interruptible(ctx, o.Stdin)
		in, err = sources.Inspect(ctx, objects.Object{URI: "-", Size: -1}, options)
		return in, letGo, err
	}
	letGo = func() {}
	object, err := o.Store.Stat(ctx, uri)
	if err == nil {
		in, err = sources.Inspect(ctx, object, options)
	}
	return in, letGo, err
}

// identifierList gathers the identities of a list.
type identifierList struct {
	name           string
	budget         int64
	emails, phones *normalize.Normalizer
	lists          [normalize.Kinds][]hashStart
}

func (l *identifierList) addBatch(b *sources.Batch) error {
	if len(b.Malformed) > 0 {
		return l.refused(b.Malformed[0].Line, b.Malformed[0].Reason)
	}
	lines := b.Record.Column(0).(*array.String)
	for i := range lines.Len() {
		if lines.IsNull(i) {
			continue
		}
		if reason, err := l.add(normalize.RawString(lines.Value(i))); err != nil {
			return err
		} else if reason != "" {
			return l.refused(b.Line(i), reason)
		}
	}
	return nil
}

// refused is an error about a line.
func (l *identifierList) refused(line int64, reason string) error {
	return fmt.Errorf("%s:%d: %s; each line is an email, a phone in E.164 as +15550100000, or the SHA-256 of either: "+
		"correct the line, or remove it if it is a header (nothing is passed over, as that would leave a person out)", l.name, line, reason)
}

// add takes a line, or returns why it is none of what it has to be.
func (l *identifierList) add(raw normalize.Raw) (reason string, err error) {
	id, note, refusal := l.emails.Identity(normalize.FormEmail, raw)
	switch {
	case refusal == normalize.ReasonEmpty:
		return "", nil
	case refusal == normalize.ReasonNone && note&normalize.NotePrehashed != 0:
		return "", errors.Join(l.put(normalize.KindEmail, &id), l.put(normalize.KindPhone, &id))
	case refusal == normalize.ReasonNone && note&normalize.NoteImplausible != 0:
		return "email: more than an address, or not one? (if it is meant as it stands, write its hash: mapper hash --email)", nil
	case refusal == normalize.ReasonNone:
		return "", l.put(normalize.KindEmail, &id)
	case bytes.IndexByte(raw.Reveal(), '@') >= 0:
		return refusal.String(), nil
	}
	if id, _, refusal = l.phones.Identity(normalize.FormPhone, raw); refusal == normalize.ReasonNone {
		return "", l.put(normalize.KindPhone, &id)
	}
	switch _, _, hash := l.emails.Identity(normalize.FormEmailHash, raw); hash {
	case normalize.ReasonHashMD5, normalize.ReasonHashSHA1, normalize.ReasonHashSHA512, normalize.ReasonHashHexText, normalize.ReasonHashNotHex:
		return hash.String(), nil
	}
	return refusal.String(), nil
}

// put takes an identity. A list that is full drops repetitions before it takes more memory.
func (l *identifierList) put(kind normalize.Kind, id *normalize.ID) error {
	list := l.lists[kind]
	if len(list) == cap(list) {
		if list = distinct(list); len(list) > cap(list)/4*3 || cap(list) == 0 {
			var err error
			if list, err = l.grown(kind, list); err != nil {
				return err
			}
		}
	}
	l.lists[kind] = append(list, startOf(&id.Hash))
	return nil
}

// grown returns a copy of a list with more room, if there is memory for both.
func (l *identifierList) grown(kind normalize.Kind, list []hashStart) ([]hashStart, error) {
	room := max(1024, cap(list)/2*3)
	need := int64(normalize.Kinds)*indexBytes + int64(cap(list)+room)*startBytes
	for other := range l.lists {
		if normalize.Kind(other) != kind {
			need += int64(cap(l.lists[other])) * startBytes
		}
	}
	if need > l.budget {
		return nil, fmt.Errorf("%s: has more than %s, which is too many for the %s of memory that a list may take; give more with --memory, "+
			"or split the list", l.name, counted(int64(len(list)), "identifier", "identifiers"), humanize.Bytes(uint64(l.budget)))
	}
	more := make([]hashStart, len(list), room)
	copy(more, list)
	return more, nil
}
