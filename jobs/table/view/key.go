package view

import (
	"bytes"
	"encoding/binary"
	"errors"

	"mapper/normalize"
)

// The key of a row begins with the identity, see network. Then comes the order of answers. Keys compare as bytes.
const (
	orderLen  = 4 + 8 // of a run and of a row in it
	answerLen = 1 + 8 + 1 + orderLen
)

// What a row says of its identity, in the order in which it counts.
const (
	tierAnswer  byte = iota
	tierUnknown      // that there is no answer, and why
	tierSilent       // nothing
)

// appendAnswer ends a key: what counts most comes first, then the latest, and at one time an opt-out.
func appendAnswer(dst []byte, tier byte, mappedAt int64, optOut bool, place uint32, row uint64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, tier), ^(uint64(mappedAt) ^ 1<<63)) // negative times are earlier
	late := byte(1)
	if optOut {
		late = 0
	}
	return appendOrder(append(dst, late), place, row)
}

func tierOf(key []byte) byte { return key[len(key)-answerLen] }

// mappedAtOf returns the time that is in a key.
func mappedAtOf(key []byte) int64 {
	return int64(^binary.BigEndian.Uint64(key[len(key)-answerLen+1:]) ^ 1<<63)
}

// appendOrder appends the order of a row such that later ones come first.
func appendOrder(dst []byte, run uint32, row uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, ^run), ^row)
}

// orderOf returns what appendOrder has put at the end of a key.
func orderOf(key []byte) (run uint32, row uint64) {
	end := key[len(key)-orderLen:]
	return ^binary.BigEndian.Uint32(end), ^binary.BigEndian.Uint64(end[4:])
}

// Within an identity the key of a row is the id of its pair and the order of life: the latest of a pair comes first.

// appendPair makes such a key.
func appendPair(dst []byte, id []byte, hasID bool, rank uint32, row uint64) []byte {
	return appendOrder(appendID(dst, id, hasID), rank, row)
}

// appendID appends an id such that none is the beginning of another, and all compare as their bytes do: a zero byte
// gets 0xff behind it, and two of them end the id. A null is before all others.
func appendID(dst, id []byte, hasID bool) []byte {
	if !hasID {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	for {
		i := bytes.IndexByte(id, 0)
		if i < 0 {
			return append(append(dst, id...), 0, 0)
		}
		dst = append(append(dst, id[:i+1]...), 0xff)
		id = id[i+1:]
	}
}

// decodeID appends to dst the id that appendID has made into encoded.
func decodeID(dst, encoded []byte) (id []byte, hasID bool, err error) {
	if len(encoded) == 1 && encoded[0] == 0 {
		return dst, false, nil
	}
	if len(encoded) < 3 || encoded[0] != 1 || !bytes.HasSuffix(encoded, []byte{0, 0}) {
		return dst, false, errDamagedSpill
	}
	rest := encoded[1 : len(encoded)-2]
	for {
		i := bytes.IndexByte(rest, 0)
		if i < 0 {
			return append(dst, rest...), true, nil
		}
		if i+1 == len(rest) || rest[i+1] != 0xff {
			return dst, false, errDamagedSpill
		}
		dst = append(dst, rest[:i+1]...)
		rest = rest[i+2:]
	}
}

var errDamagedSpill = errors.New("spill: what comes back is not what was written; try again with another folder for temporary files")

var errHash = errors.New("a hash is not the base64 of 32 bytes")

// decodeHash takes a hash from its text, which has Base64Len characters. Only one text stands for a hash, so that
// texts can be compared instead.
func decodeHash(id *normalize.ID, text []byte) error {
	if len(text) != normalize.Base64Len || text[43] != '=' {
		return errHash
	}
	var all byte // of the sixes, to see whether one is none
	for i := range 10 {
		four := text[4*i : 4*i+4]
		a, b, c, d := sixes[four[0]], sixes[four[1]], sixes[four[2]], sixes[four[3]]
		all |= a | b | c | d
		id.Hash[3*i], id.Hash[3*i+1], id.Hash[3*i+2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
	}
	a, b, c := sixes[text[40]], sixes[text[41]], sixes[text[42]]
	if all |= a | b | c; all >= 64 || c&3 != 0 {
		return errHash
	}
	id.Hash[30], id.Hash[31] = a<<2|b>>4, b<<4|c>>2
	return nil
}

// sixes has the six bits that a character of base64 stands for, and 255 for all others.
var sixes = func() (sixes [256]byte) {
	for i := range sixes {
		sixes[i] = 255
	}
	for six, char := range base64Alphabet {
		sixes[char] = byte(six)
	}
	return sixes
}()

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
