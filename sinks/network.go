package sinks

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"mapper/normalize"
)

// Network says whose UIDs a table holds, which decides how its columns say whom a row is about. A table is of one network.
type Network uint8

const (
	// NetworkUID2 is UID2 and EUID: the hash of an identity is in base64. The country of an identity means nothing.
	NetworkUID2 Network = iota
	// NetworkID5 is ID5: the hash of an identity is in 64 lower-case hexadecimal digits, and behind it is the country
	// that was sent with it, empty when none was.
	NetworkID5

	networks
)

// NetworkOf returns the network of a service, which tables name "id5" or else as UID2 or EUID.
func NetworkOf(service string) Network {
	if service == "id5" {
		return NetworkID5
	}
	return NetworkUID2
}

// hexLen is the length of an identity's hash as ID5 takes it.
const hexLen = 64

// identityColumns returns the columns that say whom a row is about, for those datasets that have them and those in
// which there are rows without an identity.
func (n Network) identityColumns(in, nullable datasets) []columnSpec {
	kind := columnSpec{"identity_type", word, in, nullable, eachWord(kindOf, kindText)}
	columns := []columnSpec{kind, {"identity_hash", random, in, nullable, n.putHash}}
	if n == NetworkID5 {
		columns = append(columns, columnSpec{"country", word, in, 0, eachWord(countryOf, countryWord)})
	}
	return columns
}

// hashCell is the length of a hash in a page, behind its own length.
func (n Network) hashCell() int {
	if n == NetworkID5 {
		return 4 + hexLen
	}
	return 4 + normalize.Base64Len
}

// appendHash appends the hash of an identity as it stands in a page, behind its length.
func (n Network) appendHash(dst []byte, id *normalize.ID) []byte {
	if n == NetworkID5 {
		return id.AppendHex(binary.LittleEndian.AppendUint32(dst, hexLen))
	}
	return id.AppendBase64(binary.LittleEndian.AppendUint32(dst, normalize.Base64Len))
}

// kindOf is what rows have in common whose identity_type is the same.
func kindOf(r *Row) int {
	if !r.HasKind {
		return -1
	}
	return int(r.Identity.Kind)
}

func kindText(r *Row) (string, bool) { return r.Identity.Kind.String(), r.HasKind }

// putHash appends the hashes of identities, which are null where they are not known.
func (n Network) putHash(c *column, rows []Row) {
	for i := range rows {
		if r := &rows[i]; r.HasHash {
			c.open = n.appendHash(c.open, &r.Identity)
			c.endText()
		} else {
			c.null()
		}
	}
}

// countryOf is the country of a row as it stands in the column country: empty where nothing is known of its identity.
func countryOf(r *Row) (c [2]byte) {
	if r.HasHash {
		c = r.Identity.Country
	}
	return c
}

func countryWord(r *Row) (string, bool) { return countryText(countryOf(r)), true }

// letterPairs are AA to ZZ. The text of a country is a piece of it, so that no row allocates one.
var letterPairs = func() string {
	var pairs []byte
	for i := range byte(26) {
		for j := range byte(26) {
			pairs = append(pairs, 'A'+i, 'A'+j)
		}
	}
	return string(pairs)
}()

// countryText returns a country as it stands in the column country.
func countryText(c [2]byte) string {
	if c == [2]byte{} {
		return ""
	}
	at := 2 * (26*int(c[0]-'A') + int(c[1]-'A'))
	return letterPairs[at : at+2]
}

// isCountry says whether c is two capitals, or none as it is zero.
func isCountry(c [2]byte) bool {
	return c == [2]byte{} || c[0]-'A' < 26 && c[1]-'A' < 26
}

// parseHash is the inverse of what the column identity_hash says.
func (n Network) parseHash(text string) (hash [32]byte, err error) {
	if n == NetworkID5 {
		return parseHex(text)
	}
	return parseBase64(text)
}

func parseBase64(text string) (hash [32]byte, err error) {
	var from, room [normalize.Base64Len]byte // Decode wants room for the padding too
	n, err := base64.StdEncoding.Strict().Decode(room[:], from[:copy(from[:], text)])
	if err != nil || len(text) != len(room) || n != len(hash) {
		return hash, errors.New("identity_hash is not the base64 of a SHA-256")
	}
	return [32]byte(room[:]), nil
}

func parseHex(text string) (hash [32]byte, err error) {
	var from, back [hexLen]byte
	_, err = hex.Decode(hash[:], from[:copy(from[:], text)])
	if hex.Encode(back[:], hash[:]); err != nil || text != string(back[:]) { // which capitals would not be
		return hash, errors.New("identity_hash is not a SHA-256 in 64 lower-case hexadecimal digits")
	}
	return hash, nil
}

// checkCountry refuses texts that are not a country as it stands in the column country.
func checkCountry(text string) error {
	if text == "" || len(text) == 2 && text != "\x00\x00" && isCountry([2]byte([]byte(text))) {
		return nil
	}
	return errors.New("country is not two capitals")
}
