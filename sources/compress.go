package sources

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// isBzip2 recognizes bzip2 by its header and the number that a block, or the end of a text of no blocks, begins with.
func isBzip2(head []byte) bool {
	if len(head) < 10 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	number := head[4:10]
	return bytes.Equal(number, []byte("\x31\x41\x59\x26\x53\x59")) || bytes.Equal(number, []byte("\x17\x72\x45\x38\x50\x90"))
}

var (
	errBehindPadding = errors.New("gzip: data behind zero bytes")
	errBehindMembers = errors.New("gzip: what follows the compressed data is not gzip")
)

// gzipMembers reads the members of a gzip file, one upon the other. Zero bytes behind the last, with which tapes
// and some archives fill blocks up, are passed over, as gzip itself does. The library would take them for a damaged
// header, and a file that is cut off within the name in a header for complete, so that members are gone through here.
type gzipMembers struct {
	stored *bufio.Reader
	member *gzip.Reader
}

func newGzipMembers(stored *bufio.Reader) (*gzipMembers, error) {
	g := &gzipMembers{stored: stored, member: new(gzip.Reader)}
	return g, g.begin()
}

// begin reads the header of a member, which has to be there.
func (g *gzipMembers) begin() error {
	err := g.member.Reset(g.stored)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	g.member.Multistream(false)
	return err
}

// Read implements [io.Reader].
func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.member.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err = g.more(); err == nil {
			err = g.begin()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// more returns nil before a further member, or io.EOF behind the last one and its padding.
func (g *gzipMembers) more() error {
	for padded := false; ; padded = true {
		next, err := g.stored.Peek(2)
		switch {
		case len(next) == 0:
			return err
		case next[0] != 0 && padded:
			return errBehindPadding
		case next[0] != 0 && !bytes.HasPrefix([]byte("\x1f\x8b"), next): // whose header is not worth reading
			return errBehindMembers
		case next[0] != 0:
			return nil
		}
		_, _ = g.stored.Discard(1) // it was seen
	}
}
