package view_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mapper/client"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// said is a row of a run, with all that decides which row counts.
type said struct {
	*madeRow
	run    *madeRun
	number int // among the rows of the run
}

// model says what the view of a history is, in plain words.
func model(h history) (columns, rows []string) {
	replaced := map[string]bool{}
	for _, r := range h {
		for _, id := range r.replaces {
			replaced[id] = true
		}
	}
	answers := map[string][]said{} // by identity
	lives := map[string][]said{}   // by pair
	var pairs []string
	identityOf, orderOf := map[string]string{}, map[string]string{}
	for _, r := range h {
		if replaced[r.id] {
			continue
		}
		number := 0
		for _, p := range r.parts {
			for _, row := range slices.Concat(p.mapped, p.unmapped) {
				number++
				if !row.HasHash {
					continue
				}
				s := said{&row, r, number}
				identity := identityText(row.Identity)
				pair := identity + " null"
				if row.HasID {
					pair = identity + " the " + string(row.ID)
				}
				identityOf[pair], orderOf[pair] = identity, r.orderOf(row.Identity)+strings.TrimPrefix(pair, identity)
				answers[identity] = append(answers[identity], s)
				if r.kind == "remap" { // which has read nothing
					row.SourceFile, row.SourceColumn, row.SourceRow, row.kept = "", "", 0, nil
				}
				if r.kind != "remap" || !row.isMapped && row.Reason == sinks.ReasonSuppressed {
					if lives[pair] == nil {
						pairs = append(pairs, pair)
					}
					lives[pair] = append(lives[pair], s)
				}
			}
		}
	}
	columns = modelColumns(h, replaced)
	slices.SortFunc(pairs, func(a, b string) int { return strings.Compare(orderOf[a], orderOf[b]) })
	for _, pair := range pairs {
		last := slices.MaxFunc(lives[pair], func(a, b said) int {
			return cmp.Or(cmp.Compare(a.run.seq, b.run.seq), cmp.Compare(len(b.run.replaces), 0)-cmp.Compare(len(a.run.replaces), 0),
				cmp.Compare(a.run.id, b.run.id), cmp.Compare(a.number, b.number))
		})
		live := last.isMapped || last.Reason != sinks.ReasonRemoved && last.Reason != sinks.ReasonSuppressed
		line := fmt.Sprintf("%s live=%t %q %q %d %s", pair, live, last.SourceFile, last.SourceColumn, last.SourceRow, modelAnswer(answers[identityOf[pair]]))
		for _, c := range columns {
			value := "-"
			if v := last.kept[c]; v != nil && last.run.kind != "remap" && slices.ContainsFunc(last.run.kept, func(f field) bool { return f.Name == c }) {
				value = fmt.Sprint(v)
			}
			line += fmt.Sprintf(" %s=%q", c, value)
		}
		rows = append(rows, line)
	}
	return columns, rows
}

// modelColumns returns the kept columns of runs from old to new, as they come.
func modelColumns(h history, replaced map[string]bool) (columns []string) {
	old := slices.Clone(h)
	slices.SortFunc(old, func(a, b *madeRun) int {
		if a.seq == b.seq && (len(a.replaces) > 0) != (len(b.replaces) > 0) {
			if len(a.replaces) > 0 {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.id, b.id))
	})
	for _, r := range old {
		written := slices.ContainsFunc(r.parts, func(p madePart) bool { return len(p.mapped)+len(p.unmapped) > 0 })
		for _, f := range r.kept {
			if !replaced[r.id] && r.kind != "remap" && written && !slices.Contains(columns, f.Name) {
				columns = append(columns, f.Name)
			}
		}
	}
	return columns
}

func modelAnswer(all []said) string {
	isAnswer := func(s said) bool {
		return s.isMapped || s.Reason == sinks.ReasonOptOut || s.Reason == sinks.ReasonInvalidIdentifier && s.RejectedBy == sinks.ByService
	}
	isOptOut := func(s said) int {
		if !s.isMapped && s.Reason == sinks.ReasonOptOut {
			return 1
		}
		return 0
	}
	latest := func(a, b said) int {
		return cmp.Or(cmp.Compare(a.MappedAt, b.MappedAt), isOptOut(a)-isOptOut(b), cmp.Compare(a.run.id, b.run.id), cmp.Compare(a.number, b.number))
	}
	var answers, unknown []said
	for _, s := range all {
		if isAnswer(s) {
			answers = append(answers, s)
		} else if s.Reason == sinks.ReasonUnknown {
			unknown = append(unknown, s)
		}
	}
	if len(answers) > 0 {
		s := slices.MaxFunc(answers, latest)
		status := client.Mapped
		if !s.isMapped {
			status = client.Invalid
		}
		if isOptOut(s) == 1 {
			status = client.OptOut
		}
		return answerLine(status, s.UID, s.Previous, s.RawReason, s.RefreshFrom, s.MappedAt)
	}
	if len(unknown) > 0 {
		s := slices.MaxFunc(unknown, latest)
		return answerLine(client.Unknown, nil, nil, s.RawReason, 0, s.MappedAt)
	}
	return answerLine(client.Unknown, nil, nil, nil, 0, 0)
}

func answerLine(status client.Status, uid, previous, word []byte, refreshFrom, mappedAt int64) string {
	return fmt.Sprintf("status=%d %q %q %q %d %d", status, uid, previous, word, refreshFrom, mappedAt)
}

func identityText(id normalize.ID) string {
	return id.Kind.String() + base64.StdEncoding.EncodeToString(id.Hash[:]) + strings.Trim(string(id.Country[:]), "\x00")
}

// lineOf writes a row of the view as the model does.
func lineOf(v *view.View, r *view.Row) string {
	pair := identityText(r.Identity) + " null"
	if r.HasID {
		pair = strings.TrimSuffix(pair, "null") + "the " + string(r.ID)
	}
	a := r.Answer
	line := fmt.Sprintf("%s live=%t %q %q %d %s", pair, r.Live, r.SourceFile, r.SourceColumn, r.SourceRow,
		answerLine(a.Status, a.UID, a.Previous, a.RawReason, a.RefreshFrom, a.MappedAt))
	for i, f := range v.Kept() {
		line += fmt.Sprintf(" %s=%q", f.Name, valueOf(r.Kept.Column(i), r.KeptRow))
	}
	return line
}

// linesOf opens the view of a history and returns its columns and rows.
func linesOf(t *testing.T, h history, o view.Options) (columns, rows []string) {
	t.Helper()
	tab, runs := newTable(t, h)
	v, err := view.Open(t.Context(), tab, runs, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, f := range v.Kept() {
		columns = append(columns, f.Name)
	}
	for r, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, lineOf(v, r))
	}
	return columns, rows
}

// Random histories, of which each has many identities that know nothing of each other.
func TestViewIsTheModel(t *testing.T) {
	t.Parallel()
	for service, of := range services {
		for seed := range uint64(28) {
			t.Run(fmt.Sprint(service, " seed ", seed), func(t *testing.T) {
				t.Parallel() // most of the time is the disk's
				d := dice{rand.New(rand.NewPCG(seed, 1))}
				compare(t, of(d, d.history(70)), pick(d, int64(600), 3000, 20000, 0))
			})
		}
	}
}

// compare sees that the view of a history is what the model says.
func compare(t *testing.T, h history, memory int64) {
	t.Helper()
	spill := t.TempDir()
	columns, rows := linesOf(t, h, view.Options{Memory: memory, Spill: spill})
	wantColumns, want := model(h)
	if !slices.Equal(columns, wantColumns) {
		t.Fatalf("kept columns are %v, not %v", columns, wantColumns)
	}
	for i := range max(len(rows), len(want)) {
		if i >= len(rows) || i >= len(want) || rows[i] != want[i] {
			t.Fatalf("row %d is\n%s\nand not\n%s\nin %s", i, at(rows, i), at(want, i), told(h))
		}
	}
	nothingLeft(t, spill)
}

func at(rows []string, i int) string {
	if i < len(rows) {
		return rows[i]
	}
	return "missing"
}

func told(h history) string {
	var b strings.Builder
	for _, r := range h {
		fmt.Fprintf(&b, "\n%s %s seq %d replaces %v", r.id, r.kind, r.seq, r.replaces)
	}
	return b.String()
}
