package pipeline_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"mapper/client"
	"mapper/client/objects"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// BenchmarkMerge is what a task costs from being yielded to being written or counted.
func BenchmarkMerge(b *testing.B) {
	for _, c := range []struct {
		name string
		do   pipeline.Do
	}{{"Withhold", pipeline.Withhold}, {"Tell", pipeline.Tell}, {"Ask", pipeline.Ask}} {
		b.Run(c.name, func(b *testing.B) { benchmarkTasks(b, c.do) })
	}
}

func benchmarkTasks(b *testing.B, do pipeline.Do) {
	const batches, each = 250, 2000
	// The tasks are made beforehand, and all identities differ, so that what is measured is the pipeline.
	all := make([][]pipeline.Task, batches)
	for i := range all {
		all[i] = make([]pipeline.Task, each)
		for k := range all[i] {
			t := &all[i][k]
			*t = pipeline.Task{
				Do: do, Lines: 1, Live: true, Input: pipeline.NoInput, ID: fmt.Appendf(nil, "key%d", i*each+k), HasID: true,
				SourceFile: "gs://bucket/people.csv", SourceColumn: "email", SourceRow: int64(k), Answer: pipeline.Answer{Status: client.Mapped, MappedAt: 1_700_000_000_000, RefreshFrom: 1_720_000_000_000},
			}
			binary.BigEndian.PutUint64(t.Identity.Hash[:], uint64(i*each+k)*0x9E3779B97F4A7C15)
			binary.BigEndian.PutUint64(t.Identity.Hash[8:], uint64(i*each+k)*0xD1B54A32D192ED03)
			t.Identity.Kind = normalize.KindEmail
			t.Answer.UID = t.Identity.AppendBase64(nil)
		}
	}
	l := list{batches, func(batch int) []pipeline.Task { return all[batch] }}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		bucket, err := new(objects.Store).Bucket(context.Background(), b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		w, err := sinks.New(bucket, "r", sinks.Options{})
		if err != nil {
			b.Fatal(err)
		}
		lines := int64(0)
		err = pipeline.Run(b.Context(), nil, pipeline.Part{}, instant{}, w, func(_ context.Context, p pipeline.Part) error {
			lines = p.Cursor.Lines
			return nil
		}, pipeline.Options{MaxInFlight: 2, Merge: l})
		if err != nil || lines != batches*each {
			b.Fatal(lines, err)
		}
	}
	tasks := float64(b.N) * batches * each
	b.ReportMetric(float64(cpu(b)-before)/tasks, "cpu-ns/task")
	b.ReportMetric(tasks/b.Elapsed().Seconds(), "tasks/s")
}
