package normalize

import (
	"fmt"
	"io"
	"unsafe"
)

// Raw is a raw identifier: an email, a phone or somebody's hash of one, as it came in. It is a view of memory
// that belongs to somebody else, costs no copy, and cannot be printed: fmt, slog and the encoders of the
// standard library write [raw] in its place.
//
// This is the one file of the program that uses unsafe. A field of type []byte or string would be printed after
// all where a Raw sits in an unexported field of another struct: fmt may not call methods there and prints the
// fields it finds. Of an address and a length it can print only those.
type Raw struct {
	p *byte
	n int
}

const redacted = "[raw]"

// RawBytes returns a view of b. It is valid as long as b is, and changes when b changes.
func RawBytes(b []byte) Raw { return Raw{unsafe.SliceData(b), len(b)} }

// RawString returns a view of s.
func RawString(s string) Raw { return Raw{unsafe.StringData(s), len(s)} }

// Reveal returns the identifier itself and is the only way to it. The bytes are read-only (those of a string
// lie in memory that must not be written) and valid as long as what the Raw was made from.
func (r Raw) Reveal() []byte { return unsafe.Slice(r.p, r.n) }

// Len returns the length of the identifier in bytes.
func (r Raw) Len() int { return r.n }

// Format writes [raw], whatever the verb and the flags.
func (Raw) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns [raw].
func (Raw) String() string { return redacted }

// MarshalText returns [raw]; encoding/json, encoding/xml and log/slog use it.
func (Raw) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalBinary returns [raw]; encoding/gob uses it.
func (Raw) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }
