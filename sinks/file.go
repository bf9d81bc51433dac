package sinks

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"

	"mapper/client/objects"
)

const magic = "PAR1"

// layout is what all files of a dataset have in common.
type layout struct {
	schema *schema.Schema
	arrow  string // for the key ARROW:schema, or ""
	props  *parquet.WriterProperties
}

func newLayout(s *arrow.Schema, columns []*column, createdBy string) (*layout, error) {
	parquetSchema, err := parquetSchema(s)
	if err != nil {
		return nil, err
	}
	restore, err := arrowSchema(s)
	if err != nil {
		return nil, err
	}
	props := []parquet.WriterProperty{parquet.WithCreatedBy(createdBy)}
	for i, c := range columns {
		props = append(props, parquet.WithCompressionFor(s.Field(i).Name, c.codec))
	}
	return &layout{parquetSchema, restore, parquet.NewWriterProperties(props...)}, nil
}

// parquetFile writes row groups whose pages have been built already.
type parquetFile struct {
	*stream
	meta   *metadata.FileMetaDataBuilder
	pager  file.PageWriter
	groups int16
}

func newParquetFile(ctx context.Context, b *objects.Bucket, key string, l *layout) (*parquetFile, error) {
	s, err := newStream(ctx, b, key)
	if err != nil {
		return nil, err
	}
	f := &parquetFile{stream: s, meta: metadata.NewFileMetadataBuilder(l.schema, l.props, nil)}
	if l.arrow != "" {
		if err := f.meta.AppendKeyValueMetadata("ARROW:schema", l.arrow); err != nil {
			return nil, errors.Join(err, s.object.Abort())
		}
	}
	_, err = f.Write([]byte(magic)) // only buffered, so it cannot fail yet
	return f, err
}

// writeGroup writes the closed pages of all columns as one row group.
func (f *parquetFile) writeGroup(columns []*column, rows int) error {
	group := f.meta.AppendRowGroup()
	group.SetNumRows(rows)
	var raw int64
	for i, c := range columns {
		chunk := group.NextColumnChunk()
		chunk.SetStats(c.statistics())
		if err := f.writeChunk(chunk, int16(i), c); err != nil {
			return err
		}
		raw += chunk.Contents().MetaData.TotalUncompressedSize
	}
	if err := group.Finish(raw, f.groups); err != nil {
		return fmt.Errorf("%s: row group %d: %w", f.name, f.groups, err)
	}
	f.groups++
	return nil
}

// writeChunk writes the pages of one column.
func (f *parquetFile) writeChunk(chunk *metadata.ColumnChunkMetaDataBuilder, ordinal int16, c *column) error {
	if err := f.startChunk(chunk, ordinal, c.codec); err != nil {
		return err
	}
	hasDict := c.dict != nil && len(c.dict.index) > 0
	if hasDict {
		dict := file.NewDictionaryPage(memory.NewBufferBytes(c.dict.plain), int32(len(c.dict.index)), parquet.Encodings.Plain)
		_, err := f.pager.WriteDictionaryPage(dict)
		dict.Release()
		if err != nil {
			return err
		}
	}
	for i := range c.pages {
		p := &c.pages[i]
		rle := parquet.Encodings.RLE
		data := file.NewDataPageV1(memory.NewBufferBytes(p.buf[p.start:]), int32(p.rows), p.encoding, rle, rle, int32(p.raw))
		_, err := f.pager.WriteDataPage(data)
		data.Release()
		if err != nil {
			return err
		}
	}
	return f.pager.Close(hasDict, false)
}

// startChunk makes the page writer ready for a column. Pages come to it compressed; the codec is for the
// dictionary page, which it compresses itself.
func (f *parquetFile) startChunk(chunk *metadata.ColumnChunkMetaDataBuilder, ordinal int16, codec compress.Compression) error {
	const level = 1 // of zstd; snappy has none
	if f.pager != nil {
		return f.pager.Reset(f, codec, level, chunk, f.groups, ordinal, nil, nil)
	}
	var err error
	f.pager, err = file.NewPageWriter(f, codec, level, chunk, f.groups, ordinal, memory.DefaultAllocator, false, nil, nil)
	return err
}

// finish writes the footer. The object is then whole, but not published.
func (f *parquetFile) finish() error {
	meta, err := f.meta.Finish()
	if err != nil {
		return fmt.Errorf("%s: footer: %w", f.name, err)
	}
	n, err := meta.WriteTo(f, nil)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...)); err != nil {
		return err
	}
	return f.flush()
}
