package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const tempPrefix = ".tmp-"

// local keeps objects as files: below a folder, or anywhere when it has no root.
type local struct {
	root string // absolute, or ""
	name string // how the user calls the root
}

func (l local) path(key string) string { return filepath.Join(l.root, filepath.FromSlash(key)) }

func (l local) uri(key string) string {
	switch {
	case l.root == "":
		return key
	case key == "":
		return l.name
	}
	return strings.TrimSuffix(l.name, "/") + "/" + key
}

func (l local) list(_ context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		keys, err := l.keys(prefix)
		if err != nil {
			yield(entry{}, err)
			return
		}
		for _, key := range keys {
			info, err := os.Stat(l.path(key))
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				yield(entry{}, err)
				return
			}
			if !yield(describe(key, info), nil) {
				return
			}
		}
	}
}

func (l local) keys(prefix string) ([]string, error) {
	// Only the folder that holds the prefix is walked: the rest of a large table is not of interest.
	top := l.path(prefix[:strings.LastIndexByte(prefix, '/')+1])
	paths, err := walk(top, func(name string) bool { return !strings.HasPrefix(name, ".") })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return l.below(prefix, paths)
}

// below returns the keys that paths have, in order, of those that begin with prefix.
func (l local) below(prefix string, paths []string) ([]string, error) {
	var keys []string
	for _, p := range paths {
		rel, err := filepath.Rel(l.root, p)
		if err != nil {
			return nil, err
		}
		if key := filepath.ToSlash(rel); strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func describe(key string, info fs.FileInfo) entry {
	return entry{key: key, size: info.Size(), version: fmt.Sprint(info.ModTime().UnixNano()), modified: info.ModTime()}
}

func (l local) folders(_ context.Context, folder string) ([]string, error) {
	entries, err := os.ReadDir(l.path(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

var errFolder = errors.New("is a folder")

func (l local) stat(_ context.Context, key string) (entry, error) {
	info, err := os.Stat(l.path(key))
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: l.uri(key), Err: errFolder}
	}
	if err != nil {
		return entry{}, err
	}
	return describe(key, info), nil
}

func (l local) open(_ context.Context, e entry) (File, error) {
	f, err := os.Open(l.path(e.key))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !e.is(describe(e.key, info)) {
		err = l.changed(e.key)
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return &localFile{File: f, in: l, entry: e}, nil
}

func (l local) changed(key string) error { return fmt.Errorf("%s: %w", l.uri(key), ErrChanged) }

// localFile is an open file.
type localFile struct {
	*os.File
	in    local
	entry entry
}

// Check looks at the file that has the name now.
func (f *localFile) Check() error {
	now, err := f.in.stat(context.Background(), f.entry.key)
	if err == nil && !now.is(f.entry) {
		err = f.in.changed(f.entry.key)
	}
	return err
}

func (l local) remove(_ context.Context, key string) error {
	return discard(l.path(key))
}

// discard removes a file that may be gone already.
func discard(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweep removes what killed writers left in a folder. Nobody may be writing there.
func (l local) sweep(folder string) error {
	entries, err := os.ReadDir(l.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			err = errors.Join(err, discard(filepath.Join(l.path(folder), e.Name())))
		}
	}
	return err
}

func (l local) create(_ context.Context, key string) (upload, error) {
	path := l.path(key)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), tempPrefix+rand.Text())
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, about(path, err)
	}
	return &localUpload{file: f, path: path}, nil
}

// put creates a file from all its bytes. Somebody who sweeps the folder, because a run is over, may take its temporary
// file for one that was left behind: then it is written anew.
func (l local) put(ctx context.Context, key string, data []byte) (err error) {
	for range 20 {
		if err = l.putOnce(ctx, key, data); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

func (l local) putOnce(ctx context.Context, key string, data []byte) error {
	u, err := l.create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := u.Write(data); err != nil {
		return errors.Join(err, u.Abort())
	}
	return u.Close()
}

// localUpload is a temporary file on its way to its name, which is what its errors speak of.
type localUpload struct {
	file    *os.File
	path    string
	written int64
	told    int64 // of it, what the system has been told to write to the disk
}

// about returns an error of the system about a temporary file as one about the file that it was to become.
func about(path string, err error) error {
	var file *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &link):
		return &fs.PathError{Op: "create", Path: path, Err: link.Err}
	case errors.As(err, &file):
		return &fs.PathError{Op: file.Op, Path: path, Err: file.Err}
	}
	return err
}

// Write appends to the file.
func (u *localUpload) Write(data []byte) (int, error) {
	n, err := u.file.Write(data)
	u.written += int64(n)
	if u.written-u.told >= writeBackBytes {
		writeBack(u.file, u.told, u.written-u.told)
		u.told = u.written
	}
	return n, about(u.path, err)
}

// writeBackBytes is how much is written before the disk begins with it. Otherwise most systems wait for seconds, and then
// Close waits for all of it.
const writeBackBytes = 4 << 20

// Close links the file to its name: link(2) fails where there is a file, and shows nothing half-written.
func (u *localUpload) Close() error {
	// The content has to be on disk before the name is, and the name before anybody builds upon it.
	err := about(u.path, u.file.Sync())
	err = errors.Join(err, about(u.path, u.file.Close()))
	if err == nil {
		err = u.link()
	}
	if err := errors.Join(err, discard(u.file.Name())); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(u.path))
}

func (u *localUpload) link() error {
	err := about(u.path, os.Link(u.file.Name(), u.path))
	switch {
	case errors.Is(err, fs.ErrExist) && u.isLinked():
		return nil // a network file system repeats calls whose reply was lost
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (it was cleaned up before it was whole; the run it belongs to is over)", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, fs.ErrExist), err == nil:
		return err
	}
	return fmt.Errorf("%w (tables need a file system with hard links)", err)
}

// isLinked says whether the file that has the name is this one.
func (u *localUpload) isLinked() bool {
	there, err1 := os.Stat(u.path)
	own, err2 := os.Stat(u.file.Name())
	return err1 == nil && err2 == nil && os.SameFile(there, own)
}

// Abort drops the file.
func (u *localUpload) Abort() error {
	return errors.Join(about(u.path, u.file.Close()), discard(u.file.Name()))
}

// makeFolder makes a folder and those above it, and syncs each folder that got a new entry.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody else was first
		}
		return err
	}
	return syncFolder(parent)
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

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
