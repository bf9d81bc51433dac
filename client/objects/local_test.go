package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

func TestLocal(t *testing.T) {
	objectstest.Run(t, func(t testing.TB) objectstest.Target {
		return objectstest.Target{URI: t.TempDir() + "/not/there/yet"}
	})
}

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
		found, err := new(objects.Store).Find(context.Background(), c.pattern)
		if err != nil || !reflect.DeepEqual(uris(found), c.want) {
			t.Errorf("Find(%q) = %v, %v; want %v", c.pattern, uris(found), err, c.want)
		}
	}
	if _, err := new(objects.Store).Find(context.Background(), "nosuch.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := new(objects.Store).Find(context.Background(), "/dev/null"); err == nil || !strings.Contains(err.Error(), "name the input -") {
		t.Errorf("a device: %v", err)
	}
	if _, err := new(objects.Store).Find(context.Background(), "gs://bucket/x"); err == nil {
		t.Error("an unknown storage: no error")
	}
}

func bucket(t *testing.T) (*objects.Bucket, string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "not", "there", "yet")
	b, err := new(objects.Store).Bucket(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	return b, root
}

func keys(t *testing.T, b *objects.Bucket, prefix string) []string {
	t.Helper()
	keys, err := b.List(context.Background(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestFolders(t *testing.T) {
	b, root := bucket(t)
	if got, err := b.Folders(context.Background(), "a"); err != nil || got != nil {
		t.Errorf("below nothing: %v, %v", got, err)
	}
	for _, key := range []string{"a/y/deep/deeper/1", "a/x/1", "a/x/2", "a/file", "a/.hidden/1", "ab/z/1"} {
		write(t, filepath.Join(root, key), "")
	}
	for folder, want := range map[string][]string{"": {"a", "ab"}, "a": {"x", "y"}, "a/x": nil, "none": nil} {
		if got, err := b.Folders(context.Background(), folder); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Folders(%q) = %v, %v; want %v", folder, got, err, want)
		}
	}
	if got, err := b.Folders(context.Background(), "a/file"); err == nil {
		t.Errorf("a file was taken for a folder: %v", got)
	}
}

func TestSweepRemovesWhatKilledWritersLeft(t *testing.T) {
	b, root := bucket(t)
	if err := b.CreateIfAbsent(context.Background(), "d/part", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(context.Background(), "d/killed"); err != nil { // never closed
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
	first, err := b.Lock(t.Context(), "l", objects.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	told := 0
	options := objects.LockOptions{OnWait: func(string, time.Duration) { told++ }}
	if _, err := b.Lock(ctx, "l", options); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Fatalf("a second holder: %v, told %d times", err, told)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = first.Release() })
	second, err := b.Lock(t.Context(), "l", objects.LockOptions{})
	if err != nil {
		t.Fatalf("after the first holder let go: %v", err)
	}
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in/a.csv", "x")
	write(t, "in/out/mapped/part", "x")
	inside, err := new(objects.Store).Bucket(context.Background(), "in/out")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := new(objects.Store).Bucket(context.Background(), "inner")
	if err != nil {
		t.Fatal(err)
	}
	if !inside.Inside("in") || inside.Inside("in/a.csv") || beside.Inside("in") {
		t.Error("Inside is wrong")
	}
	found, err := new(objects.Store).Find(context.Background(), "in")
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	if inside.Contains(found[0]) || !inside.Contains(found[1]) {
		t.Error("Contains is wrong")
	}
	if _, err := new(objects.Store).Bucket(context.Background(), "in/a.csv"); err == nil {
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
		if found, err := new(objects.Store).Find(context.Background(), pattern); err != nil || !reflect.DeepEqual(uris(found), want) {
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
		b, err := new(objects.Store).Bucket(context.Background(), c.bucket)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Inside(c.folder); got != c.want {
			t.Errorf("bucket %s inside %s: %t", c.bucket, c.folder, got)
		}
	}
	for _, name := range []string{"latest/out", "2026-11-22/out"} {
		b, err := new(objects.Store).Bucket(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		for uri, want := range map[string]bool{"latest/out/part": true, "2026-11-22/out/part": true, "part": true, "latest/a.csv": false} {
			if got := b.Contains(objects.Object{URI: uri}); got != want {
				t.Errorf("bucket %s contains %s: %t", name, uri, got)
			}
		}
	}
	b, err := new(objects.Store).Bucket(context.Background(), "latest")
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
		_, err := new(objects.Store).Find(context.Background(), pattern)
		if err == nil || !strings.Contains(err.Error(), `"in/caf\xe9.csv"`) || !strings.Contains(err.Error(), "rename") {
			t.Errorf("Find(%q): %v", pattern, err)
		}
	}
}

// TestPutWhileSweeping: small objects are created whoever sweeps their folder meanwhile.
func TestPutWhileSweeping(t *testing.T) {
	b, err := new(objects.Store).Bucket(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var sweeping sync.WaitGroup
	for range 2 { // runs end in several processes
		sweeping.Go(func() {
			for ctx.Err() == nil {
				if err := b.Sweep("f"); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	for i := range 200 {
		if err := b.CreateIfAbsent(ctx, fmt.Sprint("f/", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	sweeping.Wait()
}

func Example() {
	dir, err := os.MkdirTemp("", "objects")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	b, err := new(objects.Store).Bucket(context.Background(), dir)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.CreateIfAbsent(context.Background(), "state/plan.json", []byte("mine")))
	fmt.Println(errors.Is(b.CreateIfAbsent(context.Background(), "state/plan.json", []byte("yours")), fs.ErrExist))
	data, err := b.ReadAll(context.Background(), "state/plan.json")
	fmt.Println(string(data), err)
	// Output:
	// <nil>
	// true
	// mine <nil>
}
