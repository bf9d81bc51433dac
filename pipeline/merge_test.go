package pipeline_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// base is a merge in memory: what a table knows, and what was added to it.
type base struct {
	known  map[normalize.ID]pipeline.Answer
	live   map[pair]bool
	list   map[normalize.ID]bool // never to be asked
	due    func(*normalize.ID) bool
	size   int // tasks that are yielded at once; 0 is 7
	failAt int // the Add that fails, from 1; 0 is none
	stopAt int // after how many tasks Tasks fails; 0 is never

	added []pipeline.Task
	blank map[int]int64
}

type pair struct {
	id       string
	identity normalize.ID
}

func (b *base) Add(r *pipeline.Read) error {
	if b.failAt > 0 && len(b.added)+1 >= b.failAt {
		return errCrash
	}
	if r.Blank {
		if b.blank == nil {
			b.blank = map[int]int64{}
		}
		b.blank[r.Input]++
		return nil
	}
	t := pipeline.Task{
		Input: r.Input, Row: r.Row, Column: r.Column, Refusal: r.Refusal, Malformed: r.Malformed, Note: r.Note, Unnormalized: r.Unnormalized,
		Identity: r.Identity, ID: bytes.Clone(r.ID), HasID: r.HasID,
	}
	if r.Begins {
		t.Lines = 1
	}
	b.added = append(b.added, t)
	return nil
}

// Tasks yields everything in the order of kind, hash and key: what the inputs hold, and live pairs that they do not.
func (b *base) Tasks(context.Context) iter.Seq2[*pipeline.Tasks, error] {
	var all []pipeline.Task
	read := map[pair]bool{}
	for _, t := range b.added {
		p := pair{string(t.ID), t.Identity}
		t.Answer = b.known[t.Identity]
		t.Live = b.live[p] && !read[p]
		switch {
		case t.Malformed != "":
			t.Do = pipeline.Malformed
		case t.Refusal != normalize.ReasonNone:
			t.Do = pipeline.Refuse
		case read[p]:
			t.Do = pipeline.Withhold
		case b.list[t.Identity]:
			t.Do = pipeline.Suppress
		case t.Answer.Status == client.Unknown, b.due != nil && b.due(&t.Identity):
			t.Do = pipeline.Ask
		case t.Live:
			t.Do = pipeline.Withhold
		default:
			t.Do = pipeline.Tell
		}
		if t.Refusal == normalize.ReasonNone {
			read[p] = true
		}
		all = append(all, t)
	}
	for p := range b.live {
		if !read[p] {
			all = append(all, pipeline.Task{
				Do: pipeline.Remove, Live: true, Input: pipeline.NoInput, Identity: p.identity, ID: []byte(p.id), HasID: true,
				SourceFile: "gs://before/x.csv", SourceColumn: "email", SourceRow: 7, Answer: b.known[p.identity],
			})
		}
	}
	slices.SortFunc(all, func(x, y pipeline.Task) int {
		return cmp.Or(cmp.Compare(x.Identity.Kind, y.Identity.Kind), bytes.Compare(x.Identity.Hash[:], y.Identity.Hash[:]),
			bytes.Compare(x.ID, y.ID), cmp.Compare(x.Input, y.Input), cmp.Compare(x.Row, y.Row), cmp.Compare(x.Column, y.Column))
	})
	for input := range 3 {
		if n := b.blank[input]; n > 0 {
			all = append(all, pipeline.Task{Do: pipeline.Blank, Input: input, Lines: n})
		}
	}
	return b.yield(all)
}

func (b *base) yield(all []pipeline.Task) iter.Seq2[*pipeline.Tasks, error] {
	size := cmp.Or(b.size, 7)
	return func(yield func(*pipeline.Tasks, error) bool) {
		done := 0
		for some := range slices.Chunk(all, size) {
			if b.stopAt > 0 && done >= b.stopAt {
				yield(nil, errCrash)
				return
			}
			if !yield(&pipeline.Tasks{List: slices.Clone(some)}, nil) {
				return
			}
			done += len(some)
		}
	}
}

// again returns the same base before anything was added.
func (b *base) again() *base {
	c := *b
	c.added, c.blank = nil, nil
	return &c
}

// crowd writes n rows whose identities repeat over rows and files, with blank, invalid and malformed lines.
func crowd(t *testing.T, name string, n int) string {
	t.Helper()
	var s strings.Builder
	s.WriteString("id,email,phone\n")
	for i := range n {
		switch i % 17 {
		case 3:
			fmt.Fprintf(&s, "k%d,,\n", i)
		case 5:
			fmt.Fprintf(&s, "k%d,nobody,\n", i)
		case 7:
			fmt.Fprintf(&s, "k%d,a,b,c\n", i)
		case 9:
			fmt.Fprintf(&s, "k%d,p%d@example.com,+1555%07d\n", i, i%90, i%50)
		case 11:
			fmt.Fprintf(&s, "k%d,placeholder@example.com,\n", i)
		default:
			fmt.Fprintf(&s, "k%d,p%d@example.com,\n", i%200, i%130)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nightly is two inputs and a base that knows some of what is in them, some of it in other ways, and more.
func nightly(t *testing.T) ([]pipeline.Input, *base) {
	t.Helper()
	b := &base{
		known: map[normalize.ID]pipeline.Answer{}, live: map[pair]bool{}, list: map[normalize.ID]bool{},
		due: func(id *normalize.ID) bool { return id.Hash[2]%3 == 0 },
	}
	n := normalize.New(normalize.Options{})
	for i := range 150 {
		id, _, _ := n.Identity(normalize.FormEmail, normalize.RawString(fmt.Sprintf("p%d@example.com", i)))
		uid, status := expect(&id)
		a := pipeline.Answer{Status: status, MappedAt: 1_600_000_000_000, RefreshFrom: refresh(&id) - 2*365*86_400_000}
		switch {
		case i%5 == 0:
			continue // never asked
		case i%5 == 1:
			a = pipeline.Answer{Status: client.Mapped, UID: []byte(fmt.Sprint("former", i)), MappedAt: 1_600_000_000_000}
		case i%5 == 2:
			a = pipeline.Answer{Status: client.OptOut, RawReason: []byte("optout"), MappedAt: 1_600_000_000_000}
		case status == client.Mapped:
			a.UID = []byte(uid)
		default:
			a.RawReason, a.RefreshFrom = []byte(uid), 0
		}
		b.known[id] = a
		b.list[id] = i%23 == 4
		for k := range 2 {
			if (i+k)%4 != 0 {
				b.live[pair{fmt.Sprint("k", (i+130*k)%200), id}] = true
			}
		}
	}
	return []pipeline.Input{input(t, crowd(t, "a.csv", 900)), input(t, crowd(t, "b.csv", 400))}, b
}

// night runs a nightly job to its end.
func night(t *testing.T, inputs []pipeline.Input, b *base, opts pipeline.Options) *table {
	t.Helper()
	tb := newTable(t)
	opts.Merge = b.again()
	if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
		t.Fatal(err)
	}
	return tb
}

// sameRun compares all that two runs have written and counted.
func sameRun(t *testing.T, got, want *table) {
	t.Helper()
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		same(t, dataset, got.rows(dataset), want.rows(dataset))
	}
	if got, want := got.byInput(), want.byInput(); !reflect.DeepEqual(got, want) {
		t.Fatalf("counts are\n%+v, want\n%+v", got, want)
	}
	if !got.last().Done || got.last().Cursor != want.last().Cursor {
		t.Errorf("the end is at %+v, done %v, want it at %+v", got.last().Cursor, got.last().Done, want.last().Cursor)
	}
}

func (tb *table) byInput() map[int]pipeline.Counts {
	all := map[int]pipeline.Counts{}
	for _, p := range tb.parts {
		for i := range p.Inputs {
			c := all[p.Inputs[i].Input]
			c.Add(&p.Inputs[i].Counts)
			all[p.Inputs[i].Input] = c
		}
	}
	return all
}

// conserves checks that every line and identifier of the inputs is accounted for, by part, by input and in all, and
// that the rows are as many as were counted.
func (tb *table) conserves() {
	tb.t.Helper()
	lines := int64(0)
	for _, p := range tb.parts {
		sum := p.Sum()
		if err := sum.Check(); err != nil {
			tb.t.Errorf("part %d: %v", p.N, err)
		}
		if lines += sum.Lines; p.Cursor.Lines != lines {
			tb.t.Errorf("part %d ends behind line %d, and there are %d lines up to it", p.N, p.Cursor.Lines, lines)
		}
	}
	for input, c := range tb.byInput() {
		if err := c.Check(); err != nil {
			tb.t.Errorf("input %d: %v", input, err)
		}
	}
	c := tb.counts()
	if n := len(tb.rows(sinks.DatasetMapped)); int64(n) != c.Mapped {
		tb.t.Errorf("%d rows are mapped, counted %d", n, c.Mapped)
	}
	if n := len(tb.rows(sinks.DatasetUnmapped)); int64(n) != c.UnmappedTotal() {
		tb.t.Errorf("%d rows are unmapped, counted %d", n, c.UnmappedTotal())
	}
}
