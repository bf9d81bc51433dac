package pipeline

import (
	"bytes"
	"crypto/sha256"

	"mapper/normalize"
)

// unnormalized finds hashes of emails that were made without normalizing. Only a row that has the email too can
// show that.
type unnormalized struct {
	buf []byte
}

// mark looks at the identifiers of a row and marks the hashes of emails that belong to none of its emails, but
// are the SHA-256 of one as it is written, or in lower or in upper case. value returns the cell of a column.
func (u *unnormalized) mark(row []found, value func(column uint8) normalize.Raw) {
	for i := range row {
		hash := &row[i]
		if !hash.isEmail() || hash.note&normalize.NotePrehashed == 0 {
			continue
		}
		for k := range row {
			raw := &row[k]
			if !raw.isEmail() || raw.note&normalize.NotePrehashed != 0 {
				continue
			}
			if raw.id == hash.id {
				hash.unnormalized = false
				break
			}
			hash.unnormalized = hash.unnormalized || u.isHashOf(value(raw.column), &hash.id.Hash)
		}
	}
}

func (f *found) isEmail() bool {
	return f.reason == normalize.ReasonNone && f.id.Kind == normalize.KindEmail
}

// isHashOf says whether a hash was made of an email that was not normalized.
func (u *unnormalized) isHashOf(raw normalize.Raw, hash *[32]byte) bool {
	written := bytes.TrimSpace(raw.Reveal())
	if sha256.Sum256(written) == *hash {
		return true
	}
	u.buf = append(u.buf[:0], written...)
	for i, c := range u.buf {
		if 'A' <= c && c <= 'Z' {
			u.buf[i] = c + 'a' - 'A'
		}
	}
	if !bytes.Equal(u.buf, written) && sha256.Sum256(u.buf) == *hash {
		return true
	}
	for i, c := range u.buf {
		if 'a' <= c && c <= 'z' {
			u.buf[i] = c - ('a' - 'A')
		}
	}
	return sha256.Sum256(u.buf) == *hash
}
