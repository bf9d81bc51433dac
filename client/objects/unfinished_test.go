package objects_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

// TestUnfinished: what is being written is listed apart from what is there, and can be dropped.
func TestUnfinished(t *testing.T) {
	for name, open := range map[string]func(testing.TB) objectstest.Target{
		"files": func(t testing.TB) objectstest.Target { return objectstest.Target{URI: t.TempDir()} },
		"gs":    objectstest.GCS,
		"s3":    objectstest.S3,
		"azure": objectstest.Azure,
	} {
		t.Run(name, func(t *testing.T) {
			store := new(objects.Store)
			defer store.Close()
			b, err := store.Bucket(t.Context(), open(t).URI+"/table")
			if err != nil {
				t.Fatal(err)
			}
			if all, err := b.Unfinished(t.Context(), ""); err != nil || len(all) > 0 {
				t.Fatalf("in nothing: %v, %v", all, err)
			}
			began := time.Now()
			if err := b.CreateIfAbsent(t.Context(), "a/done", []byte("done")); err != nil {
				t.Fatal(err)
			}
			w, err := b.Create(t.Context(), "a/begun")
			if err == nil {
				_, err = w.Write(bytes.Repeat([]byte("x"), 20<<20))
			}
			if err != nil {
				t.Fatal(err)
			}
			entries, err := b.Entries(t.Context(), "a/")
			if err != nil || len(entries) != 1 || entries[0].Key != "a/done" || entries[0].Size != 4 {
				t.Errorf("entries: %+v, %v", entries, err)
			} else if at := entries[0].Modified; at.Before(began.Add(-2*time.Second)) || at.After(time.Now().Add(2*time.Second)) {
				t.Errorf("written at %v, began at %v", at, began)
			}
			all, err := b.Unfinished(t.Context(), "a/")
			if err != nil {
				t.Fatal(err)
			}
			visible := name == "files" || name == "s3"
			if want := map[bool]int{true: 1, false: 0}[visible]; len(all) != want {
				t.Fatalf("unfinished: %+v, want %d", all, want)
			}
			for _, u := range all {
				if u.Begun.Before(began.Add(-2 * time.Second)) {
					t.Errorf("begun at %v", u.Begun)
				}
				for range 2 { // the second time it is gone
					if err := b.Drop(t.Context(), u); err != nil {
						t.Error(err)
					}
				}
			}
			if all, err := b.Unfinished(t.Context(), ""); err != nil || len(all) > 0 {
				t.Errorf("left: %+v, %v", all, err)
			}
			if err := w.Close(); (err == nil) == visible {
				t.Errorf("closed after it was dropped: %v", err)
			}
			keys, err := b.List(t.Context(), "")
			if want := map[bool][]string{true: {"a/done"}, false: {"a/begun", "a/done"}}[visible]; err != nil || !reflect.DeepEqual(keys, want) {
				t.Errorf("there is %v, %v", keys, err)
			}
		})
	}
}
