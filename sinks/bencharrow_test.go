package sinks

import (
	"context"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// arrowBatch gathers rows of mapped for Arrow's typed column writers, which take a column at a time.
type arrowBatch struct {
	texts  [12][]parquet.ByteArray // by column
	ints   [12][]int64
	levels [12][]int16
}

func (a *arrowBatch) text(column int, v []byte, ok bool) {
	a.level(column, ok)
	if ok {
		a.texts[column] = append(a.texts[column], v)
	}
}

func (a *arrowBatch) int(column int, v int64) {
	a.level(column, v != 0)
	if v != 0 {
		a.ints[column] = append(a.ints[column], v)
	}
}

func (a *arrowBatch) level(column int, present bool) {
	var level int16
	if present {
		level = 1
	}
	a.levels[column] = append(a.levels[column], level)
}

func (a *arrowBatch) add(r *Row, hash []byte) {
	a.text(0, r.ID, r.HasID)
	a.text(1, []byte("email"), true)
	a.text(2, hash, true)
	a.text(3, r.UID, true)
	a.text(4, r.Previous, len(r.Previous) > 0)
	a.text(5, r.Former, len(r.Former) > 0)
	a.int(6, r.RefreshFrom)
	a.text(7, []byte("new"), true)
	a.text(8, []byte("crm/export/users.csv"), true)
	a.text(9, []byte("email"), true)
	a.int(10, r.SourceRow)
	a.int(11, r.MappedAt)
}

// write hands the batch to the columns of a row group, and empties it.
func (a *arrowBatch) write(b *testing.B, group file.BufferedRowGroupWriter) {
	for i := range a.levels {
		column, err := group.Column(i)
		if err != nil {
			b.Fatal(err)
		}
		switch c := column.(type) {
		case *file.ByteArrayColumnChunkWriter:
			_, err = c.WriteBatch(a.texts[i], a.levels[i], nil)
		case *file.Int64ColumnChunkWriter:
			_, err = c.WriteBatch(a.ints[i], a.levels[i], nil)
		}
		if err != nil {
			b.Fatal(err)
		}
		a.texts[i], a.ints[i], a.levels[i] = a.texts[i][:0], a.ints[i][:0], a.levels[i][:0]
	}
}

// BenchmarkArrowMapped writes the rows of BenchmarkMappedOnly with Arrow's typed column writers, tuned as well
// as they can be: dictionaries for words only, random texts plain and without statistics.
func BenchmarkArrowMapped(b *testing.B) {
	for c := range compressions {
		b.Run(c.String(), func(b *testing.B) {
			opts := []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithCompressionLevel(1)}
			for _, spec := range contractColumns(NetworkUID2, mapped) {
				opts = append(opts, parquet.WithCompressionFor(spec.name, c.codec(spec.form == random)),
					parquet.WithDictionaryFor(spec.name, spec.form == word), parquet.WithStatsFor(spec.name, spec.form == number || spec.form == instant))
				if c.codec(spec.form == random) == compress.Codecs.Zstd {
					opts = append(opts, parquet.WithCompressionLevelFor(spec.name, 1))
				}
			}
			benchmarkArrow(b, parquet.NewWriterProperties(opts...))
		})
	}
}

func benchmarkArrow(b *testing.B, props *parquet.WriterProperties) {
	schema, err := parquetSchema(Schema(NetworkUID2, DatasetMapped, nil))
	if err != nil {
		b.Fatal(err)
	}
	f := newFolder(b)
	rows := benchRows(pageRows)
	hashes := make([]byte, 0, 5000*44)
	b.ReportAllocs()
	before := cpuTime(b)
	defer func() { b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op") }()
	for left := b.N; left > 0; left -= benchPart {
		s, err := newStream(context.Background(), f.Bucket, "mapped/part.parquet")
		if err != nil {
			b.Fatal(err)
		}
		w := file.NewParquetWriter(s, schema.Root(), file.WithWriterProps(props))
		var batch arrowBatch
		var group file.BufferedRowGroupWriter
		for i := range min(left, benchPart) {
			if i%131072 == 0 {
				group = w.AppendBufferedRowGroup()
			}
			r := &rows[i&(len(rows)-1)]
			from := len(hashes)
			hashes = r.Identity.AppendBase64(hashes)
			batch.add(r, hashes[from:])
			if (i+1)%131072%5000 == 0 || (i+1)%131072 == 0 || i+1 == min(left, benchPart) {
				batch.write(b, group)
				hashes = hashes[:0]
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		if err := s.flush(); err != nil {
			b.Fatal(err)
		}
		if err := s.object.Abort(); err != nil {
			b.Fatal(err)
		}
	}
}
