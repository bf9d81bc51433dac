package view

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"

	"mapper/normalize"
	"mapper/pipeline"
)

// AgainOptions tunes what is asked again.
type AgainOptions struct {
	Due     Due
	MaxRows int64  // no further identity is taken up once so many rows are; 0 is all
	Memory  int64  // as in Options
	Spill   string // as in Options
}

// Again is what a run asks for again: a task for each live pair of an identity that is due, in the order of refresh_from,
// identity, id. Identities without refresh_from, which have opted out for example, come first. It is the
// [pipeline.Merge] of a run without inputs.
type Again struct {
	network network
	maxRows int64
	sorted  *sorter
	folder  spillFolder

	key, value []byte
}

// NewAgain takes what is due off a view, which is not needed any more then.
func NewAgain(ctx context.Context, v *View, o AgainOptions) (_ *Again, err error) {
	memory := Options{Memory: o.Memory}.withDefaults().Memory
	a := &Again{network: v.network, maxRows: o.MaxRows}
	if a.folder, err = newSpillFolder(o.Spill); err != nil {
		return nil, err
	}
	a.sorted = newSorter(memory, a.folder.path)
	if err := a.take(ctx, v, o.Due); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Again) take(ctx context.Context, v *View, due Due) error {
	for row, err := range v.Rows(ctx) {
		if err != nil {
			return err
		}
		suppressed := due.Also != nil && due.Also(&row.Identity)
		if !row.Live || !suppressed && !due.Is(&row.Answer) {
			continue
		}
		if err := a.add(row, suppressed); err != nil {
			return err
		}
	}
	return a.sorted.finish()
}

// add adds a pair. Its key is the order, and what it is; its value the answer that is known.
func (a *Again) add(row *Row, suppressed bool) error {
	a.key = binary.BigEndian.AppendUint64(a.key[:0], uint64(row.Answer.RefreshFrom)^1<<63)
	a.key = a.network.appendKnown(a.key, &row.Identity)
	a.key = appendID(a.key, row.ID, row.HasID)
	do := pipeline.Ask
	if suppressed {
		do = pipeline.Suppress
	}
	a.value = append(a.value[:0], byte(do))
	a.value = binary.AppendVarint(a.value, row.Answer.MappedAt)
	known := answer{status: row.Answer.Status, refreshFrom: row.Answer.RefreshFrom, uid: row.Answer.UID, previous: row.Answer.Previous, word: row.Answer.RawReason}
	a.value = known.append(a.value)
	return a.sorted.add(a.key, a.value)
}

// Add is never called: there are no inputs.
func (a *Again) Add(*pipeline.Read) error { return errors.New("a run that asks again reads no input") }

// tasksBatch is how many tasks are yielded at once.
const tasksBatch = 1024

// Tasks yields what is due.
func (a *Again) Tasks(ctx context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) {
		t := againTasks{yield: yield, network: a.network, maxRows: a.maxRows}
		err := a.sorted.each(func(rec record) error {
			if t.rows%tasksBatch == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return t.take(rec)
		})
		if err == nil || errors.Is(err, errLimit) {
			err = t.flush()
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errLimit means that there are as many rows as there may be.
var errLimit = errors.New("there are as many rows as there may be")

// againTasks makes tasks of the sorted records.
type againTasks struct {
	yield   func(*pipeline.Tasks, error) bool
	network network
	maxRows int64

	rows  int64
	last  normalize.ID // of the task before
	list  []pipeline.Task
	arena []byte // the texts of list; those of older tasks may lie where it was before it grew
}

// take makes a task of a record. Behind maxRows no identity is begun.
func (t *againTasks) take(rec record) error {
	task, err := t.task(rec)
	if err != nil {
		return err
	}
	if t.maxRows > 0 && t.rows >= t.maxRows && task.Identity != t.last {
		return errLimit
	}
	if len(t.list) == tasksBatch {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if t.list == nil {
		t.list = make([]pipeline.Task, 0, tasksBatch)
	}
	t.list = append(t.list, task)
	t.last = task.Identity
	t.rows++
	return nil
}

// flush yields the tasks that are there, with the memory they lie in.
func (t *againTasks) flush() error {
	if len(t.list) == 0 {
		return nil
	}
	tasks := &pipeline.Tasks{List: t.list}
	t.list, t.arena = nil, nil
	if !t.yield(tasks, nil) {
		return errStopped
	}
	return nil
}

// task returns the task of a record, whose texts it copies.
func (t *againTasks) task(rec record) (task pipeline.Task, err error) {
	end := 8 + t.network.identityLen()
	if len(rec.key) <= end || len(rec.value) == 0 {
		return task, errDamagedSpill
	}
	identity, id := rec.key[8:end], rec.key[end:]
	task.Input, task.Lines, task.Live = pipeline.NoInput, 1, true
	if err := t.network.decode(&task.Identity, identity); err != nil {
		return task, errDamagedSpill
	}
	from := len(t.arena)
	if t.arena, task.HasID, err = decodeID(t.arena, id); err != nil {
		return task, err
	}
	task.ID = t.arena[from:len(t.arena):len(t.arena)]
	d := decoder{rest: rec.value}
	task.Do = pipeline.Do(d.byte())
	task.Answer.MappedAt = d.varint()
	var a answer
	a.take(&d)
	task.Answer.Status, task.Answer.RefreshFrom = a.status, a.refreshFrom
	task.Answer.UID = keep(&t.arena, a.uid)
	task.Answer.Previous = keep(&t.arena, a.previous)
	task.Answer.RawReason = keep(&t.arena, a.word)
	return task, d.end()
}

// Close removes what was sorted. It can be called again.
func (a *Again) Close() error {
	err := a.sorted.reset()
	a.sorted.arena, a.sorted.entries = nil, nil
	return errors.Join(err, a.folder.remove())
}
