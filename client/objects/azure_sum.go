package objects

import (
	"bytes"
	"errors"
	"hash"
	"io"
)

// errSum means that bytes were damaged: where they are kept, or on the way.
var errSum = errors.New("its bytes do not add up to the checksum that the storage keeps of them; run the same command again, and write the object anew if that says the same")

// summed is a body that fails at its end if its bytes do not add up.
type summed struct {
	io.ReadCloser
	sum  hash.Hash
	want []byte
}

// Read reads on. The verdict comes with the end, which it takes the place of, and stays.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.sum.Write(p[:n])
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil // the body says it again
	}
	if errors.Is(err, io.EOF) && !bytes.Equal(s.sum.Sum(nil), s.want) {
		return 0, errSum
	}
	return n, err
}
