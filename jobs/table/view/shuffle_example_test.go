package view_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"time"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/pipeline"
)

// A table that knows one identity, and an input with that one and another, whose hash comes before it.
func ExampleShuffle() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "shuffle")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // the system empties its folder of temporary files anyway
	t, err := table.Open(ctx, new(objects.Store), folder)
	if err != nil {
		log.Fatal(err)
	}
	if err := mapOne(ctx, t); err != nil {
		log.Fatal(err)
	}
	runs, err := t.Runs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	v, err := view.Open(ctx, t, table.Live(runs), view.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = v.Close() }() // the same
	s, err := view.NewShuffle(v, view.ShuffleOptions{Due: view.Due{AsOf: time.Now(), Recheck: 720 * time.Hour}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = s.Close() }() // the same
	for i, email := range []string{"jane@example.com", "joe@example.com"} {
		if err := s.Add(&pipeline.Read{
			Row: int64(i + 1), Begins: true, Identity: normalize.ID{Hash: sha256.Sum256([]byte(email))},
			ID: fmt.Appendf(nil, "customer-%d", i+1), HasID: true,
		}); err != nil {
			log.Fatal(err)
		}
	}
	for tasks, err := range s.Tasks(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for _, task := range tasks.List {
			fmt.Printf("%s ask=%t withhold=%t\n", task.ID, task.Do == pipeline.Ask, task.Do == pipeline.Withhold)
		}
	}
	// Output:
	// customer-2 ask=true withhold=false
	// customer-1 ask=false withhold=true
}
