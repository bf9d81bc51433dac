package sinks

import (
	"fmt"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression says how the pages of a part are compressed.
type Compression uint8

const (
	// CompressionSnappy compresses with snappy all columns but those of random text, that is hashes and raw
	// UIDs, on which snappy only spends time.
	CompressionSnappy Compression = iota
	// CompressionNone compresses nothing.
	CompressionNone
	// CompressionZstd compresses every column with zstd at level 1. It saves about a quarter of the size, as
	// base64 carries 6 bits in 8, for several times the CPU of everything else that is done to a row.
	CompressionZstd

	compressions
)

// String returns the compression as users write it.
func (c Compression) String() string { return wordOf(uint8(c), "snappy", "none", "zstd") }

// ParseCompression is the inverse of [Compression.String].
func ParseCompression(s string) (Compression, error) {
	for c := range compressions {
		if c.String() == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is no compression that this program knows; use none, snappy or zstd", s)
}

// codec returns what the column is compressed with.
func (c Compression) codec(random bool) compress.Compression {
	switch {
	case c == CompressionZstd:
		return compress.Codecs.Zstd
	case c == CompressionSnappy && !random:
		return compress.Codecs.Snappy
	}
	return compress.Codecs.Uncompressed
}

// compressor compresses pages. Arrow's own zstd codec sets up a new encoder for each page.
type compressor struct {
	zstd    *zstd.Encoder // nil unless some column wants it
	scratch []byte
}

func newCompressor(c Compression) (*compressor, error) {
	if c != CompressionZstd {
		return &compressor{}, nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &compressor{zstd: encoder}, nil
}

// append appends the compressed form of src to dst. It takes a detour through a scratch buffer because an
// encoder wants room for the worst case, which would stay allocated in each of a hundred pages.
func (c *compressor) append(dst, src []byte, codec compress.Compression) []byte {
	if codec == compress.Codecs.Zstd {
		c.scratch = c.zstd.EncodeAll(src, c.scratch[:0])
		return append(dst, c.scratch...)
	}
	encoded := s2.EncodeSnappy(c.scratch[:cap(c.scratch)], src)
	if cap(encoded) > cap(c.scratch) {
		c.scratch = encoded
	}
	return append(dst, encoded...)
}
