package objects

import (
	"context"
	"io"
	"iter"
	"time"
)

// backend is a storage: objects under keys, each written once. Local files are one, everything in a cloud is
// another, [remote]. It is safe for concurrent use, and its errors name the object.
type backend interface {
	// uri returns how the user would name a key.
	uri(key string) string
	// list yields every object whose key begins with prefix, in the order of the keys.
	list(ctx context.Context, prefix string) iter.Seq2[entry, error]
	// folders returns the names directly below a folder that have something below them, in order. The folder
	// is "" or ends with a slash.
	folders(ctx context.Context, folder string) ([]string, error)
	// stat fails with fs.ErrNotExist when there is no such object.
	stat(ctx context.Context, key string) (entry, error)
	// open reads an object as e describes it, or fails with ErrChanged, at the latest when it is read. The
	// context is for as long as the file is open.
	open(ctx context.Context, e entry) (File, error)
	// create begins an object. The context is for as long as it is written.
	create(ctx context.Context, key string) (upload, error)
	// put creates an object whose bytes are all there, as create and Close do.
	put(ctx context.Context, key string, data []byte) error
	// remove deletes an object; one that is not there is no error.
	remove(ctx context.Context, key string) error
}

// entry is an object of a backend.
type entry struct {
	key      string
	size     int64
	version  string    // changes whenever the content does: a generation, an ETag, a time
	modified time.Time // by the storage's clock; only list tells
}

// is says whether two entries describe the same content.
func (e entry) is(other entry) bool {
	return e.key == other.key && e.size == other.size && e.version == other.version
}

// upload is an object that is being written. Exactly one of Close and Abort is called.
type upload interface {
	io.Writer
	// Close makes the object visible, whole, or fails with fs.ErrExist when there is one already. When it
	// returns nil the object is safe.
	Close() error
	// Abort drops the object.
	Abort() error
}

// cloud is one bucket of a cloud storage, as its SDK has it. Requests that fail for a passing reason are repeated
// by the SDK until ctx ends. All errors are an [Error].
type cloud interface {
	uri(key string) string
	list(ctx context.Context, prefix string) iter.Seq2[entry, error]
	folders(ctx context.Context, folder string) iter.Seq2[string, error] // in any order
	// stat also returns the id that the object's creator gave to create, or nothing.
	stat(ctx context.Context, key string) (e entry, creator string, err error)
	// read reads size bytes from a place on, of the version given and no other: if that is gone it fails with
	// ErrChanged. Bytes are those stored, never decompressed on the way. The body may break off early.
	read(ctx context.Context, e entry, from, size int64) (io.ReadCloser, error)
	// create begins an object that will carry the creator's id. Its Close fails with fs.ErrExist if there is an
	// object, also if that is the result of an earlier attempt whose reply was lost.
	create(ctx context.Context, key, creator string) (upload, error)
	remove(ctx context.Context, key string) error
}
