package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// Object is something to read, as it was when it was found.
type Object struct {
	URI     string `json:"uri"`     // how the user would name it
	Size    int64  `json:"size"`    // bytes
	Version string `json:"version"` // changes whenever the content does: a generation, an ETag, a time
}

// Open opens an object for reading, as it was when it was found: it fails with [ErrChanged] when it is no longer
// that, now or at the first read. The context is for as long as the file is open.
func (s *Store) Open(ctx context.Context, o Object) (File, error) {
	b, key, err := s.place(ctx, o.URI)
	if err != nil {
		return nil, err
	}
	return b.open(ctx, entry{key: key, size: o.Size, version: o.Version})
}

// Stat returns the object of exactly this path or URL. A folder is none.
func (s *Store) Stat(ctx context.Context, uri string) (Object, error) {
	b, key, err := s.place(ctx, uri)
	if err != nil {
		return Object{}, err
	}
	e, err := b.stat(ctx, key)
	if errors.Is(err, errFolder) {
		err = &fs.PathError{Op: "stat", Path: uri, Err: fs.ErrNotExist}
	}
	return Object{URI: b.uri(key), Size: e.size, Version: e.version}, err
}

// Find returns the objects that a pattern names, in the order of their URIs. A pattern is a path or a URL
// (gs://bucket/key, s3://bucket/key, azblob://container/key); a glob, in which * and ? stand for anything but a
// slash, a part that is ** for any number of folders, [a-z] for one of a set and {a,b} for one of a list; or a folder,
// with or without a slash at its end, which means everything below it. Names that begin with "." or "_", their own or
// that of a folder below, are left out unless the pattern spells them. What is called exactly like a glob goes before it.
//
// A path that names nothing is an error that matches fs.ErrNotExist, a glob or a folder that does is not. A local
// folder may be a symbolic link; links to folders below it are not followed. A name that is not UTF-8 is refused:
// neither JSON nor a table can hold it.
func (s *Store) Find(ctx context.Context, pattern string) ([]Object, error) {
	b, key, err := s.place(ctx, pattern)
	if err != nil {
		return nil, err
	}
	var found []Object
	if r, ok := b.(*remote); ok {
		found, err = r.find(ctx, key)
	} else {
		found, err = findFiles(pattern)
	}
	for _, o := range found {
		if !utf8.ValidString(o.URI) {
			return nil, fmt.Errorf("%q: the path is not valid UTF-8, so it cannot be written to a table; rename the file", o.URI)
		}
	}
	slices.SortFunc(found, func(a, b Object) int { return cmp.Compare(a.URI, b.URI) })
	return found, err
}

const globSigns = "*?[{\\"

// isThere says whether there is something below a folder.
func (r *remote) isThere(ctx context.Context, folder string) bool {
	for _, err := range r.list(ctx, folder) {
		return err == nil
	}
	return false
}

// isMeant says whether a name that matches a glob is meant by it: what the glob does not spell out has to be visible.
func isMeant(name, glob string) bool {
	if folders, ok := strings.CutSuffix(glob, "**"); ok {
		parts := strings.Split(name, "/")
		return isVisible(strings.Join(parts[min(strings.Count(folders, "/"), len(parts)-1):], "/"))
	}
	last := path.Base(glob)
	return !strings.HasSuffix(name, "/") && (!visible(last) || visible(path.Base(name)))
}

// find returns what a key, a folder or a glob of the bucket names.
func (r *remote) find(ctx context.Context, pattern string) ([]Object, error) {
	name := r.uri(pattern)
	isFolder := pattern == "" || strings.HasSuffix(pattern, "/")
	if sign := strings.IndexAny(pattern, globSigns); isFolder && sign >= 0 && !r.isThere(ctx, pattern) {
		return r.glob(ctx, pattern+"**", pattern[:sign])
	}
	if !isFolder {
		e, err := r.stat(ctx, pattern)
		if err == nil {
			return []Object{r.object(e)}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if sign := strings.IndexAny(pattern, globSigns); sign >= 0 {
			return r.glob(ctx, pattern, pattern[:sign])
		}
		pattern += "/"
	}
	var found []Object
	below := false
	for e, err := range r.list(ctx, pattern) {
		if err != nil {
			return nil, called(name, err)
		}
		below = true
		if name := e.key[len(pattern):]; isVisible(name) {
			found = append(found, r.object(e))
		}
	}
	if !isFolder && !below {
		return nil, &Error{URI: name, Kind: fs.ErrNotExist}
	}
	return found, nil
}

// isVisible says whether a name below a folder is meant when the folder is. What ends with a slash is how some
// programs write down a folder.
func isVisible(name string) bool {
	if name == "" || strings.HasSuffix(name, "/") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return !visible(part) })
}

func (r *remote) glob(ctx context.Context, pattern, prefix string) ([]Object, error) {
	if !doublestar.ValidatePattern(pattern) {
		return nil, fmt.Errorf("%s: %w", r.uri(pattern), doublestar.ErrBadPattern)
	}
	var found []Object
	for e, err := range r.list(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if doublestar.MatchUnvalidated(pattern, e.key) && isMeant(e.key, pattern) {
			found = append(found, r.object(e))
		}
	}
	return found, nil
}

func (r *remote) object(e entry) Object {
	return Object{URI: r.uri(e.key), Size: e.size, Version: e.version}
}

// findFiles returns what a path, a folder or a glob names.
func findFiles(pattern string) ([]Object, error) {
	paths := []string{pattern}
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		if paths, err = walk(pattern, visible); err != nil {
			return nil, err
		}
	} else if err != nil && strings.ContainsAny(pattern, globSigns) {
		if strings.HasSuffix(pattern, "/") {
			pattern += "**"
		}
		if paths, err = doublestar.FilepathGlob(pattern, doublestar.WithFailOnIOErrors()); err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		paths = slices.DeleteFunc(paths, func(p string) bool { return !isMeant(filepath.ToSlash(p), filepath.ToSlash(pattern)) })
	}
	var found []Object
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, named(p, err)
		}
		if info.IsDir() {
			continue // a glob may match folders; name one by itself to read it
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: is no regular file, so it can be read only once; name the input - and redirect it into the program", p)
		}
		e := describe(filepath.ToSlash(p), info)
		found = append(found, Object{URI: e.key, Size: e.size, Version: e.version})
	}
	return found, nil
}

// named leaves out of an error what it says of system calls.
func named(path string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

func visible(name string) bool { return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") }
