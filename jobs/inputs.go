package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// looksAtOnce is how many inputs are looked into at once: a storage far away takes its time for each.
const looksAtOnce = 4

// looked is an input with what was found out about it.
type looked struct {
	pipeline.Input
	why []string // what speaks for and against each column
}

// lookAtAll looks into all inputs. What it finds and fails with is in their order.
func (m *Map) lookAtAll(ctx context.Context, found []objects.Object) ([]looked, error) {
	inputs, errs := make([]looked, len(found)), make([]error, len(found))
	var failed atomic.Bool
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for i, o := range found {
		if failed.Load() {
			break // all before this one are looked at, so the first failure is among them
		}
		group.Go(func() error {
			if inputs[i].Input, inputs[i].why, errs[i] = m.look(ctx, o); errs[i] != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // errs has them all
	for i, err := range errs {
		if err != nil {
			for _, line := range inputs[i].why { // which says what led to it
				m.Log.Info(line)
			}
			return nil, err
		}
	}
	return inputs, nil
}

// look finds out how to read an input and which columns hold what. An empty one has no columns.
func (m *Map) look(ctx context.Context, o objects.Object) (p pipeline.Input, why []string, err error) {
	in, err := sources.Inspect(ctx, o, m.reading())
	if errors.Is(err, sources.ErrEmpty) {
		m.Log.Warn("the input is empty", "uri", o.URI)
		return pipeline.Input{Source: sources.Reopen(o, sources.Layout{}, sources.Options{}), ID: pipeline.NoColumn}, nil, nil
	}
	if err != nil {
		return pipeline.Input{}, nil, err
	}
	return m.Columns.resolve(in)
}

// reopen returns the inputs of a stored plan.
func (m *Map) reopen(p *table.Plan) []pipeline.Input {
	inputs := make([]pipeline.Input, 0, len(p.Inputs))
	for _, in := range p.Inputs {
		inputs = append(inputs, pipeline.Input{Source: sources.Reopen(in.Object, in.Layout, sources.Options{Store: m.Store}), ID: in.ID,
			AllowRaw: m.Columns.AllowRaw, NamedPhone: namedPhone(in.Layout), Identifiers: in.Identifiers, PhoneRegion: in.PhoneRegion, Keep: in.Keep})
	}
	return inputs
}

// writer returns the sink of a run. What is wrong with the kept columns comes out here.
func (m *Map) writer(t *table.Table, run string, inputs []pipeline.Input) (*sinks.Writer, error) {
	kept, err := keptFields(inputs)
	if err != nil {
		return nil, err
	}
	w, err := sinks.New(t.Bucket, run, sinks.Options{Compression: m.Compression, Kept: kept, CreatedBy: "mapper " + m.Version})
	if err != nil {
		return nil, usagef("--keep: %v", err)
	}
	return w, nil
}

// keptFields returns the kept columns, which have to be the same in all inputs.
func keptFields(inputs []pipeline.Input) ([]arrow.Field, error) {
	var fields []arrow.Field
	var first string // the input that they are from
	for _, in := range inputs {
		for k, column := range in.Keep {
			c := in.Source.Layout.Columns[column]
			if k == len(fields) {
				fields = append(fields, arrow.Field{Name: c.Name, Type: c.Type, Nullable: true})
				first = in.Source.Object.URI
			} else if !arrow.TypeEqual(fields[k].Type, c.Type) {
				return nil, fmt.Errorf("column %q is %s in %s and %s in %s; a kept column needs one type: map the files apart, or convert one",
					c.Name, fields[k].Type, first, c.Type, in.Source.Object.URI)
			}
		}
	}
	return fields, nil
}
