package sources

import (
	"encoding/hex"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/parquet"
)

// UUIDs are stored in 16 bytes and come out as the 36 characters in which everybody else writes them, so that a key
// is the same from whatever format it is read.
const (
	uuidWidth = 16
	uuidChars = 36
)

// appendUUID adds the canonical form of a UUID: 432c9681-3a94-4ae4-8dcb-0f7526352cfb.
func appendUUID(text, id []byte) []byte {
	text = append(hex.AppendEncode(text, id[:4]), '-')
	text = append(hex.AppendEncode(text, id[4:6]), '-')
	text = append(hex.AppendEncode(text, id[6:8]), '-')
	text = append(hex.AppendEncode(text, id[8:10]), '-')
	return hex.AppendEncode(text, id[10:uuidWidth])
}

// uuids reads UUIDs of Parquet.
type uuids struct {
	packed[parquet.FixedLenByteArray]
	offsets []int32 // one more than there are rows
	data    []byte
}

func (c *uuids) read(rows int) (size int, err error) {
	values, first, err := c.next(rows)
	if err != nil {
		return 0, err
	}
	c.offsets = extended(c.offsets, c.rows+1, c.room+1)
	if c.data == nil {
		c.data = make([]byte, 0, max(rows, c.room)*uuidChars)
	}
	for i := first; i < c.rows; i++ {
		if isValid(c.valid, i) {
			c.data = appendUUID(c.data, values[0])
			values = values[1:]
		}
		c.offsets[i+1] = int32(len(c.data))
	}
	return rows * uuidChars, nil
}

func (c *uuids) take() column {
	taken := c.end(arrow.BinaryTypes.String)
	taken.buffers = [][]byte{arrow.GetBytes(c.offsets), c.data}
	c.offsets, c.data = nil, nil
	return taken
}

// isUUID says whether a field of Arrow is marked as a UUID, for which the library knows the 16 bytes only.
func isUUID(f arrow.Field) bool {
	width, ok := f.Type.(*arrow.FixedSizeBinaryType)
	name, marked := f.Metadata.GetValue("ARROW:extension:name")
	return ok && width.ByteWidth == uuidWidth && marked && name == "arrow.uuid"
}

// arrowUUID reads UUIDs of Arrow.
func arrowUUID() (arrow.DataType, arrowReading) {
	t := arrow.BinaryTypes.String
	size := func(_ arrow.Array, _, rows int) int { return rows * uuidChars }
	return t, arrowReading{size, func(a arrow.Array, from, rows int) (column, error) {
		ids := a.(*array.FixedSizeBinary)
		c := newCells(rows, rows*uuidChars)
		for i := from; i < from+rows; i++ {
			if !ids.IsNull(i) {
				setValid(c.valid, i-from)
				c.data = appendUUID(c.data, ids.Value(i))
			}
			c.offsets = append(c.offsets, int32(len(c.data)))
		}
		return c.column(t), nil
	}}
}
