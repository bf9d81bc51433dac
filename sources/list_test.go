package sources_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/sources"
)

func TestList(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"in/b.csv", "in/a.CSV", "in/sub/c.ndjson.gz", "in/sub/d.parquet", "in/sub/e.feather", "in/sub/f.arrow.gz", "in/e.txt.zst", "in/f.tab", "in/notes.md", "in/g.parquet.gz", "in/csv",
		"in/.hidden.csv", "in/_SUCCESS", "in/_tmp/x.csv", "other.dat", "empty/readme.md", "z[1].csv",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	absolute, err := filepath.Abs("in/b.csv")
	if err != nil {
		t.Fatal(err)
	}
	folder := []string{"in/a.CSV", "in/b.csv", "in/e.txt.zst", "in/f.tab", "in/sub/c.ndjson.gz", "in/sub/d.parquet", "in/sub/e.feather"}
	for _, c := range []struct {
		name     string
		patterns []string
		want     []string
	}{
		{"folder", []string{"in"}, folder},
		{"folder with slash", []string{"in/"}, folder},
		{"file of any name", []string{"in/notes.md"}, []string{"in/notes.md"}},
		{"hidden file by name", []string{"./in/.hidden.csv"}, []string{"./in/.hidden.csv"}},
		{"file with the name of a glob", []string{"z[1].csv"}, []string{"z[1].csv"}},
		{"glob takes any name but hidden ones", []string{"in/*"}, []string{"in/a.CSV", "in/b.csv", "in/csv", "in/e.txt.zst", "in/f.tab", "in/g.parquet.gz", "in/notes.md"}},
		{"glob that asks for them", []string{"in/_S*"}, []string{"in/_SUCCESS"}},
		{"order of patterns", []string{"other.dat", "in/b.csv", "in/a.CSV"}, []string{"other.dat", "in/b.csv", "in/a.CSV"}},
		{"each once", []string{"in/b.csv", "in", absolute, "./in/b.csv", "in/*.csv"}, append([]string{"in/b.csv", "in/a.CSV"}, folder[2:]...)},
		{"standard input", []string{"-"}, []string{"-"}},
		{"nothing wanted", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := sources.List(context.Background(), new(objects.Store), c.patterns)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range found {
				got = append(got, o.URI)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	for pattern, want := range map[string]error{"gone.csv": fs.ErrNotExist, "gone/*.csv": sources.ErrNoFiles, "empty": sources.ErrNoFiles, "in/[": path.ErrBadPattern, "sftp://bucket": nil} {
		_, err := sources.List(context.Background(), new(objects.Store), []string{"in", pattern})
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), pattern) {
			t.Errorf("%s: %v, want %v", pattern, err, want)
		}
	}
	if _, err := sources.List(context.Background(), new(objects.Store), []string{"in", "-"}); err == nil {
		t.Error("standard input beside others: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := sources.List(ctx, new(objects.Store), []string{"in"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEmptyFolderOfHiddenFiles(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "_x.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sources.List(context.Background(), new(objects.Store), []string{folder}); !errors.Is(err, sources.ErrNoFiles) {
		t.Errorf("%v, want %v", err, sources.ErrNoFiles)
	}
}
