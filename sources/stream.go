package sources

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/transform"

	"mapper/client/objects"
)

// maxZstdWindow is how far back zstd data may refer, which is memory to hold: as much as zstd's own program
// allows unless told otherwise.
const maxZstdWindow = 128 << 20

// stream reads an input from its beginning: the bytes as stored, or decoded.
type stream struct {
	io.Reader
	stored *bufio.Reader
	taken  int64        // stored bytes that were read
	file   objects.File // nil for standard input
	zstd   *zstd.Decoder
}

// readFunc is a reader that is a function.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// open begins to read what is stored. Reads end with the context.
func (in *Input) open(ctx context.Context) (*stream, error) {
	s := &stream{}
	raw := in.stdin
	if !in.isStdin() {
		f, err := in.store.Open(ctx, in.Object)
		if err != nil {
			return nil, err
		}
		s.file, raw = f, f
	} else if in.stdin = nil; raw == nil {
		return nil, in.errorf("can be read once only; save it to a file to read it again")
	}
	s.stored = bufio.NewReaderSize(readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := raw.Read(p)
		s.taken += int64(n)
		return n, err
	}), 64<<10)
	s.Reader = s.stored
	return s, nil
}

// startsWith compares the first bytes stored. Input that cannot be read starts with nothing; reading on will
// say why.
func (s *stream) startsWith(magic string) bool {
	head, _ := s.stored.Peek(len(magic))
	return string(head) == magic
}

// compression recognizes the compressions of text by their first bytes.
func (s *stream) compression() string {
	head, _ := s.stored.Peek(10)
	switch {
	case s.startsWith("\x1f\x8b"):
		return gzipped
	case s.startsWith("\x28\xb5\x2f\xfd"):
		return zstded
	case len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")):
		return zstded // a frame to be skipped, with which parallel compressors begin
	case isBzip2(head):
		return bzipped
	}
	return ""
}

// decode makes the stream one of decoded bytes. Nothing may have been read.
func (s *stream) decode(compression string) (err error) {
	switch compression {
	case gzipped:
		s.Reader, err = newGzipMembers(s.stored)
	case bzipped:
		s.Reader = bzip2.NewReader(s.stored) // reads all streams
	case zstded:
		// With one decoder there are no goroutines: decoding is several times faster than what follows it.
		s.zstd, err = zstd.NewReader(s.stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
		s.Reader = s.zstd
	}
	return err
}

// transcode makes the stream one of UTF-8.
func (s *stream) transcode(e Encoding) error {
	d, err := e.decoder()
	if d != nil {
		s.Reader = transform.NewReader(s.Reader, d)
	}
	return err
}

// skip passes over the first n bytes of the text.
func (s *stream) skip(n int64) error {
	if s.Reader == io.Reader(s.stored) && s.file != nil {
		s.taken = n
		_, err := s.file.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, s, n)
	return err
}

// check fails when what was read is not the object that was found.
func (s *stream) check() error {
	if s.file == nil {
		return nil
	}
	return s.file.Check()
}

func (s *stream) close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}

// textInput reads a text format from a stream.
type textInput struct {
	*textReader
	in     *Input
	stream *stream
}

func (in *Input) textReader(s *stream, columns []int, from Position) (reader, error) {
	l := &in.Layout
	if from == (Position{}) {
		from = l.Start
	}
	err := s.decode(l.Compression)
	if err == nil {
		err = s.transcode(l.Encoding)
	}
	if err == nil {
		err = s.skip(from.Offset)
	}
	if err != nil {
		return nil, in.broken(err, 0, 0)
	}
	t := newTextReader(l, columns, newWindow(s, from.Offset, l.MaxRow))
	t.row, t.line = from.Row, from.Line
	return &textInput{textReader: t, in: in, stream: s}, nil
}

func (t *textInput) next() (*Batch, error) {
	b, err := t.textReader.next()
	if err != nil {
		return nil, t.in.broken(err, t.window.offset+int64(len(t.window.rest())), t.row)
	}
	if b != nil && (t.in.Layout.Compression != "" || t.in.Layout.Encoding != "") {
		b.Read = t.stream.taken
	}
	return b, nil
}

func (t *textInput) check() error { return t.stream.check() }

func (t *textInput) close() { t.stream.close() }

// broken tells where in the decoded text reading failed, and what can be done.
func (in *Input) broken(err error, offset, rows int64) error {
	place := fmt.Sprintf("after %d bytes of text (%d rows)", offset, rows)
	var file *fs.PathError
	var object *objects.Error
	switch kind := in.Layout.Compression; {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &object):
		return in.errorf("cannot be read on %s: %w", place, err) // the storage's fault, and not the data's
	case kind == "" || errors.As(err, &file):
		return in.errorf("cannot be read %s: %w", place, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return in.errorf("the %s data is cut off %s: %w; get the file again", kind, place, err)
	default:
		return in.errorf("the %s data is damaged %s: %w; get the file again", kind, place, err)
	}
}
