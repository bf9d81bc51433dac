package sinks

import (
	"encoding/binary"
	"encoding/hex"
)

// bounds are the smallest and largest refresh_from and first 4 bytes of a hash among rows. They go into the
// manifest, by which readers choose parts before they open one.
type bounds struct {
	refreshed              bool // there are minRefresh and maxRefresh
	minRefresh, maxRefresh int64
	hashed                 bool // there are minHash and maxHash
	minHash, maxHash       uint32
}

func (b *bounds) refresh(at int64) {
	if !b.refreshed {
		b.refreshed, b.minRefresh, b.maxRefresh = true, at, at
	}
	b.minRefresh, b.maxRefresh = min(b.minRefresh, at), max(b.maxRefresh, at)
}

func (b *bounds) hash(prefix uint32) {
	if !b.hashed {
		b.hashed, b.minHash, b.maxHash = true, prefix, prefix
	}
	b.minHash, b.maxHash = min(b.minHash, prefix), max(b.maxHash, prefix)
}

// refreshFrom returns the bounds of refresh_from, nil when no row has one.
func (b bounds) refreshFrom() (smallest, largest *int64) {
	if !b.refreshed {
		return nil, nil
	}
	return &b.minRefresh, &b.maxRefresh
}

// hashes returns the bounds of the first 4 bytes of the hashes as hexadecimal digits, empty when no row has a
// hash.
func (b bounds) hashes() (smallest, largest string) {
	if !b.hashed {
		return "", ""
	}
	digits := func(v uint32) string { return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, v)) }
	return digits(b.minHash), digits(b.maxHash)
}
