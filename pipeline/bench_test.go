package pipeline_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/objects"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// instant answers at once, with raw UIDs made of the hash, so that what is measured is the pipeline.
type instant struct{}

func (instant) Map(_ context.Context, asks *pipeline.Asks, a *client.Answers) error {
	ids := asks.IDs
	a.Reset(len(ids))
	for i := range ids {
		item := &a.Items[i]
		item.At = 1_700_000_000_000
		if ids[i].Hash[0] < 26 { // a tenth has opted out
			item.Status = client.OptOut
			from := len(a.Text)
			a.Text = append(a.Text, "optout"...)
			a.SetWord(i, from, len(a.Text))
			continue
		}
		item.Status = client.Mapped
		item.RefreshFrom = 1_700_000_000_000 + int64(ids[i].Hash[1]%30)*86_400_000
		from := len(a.Text)
		a.Text = ids[i].AppendBase64(a.Text)
		a.SetUID(i, from, len(a.Text))
		if ids[i].Hash[2] < 85 { // a third has a previous raw UID
			from := len(a.Text)
			a.Text = ids[i].AppendBase64(a.Text)
			a.SetPrevious(i, from, len(a.Text))
		}
	}
	return nil
}

// BenchmarkRun is everything but the service and its client: CSV in, three datasets out.
func BenchmarkRun(b *testing.B) {
	const rows = 500_000
	path := filepath.Join(b.TempDir(), "emails.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "email")
	for i := range rows {
		fmt.Fprintf(w, "somebody.%06d@example.com\n", i)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	found, err := new(objects.Store).Find(context.Background(), path)
	if err != nil {
		b.Fatal(err)
	}
	in, err := sources.Inspect(b.Context(), found[0], sources.Options{})
	if err != nil {
		b.Fatal(err)
	}
	inputs := []pipeline.Input{{Source: in, ID: pipeline.NoColumn, Identifiers: []pipeline.Identifier{{Form: normalize.FormEmail}}}}
	b.ReportAllocs()
	before, began := cpu(b), time.Now()
	for b.Loop() {
		bucket, err := new(objects.Store).Bucket(context.Background(), b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		out, err := sinks.New(bucket, "r", sinks.Options{})
		if err != nil {
			b.Fatal(err)
		}
		done := false
		err = pipeline.Run(b.Context(), inputs, pipeline.Part{}, instant{}, out, func(_ context.Context, p pipeline.Part) error {
			done = p.Done
			return nil
		}, pipeline.Options{MaxInFlight: 2})
		if err != nil || !done {
			b.Fatal(done, err)
		}
	}
	all := float64(b.N) * rows
	b.ReportMetric(float64(cpu(b)-before)/all, "cpu-ns/row")
	b.ReportMetric(all/time.Since(began).Seconds(), "rows/s")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
