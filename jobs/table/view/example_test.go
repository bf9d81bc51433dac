package view_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"mapper/client"
	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/jobs/table/view"
	"mapper/normalize"
	"mapper/sinks"
)

// A table of one run with one row, and its view.
func ExampleOpen() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "view")
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
	for row, err := range v.Rows(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s live=%t mapped=%t %s\n", row.ID, row.Identity.Kind, row.Live, row.Answer.Status == client.Mapped, row.Answer.UID)
	}
	// Output: customer-1 email live=true mapped=true a raw uid
}

func mapOne(ctx context.Context, t *table.Table) error {
	w, err := sinks.New(t.Bucket, "first", sinks.Options{})
	if err != nil {
		return err
	}
	if err := w.Begin(ctx, 0, 1); err != nil {
		return err
	}
	if err := w.Mapped([]sinks.Row{{
		ID: []byte("customer-1"), HasID: true,
		Identity: normalize.ID{Hash: sha256.Sum256([]byte("jane@example.com"))}, HasKind: true, HasHash: true,
		UID: []byte("a raw uid"), MappedAt: 1_780_000_000_000,
	}}); err != nil {
		return err
	}
	files, err := w.Seal()
	if err != nil {
		return err
	}
	_, _, err = t.Commit(ctx, table.Manifest{RunID: "first", Kind: "map", Seq: 1, Parts: files})
	return err
}
