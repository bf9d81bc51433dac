package sources

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

const (
	arrowMagic    = "ARROW1\x00\x00"   // begins the file format, and without the padding ends it
	arrowContinue = "\xff\xff\xff\xff" // begins every message, and so the stream format

	maxMetadata = 64 << 20 // of a message in bytes; that of a record batch has about 80 for each column
	maxBody     = 1 << 30  // of a message in bytes, as stored and again as decoded
	firstBody   = 1 << 20  // what is taken to be there without having been read
)

// errManyStreams is for what other readers would silently leave out.
var errManyStreams = errors.New("more follows the end of its stream; write one stream to a file")

// arrowMessages reads the messages of Arrow IPC and looks at each before the library does, which believes what
// it reads. It is the library's ipc.MessageReader and its allocator.
type arrowMessages struct {
	memory.GoAllocator
	limit int // of bytes that the library may still allocate for the message

	stream io.Reader   // the messages one after the other
	inFile bool        // the stream is within a file, whose footer follows it
	read   int         // record batches
	file   io.ReaderAt // instead of a stream, a file
	size   int64       // of the file
	places []int64     // where in the file the messages to read begin
	place  int64       // up to where the file is read

	check  arrowCheck
	schema bool // has been read
	body   []byte
}

// Message returns the next message, which is valid until the next call, or io.EOF behind the last.
func (m *arrowMessages) Message() (*ipc.Message, error) {
	r := m.stream
	if m.file != nil {
		if len(m.places) == 0 {
			return nil, io.EOF
		}
		r = io.NewSectionReader(m.file, m.places[0], m.size-m.places[0])
	}
	metadata, err := m.metadata(r)
	if err != nil {
		return nil, err
	}
	kind, size, err := m.check.message(metadata)
	if err == nil {
		err = m.expect(kind)
	}
	if err != nil {
		return nil, err
	}
	if m.body, err = readBody(r, m.body, size); err != nil {
		return nil, err
	}
	if m.file != nil {
		m.place = m.places[0] + int64(len(metadata)) + size
		m.places = m.places[1:]
	}
	if kind == recordMessage {
		m.read++
		m.limit = maxBody // dictionaries add up until the record batch that needs them
	}
	m.schema = true
	return ipc.NewMessage(memory.NewBufferBytes(metadata), memory.NewBufferBytes(m.body)), nil
}

// metadata reads the metadata of the next message.
func (m *arrowMessages) metadata(r io.Reader) ([]byte, error) {
	var prefix [4]byte
	switch _, err := io.ReadFull(r, prefix[:]); {
	case err == io.EOF && m.schema && !m.inFile:
		return nil, io.EOF // a stream need not have an end mark
	case err != nil:
		return nil, cutOff(err)
	}
	switch {
	case string(prefix[:]) == arrowContinue:
		if _, err := io.ReadFull(r, prefix[:]); err != nil {
			return nil, cutOff(err)
		}
	case m.inFile: // not all that write files mark the end before the footer
		return nil, m.footer(io.MultiReader(bytes.NewReader(prefix[:]), r))
	} // otherwise written before Arrow 0.15, when the length came first
	size := binary.LittleEndian.Uint32(prefix[:])
	switch {
	case size == 0 && m.inFile:
		return nil, m.footer(r)
	case size == 0:
		return nil, end(r)
	case size > maxMetadata:
		return nil, fmt.Errorf("a message begins with %d bytes of metadata, more than %d", size, maxMetadata)
	}
	return readBody(r, nil, int64(size))
}

// footer reads the footer of a file that comes as a stream, and returns io.EOF if it agrees that this is the end.
func (m *arrowMessages) footer(r io.Reader) error {
	footer, err := io.ReadAll(io.LimitReader(r, maxMetadata))
	if err != nil {
		return err
	}
	_, records, err := arrowFooter(bytes.NewReader(footer), int64(len(footer)), math.MaxInt64)
	if err == nil && len(records) != m.read {
		err = fmt.Errorf("its footer lists %d record batches, %d were found", len(records), m.read)
	}
	return cmp.Or(err, io.EOF)
}

// end looks at what is behind the end mark of a stream, and returns io.EOF if that is nothing.
func end(r io.Reader) error {
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return errManyStreams
	default:
		return err
	}
}

// expect checks that a message may come now: the library takes it for what should come.
func (m *arrowMessages) expect(kind messageKind) error {
	switch {
	case !m.schema && kind != schemaMessage:
		return errors.New("its first message is no schema")
	case m.schema && kind != recordMessage && kind != dictionaryMessage:
		return errors.New("it has a message that is neither a record batch nor a dictionary")
	case m.schema && kind == recordMessage && len(m.check.missing) > 0:
		return fmt.Errorf("%d dictionaries are missing before the first record batch", len(m.check.missing))
	}
	return nil
}

// readBody reads so many bytes, into the memory of buf if it has room. It allocates little more than there is.
func readBody(r io.Reader, buf []byte, size int64) ([]byte, error) {
	if size < 0 || size > maxBody {
		return nil, fmt.Errorf("a record batch or dictionary has a body of %d bytes, more than %d; write smaller ones", size, maxBody)
	}
	buf = buf[:0]
	for len(buf) < int(size) {
		n := min(int(size)-len(buf), max(len(buf), cap(buf), firstBody))
		buf = slices.Grow(buf, n)[:len(buf)+n]
		if _, err := io.ReadFull(r, buf[len(buf)-n:]); err != nil {
			return nil, cutOff(err)
		}
	}
	return buf, nil
}

// cutOff is why reading within a message failed. An end there is not the end of the messages.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// Retain is of the library's counting of references, without which the garbage collector does.
func (m *arrowMessages) Retain() {}

// Release is the counterpart of Retain.
func (m *arrowMessages) Release() {}

// Allocate gives the library memory for what it decodes. It has no other way to say no than to panic, which the
// caller of the library turns into an error.
func (m *arrowMessages) Allocate(size int) []byte {
	if size < 0 || size > m.limit {
		panic(fmt.Errorf("a record batch with its dictionaries takes more than %d bytes when decoded; write smaller ones", maxBody))
	}
	m.limit -= size
	return m.GoAllocator.Allocate(size)
}

// Reallocate is Allocate for memory that may be large enough already.
func (m *arrowMessages) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	larger := m.Allocate(size)
	copy(larger, b)
	return larger
}
