package view

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/pipeline"
)

// taskBatch builds the next tasks that are handed over. What it made of them is theirs.
type taskBatch struct {
	list    []pipeline.Task
	texts   []byte // of the tasks; those of older ones may lie where it was before it grew
	columns []*keptColumn
	values  int // bytes of the kept columns

	storage []storage
	schema  *arrow.Schema // of the kept columns; nil: there are none
}

func newTaskBatch(kept []arrow.Field, stored []storage) *taskBatch {
	b := &taskBatch{storage: stored}
	if len(kept) > 0 {
		b.schema = arrow.NewSchema(kept, nil)
	}
	b.begin()
	return b
}

// begin makes new memory for tasks, of about the size that was needed before.
func (b *taskBatch) begin() {
	b.list = make([]pipeline.Task, 0, taskRows)
	b.texts = make([]byte, 0, max(len(b.texts)+len(b.texts)/16, 4<<10))
	b.columns, b.values = nil, 0
	for i, s := range b.storage {
		b.columns = append(b.columns, newKeptColumn(s, b.schema.Field(i).Type))
	}
}

// add returns a new task, to be filled.
func (b *taskBatch) add(do pipeline.Do) *pipeline.Task {
	b.list = append(b.list, pipeline.Task{Do: do, KeptRow: len(b.list)})
	return &b.list[len(b.list)-1]
}

// keep appends the kept columns of the last task, or nulls if it has none.
func (b *taskBatch) keep(d *decoder, has bool) error {
	b.values += len(d.rest)
	for _, c := range b.columns {
		if has {
			c.take(d)
		} else {
			c.null()
		}
	}
	return d.end()
}

func (b *taskBatch) full() bool {
	return len(b.list) == taskRows || len(b.texts)+b.values >= flushBytes
}

// take returns the tasks and begins anew.
func (b *taskBatch) take() *pipeline.Tasks {
	t := &pipeline.Tasks{List: b.list}
	if b.schema != nil {
		arrays := make([]arrow.Array, len(b.columns))
		for i, c := range b.columns {
			arrays[i] = c.array()
		}
		t.Kept = array.NewRecord(b.schema, arrays, int64(len(b.list)))
	}
	b.begin()
	return t
}
