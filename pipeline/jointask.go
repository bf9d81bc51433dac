package pipeline

import (
	"fmt"
	"time"

	"mapper/client"
	"mapper/sinks"
)

// The raw_reason of rows that are written because of a merge alone.
const (
	NotInInput    = "not in the input"
	OnSuppression = "on the suppression list"
)

// task counts and writes one task of a merge.
func (j *joiner) task(c *chunk, r *row, tasks *Tasks) error {
	t := &tasks.List[r.index]
	if err := j.part.beginTask(t, j.inputs); err != nil || t.Do == Blank {
		return err
	}
	j.out = j.part.block.room()
	j.describe(t)
	j.out.Kept, j.out.KeptRow = tasks.Kept, t.KeptRow
	switch t.Do {
	case Malformed:
		return j.writeMalformed(t.Malformed)
	case Remove:
		j.end(t, sinks.ChangeRemoved)
		return j.writeUnasked(sinks.ReasonRemoved, NotInInput)
	}
	j.part.note(r)
	switch t.Do {
	case Withhold:
		j.part.withhold()
		return nil
	case Refuse:
		return j.writeRefused(r)
	case Suppress:
		// Only to end the pair's life the hash has to be there again: it may be that of somebody who was forgotten.
		if j.out.HasHash = t.Live; t.Live {
			j.end(t, sinks.ChangeRemoved)
		}
		return j.writeUnasked(sinks.ReasonSuppressed, OnSuppression)
	case Tell:
		return j.tell(r, t)
	case Ask:
		return j.told(c, r, t)
	}
	// A bug of the merge. Nothing that it has counted may be sealed.
	return j.part.fail(fmt.Errorf("a task is to be done in way %d, which there is not", t.Do))
}

// describe fills in what a task says of itself: the key, the identity and where they were read.
func (j *joiner) describe(t *Task) {
	out := j.out
	out.ID, out.HasID = t.ID, t.HasID
	out.Identity, out.HasKind, out.HasHash = t.Identity, true, true
	out.Change, out.Former = sinks.ChangeNew, nil
	if t.Input == NoInput {
		out.SourceFile, out.SourceColumn, out.SourceRow = t.SourceFile, t.SourceColumn, t.SourceRow
		return
	}
	in := &j.inputs[t.Input]
	out.SourceFile, out.SourceColumn, out.SourceRow = in.Source.Object.URI, "", t.Row
	if t.Do != Malformed {
		out.SourceColumn = in.Source.Layout.Columns[in.Identifiers[t.Column].Column].Name
	}
}

// end says that the pair of a task is live no more.
func (j *joiner) end(t *Task, as sinks.Change) {
	j.out.Change = as
	if t.Answer.Status == client.Mapped && !j.opts.Incomparable {
		j.out.Former = t.Answer.UID
	}
}

// told writes what the service says of an identity now.
func (j *joiner) told(c *chunk, r *row, t *Task) error {
	if !j.take(c, r) && t.Input != NoInput { // a repetition is named by its place in an input
		j.part.repeat(r, &j.out.Identity, t.Input, t.Row)
	}
	j.out.Change, j.out.Former = change(&t.Answer, &j.answer)
	if j.opts.Incomparable {
		j.out.Former = nil
		if j.out.Change == sinks.ChangeRotated {
			j.out.Change = sinks.ChangeSame
		}
	}
	return j.write(r.column, &j.answer)
}

// tell writes what is known of an identity. It was answered when it was, and not now.
func (j *joiner) tell(r *row, t *Task) error {
	a := &j.answer
	*a = t.Answer
	if a.Status == client.Unknown && a.MappedAt == 0 {
		a.MappedAt = time.Now().UnixMilli()
	}
	if r.begins {
		j.part.due(a)
	}
	j.out.Change = sinks.ChangeSame
	return j.write(r.column, a)
}
