package objects

import (
	"context"
	"hash/crc32"
	"math"
	"time"

	"cloud.google.com/go/storage"
)

const (
	// gcsChunk is what is sent at once, and kept until the service has it.
	gcsChunk = 4 << 20
	// gcsSmall is what is kept before there is a buffer for a chunk: a marker should not cost one. It is also the
	// least that the SDK takes for a chunk.
	gcsSmall = 256 << 10
	// gcsStalled is for how long a chunk may take, so that no connection that is dead keeps it: 4 MiB are through
	// by then at 35 kB/s.
	gcsStalled = 2 * time.Minute
)

// gcsUpload is an object that is being written. What fits into a chunk is one request, with its CRC32C in front.
// What does not is a session, in which chunks are repeated by their offset and the last one carries the CRC32C of
// all: if that differs, there is no object. A session that is not finished shows nowhere, costs nothing, and is
// forgotten by the service after a week; the SDK has no way to end it earlier.
type gcsUpload struct {
	to     *storage.Writer
	cancel context.CancelFunc
	fail   func(error) error
	small  []byte // what was written, as long as it is small
	opened bool   // to has it
}

func (g *gcs) create(ctx context.Context, key, creator string) (upload, error) {
	ctx, cancel := context.WithCancel(ctx)
	a := &gcsAttempts{ctx: ctx}
	to := g.object(key, a).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	to.ContentType = "application/octet-stream" // or else the SDK guesses
	to.Metadata = map[string]string{creatorKey: creator}
	to.ChunkSize = gcsChunk
	to.ChunkRetryDeadline = math.MaxInt64 // it is ctx that ends it
	to.ChunkTransferTimeout = gcsStalled
	return &gcsUpload{to: to, cancel: cancel, fail: func(err error) error { return g.fail(key, a, err) }}, nil
}

// Write appends to the object.
func (u *gcsUpload) Write(p []byte) (int, error) {
	if !u.opened {
		if len(u.small)+len(p) < gcsSmall {
			u.small = append(u.small, p...)
			return len(p), nil
		}
		u.opened = true
		if _, err := u.to.Write(u.small); err != nil {
			return 0, u.fail(err)
		}
		u.small = nil
	}
	n, err := u.to.Write(p)
	return n, u.fail(err)
}

// Close makes the object visible.
func (u *gcsUpload) Close() error {
	defer u.cancel()
	if !u.opened {
		u.to.ChunkSize = gcsSmall
		u.to.CRC32C, u.to.SendCRC32C = crc32.Checksum(u.small, crc32.MakeTable(crc32.Castagnoli)), true
		if _, err := u.to.Write(u.small); err != nil {
			return u.fail(err)
		}
	}
	return u.fail(u.to.Close())
}

// Abort drops the object: without its last chunk there is none.
func (u *gcsUpload) Abort() error {
	u.cancel()
	if u.opened {
		_ = u.to.Close() // fails, since it was cancelled, and waits for what goes on
	}
	return nil
}
