package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mapper/client/objects"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

// From a file to sealed parts, without a table around them: what counts as sealed is up to the caller.
func ExampleRun() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "in.csv")
	if err := os.WriteFile(path, []byte("id,email\n1,jane@example.com\n2,jane@example.com\n3,nobody\n"), 0o600); err != nil {
		panic(err)
	}
	found, err := new(objects.Store).Find(context.Background(), path)
	if err != nil {
		panic(err)
	}
	in, err := sources.Inspect(ctx, found[0], sources.Options{})
	if err != nil {
		panic(err)
	}
	bucket, err := new(objects.Store).Bucket(context.Background(), filepath.Join(dir, "out"))
	if err != nil {
		panic(err)
	}
	w, err := sinks.New(bucket, "example", sinks.Options{})
	if err != nil {
		panic(err)
	}
	inputs := []pipeline.Input{{Source: in, ID: 0, Identifiers: []pipeline.Identifier{{Column: 1, Form: normalize.FormEmail}}}}
	sealed := func(_ context.Context, p pipeline.Part) error {
		fmt.Println("part", p.N, "done", p.Done, "asked", p.Totals.Asked, "mapped", p.Inputs[0].Mapped, "unmapped", p.Inputs[0].Unmapped)
		return nil
	}
	err = pipeline.Run(ctx, inputs, pipeline.Part{}, &service{}, w, sealed, pipeline.Options{})
	fmt.Println(err)
	// Output:
	// part 1 done true asked 1 mapped 2 unmapped map[INVALID_IDENTIFIER:1]
	// <nil>
}
