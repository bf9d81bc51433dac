package view_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
)

// madeRead is something read of an input, with its kept values as keptRecord takes them.
type madeRead struct {
	pipeline.Read
	kept map[string]any
}

// inputs makes up what is read of inputs, in source order.
func (d dice) inputs(identities, rows int) (reads []madeRead) {
	for input := range d.IntN(4) {
		for row := range d.IntN(rows) {
			reads = append(reads, d.line(input, int64(row+1)*pick(d, int64(1), 300, 1<<33), identities)...)
		}
	}
	slices.SortStableFunc(reads, func(a, b madeRead) int {
		return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(reads, func(a, b madeRead) bool {
		return a.Input == b.Input && a.Row == b.Row && (a.Column == b.Column || !b.Begins && (a.Blank || a.Malformed != ""))
	})
}

func (d dice) line(input int, row int64, identities int) (reads []madeRead) {
	read := madeRead{Read: pipeline.Read{Input: input, Row: row, Begins: true}, kept: map[string]any{}}
	for _, k := range keepable {
		read.kept[k.Name] = pick(d, k.values...)
	}
	if id := pick(d, "null", "null", "", "a", "b", "ab", "a\x00", "a\x00b", "\x00", "\x00\x00", "ä", "new", strings.Repeat("long", 20)); id != "null" {
		read.ID, read.HasID = []byte(id), true
	}
	switch d.IntN(12) {
	case 0:
		read.Blank = true
		return []madeRead{read}
	case 1:
		read.Malformed = pick(d, "too many fields", "quote")
		return []madeRead{read}
	}
	for column := range 3 {
		if column > 0 && d.IntN(2) == 0 {
			continue
		}
		r := read
		r.Begins, r.Column = column == 0, uint8(column*100)
		r.Unnormalized, r.Note = d.IntN(4) == 0, normalize.Note(d.IntN(64))
		r.Identity = identity(d.IntN(identities * 5 / 4)) // some of them new
		if d.IntN(8) == 0 {
			r.Refusal, r.Identity = normalize.ReasonEmailNoAt, normalize.ID{Kind: r.Identity.Kind}
		}
		reads = append(reads, r)
	}
	return reads
}

// world is a view, inputs, and what is wanted of them.
type world struct {
	h       history
	reads   []madeRead
	kept    []arrow.Field
	options view.ShuffleOptions
	memory  int64
}

func (d dice) world(identities, rows int) world {
	w := world{h: d.history(identities), reads: d.inputs(identities, rows), memory: pick(d, int64(600), 3000, 20000, 0)}
	for _, k := range keepable {
		if d.IntN(3) == 0 {
			w.kept = append(w.kept, k.Field)
		}
	}
	w.options = view.ShuffleOptions{
		Due:      view.Due{AsOf: time.UnixMilli(pick(d, int64(0), 1, 2, 1000, 1001, 3000)), Recheck: pick(d, 0, time.Millisecond, time.Second)},
		FullBase: d.IntN(2) == 0, Kept: w.kept, Memory: w.memory,
	}
	if d.IntN(2) == 0 {
		w.options.Suppressed = func(id *normalize.ID) bool { return id.Hash[0]%8 == 0 }
	}
	return w
}

// known is what the view says, by pair.
type known struct {
	live   bool
	answer pipeline.Answer
}

func pairName(id normalize.ID, key []byte, has bool) string {
	name := identityName(id)
	if has {
		return name + "1" + string(key)
	}
	return name + "0"
}

func identityName(id normalize.ID) string {
	return fmt.Sprint(id.Kind) + base64.StdEncoding.EncodeToString(id.Hash[:])
}

// modelTasks says what is to be done, in plain words and in order.
func (w *world) modelTasks(pairs map[string]known) (want []string) {
	answers := map[string]pipeline.Answer{}
	for pair, k := range pairs {
		answers[pair[:len(identityName(normalize.ID{}))]] = k.answer
	}
	type line struct {
		pair       string
		input, row int64
		column     uint8
		text       string
	}
	var asked []line
	var refused []string
	blank := map[int]int64{}
	met := map[string]bool{}
	for _, r := range w.reads { // in source order, so that the first of a pair comes first
		if r.Blank {
			blank[r.Input]++
			continue
		}
		t := pipeline.Task{Input: r.Input, Row: r.Row, Column: r.Column, Refusal: r.Refusal, Malformed: r.Malformed, Note: r.Note,
			Unnormalized: r.Unnormalized, Identity: r.Identity, ID: r.ID, HasID: r.HasID}
		if r.Begins {
			t.Lines = 1
		}
		kept := keptLine(w.kept, func(_ int, f arrow.Field) string {
			if r.kept[f.Name] == nil {
				return "-"
			}
			return fmt.Sprint(r.kept[f.Name])
		})
		if r.Malformed != "" || r.Refusal != normalize.ReasonNone {
			t.Do = pipeline.Refuse
			if r.Malformed != "" {
				t.Do = pipeline.Malformed
			}
			refused = append(refused, taskLine(&t)+kept)
			continue
		}
		pair := pairName(r.Identity, r.ID, r.HasID)
		answer, isKnown := answers[identityName(r.Identity)]
		t.Answer = answer
		isFirst := !met[pair]
		met[pair] = true
		t.Live = isFirst && pairs[pair].live
		asOf := w.options.Due.AsOf.UnixMilli()
		due := !isKnown || answer.Status == client.Unknown || answer.Status == client.Mapped && answer.RefreshFrom != 0 && answer.RefreshFrom <= asOf ||
			answer.Status != client.Mapped && w.options.Due.Recheck > 0 && answer.MappedAt <= asOf-w.options.Due.Recheck.Milliseconds()
		switch {
		case !isFirst:
			t.Do = pipeline.Withhold
		case w.options.Suppressed != nil && w.options.Suppressed(&r.Identity):
			t.Do = pipeline.Suppress
		case due:
			t.Do = pipeline.Ask
		case pairs[pair].live:
			t.Do = pipeline.Withhold
		default:
			t.Do = pipeline.Tell
		}
		asked = append(asked, line{pair, int64(r.Input), r.Row, r.Column, taskLine(&t) + kept})
	}
	if w.options.FullBase {
		nulls := keptLine(w.kept, func(int, arrow.Field) string { return "-" })
		for pair, k := range pairs {
			if k.live && !met[pair] {
				asked = append(asked, line{pair: pair, text: removedLine(pair, k) + nulls})
			}
		}
	}
	slices.SortFunc(asked, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.pair, b.pair), cmp.Compare(a.input, b.input), cmp.Compare(a.row, b.row), cmp.Compare(a.column, b.column))
	})
	for _, l := range asked {
		want = append(want, l.text)
	}
	want = append(want, refused...)
	for input := range 4 {
		if blank[input] > 0 {
			want = append(want, taskLine(&pipeline.Task{Do: pipeline.Blank, Input: input, Lines: blank[input]})+
				keptLine(w.kept, func(int, arrow.Field) string { return "-" }))
		}
	}
	return want
}

func keptLine(kept []arrow.Field, value func(i int, f arrow.Field) string) (line string) {
	for i, f := range kept {
		line += fmt.Sprintf(" %s=%q", f.Name, value(i, f))
	}
	return line
}

func taskLine(t *pipeline.Task) string {
	return fmt.Sprintf("do=%d lines=%d live=%t at %d:%d:%d %q %q note=%d unnormalized=%t %q", t.Do, t.Lines, t.Live, t.Input, t.Row, t.Column,
		t.Refusal, t.Malformed, t.Note, t.Unnormalized, pairName(t.Identity, t.ID, t.HasID)) +
		" " + answerLineOf(&t.Answer)
}

func answerLineOf(a *pipeline.Answer) string {
	return answerLine(a.Status, a.UID, a.Previous, a.RawReason, a.RefreshFrom, a.MappedAt)
}

func removedLine(pair string, k known) string {
	return fmt.Sprintf("do=%d lines=0 live=true at %d:0:0 %q %q note=0 unnormalized=false %q %s",
		pipeline.Remove, pipeline.NoInput, "", "", pair, answerLineOf(&k.answer))
}

func knownOf(t *testing.T, v *view.View) map[string]known {
	t.Helper()
	pairs := map[string]known{}
	for r, err := range v.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		a := r.Answer
		a.UID, a.Previous, a.RawReason = slices.Clone(a.UID), slices.Clone(a.Previous), slices.Clone(a.RawReason)
		pairs[pairName(r.Identity, r.ID, r.HasID)] = known{r.Live, a}
	}
	return pairs
}

// addAll adds what is read, with records of kept columns of some rows each.
func addAll(t testing.TB, s *view.Shuffle, reads []madeRead, kept []arrow.Field) {
	t.Helper()
	for some := range slices.Chunk(reads, 50) {
		rows := make([]madeRow, len(some))
		for i := range some {
			rows[i].kept = some[i].kept
		}
		record := keptRecord(t, rows, kept)
		for i := range some {
			r := some[i].Read
			if len(kept) > 0 {
				r.Kept, r.KeptRow = record, i
			}
			r.ID = slices.Clone(r.ID)
			if err := s.Add(&r); err != nil {
				t.Fatal(err)
			}
			clear(r.ID) // nothing may be kept of it
		}
	}
}

// tasksOf collects all tasks before it looks at one, as they are said to own their memory.
func tasksOf(t *testing.T, s *view.Shuffle, kept []arrow.Field) (tasks []pipeline.Task, lines []string) {
	t.Helper()
	var all []*pipeline.Tasks
	for some, err := range s.Tasks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(some.List) == 0 || len(some.List) > 1024 {
			t.Fatalf("%d tasks at once", len(some.List))
		}
		all = append(all, some)
	}
	for _, some := range all {
		for i := range some.List {
			task := &some.List[i]
			tasks = append(tasks, *task)
			lines = append(lines, taskLine(task)+keptLine(kept, func(column int, _ arrow.Field) string {
				return valueOf(some.Kept.Column(column), task.KeptRow)
			}))
		}
	}
	return tasks, lines
}

func TestShuffleIsTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			d := dice{rand.New(rand.NewPCG(seed, 2))}
			w := d.world(pick(d, 3, 40, 90), pick(d, 10, 400, 1500))
			w.compare(t)
		})
	}
}

func (w *world) compare(t *testing.T) {
	t.Helper()
	spill := t.TempDir()
	w.options.Spill = spill
	tab, runs := newTable(t, w.h)
	v, err := view.Open(t.Context(), tab, runs, view.Options{Memory: w.memory, Spill: spill})
	if err != nil {
		t.Fatal(err)
	}
	s, err := view.NewShuffle(v, w.options)
	if err != nil {
		t.Fatal(err)
	}
	addAll(t, s, w.reads, w.kept)
	tasks, lines := tasksOf(t, s, w.kept)
	pairs := knownOf(t, v)
	want := w.modelTasks(pairs)
	for i := range max(len(lines), len(want)) {
		if i >= len(lines) || i >= len(want) || lines[i] != want[i] {
			t.Fatalf("task %d of %d is\n%s\nand not\n%s", i, len(lines), at(lines, i), at(want, i))
		}
	}
	w.conserves(t, tasks, pairs)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, spill)
}

// conserves sees that every line and identifier is there once, and so is each live pair that is met or removed.
func (w *world) conserves(t *testing.T, tasks []pipeline.Task, pairs map[string]known) {
	t.Helper()
	type place struct {
		input  int
		row    int64
		column uint8
	}
	lines, identifiers := map[int]int64{}, map[place]int{}
	met := map[string]bool{}
	for _, r := range w.reads {
		if r.Begins {
			lines[r.Input]++
		}
		if !r.Blank {
			identifiers[place{r.Input, r.Row, r.Column}]++
		}
		if !r.Blank && r.Malformed == "" && r.Refusal == normalize.ReasonNone {
			met[pairName(r.Identity, r.ID, r.HasID)] = true
		}
	}
	live := 0
	for pair, k := range pairs {
		if k.live && (w.options.FullBase || met[pair]) {
			live++
		}
	}
	for _, task := range tasks {
		lines[task.Input] -= task.Lines
		if task.Live {
			live--
		}
		if task.Do != pipeline.Blank && task.Do != pipeline.Remove {
			identifiers[place{task.Input, task.Row, task.Column}]--
		}
	}
	for input, n := range lines {
		if n != 0 {
			t.Errorf("input %d: %d lines are not accounted for", input, n)
		}
	}
	for at, n := range identifiers {
		if n != 0 {
			t.Errorf("%v is missing %d times", at, n)
		}
	}
	if live != 0 {
		t.Errorf("%d live pairs are not accounted for", live)
	}
}
