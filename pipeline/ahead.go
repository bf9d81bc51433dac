package pipeline

import (
	"context"
	"sync"

	"mapper/sources"
)

// inputsAhead is how many inputs are read at once: the one whose turn it is, and those after it, so that a storage
// that is slow to begin with a file does not hold up the rows of the next.
const inputsAhead = 3

// feeds reads inputs side by side, each a little ahead of where it is wanted, and hands them out one by one.
type feeds struct {
	ctx    context.Context
	cancel context.CancelFunc
	inputs []Input
	next   int // the next input to begin with
	from   Cursor
	begun  []chan delivery
	all    sync.WaitGroup
}

// delivery is a batch, or why there are no more.
type delivery struct {
	batch *sources.Batch
	err   error
}

func newFeeds(ctx context.Context, inputs []Input, from Cursor) *feeds {
	f := &feeds{inputs: inputs, next: from.Input, from: from}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// take returns the batches of the next input. It begins to read those after it.
func (f *feeds) take() <-chan delivery {
	for len(f.begun) < inputsAhead && f.next < len(f.inputs) {
		f.begun = append(f.begun, f.begin(f.next))
		f.next++
	}
	first := f.begun[0]
	f.begun = f.begun[1:]
	return first
}

func (f *feeds) begin(i int) chan delivery {
	var at sources.Position
	if i == f.from.Input {
		at = f.from.At
	}
	in := &f.inputs[i]
	// One batch waits while the next one is made: that is a share of the memory for each input ahead.
	to := make(chan delivery, 1)
	f.all.Go(func() {
		defer close(to)
		if len(in.Source.Layout.Columns) == 0 {
			return // an empty file
		}
		for b, err := range in.Source.Batches(f.ctx, in.columns(), at) {
			select {
			case to <- delivery{b, err}:
			case <-f.ctx.Done():
				return
			}
		}
	})
	return to
}

// close ends all reading, and waits until it has.
func (f *feeds) close() {
	f.cancel()
	f.all.Wait()
}
