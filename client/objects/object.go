package objects

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrChanged means that an object is no longer what it was when it was found.
var ErrChanged = errors.New("the file has changed since the run was planned; start a new run to read it as it is now")

// Object is something to read, as it was when it was found.
type Object struct {
	URI     string `json:"uri"`     // how the user would name it
	Size    int64  `json:"size"`    // bytes
	Version string `json:"version"` // changes whenever the content does
}

// File is an open object. It reads from its beginning, and at any place through ReadAt.
type File = os.File

// Find returns the objects that a pattern names, in the order of their URIs. A pattern is a path, a glob as
// in [filepath.Match], or a folder: a folder means every file below it but those whose own name or folder
// begins with "." or "_". The folder may be a symbolic link; links to folders below it are not followed. A path
// that names nothing is an error, a glob or folder that does is not. A path that is not UTF-8 is refused: neither
// JSON nor a table can hold it.
func Find(pattern string) ([]Object, error) {
	if scheme, _, ok := strings.Cut(pattern, "://"); ok {
		return nil, fmt.Errorf("%s: %s:// is not a storage that this program knows; give a path", pattern, scheme)
	}
	paths := []string{pattern}
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		if paths, err = walk(pattern, visible); err != nil {
			return nil, err
		}
	} else if err != nil && strings.ContainsAny(pattern, "*?[") {
		if paths, err = filepath.Glob(pattern); err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
	}
	var found []Object
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			continue // a glob may match folders; name one by itself to read it
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: is no regular file, so it can be read only once; name the input - and redirect it into the program", p)
		}
		if !utf8.ValidString(p) {
			return nil, fmt.Errorf("%q: the path is not valid UTF-8, so it cannot be written to a table; rename the file", p)
		}
		found = append(found, describe(p, info))
	}
	slices.SortFunc(found, func(a, b Object) int { return cmp.Compare(a.URI, b.URI) })
	return found, nil
}

func describe(path string, info fs.FileInfo) Object {
	return Object{URI: filepath.ToSlash(path), Size: info.Size(), Version: fmt.Sprint(info.ModTime().UnixNano())}
}

// Open opens the object for reading. It fails with [ErrChanged] when the object is not what it was when it was
// found.
func (o Object) Open() (*File, error) {
	f, err := os.Open(filepath.FromSlash(o.URI))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder", o.URI)
	}
	if err == nil && describe(o.URI, info) != o {
		err = fmt.Errorf("%s: %w", o.URI, ErrChanged)
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return f, nil
}

func visible(name string) bool { return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") }

// walk returns the paths of all files below a folder whose own name and folders keep.
func walk(root string, keep func(name string) bool) ([]string, error) {
	top, err := filepath.EvalSymlinks(root) // WalkDir does not enter a link
	if err != nil {
		return nil, err
	}
	var paths []string
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == top:
			return nil
		case !keep(d.Name()) && d.IsDir():
			return fs.SkipDir
		case keep(d.Name()) && !d.IsDir():
			below, err := filepath.Rel(top, path)
			if err != nil {
				return err
			}
			paths = append(paths, filepath.Join(root, below))
		}
		return nil
	})
	return paths, err
}

// isBelow says whether a path is a folder, or lies below it, wherever links lead. A path that cannot be resolved
// lies nowhere: nobody can read or write there either, and that fails with the reason.
func isBelow(path, folder string) bool {
	path, err := resolved(path)
	if err != nil {
		return false
	}
	if folder, err = resolved(folder); err != nil {
		return false
	}
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// resolved returns the absolute path without symbolic links. What does not exist yet has none.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		parent, err = resolved(parent)
		return filepath.Join(parent, filepath.Base(path)), err
	}
	return real, err
}
