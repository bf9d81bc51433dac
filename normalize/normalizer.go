package normalize

import "bytes"

// Profile says whose rule for emails applies. Hashes made by different rules must not be mixed.
type Profile uint8

// The profiles.
const (
	UID2 Profile = iota // UID2 and EUID, which run the same code
	ID5                 // ID5, for emails alone
)

// Options tunes a Normalizer. The zero value is the rule of UID2 with hygiene.
type Options struct {
	Profile   Profile
	NoHygiene bool   // take values as they are
	Region    Region // of national phones whose row names none; without it they are refused
}

// A Normalizer turns raw identifiers into identities. It reuses its memory: one goroutine at a time.
type Normalizer struct {
	opts   Options
	hasher hasher
	buf    []byte
}

// New returns a Normalizer.
func New(opts Options) *Normalizer {
	return &Normalizer{opts: opts, hasher: newHasher(), buf: make([]byte, 0, 256)}
}

// Identity returns the identity of one value of a column that holds f, or the reason why it has none. Notes are
// about accepted values. It allocates nothing, but for a value longer than any before it, and for a phone that
// has to be read in a region.
func (n *Normalizer) Identity(f Form, raw Raw) (ID, Note, Reason) {
	return n.IdentityIn(f, raw, Raw{})
}

// IdentityIn is Identity for a row that says in which country its phones are: country is what stands in its
// cell, in the spelling that ParseRegion takes. A blank cell, or null, none, n/a or -, leaves it to the region of the options. The cell is
// looked at only when a phone is not E.164; then one that names no region is a reason to refuse the phone.
func (n *Normalizer) IdentityIn(f Form, raw, country Raw) (ID, Note, Reason) {
	_, id, note, reason := n.normalized(f, raw, country)
	return id, note, reason
}

// Normalized is Identity and also returns the text that was hashed, or nil when the value was a hash already.
// The text is valid until the next call and as long as raw is; it is read-only.
func (n *Normalizer) Normalized(f Form, raw Raw) (normalized []byte, id ID, note Note, reason Reason) {
	return n.normalized(f, raw, Raw{})
}

func (n *Normalizer) normalized(f Form, raw, country Raw) (normalized []byte, id ID, note Note, reason Reason) {
	whole := raw.Reveal()
	from, to := n.clean(f, whole)
	v := whole[from:to]
	switch {
	case len(v) == 0:
		return nil, ID{}, 0, ReasonEmpty
	case n.opts.Profile == ID5 && f.Kind() == KindPhone:
		return nil, ID{}, 0, ReasonPhoneID5
	}
	id.Kind = f.Kind()
	id.Hash, note = readHash(v)
	if note&NotePrehashed == 0 {
		if normalized, note, reason = n.canonical(f, v, country); reason != ReasonNone {
			return nil, ID{}, 0, reason
		}
		id.Hash = n.hasher.sum(normalized)
		if f == FormEmail && !isPlausible(v) {
			note |= NoteImplausible
		}
	}
	if n.matters(f, note, whole[:from]) || n.matters(f, note, whole[to:]) {
		note |= NoteCleaned
	}
	return normalized, id, note, ReasonNone
}

// clean returns the span of v that hygiene leaves. A value of stripped characters alone is empty with hygiene
// and without: nobody would call it anything else.
func (n *Normalizer) clean(f Form, v []byte) (from, to int) {
	from, to = trim(v)
	if n.opts.NoHygiene && from < to {
		return 0, len(v)
	}
	if f == FormEmail {
		a, b := address(v[from:to])
		from, to = from+a, from+b
	}
	return from, to
}

// canonical returns the text to hash.
func (n *Normalizer) canonical(f Form, v []byte, country Raw) (text []byte, note Note, reason Reason) {
	raw := RawBytes(v)
	switch {
	case f.hashed():
		return nil, 0, explainHash(v)
	case f == FormPhone:
		return n.phone(v, country)
	case n.opts.Profile == ID5:
		n.buf, reason = AppendEmailID5(n.buf[:0], raw)
	default:
		n.buf, reason = AppendEmail(n.buf[:0], raw)
	}
	return n.buf, 0, reason
}

// readHash returns the hash that v spells and the remarks on it, or no remarks when v is no hash.
func readHash(v []byte) (hash [32]byte, note Note) {
	hash, converted, ok := decodeHash(v)
	if !ok {
		return hash, 0
	}
	note = NotePrehashed
	if converted {
		note |= NoteConverted
	}
	if hash == emptyHash {
		note |= NoteEmptyHash
	}
	return hash, note
}

// matters says whether removing this end of a value made a difference: the rules for emails drop some characters
// there themselves, those for phones and hashes none.
func (n *Normalizer) matters(f Form, note Note, end []byte) bool {
	switch {
	case len(end) == 0:
		return false
	case f != FormEmail || note&NotePrehashed != 0:
		return true
	case n.opts.Profile == ID5:
		return len(bytes.TrimFunc(end, isJSSpace)) > 0
	}
	return len(bytes.Trim(end, " ")) > 0
}
