package pipeline

import (
	"encoding/binary"
	"time"

	"mapper/client"
	"mapper/normalize"
	"mapper/sinks"
)

// inputCounter is InputCounts while it is counted.
type inputCounter struct {
	InputCounts
	unmapped sinks.ByReason
	input    *Input
	columns  []columnCounter // by number of the identifier column
}

// maxReasons bounds the distinct raw reasons that are counted by themselves: a service may say anything.
const maxReasons = 64

// book counts an identity that was asked, with the first row that uses its answer: only what is in a part counts,
// however often a crash makes the rest be asked again.
func (p *partWriter) book(id *normalize.ID, a *Answer) {
	p.asked++
	country := uint64(binary.LittleEndian.Uint16(id.Country[:])) * 0x9e3779b97f4a7c15 // nothing where there is none
	p.sketch.InsertHash(binary.LittleEndian.Uint64(id.Hash[:]) ^ country)
	p.due(a)
}

// due counts when an identity is to be asked again, once however many of its rows are written.
func (p *partWriter) due(a *Answer) {
	if a.Status == client.Mapped && a.RefreshFrom != 0 {
		p.calendar.add(a.RefreshFrom / millisPerDay)
	}
}

const millisPerDay = 24 * 60 * 60 * 1000

// calendar counts by day since 1970. Services hand out few days, in any order: those seen last are found without the map.
type calendar struct {
	days map[int64]*int64
	last [64]struct {
		day int64
		n   *int64
	}
}

func newCalendar() *calendar { return &calendar{days: map[int64]*int64{}} }

func (c *calendar) add(day int64) {
	last := &c.last[uint64(day)%uint64(len(c.last))]
	if last.n == nil || last.day != day {
		n := c.days[day]
		if n == nil {
			n = new(int64)
			c.days[day] = n
		}
		last.day, last.n = day, n
	}
	*last.n++
}

// begin counts the next line of the inputs.
func (p *partWriter) begin(b *batch, r *row) error {
	if err := p.makeRoom(); err != nil {
		return err
	}
	p.cursor = Cursor{Input: b.index, At: b.start, Row: b.rowNumber(int(r.index)), Lines: p.cursor.Lines + 1}
	p.turnTo(b.index, b.input)
	switch r.outcome {
	case malformed:
		p.countMalformed(1)
	case empty:
		p.countRows(1)
		p.in.EmptyRows++
	default:
		p.countRows(1)
	}
	return nil
}

// beginTask counts the next task of a merge.
func (p *partWriter) beginTask(t *Task, inputs []Input) error {
	if err := p.makeRoom(); err != nil {
		return err
	}
	p.cursor.Row++
	p.cursor.Lines += t.Lines
	if t.Live {
		p.live++
	}
	if t.Input == NoInput {
		p.turnTo(NoInput, nil)
	} else {
		p.turnTo(t.Input, &inputs[t.Input])
	}
	switch t.Do {
	case Malformed:
		p.countMalformed(t.Lines)
	case Blank:
		p.countRows(t.Lines)
		p.in.EmptyRows += t.Lines
	default:
		p.countRows(t.Lines)
	}
	return nil
}

// makeRoom sees to it that a part is open and not full.
func (p *partWriter) makeRoom() error {
	if p.open && p.w.Rows()+int64(p.block.pending) >= p.opts.PartRows {
		if err := p.seal(false); err != nil {
			return err
		}
	}
	if !p.open {
		if err := p.w.Begin(p.ctx, p.opts.Shard, p.n); err != nil {
			return p.fail(err)
		}
		p.open, p.since = true, time.Now()
	}
	return nil
}

// turnTo says which input the row at hand is of. Runs of rows of the same one cost nothing.
func (p *partWriter) turnTo(index int, input *Input) {
	if p.in != nil && p.in.Input == index {
		return
	}
	if p.in = p.byInput[index]; p.in != nil {
		return
	}
	p.in = &inputCounter{InputCounts: InputCounts{Input: index}, input: input}
	if input != nil {
		p.in.columns = make([]columnCounter, len(input.Identifiers))
	}
	p.inputs, p.byInput[index] = append(p.inputs, p.in), p.in
}

func (p *partWriter) countRows(n int64) {
	p.in.Lines += n
	p.in.Rows += n
	p.lines += n
}

func (p *partWriter) countMalformed(n int64) {
	p.in.Lines += n
	p.in.Malformed += n
	p.seen += n
	p.lines += n
}

// withhold counts an identifier that needs no row.
func (p *partWriter) withhold() { p.in.Withheld++ }

// note counts an identifier and what was remarkable about it.
func (p *partWriter) note(r *row) {
	p.in.Identifiers++
	if p.in.input != nil {
		p.in.columns[r.column].identifiers++
	}
	p.seen++
	if r.unnormalized {
		p.unnormalized++
	}
	for bit, n := 0, r.note; n != 0; bit, n = bit+1, n>>1 {
		p.notes[bit] += int64(n & 1)
	}
}

// invalidIn counts an invalid identifier of a column. ReasonNone says that the service refused it.
func (p *partWriter) invalidIn(column uint8, reason normalize.Reason) {
	if p.in.input != nil {
		p.in.columns[column].invalid[reason]++
	}
}

// repeat counts a row whose identity was asked for a row before it. The hash of the empty string has a note of
// its own.
func (p *partWriter) repeat(r *row, id *normalize.ID, input int, number int64) {
	if r.note&normalize.NoteEmptyHash == 0 {
		p.repeats.add(id, input, number)
	}
}

// mapped takes the row that the block lends as mapped. It is written with others, when the part is flushed at the latest.
func (p *partWriter) mapped() error {
	p.in.Mapped++
	if !p.block.take() {
		return nil
	}
	return p.flush()
}

// flush writes the rows that are pending. Nothing that they refer to is needed any more.
func (p *partWriter) flush() error {
	p.opts.Progress.Lines.Add(p.lines)
	p.lines = 0
	rows := p.block.taken()
	p.opts.Progress.Mapped.Add(int64(len(rows)))
	var err error
	if len(rows) > 0 {
		err = p.fail(p.w.Mapped(rows))
	}
	p.block.empty()
	return err
}

// unmapped writes the row that the block lends.
func (p *partWriter) unmapped() error {
	out := p.block.room()
	p.in.unmapped[out.Reason]++
	if out.Reason == sinks.ReasonInvalidIdentifier || out.Reason == sinks.ReasonInvalidRow {
		p.invalid++
	}
	p.opts.Progress.unmapped[out.Reason].Add(1)
	count := p.reasons[string(out.RawReason)]
	if count == nil {
		word := string(out.RawReason)
		if len(p.reasons) >= maxReasons {
			word = "other"
		}
		if count = p.reasons[word]; count == nil {
			count = new(int64)
			p.reasons[word] = count
		}
	}
	*count++
	return p.fail(p.w.Unmapped(p.block.lent()))
}

// totals returns what the part has counted beside its lines.
func (p *partWriter) totals() Totals {
	now := p.opts.Usage()
	t := Totals{
		Asked:     p.asked,
		Requests:  now.Requests - p.usage.Requests,
		Retries:   now.Retries - p.usage.Retries,
		Throttled: now.Throttled - p.usage.Throttled,
		Live:      p.live,
		Notes:     map[string]int64{},
		Reasons:   map[string]int64{},
		Calendar:  map[string]int64{},
		Columns:   map[string]ColumnCounts{},
	}
	p.usage = now
	var identifiers int64
	for _, in := range p.inputs {
		identifiers += in.Identifiers
		for n := range in.columns {
			in.columns[n].addTo(t.Columns, in.input.Source.Layout.Columns[in.input.Identifiers[n].Column].Name)
		}
	}
	t.Repeated = p.repeats.take(identifiers)
	for bit, n := range p.notes {
		if n > 0 {
			t.Notes[normalize.Note(1<<bit).String()] = n
		}
	}
	if p.unnormalized > 0 {
		t.Notes[NoteUnnormalized] = p.unnormalized
	}
	for word, n := range p.reasons {
		t.Reasons[word] = *n
	}
	for day, n := range p.calendar.days {
		t.Calendar[time.UnixMilli(day*millisPerDay).UTC().Format(time.DateOnly)] = *n
	}
	return t
}
