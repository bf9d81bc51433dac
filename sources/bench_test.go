package sources_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// benchRows is how many rows the file of a benchmark has. One operation is one row; the file is read from its
// beginning as often as it takes.
const benchRows = 1 << 18

// benchmark reads the first two columns of a file. Throughput is of text of the given size.
func benchmark(b *testing.B, name string, content []byte, text int) {
	b.Helper()
	benchmarkWith(b, name, content, text, sources.Options{})
}

func benchmarkWith(b *testing.B, name string, content []byte, text int, opts sources.Options) {
	b.Helper()
	in := sourcestest.Inspect(b, sourcestest.Write(b, name, content), opts)
	b.SetBytes(int64(text / benchRows))
	b.ReportAllocs()
	left := 0
	for b.Loop() {
		if left--; left > 0 {
			continue
		}
		for batch, err := range in.Batches(context.Background(), []int{0, 1}, sources.Position{}) {
			if err != nil || len(batch.Malformed) > 0 {
				b.Fatal(err, batch.Malformed)
			}
		}
		left = benchRows
	}
}

// benchTable is a text with a header and the rows of a format, which gets a number twice.
func benchTable(header, format string) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	for i := range benchRows {
		fmt.Fprintf(&b, format, i*7919%1_000_000, i%10_000_000)
	}
	return b.Bytes()
}

func benchCSV() []byte { return benchTable("email,phone\n", "person.%06d@example.com,+1555%07d\n") }

func BenchmarkCSV(b *testing.B) {
	text := benchCSV()
	benchmark(b, "a.csv", text, len(text))
}

func BenchmarkCSVQuoted(b *testing.B) {
	text := benchTable("email,phone\n", "\"person.%06d@example.com\",\"+1555%07d\"\n")
	benchmark(b, "a.csv", text, len(text))
}

// BenchmarkCSVWide: two columns of twenty.
func BenchmarkCSVWide(b *testing.B) {
	header, rest := "email,phone", ""
	for i := range 18 {
		header += fmt.Sprint(",c", i)
		rest += ",some text"
	}
	text := benchTable(header+"\n", "person.%06d@example.com,+1555%07d"+rest+"\n")
	benchmark(b, "a.csv", text, len(text))
}

func BenchmarkNDJSON(b *testing.B) {
	text := benchTable("", `{"email":"person.%06d@example.com","phone":"+1555%07d"}`+"\n")
	benchmark(b, "a.ndjson", text, len(text))
}

func BenchmarkCSVGzip(b *testing.B) {
	text := benchCSV()
	benchmark(b, "a.csv.gz", gzipped(b, text), len(text))
}

func BenchmarkCSVZstd(b *testing.B) {
	text := benchCSV()
	benchmark(b, "a.csv.zst", zstded(b, text), len(text))
}

func BenchmarkParquet(b *testing.B) {
	rows := make([][]string, benchRows)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("person.%06d@example.com", i*7919%1_000_000), fmt.Sprintf("+1555%07d", i)}
	}
	content := encodeParquet(b, rows, []string{"email", "phone"}, parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy))
	benchmark(b, "a.parquet", content, len(benchCSV()))
}

// BenchmarkStrayQuotes: a quote is opened now and then and never closed, which has to stay cheap.
func BenchmarkStrayQuotes(b *testing.B) {
	text := benchTable("email,phone\n", "person.%06d@example.com,\"+1555%07d\n")
	in := sourcestest.Inspect(b, sourcestest.Write(b, "a.csv", text), sources.Options{Format: sources.CSV})
	b.SetBytes(int64(len(text) / benchRows))
	b.ReportAllocs()
	left := 0
	for b.Loop() {
		if left--; left > 0 {
			continue
		}
		for _, err := range in.Batches(context.Background(), []int{0, 1}, sources.Position{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		left = benchRows
	}
}

// BenchmarkEncoded tells what an encoding costs.
func BenchmarkEncoded(b *testing.B) {
	text := benchCSV()
	for _, c := range codecs() {
		b.Run(string(c.name), func(b *testing.B) {
			benchmarkWith(b, "a.csv", c.encode(b, text), len(text), sources.Options{Encoding: c.name})
		})
	}
}

func BenchmarkArrow(b *testing.B) {
	rows := make([][]string, benchRows)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("person.%06d@example.com", i*7919%1_000_000), fmt.Sprintf("+1555%07d", i)}
	}
	benchmark(b, "a.arrow", arrowFile(b, records(rows, []string{"email", "phone"}, 1<<16)), len(benchCSV()))
}
