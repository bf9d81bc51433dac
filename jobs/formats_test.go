package jobs_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mapper/client/sandbox"
	"mapper/sinks"
)

// formats write the same people down.
var formats = map[string]func(to *os.File, people []person) error{
	"people.csv":     writeCSV,
	"people.csv.gz":  func(to *os.File, people []person) error { return compressed(gzip.NewWriter(to), people) },
	"people.csv.zst": writeZstd,
	"people.tsv":     writeTSV,
	"people.ndjson":  writeNDJSON,
	"people.parquet": writeParquet,
	"people.arrow":   writeArrow,
	"people.arrows":  writeArrowStream,
}

// TestFormatsAgree maps the same people from every format. MAPPER_TEST_ROWS says how many.
func TestFormatsAgree(t *testing.T) {
	rows := 6_000
	if text, ok := os.LookupEnv("MAPPER_TEST_ROWS"); ok {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var people []person
	for i := 0; len(people) < rows; i++ {
		if p := newPerson(i); !p.malformed { // there is no such thing in some formats
			people = append(people, p)
		}
	}
	s, url := operator(t, sandbox.Options{})
	want := map[string][]output{}
	for name, write := range formats {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			to, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(to, people); err != nil {
				t.Fatal(err)
			}
			_ = to.Close() // Parquet's writer has closed it already
			m := job(s, url, path, t.TempDir())
			m.Columns.ID = "id"
			if _, err := m.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
				var got []output
				for o := range outputs(t, m.Out, dataset) {
					o.at = 0
					got = append(got, o)
				}
				if want[dataset] == nil {
					want[dataset] = got
				}
				if len(got) < rows/10 || !reflect.DeepEqual(got, want[dataset]) {
					t.Errorf("%s: %d rows that differ from the %d of another format", dataset, len(got), len(want[dataset]))
				}
			}
		})
	}
}

func writeCSV(to *os.File, people []person) error { return writeTable(csv.NewWriter(to), people) }

func writeTSV(to *os.File, people []person) error {
	w := csv.NewWriter(to)
	w.Comma = '\t'
	return writeTable(w, people)
}

func writeTable(w *csv.Writer, people []person) error {
	if err := w.Write([]string{"id", "email", "phone"}); err != nil {
		return err
	}
	for _, p := range people {
		if err := w.Write([]string{p.id, p.value(), p.phone}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// value is the email without the quotes that it stands in in a CSV file.
func (p person) value() string {
	if value, err := strconv.Unquote(p.email); err == nil {
		return value
	}
	return p.email
}

func compressed(w io.WriteCloser, people []person) error {
	if err := writeTable(csv.NewWriter(w), people); err != nil {
		return err
	}
	return w.Close()
}

func writeZstd(to *os.File, people []person) error {
	w, err := zstd.NewWriter(to)
	if err != nil {
		return err
	}
	return compressed(w, people)
}

func writeNDJSON(to *os.File, people []person) error {
	lines := json.NewEncoder(to)
	for _, p := range people {
		if err := lines.Encode(map[string]string{"id": p.id, "email": p.value(), "phone": p.phone}); err != nil {
			return err
		}
	}
	return nil
}

// records are the people a few thousand at once, in columns.
func records(people []person, each func(arrow.Record) error) error {
	const most = 7000
	for len(people) > 0 {
		n := min(most, len(people))
		b := array.NewRecordBuilder(memory.DefaultAllocator, peopleSchema)
		for _, p := range people[:n] {
			for i, value := range []string{p.id, p.value(), p.phone} {
				b.Field(i).(*array.StringBuilder).Append(value)
			}
		}
		if err := each(b.NewRecord()); err != nil {
			return err
		}
		people = people[n:]
	}
	return nil
}

var peopleSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "email", Type: arrow.BinaryTypes.String}, {Name: "phone", Type: arrow.BinaryTypes.String},
}, nil)

func writeParquet(to *os.File, people []person) error {
	w, err := pqarrow.NewFileWriter(peopleSchema, to, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	if err := records(people, w.Write); err != nil {
		return err
	}
	return w.Close()
}

func writeArrow(to *os.File, people []person) error {
	w, err := ipc.NewFileWriter(to, ipc.WithSchema(peopleSchema))
	if err != nil {
		return err
	}
	if err := records(people, w.Write); err != nil {
		return err
	}
	return w.Close()
}

func writeArrowStream(to *os.File, people []person) error {
	w := ipc.NewWriter(to, ipc.WithSchema(peopleSchema), ipc.WithLZ4())
	if err := records(people, w.Write); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("arrow stream: %w", err)
	}
	return nil
}
