package table

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mapper/client/objects"
	"mapper/pipeline"
	"mapper/sinks"
)

// BenchmarkStage is the stage of a run that makes it count: the links of its parts and its manifest, of twenty parts with a
// third of a million rows each. Its floor is a file for each link and for the manifest, on disk before the next. One
// operation is one row, which leaves little of both.
func BenchmarkStage(b *testing.B) {
	const parts, partRows = 20, 333_333
	part := func(run string, n int) pipeline.Part {
		p := pipeline.Part{N: n, Done: n == parts, Sketch: make([]byte, 16<<10)}
		for _, dataset := range sinks.Datasets() {
			p.Files = append(p.Files, sinks.File{
				Path: sinks.PartName{Dataset: dataset, Run: run, Part: n, Random: "r"}.String(), Dataset: dataset,
				Rows: partRows, Bytes: 50 << 20, SHA256: strings.Repeat("ab", 32),
			})
		}
		return p
	}
	manifest := func(run string) Manifest {
		m := Manifest{RunID: run, Kind: KindMap}
		for n := range parts {
			m.Parts = append(m.Parts, part(run, n+1).Files...)
		}
		return m
	}
	tab, err := Open(context.Background(), new(objects.Store), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	n := 0 // of the run, which is another one each time
	measure := func(name string, commit func(b *testing.B, run string) error) {
		b.Run(name, func(b *testing.B) {
			var took int64
			runs := 0
			for left := b.N; left > 0; left -= parts * partRows {
				n++
				run := fmt.Sprintf("run-%d", n)
				b.StopTimer()
				for _, f := range manifest(run).Parts {
					if err := tab.Bucket.CreateIfAbsent(b.Context(), f.Path, []byte("PAR1")); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				before := cpuTime(b)
				if err := commit(b, run); err != nil {
					b.Fatal(err)
				}
				took += cpuTime(b) - before
				runs++
			}
			b.ReportMetric(float64(took)/float64(runs)/(parts*partRows), "cpu-ns/op")
		})
	}

	measure("commit/own", func(b *testing.B, run string) error {
		chain := &Chain{table: tab, run: run}
		for n := range parts {
			if err := chain.Append(b.Context(), part(run, n+1)); err != nil {
				return err
			}
		}
		_, _, err := tab.Commit(b.Context(), manifest(run))
		return err
	})
	measure("commit/floor", func(b *testing.B, run string) error {
		folder := b.TempDir()
		for n := range parts {
			link := Link{Version: Version, RunID: run, Part: part(run, n+1)}
			if err := writeDocument(filepath.Join(folder, fmt.Sprint(n)), link); err != nil {
				return err
			}
		}
		return writeDocument(filepath.Join(folder, "manifest"), manifest(run))
	})
}

func writeDocument(path string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func cpuTime(b *testing.B) int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
