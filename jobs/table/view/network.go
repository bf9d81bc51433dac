package view

import (
	"encoding/hex"
	"errors"
	"fmt"

	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// network says how the parts of a table tell an identity, and how keys do: as a byte for its type, the text of its hash as
// it stands in the part and, for ID5, two bytes for the country, which are zero when none was sent. Bytes of keys compare
// as the view's order wants it.
type network struct {
	sinks.Network
	hashLen    int // characters of a hash
	countryLen int // bytes of a country
}

func networkOf(n sinks.Network) network {
	if n == sinks.NetworkID5 {
		return network{n, hex.EncodedLen(len(normalize.ID{}.Hash)), len(normalize.ID{}.Country)}
	}
	return network{n, normalize.Base64Len, 0}
}

// networkOfAll returns the network of runs, which is that of a table.
func networkOfAll(runs []table.Run) (network, error) {
	if len(runs) == 0 {
		return networkOf(sinks.NetworkUID2), nil
	}
	first := sinks.NetworkOf(runs[0].Manifest.Service)
	for _, r := range runs[1:] {
		if sinks.NetworkOf(r.Manifest.Service) != first {
			return network{}, fmt.Errorf("run %s: is of the service %q, and run %s of %q; a table is of one: see with mapper verify what is wrong with it",
				r.ID, r.Manifest.Service, runs[0].ID, runs[0].Manifest.Service)
		}
	}
	return networkOf(first), nil
}

// identityLen is the length of an identity in a key.
func (n *network) identityLen() int { return 1 + n.hashLen + n.countryLen }

// keyLen is the length of the key of a row.
func (n *network) keyLen() int { return n.identityLen() + answerLen }

// appendIdentity begins a key.
func (n *network) appendIdentity(dst []byte, kind normalize.Kind, hash []byte, country [2]byte) []byte {
	dst = append(append(dst, byte(kind)), hash...)
	return append(dst, country[:n.countryLen]...)
}

// appendKnown begins a key with an identity that is decoded.
func (n *network) appendKnown(dst []byte, id *normalize.ID) []byte {
	dst = append(dst, byte(id.Kind))
	if n.Network == sinks.NetworkID5 {
		return append(id.AppendHex(dst), id.Country[:]...)
	}
	return id.AppendBase64(dst)
}

// countryIn returns the country of an identity in a key.
func (n *network) countryIn(identity []byte) (country [2]byte) {
	copy(country[:n.countryLen], identity[1+n.hashLen:])
	return country
}

// decode is the inverse of appendIdentity and of appendKnown. It looks at the hash alone.
func (n *network) decode(id *normalize.ID, identity []byte) error {
	id.Kind = normalize.Kind(identity[0])
	id.Country = n.countryIn(identity)
	return n.decodeHash(id, identity[1:1+n.hashLen])
}

// decodeHash takes a hash from its text.
func (n *network) decodeHash(id *normalize.ID, text []byte) error {
	if n.Network == sinks.NetworkID5 {
		return decodeHex(id.Hash[:], text)
	}
	return decodeHash(id, text)
}

var errHex = errors.New("a hash is not 32 bytes in 64 lower-case hexadecimal digits")

// decodeHex takes bytes from their text. Only one text stands for them, so that texts can be compared instead.
func decodeHex(to, text []byte) error {
	if len(text) != 2*len(to) {
		return errHex
	}
	for i := range to {
		high, low := fourOf(text[2*i]), fourOf(text[2*i+1])
		if high|low > 15 {
			return errHex
		}
		to[i] = high<<4 | low
	}
	return nil
}

// fourOf returns the four bits that a digit stands for, and 255 if it is none.
func fourOf(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit && digit <= 'f':
		return digit - 'a' + 10
	}
	return 255
}
