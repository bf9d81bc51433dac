package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// File is an open object. It reads from its beginning, and at any place through ReadAt; both may be used side by
// side, each by one goroutine. Whatever breaks on the way is repeated from the byte where it broke.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Closer
	// Check fails with ErrChanged when what has been read is not the object that was found.
	Check() error
}

// remoteFile is an open object of a cloud. Nothing is fetched before something is read. Reading from the beginning
// is one long request, whose bytes are fetched ahead; reading at places is a request for each block.
type remoteFile struct {
	ctx    context.Context
	remote *remote
	entry  entry
	at     int64  // where Read goes on
	ahead  *ahead // nil unless Read has begun there
	blocks *blocks
}

func newRemoteFile(ctx context.Context, r *remote, e entry) *remoteFile {
	f := &remoteFile{ctx: ctx, remote: r, entry: e}
	f.blocks = newBlocks(ctx, e.size, f.fetch)
	return f
}

func (f *remoteFile) fetch(ctx context.Context, from, end int64) *resumed {
	return f.remote.resumed(ctx, f.entry, from, end)
}

// Read reads on. What is wrong with the whole, as its checksum says, comes instead of the end.
func (f *remoteFile) Read(p []byte) (int, error) {
	if f.ahead == nil {
		if f.at >= f.entry.size {
			return 0, io.EOF
		}
		from := f.at
		f.ahead = newAhead(f.ctx, f.entry.size-from, func(ctx context.Context) *resumed { return f.fetch(ctx, from, f.entry.size) })
	}
	n, err := f.ahead.Read(p)
	f.at += int64(n)
	if errors.Is(err, io.EOF) && f.at < f.entry.size { // a cut is never an end
		err = f.remote.unavailable(f.entry.key, err)
	}
	return n, err
}

// ReadAt reads at a place.
func (f *remoteFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.remote.uri(f.entry.key), Err: fs.ErrInvalid}
	}
	return f.blocks.ReadAt(p, off)
}

// Seek says where Read goes on.
func (f *remoteFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.entry.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("%s: seek to %d: %w", f.remote.uri(f.entry.key), offset, fs.ErrInvalid)
	}
	if offset != f.at {
		f.rest()
		f.at = offset
	}
	return offset, nil
}

// rest ends reading ahead.
func (f *remoteFile) rest() {
	if f.ahead != nil {
		f.ahead.Close()
		f.ahead = nil
	}
}

// Check finds nothing: every request names the version.
func (f *remoteFile) Check() error { return nil }

// Close ends all requests.
func (f *remoteFile) Close() error {
	f.rest()
	f.blocks.Close()
	return nil
}
