package sinks

import (
	"slices"
	"strings"
	"testing"
)

// TestWords spells out the words of the contract.
func TestWords(t *testing.T) {
	tests := []struct {
		name  string
		words string
		n     int
		word  func(i int) string
		parse func(s string) (int, error)
	}{
		{"change", "new same rotated opted_out restored removed", int(changes),
			func(i int) string { return Change(i).String() },
			func(s string) (int, error) { c, err := ParseChange(s); return int(c), err }},
		{"reason", "OPTOUT INVALID_IDENTIFIER UNKNOWN SUPPRESSED REMOVED INVALID_ROW", int(reasons),
			func(i int) string { return Reason(i).String() },
			func(s string) (int, error) { r, err := ParseReason(s); return int(r), err }},
		{"rejected by", "service mapper", int(rejecters),
			func(i int) string { return RejectedBy(i).String() },
			func(s string) (int, error) { r, err := ParseRejectedBy(s); return int(r), err }},
		{"compression", "snappy none zstd", int(compressions),
			func(i int) string { return Compression(i).String() },
			func(s string) (int, error) { c, err := ParseCompression(s); return int(c), err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			words := strings.Fields(tt.words)
			if len(words) != tt.n {
				t.Fatalf("%d values, want %d", tt.n, len(words))
			}
			for i, want := range words {
				if got := tt.word(i); got != want {
					t.Errorf("%d is %q, want %q", i, got, want)
				}
				if got, err := tt.parse(want); got != i || err != nil {
					t.Errorf("%q is %d, %v; want %d", want, got, err, i)
				}
			}
			for _, wrong := range []string{"", "nonsense", tt.word(tt.n), strings.ToUpper(words[0]) + "_"} {
				if got, err := tt.parse(wrong); err == nil {
					t.Errorf("%q is %d, want an error", wrong, got)
				}
			}
		})
	}
	if got, want := Reasons(), []Reason{0, 1, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("reasons are %v, want %v", got, want)
	}
	if counts := (ByReason{1, 2, 3, 4, 5, 6}); counts.Sum() != 21 {
		t.Errorf("sum is %d, want 21", counts.Sum())
	}
}
