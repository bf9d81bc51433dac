package sources_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

func TestCSV(t *testing.T) {
	sourcestest.Run(t, "a.csv", encodeCSV(',', false), sourcestest.Options{})
}

func TestCSVAllQuoted(t *testing.T) {
	sourcestest.Run(t, "a.csv", encodeQuoted, sourcestest.Options{})
}

func TestTSVWithCRLF(t *testing.T) {
	// The standard library's writer turns line feeds in cells into CRLF too.
	sourcestest.Run(t, "a.tsv", encodeCSV('\t', true), sourcestest.Options{Refuses: func(s string) bool {
		return strings.ContainsAny(s, "\r\n")
	}})
}

func TestCSVInGzip(t *testing.T) {
	sourcestest.Run(t, "a.csv.gz", func(rows [][]string, header []string) []byte {
		return gzipped(t, encodeCSV(',', false)(rows, header))
	}, sourcestest.Options{})
}

func TestNDJSON(t *testing.T) {
	sourcestest.Run(t, "a.ndjson", encodeNDJSON, sourcestest.Options{})
}

func TestNDJSONInZstd(t *testing.T) {
	sourcestest.Run(t, "a.ndjson.zst", func(rows [][]string, header []string) []byte {
		return zstded(t, encodeNDJSON(rows, header))
	}, sourcestest.Options{})
}

func TestText(t *testing.T) {
	sourcestest.Run(t, "a.txt", func(rows [][]string, _ []string) []byte {
		var b bytes.Buffer
		for _, row := range rows {
			b.WriteString(row[0] + "\n")
		}
		return b.Bytes()
	}, sourcestest.Options{Single: true, Refuses: func(s string) bool { return strings.ContainsAny(s, "\r\n") }})
}

func TestParquet(t *testing.T) {
	sourcestest.Run(t, "a.parquet", func(rows [][]string, header []string) []byte {
		return encodeParquet(t, rows, header, parquet.WithMaxRowGroupLength(6000), parquet.WithDataPageSize(4000), parquet.WithBatchSize(100))
	}, sourcestest.Options{})
}

// TestParquetEncodings: however the pages are written, the same rows come out.
func TestParquetEncodings(t *testing.T) {
	rows, header := sourcestest.Numbered(7000), []string{"id", "email", "note"}
	for name, properties := range map[string][]parquet.WriterProperty{
		"dictionary":    {parquet.WithDictionaryDefault(true)},
		"gzip":          {parquet.WithCompression(compress.Codecs.Gzip)},
		"zstd":          {parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Zstd)},
		"brotli":        {parquet.WithCompression(compress.Codecs.Brotli)},
		"pages 2":       {parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithCompression(compress.Codecs.Snappy)},
		"plain pages 2": {parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithDictionaryDefault(false), parquet.WithDataPageSize(3000)},
		"delta":         {parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.DeltaByteArray), parquet.WithDataPageSize(3000)},
		"delta length":  {parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.DeltaLengthByteArray)},
	} {
		t.Run(name, func(t *testing.T) {
			o := sourcestest.Write(t, "a.parquet", encodeParquet(t, rows, header, append(properties, parquet.WithMaxRowGroupLength(3000))...))
			got := sourcestest.Collect(t, sourcestest.Inspect(t, o, sources.Options{}))
			if !reflect.DeepEqual(got, rows) {
				t.Errorf("%d rows differ from the %d written", len(got), len(rows))
			}
		})
	}
}

func encodeCSV(comma rune, crlf bool) sourcestest.Encode {
	return func(rows [][]string, header []string) []byte {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma, w.UseCRLF = comma, crlf
		if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
			panic(err) // the buffer takes everything
		}
		return b.Bytes()
	}
}

func encodeQuoted(rows [][]string, header []string) []byte {
	var b bytes.Buffer
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// encodeNDJSON writes null for every other null cell and leaves the others out.
func encodeNDJSON(rows [][]string, header []string) []byte {
	var b bytes.Buffer
	for i, row := range rows {
		b.WriteByte('{')
		separator := ""
		for j, cell := range row {
			value, err := json.Marshal(cell)
			if err != nil {
				panic(err) // strings can be written
			}
			if cell == "" && i%2 == 0 {
				value = []byte("null")
			} else if cell == "" {
				continue
			}
			b.WriteString(separator + `"` + header[j] + `": ` + string(value))
			separator = ", "
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func encodeParquet(t testing.TB, rows [][]string, header []string, properties ...parquet.WriterProperty) []byte {
	t.Helper()
	return writeParquet(t, stringRecord(rows, header), properties...)
}

// stringRecord makes rows a record with columns of strings, of which the first has no nulls.
func stringRecord(rows [][]string, header []string) arrow.Record {
	fields := make([]arrow.Field, len(header))
	for i, name := range header {
		fields[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: i > 0}
	}
	builder := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				builder.Field(i).AppendNull()
			} else {
				builder.Field(i).(*array.StringBuilder).Append(cell)
			}
		}
	}
	return builder.NewRecord()
}

func writeParquet(t testing.TB, record arrow.Record, properties ...parquet.WriterProperty) []byte {
	t.Helper()
	var b bytes.Buffer
	p := parquet.NewWriterProperties(append([]parquet.WriterProperty{parquet.WithStats(false)}, properties...)...)
	w, err := pqarrow.NewFileWriter(record.Schema(), &b, p, pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}
