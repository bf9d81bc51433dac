package sources

import "testing"

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   []byte
		levels int64
		want   bool
	}{
		{"one run", []byte{20, 1}, 10, true},
		{"a run and bits", []byte{20, 1, 3, 0xff}, 18, true},
		{"one more", []byte{20, 1, 3, 0xff}, 19, false},
		{"a run longer than the page", []byte{200, 1, 1}, 10, true},
		{"padded bits", []byte{9, 1, 2}, 10, true},
		{"bits that are cut off", []byte{5, 1}, 10, false},
		{"a run without its byte", []byte{20}, 10, false},
		{"an empty run", []byte{0, 1, 20, 1}, 10, false},
		{"a number that does not end", []byte{0x80, 0x80}, 1, false},
		{"nothing", nil, 1, false},
	} {
		if got := holdsLevels(c.data, c.levels); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
