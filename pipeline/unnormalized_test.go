package pipeline

import (
	"crypto/sha256"
	"testing"

	"mapper/normalize"
)

// pair is a row with an email and the hash of a text.
func pair(email, hashed string) ([]found, normalize.Raw) {
	n := normalize.New(normalize.Options{})
	raw := normalize.RawString(email)
	id, note, reason := n.Identity(normalize.FormEmail, raw)
	hash := found{id: normalize.ID{Hash: sha256.Sum256([]byte(hashed))}, column: 1, note: normalize.NotePrehashed}
	return []found{{id: id, note: note, reason: reason}, hash}, raw
}

func TestUnnormalized(t *testing.T) {
	for _, c := range []struct {
		name, email, hashed string
		want                bool
	}{
		{"normalized", "Jane.Doe@example.com", "jane.doe@example.com", false},
		{"as written", "Jane.Doe@example.com", "Jane.Doe@example.com", true},
		{"as written, trimmed", " Jane.Doe@example.com\t", "Jane.Doe@example.com", true},
		{"upper case", "jane.doe@example.com", "JANE.DOE@EXAMPLE.COM", true},
		{"lower case, which is normalized", "JANE@example.com", "jane@example.com", false},
		{"lower case, and gmail keeps its dots", "Jane.Doe@gmail.com", "jane.doe@gmail.com", true},
		{"gmail normalized", "Jane.Doe+x@gmail.com", "janedoe@gmail.com", false},
		{"somebody else's", "jane@example.com", "joe@example.com", false},
		{"not an email", "Jane", "Jane", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			row, raw := pair(c.email, c.hashed)
			var u unnormalized
			u.mark(row, func(uint8) normalize.Raw { return raw })
			if row[1].unnormalized != c.want || row[0].unnormalized {
				t.Errorf("got %v, want %v", row[1].unnormalized, c.want)
			}
		})
	}
}

// TestUnnormalizedOfTwo: a hash that belongs to one of a row's emails is right, whatever the others are.
func TestUnnormalizedOfTwo(t *testing.T) {
	row, first := pair("A@example.com", "b@example.com")
	other, second := pair("b@example.com", "")
	other[0].column = 2
	row = append(row, other[0])
	value := func(column uint8) normalize.Raw {
		if column == 2 {
			return second
		}
		return first
	}
	var u unnormalized
	if u.mark(row, value); row[1].unnormalized {
		t.Error("the hash of the second email is called wrong")
	}
	row[1].id.Hash = sha256.Sum256([]byte("B@EXAMPLE.COM"))
	if u.mark(row, value); !row[1].unnormalized {
		t.Error("the upper-case hash of the second email is not seen")
	}
	row[1].id.Kind = normalize.KindPhone
	row[1].unnormalized = false
	if u.mark(row, value); row[1].unnormalized {
		t.Error("the hash of a phone is compared with an email")
	}
}

// BenchmarkUnnormalized is a row with an email and the hash of something else: the dearest case.
func BenchmarkUnnormalized(b *testing.B) {
	row, raw := pair("jane.doe@example.com", "other@example.com")
	b.ReportAllocs()
	var u unnormalized
	for b.Loop() {
		u.mark(row, func(uint8) normalize.Raw { return raw })
	}
}
