package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Bucket keeps objects under slash-separated keys below one folder, local or in a cloud. It is safe for concurrent
// use, by any number of processes.
type Bucket struct {
	in     backend
	prefix string // of all keys: "" or ending with a slash
}

// Bucket names a folder. It is made when the first object is written.
func (s *Store) Bucket(ctx context.Context, uri string) (*Bucket, error) {
	if uri == "" {
		return nil, errors.New("no folder given")
	}
	if scheme, bucket, key := split(uri); scheme != "" {
		r, err := s.bucket(ctx, scheme, bucket)
		if err != nil {
			return nil, err
		}
		if key = strings.Trim(key, "/"); key != "" {
			key += "/"
		}
		return &Bucket{in: r, prefix: key}, nil
	}
	root, err := filepath.Abs(uri)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: is a file; give a folder", uri)
	}
	return &Bucket{in: local{root: root, name: filepath.ToSlash(uri)}}, nil
}

// URI returns how the user would name an object, or the bucket itself for the key "".
func (b *Bucket) URI(key string) string {
	if key == "" {
		key, _ = strings.CutSuffix(b.prefix, "/")
		return b.in.uri(key)
	}
	return b.in.uri(b.prefix + key)
}

// Contains says whether an object that Find returned lies in the bucket, by whatever links it was named.
func (b *Bucket) Contains(o Object) bool {
	scheme, _, _ := split(o.URI)
	if l, ok := b.in.(local); ok {
		return scheme == "" && isBelow(filepath.FromSlash(o.URI), l.root)
	}
	return strings.HasPrefix(o.URI, b.in.uri(b.prefix))
}

// Inside says whether the bucket lies in the folder, or among the files of the folder, that a pattern for Find
// names, by whatever links.
func (b *Bucket) Inside(pattern string) bool {
	scheme, _, _ := split(pattern)
	if l, ok := b.in.(local); ok {
		info, err := os.Stat(pattern)
		return scheme == "" && err == nil && info.IsDir() && isBelow(l.root, pattern)
	}
	if scheme == "" {
		return false
	}
	return strings.HasPrefix(b.in.uri(b.prefix), strings.TrimSuffix(pattern, "/")+"/")
}

// List returns the keys of all objects that begin with prefix, in order.
func (b *Bucket) List(ctx context.Context, prefix string) ([]string, error) {
	entries, err := b.Entries(ctx, prefix)
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, err
}

// Entry is an object of a bucket.
type Entry struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"`     // bytes
	Modified time.Time `json:"modified"` // when it was written, by the storage's clock
}

// Entries returns all objects whose keys begin with prefix, in order.
func (b *Bucket) Entries(ctx context.Context, prefix string) ([]Entry, error) {
	var entries []Entry
	for e, err := range b.in.list(ctx, b.prefix+prefix) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{Key: e.key[len(b.prefix):], Size: e.size, Modified: e.modified.UTC()})
	}
	return entries, nil
}

// Folders returns the names of the folders directly below a folder, in order, without looking into them. A
// folder that is not there has none.
func (b *Bucket) Folders(ctx context.Context, folder string) ([]string, error) {
	if folder != "" {
		folder += "/"
	}
	return b.in.folders(ctx, b.prefix+folder)
}

// Open opens an object for reading. The context is for as long as it is open.
func (b *Bucket) Open(ctx context.Context, key string) (File, error) {
	e, err := b.in.stat(ctx, b.prefix+key)
	if err != nil {
		return nil, err
	}
	return b.in.open(ctx, e)
}

// ReadAll returns a small object whole.
func (b *Bucket) ReadAll(ctx context.Context, key string) ([]byte, error) {
	f, err := b.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// CreateIfAbsent writes an object unless there is one: then it fails with fs.ErrExist and changes nothing. Of any
// number of processes that try, at most one succeeds. Any other error leaves open whether the object has been
// written, or will be yet.
func (b *Bucket) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	return b.in.put(ctx, b.prefix+key, data)
}

// Delete removes an object. One that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error { return b.in.remove(ctx, b.prefix+key) }

// Sweep removes what killed writers left in a local folder of the bucket, and with it what anybody writes there at the
// moment: CreateIfAbsent begins anew then, a [Writer] fails. In a cloud there is nothing in the way of anybody.
func (b *Bucket) Sweep(folder string) error {
	if l, ok := b.in.(local); ok {
		return l.sweep(folder)
	}
	return nil
}

// Writer writes one object. Exactly one of Close and Abort must be called; after Close failed, nothing is
// left to do.
type Writer struct{ to upload }

// Create begins an object, which becomes visible when it is closed. What is written goes up while it is written,
// with checksums of the storage's own; a few megabytes of it are in memory. The context is for as long as it is
// written.
func (b *Bucket) Create(ctx context.Context, key string) (*Writer, error) {
	to, err := b.in.create(ctx, b.prefix+key)
	if err != nil {
		return nil, err
	}
	return &Writer{to}, nil
}

// Write appends to the object.
func (w *Writer) Write(p []byte) (int, error) { return w.to.Write(p) }

// Close makes the object visible, or fails with fs.ErrExist when there is one already. When it returns nil the
// object is safe: on disk, or wherever the cloud keeps it.
func (w *Writer) Close() error { return w.to.Close() }

// Abort drops the object.
func (w *Writer) Abort() error { return w.to.Abort() }
