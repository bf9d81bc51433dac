package client

// Status is what a service said about one identity.
type Status uint8

// The statuses. Only Mapped has a raw UID.
const (
	Unknown Status = iota // no answer, or one that this program does not understand; Word has the text
	Mapped                // the identity has a raw UID
	OptOut                // the person has opted out
	Invalid               // the service does not accept the identifier
)

// Answer is what a service said about one identity. It holds no pointer: its texts lie in the Answers it came
// from and are read through them.
type Answer struct {
	Status      Status
	RefreshFrom int64 // Mapped: from when to ask again, Unix milliseconds; 0 when the service says nothing of it
	At          int64 // when the service answered, by its own clock, Unix milliseconds

	uid, previous, word span
}

type span struct{ off, len uint32 }

// Answers is one answer for each identity of a call, in the order asked. The zero value is ready for use and
// a used one can be handed to the next call, which overwrites it and reuses its memory.
type Answers struct {
	Items []Answer
	Text  []byte // what the texts of the items are slices of; only whoever fills Answers touches it
}

// Reset makes a room for n answers, all Unknown, and forgets all texts.
func (a *Answers) Reset(n int) {
	if cap(a.Items) < n {
		a.Items = make([]Answer, n)
	}
	a.Items = a.Items[:n]
	clear(a.Items)
	a.Text = a.Text[:0]
}

// UID returns the raw UID of item i, byte for byte as the service wrote it, or nothing when it is not Mapped.
// It is valid until the Answers is used again.
func (a *Answers) UID(i int) []byte { return a.text(a.Items[i].uid) }

// Previous returns the raw UID that item i had before its salt bucket last rotated, or nothing.
func (a *Answers) Previous(i int) []byte { return a.text(a.Items[i].previous) }

// Word returns the service's own word for why item i has no raw UID, or nothing.
func (a *Answers) Word(i int) []byte { return a.text(a.Items[i].word) }

// SetUID says that the raw UID of item i is Text[from:to].
func (a *Answers) SetUID(i, from, to int) { a.Items[i].uid = span{uint32(from), uint32(to - from)} }

// SetPrevious says that the previous raw UID of item i is Text[from:to].
func (a *Answers) SetPrevious(i, from, to int) {
	a.Items[i].previous = span{uint32(from), uint32(to - from)}
}

// SetWord says that the service's word on item i is Text[from:to].
func (a *Answers) SetWord(i, from, to int) { a.Items[i].word = span{uint32(from), uint32(to - from)} }

func (a *Answers) text(s span) []byte { return a.Text[s.off : s.off+s.len : s.off+s.len] }
