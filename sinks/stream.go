package sinks

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"

	"mapper/client/objects"
)

// streamBuffer gathers page headers, which are tiny; pages pass it by.
const streamBuffer = 64 << 10

// stream writes one object, counting and hashing what goes by.
type stream struct {
	key    string
	name   string // how the user would name it
	object *objects.Writer
	buffer *bufio.Writer
	digest hash.Hash
	size   int64
}

func newStream(ctx context.Context, b *objects.Bucket, key string) (*stream, error) {
	object, err := b.Create(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.URI(key), err)
	}
	s := &stream{key: key, name: b.URI(key), object: object, digest: sha256.New()}
	s.buffer = bufio.NewWriterSize(unbuffered{s}, streamBuffer)
	return s, nil
}

// Write appends to the object. An error stays: whatever is called after it returns it too.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.buffer.Write(p)
	s.size += int64(n)
	return n, err
}

// Tell returns how many bytes have been written, as arrow's page writer wants to know.
func (s *stream) Tell() int64 { return s.size }

func (s *stream) flush() error { return s.buffer.Flush() }

// sum returns the SHA-256 of what has been flushed in hexadecimal digits.
func (s *stream) sum() string { return hex.EncodeToString(s.digest.Sum(nil)) }

// unbuffered is the way from the buffer to the object.
type unbuffered struct{ *stream }

func (u unbuffered) Write(p []byte) (int, error) {
	u.digest.Write(p) // never fails
	n, err := u.object.Write(p)
	if err != nil {
		err = fmt.Errorf("%s: %w", u.name, err)
	}
	return n, err
}
