package sources

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"
)

// messageKind is the type of a message's header, as Arrow numbers them.
type messageKind byte

const (
	schemaMessage     messageKind = 1
	dictionaryMessage messageKind = 2
	recordMessage     messageKind = 3
)

// Types of fields, as Arrow numbers them, with more to them than numbers.
const (
	timestampField  = 10
	unionField      = 14
	binaryViewField = 23
	stringViewField = 24
)

// maxDepth is how deep types may be nested.
const maxDepth = 32

var errMetadata = errors.New("its metadata claims to hold more than there is")

// arrowCheck looks at metadata, which are flatbuffers, before the library does. The library allocates by lengths and
// follows references as it finds them, so that one wrong byte may take all memory or stack, of which nothing recovers.
// Every field and every byte of text is charged to a budget, because references may lead to one place from many.
// References that lead outside panic, here as in the library.
type arrowCheck struct {
	budget  int
	views   int            // columns of strings or binaries in views
	missing map[int64]bool // dictionaries of which none has been read
}

// message returns the kind of a message and the size of its body.
func (c *arrowCheck) message(metadata []byte) (kind messageKind, size int64, err error) {
	err = guarded(func() error {
		t := rootTable(metadata)
		kind, size = messageKind(t.GetByteSlot(6, 0)), t.GetInt64Slot(10, 0)
		header, ok := tableAt(t, 8)
		if !ok {
			return errors.New("it has a message without a header")
		}
		c.budget = 4*len(metadata) + maxMetadata
		switch kind {
		case schemaMessage:
			return c.schema(header)
		case recordMessage:
			return c.records(header, c.views)
		case dictionaryMessage:
			delete(c.missing, header.GetInt64Slot(4, 0))
			if data, ok := tableAt(header, 6); ok {
				return c.records(data, 0)
			}
			return errors.New("it has a dictionary without values")
		}
		return nil
	})
	return kind, size, err
}

func (c *arrowCheck) schema(t flatbuffers.Table) error {
	c.missing = map[int64]bool{}
	if err := c.texts(t, 8); err != nil {
		return err
	}
	return c.fields(t, 6, 0, false)
}

// fields checks a vector of fields. inDictionary says that their values are in a dictionary.
func (c *arrowCheck) fields(t flatbuffers.Table, slot flatbuffers.VOffsetT, depth int, inDictionary bool) error {
	n, start, err := vector(t, slot, 4)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("its types are nested more than %d deep", maxDepth)
	}
	for i := range n {
		f := flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + 4*flatbuffers.UOffsetT(i))}
		if err := c.field(f, depth, inDictionary); err != nil {
			return err
		}
	}
	return nil
}

func (c *arrowCheck) field(f flatbuffers.Table, depth int, inDictionary bool) error {
	if err := errors.Join(c.charge(256), c.text(f, 4), c.texts(f, 16)); err != nil {
		return err
	}
	if d, ok := tableAt(f, 12); ok {
		c.missing[d.GetInt64Slot(4, 0)] = true
		inDictionary = true
	}
	kind := f.GetByteSlot(8, 0)
	typ, _ := tableAt(f, 10)
	switch {
	case typ.Bytes == nil:
		return errors.New("it has a column without a type")
	case kind == timestampField:
		if err := c.text(typ, 6); err != nil {
			return err
		}
	case kind == unionField:
		if _, _, err := vector(typ, 6, 4); err != nil {
			return err
		}
	case kind == binaryViewField || kind == stringViewField:
		if inDictionary {
			return errors.New("dictionaries of views are not read; write plain strings")
		}
		c.views++
	}
	return c.fields(f, 14, depth+1, inDictionary)
}

// records checks a record batch or the values of a dictionary, in which so many columns are views.
func (c *arrowCheck) records(t flatbuffers.Table, views int) error {
	if rows := t.GetInt64Slot(4, 0); rows < 0 || rows > math.MaxInt32 {
		return fmt.Errorf("a record batch has %d rows; write smaller ones", rows)
	}
	_, _, err := vector(t, 6, 16)
	buffers, _, more := vector(t, 8, 16)
	counts, start, last := vector(t, 12, 8)
	if err := errors.Join(err, more, last); err != nil {
		return err
	}
	if counts < views {
		return errMetadata
	}
	for i := range counts {
		if n := t.GetInt64(start + 8*flatbuffers.UOffsetT(i)); n < 0 || n > int64(buffers) {
			return errMetadata
		}
	}
	return nil
}

// texts checks a vector of pairs of texts.
func (c *arrowCheck) texts(t flatbuffers.Table, slot flatbuffers.VOffsetT) error {
	n, start, err := vector(t, slot, 4)
	for i := 0; i < n && err == nil; i++ {
		pair := flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + 4*flatbuffers.UOffsetT(i))}
		err = errors.Join(c.charge(64), c.text(pair, 4), c.text(pair, 6))
	}
	return err
}

func (c *arrowCheck) text(t flatbuffers.Table, slot flatbuffers.VOffsetT) error {
	n, _, err := vector(t, slot, 1)
	return errors.Join(err, c.charge(n))
}

// vector returns the length of a vector, none being an empty one, and where its elements begin.
func vector(t flatbuffers.Table, slot flatbuffers.VOffsetT, width uint64) (n int, start flatbuffers.UOffsetT, err error) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return 0, 0, nil
	}
	n, start = t.VectorLen(o), t.Vector(o)
	if uint64(start)+uint64(n)*width > uint64(len(t.Bytes)) {
		return 0, 0, errMetadata
	}
	return n, start, nil
}

func (c *arrowCheck) charge(bytes int) error {
	if c.budget -= bytes; c.budget < 0 {
		return errMetadata
	}
	return nil
}

func rootTable(b []byte) flatbuffers.Table {
	return flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
}

// tableAt returns the table to which a field of another refers.
func tableAt(t flatbuffers.Table, slot flatbuffers.VOffsetT) (flatbuffers.Table, bool) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return flatbuffers.Table{}, false
	}
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(t.Pos + o)}, true
}

// arrowFooter reads where the dictionaries and record batches of a file begin. file may be no more than its end, with
// size bytes; the places are below limit.
func arrowFooter(file io.ReaderAt, size, limit int64) (dictionaries, records []int64, err error) {
	const magic = "ARROW1"
	var tail [4 + len(magic)]byte
	if size < int64(len(tail)) {
		return nil, nil, cutOff(io.EOF)
	}
	if _, err := file.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return nil, nil, cutOff(err)
	}
	if string(tail[4:]) != magic {
		return nil, nil, fmt.Errorf("it does not end as a file of Arrow does: %w", cutOff(io.EOF))
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > maxMetadata || length > size-int64(len(tail)) {
		return nil, nil, fmt.Errorf("its footer has %d bytes, which is too many", length)
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-int64(len(tail))-length); err != nil {
		return nil, nil, cutOff(err)
	}
	err = guarded(func() (err error) {
		if dictionaries, err = arrowPlaces(rootTable(footer), 8, limit); err != nil {
			return err
		}
		records, err = arrowPlaces(rootTable(footer), 10, limit)
		return err
	})
	return dictionaries, records, err
}

// arrowPlaces returns where the blocks begin that a footer lists.
func arrowPlaces(footer flatbuffers.Table, slot flatbuffers.VOffsetT, limit int64) ([]int64, error) {
	const block = 24 // the place, the size of the metadata, that of the body: 8 bytes each
	n, start, err := vector(footer, slot, block)
	if err != nil {
		return nil, err
	}
	places := make([]int64, n)
	for i := range places {
		places[i] = footer.GetInt64(start + block*flatbuffers.UOffsetT(i))
		if places[i] < int64(len(arrowMagic)) || places[i] >= limit {
			return nil, fmt.Errorf("its footer refers to byte %d of %d", places[i], limit)
		}
	}
	return places, nil
}
