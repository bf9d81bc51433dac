package view_test

import (
	"math/rand/v2"
	"testing"

	"mapper/jobs/table/view"
)

// With AnswersOnly the rows have neither source nor kept columns, and are the same for the rest; sorted runs too.
func TestAnswersOnly(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(11, 2))}
	old := d.history(40)
	tables := map[string]history{"as they came": old, "compacted": {compacted(t, old, "compacted", 9)}}
	for name, h := range tables {
		tab, runs := newTable(t, h)
		var list [2][]view.Row
		for n, answersOnly := range []bool{false, true} {
			v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: 20000, Spill: t.TempDir(), AnswersOnly: answersOnly})
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range v.Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				list[n] = append(list[n], *row)
			}
			if answersOnly && len(v.Kept()) > 0 {
				t.Errorf("%s: %d kept columns", name, len(v.Kept()))
			}
			if err := v.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if len(list[0]) == 0 || len(list[0]) != len(list[1]) {
			t.Fatalf("%s: %d rows, and %d with answers only", name, len(list[0]), len(list[1]))
		}
		for i := range list[0] {
			want, got := &list[0][i], &list[1][i]
			same := string(want.ID) == string(got.ID) && want.HasID == got.HasID && want.Identity == got.Identity && want.Live == got.Live &&
				want.Answer.Status == got.Answer.Status && string(want.Answer.UID) == string(got.Answer.UID) && want.Answer.MappedAt == got.Answer.MappedAt
			if !same || got.SourceFile != "" || got.SourceRow != 0 || got.Kept != nil {
				t.Errorf("%s: row %d is %+v, and with answers only %+v", name, i, want, got)
			}
		}
	}
}
