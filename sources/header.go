package sources

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// headerRows is by how many rows a header is told from data.
const headerRows = 100

// isHeader says whether a first row names the columns, by what it has and what the rows below have. To take data
// for a header loses a row and nobody sees it, while a header taken for data leaves no column with a name that
// the user gives; so a row that could be both is a header only if most of its cells are names.
func isHeader(first [][]byte, below [][][]byte) bool {
	if len(first) == 1 && isDigits(first[0]) || slices.ContainsFunc(first, isIdentifier) {
		return false
	}
	columns := make([]headed, len(first))
	for i, cell := range first {
		columns[i].head = bytes.TrimSpace(cell)
	}
	for _, row := range below {
		if len(row) != len(first) || slices.EqualFunc(row, first, bytes.Equal) { // ragged, or the same line again
			continue
		}
		for i, cell := range row {
			if !isMissing(cell) {
				columns[i].values = append(columns[i].values, bytes.TrimSpace(cell))
			}
		}
	}
	switch {
	case slices.ContainsFunc(columns, headed.isKey):
		return false
	case slices.ContainsFunc(columns, headed.isNamed):
		return true
	case slices.ContainsFunc(columns, headed.recurs):
		return false
	case slices.ContainsFunc(columns, headed.differs):
		return true
	}
	names := 0
	for _, c := range columns {
		if hasLetter(c.head) && !isMissing(c.head) {
			names++
		}
	}
	data := names*2 <= len(columns) || slices.ContainsFunc(columns, headed.lacksIdentifier)
	return !data || !slices.ContainsFunc(columns, func(c headed) bool { return len(c.values) > 0 })
}

// headed is a cell of the first row and what stands below it.
type headed struct {
	head   []byte
	values [][]byte // those that are not missing
}

// isKey says whether the head counts on with half of the values or more: c1 above c2 and c10.
func (h headed) isKey() bool {
	if !hasLetter(h.head) || !hasDigit(h.head) {
		return false
	}
	same := 0
	for _, v := range h.values {
		if sameButNumbers(h.head, v) {
			same++
		}
	}
	return same > 0 && same*2 >= len(h.values)
}

// isNamed says whether the head is a word above values that are none: email above emails, id above numbers, key
// above keys with digits.
func (h headed) isNamed() bool {
	if !hasLetter(h.head) || isMissing(h.head) || len(h.values) == 0 {
		return false
	}
	return !slices.ContainsFunc(h.values, func(v []byte) bool {
		keyed := hasDigit(v) && !hasDigit(h.head)
		return !keyed && !isIdentifier(v) && hasLetter(v)
	})
}

// recurs says whether the head is one of the values, which no name ever is, or made like all of them: A17F above
// B20C.
func (h headed) recurs() bool {
	if isMissing(h.head) || !hasLetter(h.head) || len(h.values) == 0 {
		return false
	}
	alike := func(v []byte) bool { return hasDigit(v) && hasLetter(v) && sameMarks(h.head, v) }
	return slices.ContainsFunc(h.values, func(v []byte) bool { return bytes.Equal(v, h.head) }) ||
		hasDigit(h.head) && !slices.ContainsFunc(h.values, func(v []byte) bool { return !alike(v) })
}

// differs says whether the head is of another kind than every value: a number above words, a word above nothing.
func (h headed) differs() bool {
	if isMissing(h.head) {
		return false
	}
	return !slices.ContainsFunc(h.values, func(v []byte) bool { return hasLetter(v) == hasLetter(h.head) })
}

// lacksIdentifier says whether the head is missing where the values are identifiers.
func (h headed) lacksIdentifier() bool {
	return isMissing(h.head) && slices.ContainsFunc(h.values, isIdentifier)
}

// isMissing says whether a cell has nothing, or says that it has nothing.
func isMissing(cell []byte) bool {
	switch strings.ToLower(string(bytes.TrimSpace(cell))) {
	case "", "-", "null", `\n`, "none", "nan", "n/a", "#n/a":
		return true
	}
	return false
}

func hasLetter(cell []byte) bool { return bytes.IndexFunc(cell, unicode.IsLetter) >= 0 }

func hasDigit(cell []byte) bool { return bytes.ContainsAny(cell, "0123456789") }

// sameButNumbers says whether two cells are the same but for the numbers in them.
func sameButNumbers(a, b []byte) bool {
	const digits = "0123456789"
	for {
		i, j := bytes.IndexAny(a, digits), bytes.IndexAny(b, digits)
		if i < 0 || j < 0 {
			return bytes.Equal(a, b)
		}
		if !bytes.Equal(a[:i], b[:j]) {
			return false
		}
		a, b = bytes.TrimLeft(a[i:], digits), bytes.TrimLeft(b[j:], digits)
	}
}

// sameMarks says whether two cells are of one length and have the same signs at the same places, letters and
// digits aside.
func sameMarks(a, b []byte) bool {
	mark := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return 'x'
		}
		return r
	}
	return bytes.Equal(bytes.Map(mark, a), bytes.Map(mark, b))
}

// isIdentifier says whether a cell looks like an email, a hash, or a phone number.
func isIdentifier(cell []byte) bool {
	return bytes.IndexByte(cell, '@') >= 0 || isHash(cell) || isPhone(cell)
}

// isLost says whether a cell is so likely an email, a SHA-256 or a phone number that a row must not be read without it.
// A cell that is none must not cost its row, so that this is stricter than isIdentifier: dates have as many digits as
// phone numbers, and many a text has an @ in it.
func isLost(cell []byte) bool {
	cell = bytes.TrimSpace(cell)
	at := bytes.IndexByte(cell, '@')
	switch {
	case at >= 0:
		return at > 0 && bytes.IndexByte(cell[at:], '.') > 1 && !bytes.ContainsAny(cell, " \t\r\n/:")
	case len(cell) == 64 || len(cell) == 44:
		return isHash(cell)
	}
	return len(cell) > 0 && cell[0] == '+' && isPhone(cell)
}

// isHash recognizes MD5, SHA-1 and SHA-256 in hexadecimal digits, and SHA-256 in base64.
func isHash(cell []byte) bool {
	digits := len(bytes.Trim(cell, "0123456789abcdefABCDEF")) == 0
	switch len(cell) {
	case 32, 40, 64:
		return digits
	case 44:
		return cell[43] == '=' && bytes.IndexByte(cell, ' ') < 0
	}
	return false
}

// isPhone recognizes seven or more digits with the signs that people put between them.
func isPhone(cell []byte) bool {
	digits := 0
	for _, c := range cell {
		if '0' <= c && c <= '9' {
			digits++
		} else if bytes.IndexByte([]byte(" +-()./"), c) < 0 {
			return false
		}
	}
	return digits >= 7
}
