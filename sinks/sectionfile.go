package sinks

import (
	"errors"
	"io"

	"github.com/xitongsys/parquet-go/source"
)

// sectionFile is how xitongsys wants to have a file: it opens it once more for each column.
type sectionFile struct {
	*io.SectionReader
	reader io.ReaderAt
	size   int64
	failed *error // the first error of reader, which the library may drop; shared by all that were opened
}

func newSectionFile(r io.ReaderAt, size int64) *sectionFile {
	return &sectionFile{io.NewSectionReader(r, 0, size), r, size, new(error)}
}

// Open ignores the name: a part is one file.
func (f *sectionFile) Open(string) (source.ParquetFile, error) {
	return &sectionFile{io.NewSectionReader(f.reader, 0, f.size), f.reader, f.size, f.failed}, nil
}

// Read reads on, and remembers the first error that is not the end.
func (f *sectionFile) Read(p []byte) (int, error) {
	n, err := f.SectionReader.Read(p)
	if err != nil && err != io.EOF && *f.failed == nil {
		*f.failed = err
	}
	return n, err
}

// Close has nothing to do: whoever opened the reader closes it.
func (f *sectionFile) Close() error { return nil }

var errReadOnly = errors.New("a part that is read back cannot be written")

// Write fails.
func (f *sectionFile) Write([]byte) (int, error) { return 0, errReadOnly }

// Create fails.
func (f *sectionFile) Create(string) (source.ParquetFile, error) { return nil, errReadOnly }
