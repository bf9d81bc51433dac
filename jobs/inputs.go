package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

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
		input := pipeline.Input{Source: sources.Reopen(in.Object, in.Layout, sources.Options{Store: m.Store}), ID: in.ID,
			AllowRaw: m.Columns.AllowRaw, NamedPhone: namedPhone(in.Layout), Identifiers: in.Identifiers, PhoneRegion: in.PhoneRegion,
			Country: in.Country, KnownUIDs: in.KnownUIDs, Keep: in.Keep}
		copy(input.Everywhere[:], in.Everywhere)
		inputs = append(inputs, input)
	}
	return inputs
}

// draft looks into every input.
func (m *mapping) draft(ctx context.Context, p *table.Plan, found []objects.Object) (inputs []pipeline.Input, err error) {
	all, err := m.lookAtAll(ctx, found)
	if err != nil {
		return nil, err
	}
	filled := 0
	for i, in := range all {
		for _, line := range in.why {
			m.Log.Info(line)
		}
		inputs = append(inputs, in.Input)
		if len(in.Source.Layout.Columns) > 0 {
			filled++
		}
		p.Inputs = append(p.Inputs, table.PlannedInput{Object: found[i], Layout: in.Source.Layout, ID: in.ID, Identifiers: in.Identifiers, PhoneRegion: in.PhoneRegion, Country: in.Country, Everywhere: strings.Trim(string(in.Everywhere[:]), "\x00"), KnownUIDs: in.KnownUIDs, Keep: in.Keep})
	}
	switch {
	case filled == 0 && !m.AllowEmpty && len(found) == 1:
		return nil, fmt.Errorf("%s is empty; add --allow-empty if that is right", found[0].URI)
	case filled == 0 && !m.AllowEmpty:
		return nil, errors.New("every input is empty; add --allow-empty if that is right")
	}
	if m.Incremental {
		p.AsOf = m.asOf()
	}
	return inputs, checkKept(p, inputs)
}

// asOf is the time in whole milliseconds, as answers have it.
func (m *Map) asOf() *time.Time {
	t := m.Now().UTC().Truncate(time.Millisecond)
	return &t
}

// checkKept finds what is wrong with the kept columns before anything is planned.
func checkKept(p *table.Plan, inputs []pipeline.Input) error {
	kept, err := keptFields(inputs)
	if err == nil {
		_, err = sinks.New(objects.Nowhere(), "plan", sinks.Options{Network: networkOf(p.Service), Kept: kept})
		if err != nil {
			err = usagef("--keep: %v", err)
		}
	}
	return err
}

// writer returns the sink of a run.
func (j *job) writer(t *table.Table, run string, kept []arrow.Field) (*sinks.Writer, error) {
	return sinks.New(t.Bucket, run, sinks.Options{Network: networkOf(j.service), Compression: j.Compression, Kept: kept, CreatedBy: "mapper " + j.Version})
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
