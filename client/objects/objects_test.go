package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mapper/client/objects"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func uris(found []objects.Object) []string {
	var uris []string
	for _, o := range found {
		uris = append(uris, o.URI)
	}
	return uris
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"b.csv", "a.csv", "dir/c.csv", "dir/_SUCCESS", "dir/.hidden/d.csv", "dir/sub/e.csv", "odd[1].csv"} {
		write(t, path, "x")
	}
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"a.csv", []string{"a.csv"}},
		{"[ab].csv", []string{"a.csv", "b.csv"}},
		{"odd[1].csv", []string{"odd[1].csv"}}, // the file itself, though it looks like a glob
		{"dir", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"dir/", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"none*", nil},
		{"d*", nil}, // a folder is read when it is named by itself
	} {
		found, err := objects.Find(c.pattern)
		if err != nil || !reflect.DeepEqual(uris(found), c.want) {
			t.Errorf("Find(%q) = %v, %v; want %v", c.pattern, uris(found), err, c.want)
		}
	}
	if _, err := objects.Find("nosuch.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := objects.Find("/dev/null"); err == nil || !strings.Contains(err.Error(), "name the input -") {
		t.Errorf("a device: %v", err)
	}
	if _, err := objects.Find("gs://bucket/x"); err == nil {
		t.Error("an unknown storage: no error")
	}
}

func TestOpenIsPinned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	write(t, path, "first")
	found, err := objects.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := found[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if data, err := io.ReadAll(f); err != nil || string(data) != "first" {
		t.Errorf("read %q, %v", data, err)
	}
	write(t, path, "other")
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := found[0].Open(); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("a changed file: %v", err)
	}
}

func bucket(t *testing.T) (*objects.Bucket, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "not", "there", "yet")
	b, err := objects.OpenBucket(root)
	if err != nil {
		t.Fatal(err)
	}
	return b, root
}

func keys(t *testing.T, b *objects.Bucket, prefix string) []string {
	t.Helper()
	keys, err := b.List(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestObjectsAreWholeOrAbsent(t *testing.T) {
	b, root := bucket(t)
	w, err := b.Create("d/part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, b, ""); got != nil {
		t.Errorf("an open object shows: %v", got)
	}
	if _, err := w.Write([]byte(" and half")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := b.ReadAll("d/part"); err != nil || string(data) != "half and half" {
		t.Errorf("read %q, %v", data, err)
	}
	aborted, err := b.Create("d/other")
	if err != nil {
		t.Fatal(err)
	}
	if err := aborted.Abort(); err != nil {
		t.Fatal(err)
	}
	again, err := b.Create("d/part")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an object was replaced: %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "d"))
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	if err := errors.Join(b.Delete("d/part"), b.Delete("d/part")); err != nil {
		t.Errorf("deleting twice: %v", err)
	}
}

func TestListByPrefix(t *testing.T) {
	b, _ := bucket(t)
	for _, key := range []string{"a/x-1", "a/x-2", "a/y", "b/x-1", "a.txt"} {
		if err := b.CreateIfAbsent(key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"":       {"a.txt", "a/x-1", "a/x-2", "a/y", "b/x-1"},
		"a/":     {"a/x-1", "a/x-2", "a/y"},
		"a/x":    {"a/x-1", "a/x-2"},
		"a":      {"a.txt", "a/x-1", "a/x-2", "a/y"},
		"none/x": nil,
	} {
		if got := keys(t, b, prefix); !reflect.DeepEqual(got, want) {
			t.Errorf("List(%q) = %v, want %v", prefix, got, want)
		}
	}
}

func TestFolders(t *testing.T) {
	b, root := bucket(t)
	if got, err := b.Folders("a"); err != nil || got != nil {
		t.Errorf("below nothing: %v, %v", got, err)
	}
	for _, key := range []string{"a/y/deep/deeper/1", "a/x/1", "a/x/2", "a/file", "a/.hidden/1", "ab/z/1"} {
		write(t, filepath.Join(root, key), "")
	}
	for folder, want := range map[string][]string{"": {"a", "ab"}, "a": {"x", "y"}, "a/x": nil, "none": nil} {
		if got, err := b.Folders(folder); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Folders(%q) = %v, %v; want %v", folder, got, err, want)
		}
	}
	if got, err := b.Folders("a/file"); err == nil {
		t.Errorf("a file was taken for a folder: %v", got)
	}
}

// TestOneCreatorWins: of many that create the same object at once, one succeeds, and its content stands.
func TestOneCreatorWins(t *testing.T) {
	b, _ := bucket(t)
	for round := range 20 {
		key := fmt.Sprintf("race-%d", round)
		var won atomic.Int64
		var winner atomic.Value
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				content := bytes.Repeat([]byte{byte('a' + i)}, 10_000)
				switch err := b.CreateIfAbsent(key, content); {
				case err == nil:
					won.Add(1)
					winner.Store(content)
				case !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		all.Wait()
		data, err := b.ReadAll(key)
		if err != nil || won.Load() != 1 || !bytes.Equal(data, winner.Load().([]byte)) {
			t.Fatalf("%d creators won, %v", won.Load(), err)
		}
	}
}

func TestSweepRemovesWhatKilledWritersLeft(t *testing.T) {
	b, root := bucket(t)
	if err := b.CreateIfAbsent("d/part", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create("d/killed"); err != nil { // never closed
		t.Fatal(err)
	}
	if got := keys(t, b, ""); len(got) != 1 {
		t.Errorf("listed: %v", got)
	}
	if err := errors.Join(b.Sweep("d"), b.Sweep("nosuch")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "d"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "part" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestLock(t *testing.T) {
	b, _ := bucket(t)
	release, held, err := b.Lock(t.Context(), "l")
	if err != nil || !held {
		t.Fatalf("held %v, %v", held, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, held, err := b.Lock(ctx, "l"); err != nil || held {
		t.Fatalf("a second holder: %v, %v", held, err)
	}
	first := release
	time.AfterFunc(50*time.Millisecond, func() { _ = first() })
	release, held, err = b.Lock(t.Context(), "l")
	if err != nil || !held {
		t.Fatalf("after the first holder let go: %v, %v", held, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in/a.csv", "x")
	write(t, "in/out/mapped/part", "x")
	inside, err := objects.OpenBucket("in/out")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := objects.OpenBucket("inner")
	if err != nil {
		t.Fatal(err)
	}
	if !inside.Inside("in") || inside.Inside("in/a.csv") || beside.Inside("in") {
		t.Error("Inside is wrong")
	}
	found, err := objects.Find("in")
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	if inside.Contains(found[0]) || !inside.Contains(found[1]) {
		t.Error("Contains is wrong")
	}
	if _, err := objects.OpenBucket("in/a.csv"); err == nil {
		t.Error("a file was taken for a folder")
	}
	if got := inside.URI("x/y"); got != "in/out/x/y" {
		t.Errorf("URI = %s", got)
	}
}

// TestLinks: a link is as good a name for a folder as its own, for inputs and for tables.
func TestLinks(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "2026-11-22/a.csv", "x")
	write(t, "2026-11-22/sub/b.csv", "x")
	write(t, "2026-11-22/out/part", "x")
	for _, err := range []error{os.Symlink("2026-11-22", "latest"), os.Symlink("2026-11-22/out/part", "part")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string][]string{
		"latest":  {"latest/a.csv", "latest/out/part", "latest/sub/b.csv"},
		"latest/": {"latest/a.csv", "latest/out/part", "latest/sub/b.csv"},
		"part":    {"part"},
	} {
		if found, err := objects.Find(pattern); err != nil || !reflect.DeepEqual(uris(found), want) {
			t.Errorf("Find(%q) = %v, %v; want %v", pattern, uris(found), err, want)
		}
	}
	for _, c := range []struct {
		bucket, folder string
		want           bool
	}{
		{"latest/not/there", "2026-11-22", true},
		{"2026-11-22/not/there", "latest", true},
		{"latest", "latest/", true},
		{"latest/sub", ".", true},
		{"2026-11-22-b", "latest", false},
		{"latest/../out", "latest", false},
		{"latest", "2026-11-22/sub", false},
	} {
		b, err := objects.OpenBucket(c.bucket)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Inside(c.folder); got != c.want {
			t.Errorf("bucket %s inside %s: %t", c.bucket, c.folder, got)
		}
	}
	for _, name := range []string{"latest/out", "2026-11-22/out"} {
		b, err := objects.OpenBucket(name)
		if err != nil {
			t.Fatal(err)
		}
		for uri, want := range map[string]bool{"latest/out/part": true, "2026-11-22/out/part": true, "part": true, "latest/a.csv": false} {
			if got := b.Contains(objects.Object{URI: uri}); got != want {
				t.Errorf("bucket %s contains %s: %t", name, uri, got)
			}
		}
	}
	b, err := objects.OpenBucket("latest")
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(t, b, ""); len(got) != 3 {
		t.Errorf("a bucket that is a link lists %v", got)
	}
}

func TestPathsAreText(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in/caf\xe9.csv", "x") // a file system that takes no such name fails the test here
	for _, pattern := range []string{"in", "in/*.csv", "in/caf\xe9.csv"} {
		_, err := objects.Find(pattern)
		if err == nil || !strings.Contains(err.Error(), `"in/caf\xe9.csv"`) || !strings.Contains(err.Error(), "rename") {
			t.Errorf("Find(%q): %v", pattern, err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "objects")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	b, err := objects.OpenBucket(dir)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.CreateIfAbsent("state/plan.json", []byte("mine")))
	fmt.Println(errors.Is(b.CreateIfAbsent("state/plan.json", []byte("yours")), fs.ErrExist))
	data, err := b.ReadAll("state/plan.json")
	fmt.Println(string(data), err)
	// Output:
	// <nil>
	// true
	// mine <nil>
}
