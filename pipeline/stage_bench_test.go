package pipeline

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"mapper/client"
	"mapper/client/objects"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// nowhere is a writer that only counts.
type nowhere struct{ rows int64 }

func (*nowhere) Begin(context.Context, int, int) error { return nil }
func (w *nowhere) Mapped(rows []sinks.Row) error       { w.rows += int64(len(rows)); return nil }
func (w *nowhere) Unmapped(rows []sinks.Row) error     { w.rows += int64(len(rows)); return nil }
func (w *nowhere) Rows() int64                         { return w.rows }
func (*nowhere) Memory() int64                         { return 0 }
func (w *nowhere) Seal() ([]sinks.File, error)         { w.rows = 0; return nil, nil }
func (*nowhere) Abort() error                          { return nil }

// BenchmarkStage is the stage of a run that joins answers to the rows that asked, counts them, and remembers the answers,
// and its floor: filling in a row with each answer.
func BenchmarkStage(b *testing.B) {
	const n = 5000
	input := Input{
		Source:      &sources.Input{Object: objects.Object{URI: "emails.csv"}, Layout: sources.Layout{Columns: []sources.Column{{Name: "email"}}}},
		Identifiers: []Identifier{{Form: normalize.FormEmail}}, ID: NoColumn,
	}
	c := new(chunk)
	c.reset(0)
	c.segments = append(c.segments, segment{batch: &batch{input: &input}})
	answer(c, n)
	for i := range n {
		c.rows = append(c.rows, row{ref: uint64(i), index: int32(i), outcome: asked, begins: true})
	}
	text := int64(len(c.answers.Text) / n)

	b.Run("join/own", func(b *testing.B) {
		s := &stages{opts: Options{PartRows: 1 << 40}.withDefaults()}
		sealed := func(context.Context, Part) error { return nil }
		j := &joiner{stages: s, inputs: []Input{input}, known: newKnown(s.opts.Recent)}
		var err error
		if j.part, err = newPartWriter(b.Context(), s, Part{}, new(nowhere), sealed); err != nil {
			b.Fatal(err)
		}
		first := uint64(0)
		join := func() {
			for i := range c.rows {
				c.rows[i].ref = first + uint64(i)
				// Others than before: the sketch of unique identities takes longer for few.
				binary.LittleEndian.PutUint64(c.asks.IDs[i].Hash[:], (first+uint64(i))*0x9e3779b97f4a7c15)
			}
			c.first, c.booked = first, 0
			if err := j.chunk(c); err != nil {
				b.Fatal(err)
			}
			j.remember(c)
			first += n
		}
		for first < uint64(2*len(j.known)) { // until the memory for answers is there
			join()
		}
		b.SetBytes(text)
		b.ReportAllocs()
		b.ResetTimer()
		for left := b.N; left > 0; left -= n {
			join()
		}
	})
	b.Run("join/floor", func(b *testing.B) {
		var rows [sinks.BlockRows]sinks.Row
		b.SetBytes(text)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			at := i % n
			item := &c.answers.Items[at]
			rows[i%len(rows)] = sinks.Row{
				Identity: c.asks.IDs[at], HasKind: true, HasHash: true, SourceFile: "emails.csv", SourceColumn: "email", SourceRow: int64(i),
				UID: c.answers.UID(at), Previous: c.answers.Previous(at), RefreshFrom: item.RefreshFrom, MappedAt: item.At,
			}
		}
	})
}

// answer makes up identities and answers: nine in ten are mapped, a third of these with a previous raw UID.
func answer(c *chunk, n int) {
	random := rand.New(rand.NewPCG(1, 2))
	c.answers.Reset(n)
	a := &c.answers
	add := func(word string) (from, to int) {
		from = len(a.Text)
		if a.Text = append(a.Text, word...); word == "" {
			var raw [32]byte
			binary.LittleEndian.PutUint64(raw[:], random.Uint64())
			a.Text = base64.StdEncoding.AppendEncode(a.Text, raw[:])
		}
		return from, len(a.Text)
	}
	for i := range n {
		var id normalize.ID
		for k := 0; k < len(id.Hash); k += 8 {
			binary.LittleEndian.PutUint64(id.Hash[k:], random.Uint64())
		}
		c.asks.add(&id, nil)
		item := &a.Items[i]
		item.At = 1_700_000_000_000
		if i%10 == 0 {
			item.Status = client.OptOut
			from, to := add("optout")
			a.SetWord(i, from, to)
			continue
		}
		item.Status, item.RefreshFrom = client.Mapped, item.At+random.Int64N(30)*millisPerDay
		from, to := add("")
		a.SetUID(i, from, to)
		if random.IntN(3) == 0 {
			from, to = add("")
			a.SetPrevious(i, from, to)
		}
	}
}
