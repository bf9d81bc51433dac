package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mapper/sources/sourcestest"

	"mapper/sources"
)

// feed returns inputs with a row each.
func feed(t *testing.T, n int) []Input {
	t.Helper()
	inputs := make([]Input, n)
	for i := range inputs {
		in := sourcestest.Inspect(t, sourcestest.Write(t, "in.csv", fmt.Appendf(nil, "email\np%d@example.com\n", i)), sources.Options{})
		inputs[i] = Input{Source: in, ID: NoColumn, Identifiers: []Identifier{{}}}
	}
	return inputs
}

// TestInputsAreOpenedAhead: while one is read, the next ones are there already, and not more of them.
func TestInputsAreOpenedAhead(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := newFeeds(t.Context(), feed(t, 5), Cursor{})
	defer f.close()
	f.take()
	if len(f.begun) != inputsAhead-1 || f.next != inputsAhead {
		t.Fatalf("%d inputs are open behind the first, %d were begun", len(f.begun), f.next)
	}
	for i, next := range f.begun {
		select {
		case d := <-next: // nobody has taken the one before it
			if d.err != nil || d.batch.Record.NumRows() != 1 {
				t.Errorf("input %d: %+v", i+1, d)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("input %d is not read ahead", i+1)
		}
	}
}

// TestFeedsInOrder: what is read ahead is handed out in the order of the inputs, from the one where reading goes on.
func TestFeedsInOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	inputs := feed(t, 6)
	inputs[3].Source = sources.Reopen(inputs[3].Source.Object, sources.Layout{}, sources.Options{}) // an empty one
	f := newFeeds(t.Context(), inputs, Cursor{Input: 2})
	defer f.close()
	for i := 2; i < len(inputs); i++ {
		var got []string
		for d := range f.take() {
			if d.err != nil {
				t.Fatal(d.err)
			}
			got = append(got, d.batch.Record.Column(0).ValueStr(0))
		}
		if want := fmt.Sprintf("[p%d@example.com]", i); i != 3 && fmt.Sprint(got) != want || i == 3 && got != nil {
			t.Errorf("input %d: %v", i, got)
		}
	}
}

// TestFeedsEnd: with the context all reading ends, whether anybody takes what was read or not.
func TestFeedsEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	f := newFeeds(ctx, feed(t, 5), Cursor{})
	first := f.take()
	cancel(errors.New("enough"))
	for range first {
	}
	f.close()
}
