package sinks_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"mapper/client/objects"
	"mapper/normalize"
	"mapper/sinks"
)

// A part of two rows: one person has a raw UID, the other has opted out.
func ExampleWriter() {
	folder, err := os.MkdirTemp("", "sinks")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // the system empties its folder of temporary files anyway
	bucket, err := new(objects.Store).Bucket(context.Background(), folder)
	if err != nil {
		log.Fatal(err)
	}
	w, err := sinks.New(bucket, "2026-11-22", sinks.Options{Compression: sinks.CompressionZstd})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Begin(context.Background(), 0, 1); err != nil {
		log.Fatal(err)
	}
	row := sinks.Row{
		ID: []byte("17"), HasID: true,
		Identity: normalize.ID{Hash: sha256.Sum256([]byte("jane@example.com"))}, HasKind: true, HasHash: true,
		SourceFile: "users.csv", SourceColumn: "email", SourceRow: 1,
		UID:      []byte("AdvIvSiaum0P5s3X/7X8h8sz+OhF2IG8DNbEnkWSbYM="),
		MappedAt: 1_795_312_800_000, RefreshFrom: 1_797_904_800_000,
	}
	if err := w.Mapped([]sinks.Row{row}); err != nil {
		log.Fatal(err)
	}
	row = sinks.Row{
		Identity: normalize.ID{Hash: sha256.Sum256([]byte("optout@example.com"))}, HasKind: true, HasHash: true,
		SourceFile: "users.csv", SourceColumn: "email", SourceRow: 2, MappedAt: 1_795_312_800_000,
		Reason: sinks.ReasonOptOut, RawReason: []byte("optout"), RejectedBy: sinks.ByService,
	}
	if err := w.Unmapped([]sinks.Row{row}); err != nil {
		log.Fatal(err)
	}
	files, err := w.Seal()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		name, err := sinks.ParsePartName(f.Path)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: part %d-%d of run %s, %d row\n", f.Dataset, name.Shard, name.Part, name.Run, f.Rows)
	}
	// Output:
	// mapped: part 0-1 of run 2026-11-22, 1 row
	// unmapped: part 0-1 of run 2026-11-22, 1 row
	// refresh_from: part 0-1 of run 2026-11-22, 1 row
}

// What is in a file, as another library than the one that wrote it sees it.
func ExampleRecount() {
	folder, path := writeExample()
	defer func() { _ = os.RemoveAll(folder) }() // the system empties its folder of temporary files anyway
	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	counts, err := sinks.Recount(path, f, info.Size(), sinks.NetworkUID2, sinks.DatasetUnmapped)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(counts.Rows, "rows")
	for _, reason := range sinks.Reasons() {
		if n := counts.Files["users.csv"].Unmapped[reason]; n > 0 {
			fmt.Println("users.csv:", n, reason)
		}
	}
	// Output:
	// 3 rows
	// users.csv: 2 OPTOUT
	// users.csv: 1 INVALID_ROW
}

// writeExample writes a part of three unmapped rows and returns its folder and file.
func writeExample() (folder, file string) {
	folder, err := os.MkdirTemp("", "sinks")
	if err != nil {
		log.Fatal(err)
	}
	bucket, err := new(objects.Store).Bucket(context.Background(), folder)
	if err != nil {
		log.Fatal(err)
	}
	w, err := sinks.New(bucket, "r1", sinks.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		log.Fatal(err)
	}
	for _, reason := range []sinks.Reason{sinks.ReasonOptOut, sinks.ReasonInvalidRow, sinks.ReasonOptOut} {
		if err := w.Unmapped([]sinks.Row{{SourceFile: "users.csv", MappedAt: 1, Reason: reason}}); err != nil {
			log.Fatal(err)
		}
	}
	files, err := w.Seal()
	if err != nil {
		log.Fatal(err)
	}
	return folder, folder + "/" + files[0].Path
}
