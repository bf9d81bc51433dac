package sources_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"mapper/sources/sourcestest"
)

func TestCSV(t *testing.T) {
	sourcestest.Run(t, "a.csv", encodeCSV(',', false), sourcestest.Options{})
}

func TestCSVAllQuoted(t *testing.T) {
	sourcestest.Run(t, "a.csv", encodeQuoted, sourcestest.Options{})
}

func TestCSVWithCRLF(t *testing.T) {
	// The standard library's writer turns line feeds in cells into CRLF too.
	sourcestest.Run(t, "a.csv", encodeCSV(';', true), sourcestest.Options{Refuses: func(s string) bool {
		return strings.ContainsAny(s, "\r\n")
	}})
}

func TestTSV(t *testing.T) {
	sourcestest.Run(t, "a.tsv", encodeCSV('\t', false), sourcestest.Options{})
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
	for _, v := range []struct {
		name       string
		properties []parquet.WriterProperty
	}{
		{"dictionary", []parquet.WriterProperty{parquet.WithDictionaryDefault(true)}},
		{"plain zstd", []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Zstd)}},
		{"small pages", []parquet.WriterProperty{parquet.WithDataPageSize(500), parquet.WithBatchSize(10)}},
		{"data page 2", []parquet.WriterProperty{parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithCompression(compress.Codecs.Snappy)}},
		{"delta", []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithEncoding(parquet.Encodings.DeltaByteArray)}},
	} {
		t.Run(v.name, func(t *testing.T) {
			encode := func(rows [][]string, header []string) []byte {
				properties := append(v.properties, parquet.WithMaxRowGroupLength(6000))
				return encodeParquet(t, rows, header, properties...)
			}
			sourcestest.Run(t, "a.parquet", encode, sourcestest.Options{})
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
	return writeParquet(t, builder.NewRecord(), properties...)
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
	w := gzip.NewWriter(&b)
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
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}
