package objects

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const tempPrefix = ".tmp-"

// Bucket keeps objects under slash-separated keys below one folder. It holds no state and is safe for
// concurrent use, by any number of processes.
type Bucket struct {
	root string
	uri  string
}

// OpenBucket names a folder. It is made when the first object is written.
func OpenBucket(uri string) (*Bucket, error) {
	if scheme, _, ok := strings.Cut(uri, "://"); ok {
		return nil, fmt.Errorf("%s: %s:// is not a storage that this program knows; give a folder", uri, scheme)
	}
	if uri == "" {
		return nil, errors.New("no folder given")
	}
	root, err := filepath.Abs(uri)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: is a file; give a folder", uri)
	}
	return &Bucket{root: root, uri: filepath.ToSlash(uri)}, nil
}

// URI returns how the user would name an object, or the bucket itself for the key "".
func (b *Bucket) URI(key string) string {
	if key == "" {
		return b.uri
	}
	return strings.TrimSuffix(b.uri, "/") + "/" + key
}

// Contains says whether an object that Find returned lies in the bucket, by whatever links it was named.
func (b *Bucket) Contains(o Object) bool {
	return isBelow(filepath.FromSlash(o.URI), b.root)
}

// Inside says whether the bucket lies in the folder, or among the files of the folder, that a pattern for Find
// names, by whatever links.
func (b *Bucket) Inside(pattern string) bool {
	info, err := os.Stat(pattern)
	return err == nil && info.IsDir() && isBelow(b.root, pattern)
}

// List returns the keys of all objects that begin with prefix, in order.
func (b *Bucket) List(prefix string) ([]string, error) {
	// Only the folder that holds the prefix is walked: the rest of a large table is not of interest.
	top := b.path(prefix[:strings.LastIndexByte(prefix, '/')+1])
	paths, err := walk(top, func(name string) bool { return !strings.HasPrefix(name, ".") })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var keys []string
	for _, p := range paths {
		rel, err := filepath.Rel(b.root, p)
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

// Folders returns the names of the folders directly below a folder, in order, without looking into them. A
// folder that is not there has none.
func (b *Bucket) Folders(folder string) ([]string, error) {
	entries, err := os.ReadDir(b.path(folder))
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

// Open opens an object for reading.
func (b *Bucket) Open(key string) (*File, error) { return os.Open(b.path(key)) }

// ReadAll returns a small object whole.
func (b *Bucket) ReadAll(key string) ([]byte, error) { return os.ReadFile(b.path(key)) }

// CreateIfAbsent writes an object unless there is one: then it fails with [fs.ErrExist] and changes nothing.
// Of any number of processes that try, at most one succeeds.
func (b *Bucket) CreateIfAbsent(key string, data []byte) error {
	w, err := b.Create(key)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Close()
}

// Delete removes an object. One that is not there is no error.
func (b *Bucket) Delete(key string) error {
	if err := os.Remove(b.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep removes what killed writers left in a folder of the bucket. Nobody may be writing there.
func (b *Bucket) Sweep(folder string) error {
	entries, err := os.ReadDir(b.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			err = errors.Join(err, b.Delete(folder+"/"+e.Name()))
		}
	}
	return err
}

func (b *Bucket) path(key string) string { return filepath.Join(b.root, filepath.FromSlash(key)) }

// Writer writes one object. Exactly one of Close and Abort must be called; after Close failed, nothing is
// left to do.
type Writer struct {
	file *os.File
	path string
}

// Create begins an object, which becomes visible when it is closed.
func (b *Bucket) Create(key string) (*Writer, error) {
	path := b.path(key)
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), tempPrefix+rand.Text())
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &Writer{file: f, path: path}, nil
}

// Write appends to the object.
func (w *Writer) Write(p []byte) (int, error) { return w.file.Write(p) }

// Close makes the object visible, or fails with [fs.ErrExist] when there is one already. When it returns nil
// the object is on disk.
func (w *Writer) Close() error {
	// The content has to be on disk before the name is, and the name before anybody builds upon it.
	err := w.file.Sync()
	err = errors.Join(err, w.file.Close())
	if err == nil {
		err = os.Link(w.file.Name(), w.path)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w (tables need a file system with hard links)", err)
		}
	}
	if err := errors.Join(err, os.Remove(w.file.Name())); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(w.path))
}

// Abort drops the object.
func (w *Writer) Abort() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
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
