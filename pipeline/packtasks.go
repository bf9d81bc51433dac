package pipeline

import (
	"context"
	"fmt"

	"mapper/normalize"
)

// taskBytes is what a task costs besides its texts and its row in the chunk.
const taskBytes = 320

// tasks packs what the merge says is to be done, but for the tasks that are done already.
func (p *packer) tasks(done Cursor) error {
	t := taskPacker{packer: p, done: done}
	for tasks, err := range p.opts.Merge.Tasks(p.reading) {
		if err == nil {
			err = t.take(tasks)
		}
		if err != nil {
			return err
		}
	}
	if p.reading.Err() != nil { // which may have ended the tasks before their end
		return context.Cause(p.reading)
	}
	if t.passed.Row < done.Row {
		return t.changed()
	}
	return nil
}

type taskPacker struct {
	*packer
	done   Cursor       // what earlier parts hold
	passed Cursor       // how much of it has been passed over
	told   normalize.ID // the identity of the last task to tell
}

// take packs those of the tasks that are not done yet.
func (t *taskPacker) take(tasks *Tasks) error {
	list := tasks.List
	first := int(min(t.done.Row-t.passed.Row, int64(len(list))))
	if err := t.passOver(list[:first]); err != nil || first == len(list) {
		return err
	}
	t.continueWith(segment{tasks: tasks})
	bytesPerRow := int64(taskBytes)
	if tasks.Kept != nil {
		for _, column := range tasks.Kept.Columns() {
			bytesPerRow += int64(column.Data().SizeInBytes()) / int64(len(list))
		}
	}
	for i := first; i < len(list); i++ {
		if err := t.pack(&list[i], i, bytesPerRow); err != nil {
			return err
		}
	}
	return nil
}

// passOver counts tasks that are done.
func (t *taskPacker) passOver(list []Task) error {
	for i := range list {
		t.passed.Lines += list[i].Lines
		t.isTold(&list[i])
	}
	t.passed.Row += int64(len(list))
	if len(list) > 0 && t.passed.Row == t.done.Row && t.passed.Lines != t.done.Lines {
		return t.changed()
	}
	return context.Cause(t.reading)
}

func (t *taskPacker) changed() error {
	return fmt.Errorf("%d tasks of this run, for %d lines, are done, and now there are %d for %d lines: an input or the table has changed since it began; clean --run it and begin a new one",
		t.done.Row, t.done.Lines, t.passed.Row, t.passed.Lines)
}

// isTold says whether a task is the first that tells what is known of its identity; the tasks of one stand together.
func (t *taskPacker) isTold(task *Task) bool {
	if task.Do != Tell || task.Identity == t.told {
		return false
	}
	t.told = task.Identity
	return true
}

// pack puts task i of the segment into the chunk.
func (t *taskPacker) pack(task *Task, i int, bytes int64) error {
	out := row{
		index: int32(i), column: task.Column, note: task.Note, refusal: task.Refusal, unnormalized: task.Unnormalized,
		begins: t.isTold(task),
	}
	fresh, hash := 0, uint64(0)
	if task.Do == Ask {
		var known bool
		hash = t.recent.hash(&task.Identity)
		if out.ref, known = t.recent.find(&task.Identity, nil, hash); !known {
			fresh = 1
		}
	}
	if err := t.makeRoom(fresh); err != nil {
		return err
	}
	if fresh > 0 {
		out.ref = t.ask(&task.Identity, nil, hash)
	}
	answer := &task.Answer
	t.add(out, bytes+int64(len(task.ID)+len(task.Malformed)+len(answer.UID)+len(answer.Previous)+len(answer.RawReason)))
	return nil
}
