package sources

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"mapper/client/objects"
)

// ErrNoFiles means that a pattern names nothing that could be read.
var ErrNoFiles = errors.New("there is no data file here")

// List returns what the patterns name, each object once, in the order of the patterns and, within one, of
// their names. A pattern is a path, a folder, a glob, or "-" alone for standard input.
//
// A file named by its path is taken whatever it is called. Of a glob, files whose name begins with "." or "_"
// are left out unless the glob asks for them. Of a folder, everything below it with the name of a data file is
// taken: .csv .tsv .tab .txt .ndjson .jsonl .json, also with .gz, .zst or .bz2 behind, .parquet .pq .arrow
// .arrows .feather and .ipc.
//
// A pattern that names nothing is an error that names it: [ErrNoFiles], or that of opening a file.
func List(ctx context.Context, store *objects.Store, patterns []string) ([]objects.Object, error) {
	if len(patterns) == 1 && patterns[0] == "-" {
		return []objects.Object{{URI: "-", Size: -1}}, nil
	}
	if slices.Contains(patterns, "-") {
		return nil, errors.New("standard input (-) cannot be read together with other inputs")
	}
	var list []objects.Object
	listed := map[string]bool{}
	for _, pattern := range patterns {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := find(ctx, store, pattern)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			name, err := unique(o.URI)
			if err != nil {
				return nil, err
			}
			if !listed[name] {
				listed[name] = true
				list = append(list, o)
			}
		}
	}
	return list, nil
}

// unique returns the name of an object that no other has: the same file may be named in several ways.
func unique(uri string) (string, error) {
	if isURL(uri) {
		return uri, nil
	}
	name, err := filepath.Abs(filepath.FromSlash(uri))
	if err != nil {
		err = fmt.Errorf("%s: %w", uri, err)
	}
	return name, err
}

func isURL(uri string) bool { return strings.Contains(uri, "://") }

// find returns the objects that one pattern names, at least one.
func find(ctx context.Context, store *objects.Store, pattern string) ([]objects.Object, error) {
	found, err := store.Find(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("input %w", err)
	}
	itself := func(o objects.Object) bool {
		return o.URI == pattern || !isURL(pattern) && filepath.Clean(filepath.FromSlash(o.URI)) == filepath.Clean(pattern)
	}
	if len(found) == 1 && itself(found[0]) {
		return found, nil
	}
	if isGlob := strings.ContainsAny(pattern, "*?[{") && !strings.HasSuffix(pattern, "/"); !isGlob {
		found = slices.DeleteFunc(found, func(o objects.Object) bool { return !isData(path.Base(o.URI)) })
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("input %s: %w", pattern, ErrNoFiles)
	}
	return found, nil
}

// isData says whether a file of a folder is to be read, by its name.
func isData(name string) bool {
	switch extension(name) {
	case "csv", "tsv", "tab", "txt", "ndjson", "jsonl", "json":
		return true
	case "parquet", "pq", "arrow", "arrows", "feather", "ipc":
		return strings.HasSuffix(strings.ToLower(name), extension(name))
	}
	return false
}
