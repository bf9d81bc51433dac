package sources_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/s2"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// BenchmarkStage is the stage of a run that reads a file of emails, in each of the main formats, and its floor: the file
// read in pieces of a megabyte, the pieces decompressed if they are, and every value found.
func BenchmarkStage(b *testing.B) {
	email := func(i int) string { return fmt.Sprintf("xxxx.%07x@example.com", i*2654435761&0xfffffff) }
	var csv, ndjson bytes.Buffer
	csv.WriteString("email\n")
	rows := make([][]string, benchRows)
	for i := range rows {
		rows[i] = []string{email(i)}
		fmt.Fprintf(&csv, "%s\n", email(i))
		fmt.Fprintf(&ndjson, "{\"email\":\"%s\"}\n", email(i))
	}
	columns := encodeParquet(b, rows, []string{"email"}, parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Snappy))

	stageOwn(b, "read_CSV", "a.csv", csv.Bytes())
	stageFloor(b, "read_CSV", csv.Bytes(), lines(func(line []byte) int { return max(0, bytes.IndexByte(line, ',')) }))
	stageOwn(b, "read_NDJSON", "a.ndjson", ndjson.Bytes())
	stageFloor(b, "read_NDJSON", ndjson.Bytes(), lines(func(line []byte) int {
		colon := bytes.IndexByte(line, ':')
		return bytes.IndexByte(line[colon+2:], '"')
	}))
	stageOwn(b, "read_Parquet", "a.parquet", columns)
	stageFloor(b, "read_Parquet", pages(rows), walkPages)
}

func stageOwn(b *testing.B, stage, name string, content []byte) {
	b.Run(stage+"/own", func(b *testing.B) {
		in := sourcestest.Inspect(b, sourcestest.Write(b, name, content), sources.Options{})
		b.SetBytes(int64(len(content) / benchRows))
		b.ReportAllocs()
		b.ResetTimer()
		for left := b.N; left > 0; left -= benchRows {
			for batch, err := range in.Batches(b.Context(), []int{0}, sources.Position{}) {
				if err != nil || len(batch.Malformed) > 0 {
					b.Fatal(err, batch.Malformed)
				}
				if batch.Start.Row+batch.Record.NumRows() > int64(left) {
					break
				}
			}
		}
	})
}

// stageFloor reads content from a file piece by piece and hands each piece, behind what was left of the one before, to
// find, which returns how many values it has found and what is left.
func stageFloor(b *testing.B, stage string, content []byte, find func(piece []byte) (values int, left []byte)) {
	b.Run(stage+"/floor", func(b *testing.B) {
		f, err := os.Open(sourcestest.Write(b, "floor", content).URI)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		piece := make([]byte, 0, 1<<20)
		b.SetBytes(int64(len(content) / benchRows))
		b.ReportAllocs()
		b.ResetTimer()
		for left := b.N; left > 0; {
			n, err := f.Read(piece[len(piece):cap(piece)])
			if errors.Is(err, io.EOF) {
				_, err = f.Seek(0, io.SeekStart)
				piece = piece[:0]
			}
			if err != nil {
				b.Fatal(err)
			}
			values, rest := find(piece[:len(piece)+n])
			left -= values
			piece = piece[:copy(piece[:cap(piece)], rest)]
		}
	})
}

// lines finds the value of each line.
func lines(value func(line []byte) int) func(piece []byte) (int, []byte) {
	sum := 0
	return func(piece []byte) (values int, left []byte) {
		for {
			end := bytes.IndexByte(piece, '\n')
			if end < 0 {
				return values, piece
			}
			sum += value(piece[:end])
			piece = piece[end+1:]
			values++
		}
	}
}

// pages are values as they stand in pages of Parquet: a length and a text each, compressed in blocks behind their size.
func pages(rows [][]string) (content []byte) {
	const pageRows = 20_000
	for len(rows) > 0 {
		n := min(len(rows), pageRows)
		var plain []byte
		for _, row := range rows[:n] {
			plain = append(binary.LittleEndian.AppendUint32(plain, uint32(len(row[0]))), row[0]...)
		}
		block := s2.EncodeSnappy(nil, plain)
		content = append(binary.LittleEndian.AppendUint32(content, uint32(len(block))), block...)
		rows = rows[n:]
	}
	return content
}

var plainPage []byte

func walkPages(piece []byte) (values int, left []byte) {
	for len(piece) >= 4 && len(piece)-4 >= int(binary.LittleEndian.Uint32(piece)) {
		size := int(binary.LittleEndian.Uint32(piece))
		plain, err := s2.Decode(plainPage[:cap(plainPage)], piece[4:4+size])
		if err != nil {
			panic(err)
		}
		plainPage, piece = plain, piece[4+size:]
		for len(plain) > 0 {
			plain = plain[4+binary.LittleEndian.Uint32(plain):]
			values++
		}
	}
	return values, piece
}
