package sources_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// pyarrowRows is how many rows the files have that pyarrow writes.
const pyarrowRows = 2500

// pyarrow returns a folder with the files that testdata/columnar.py writes, or skips the test.
func pyarrow(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("MAPPER_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if out, err := exec.Command(interpreter, "-c", "import pyarrow").CombinedOutput(); err != nil {
		message := fmt.Sprintf("reading what pyarrow writes is left out: %s -c 'import pyarrow': %v\n%s"+
			"Install it (pip install pyarrow) or name another interpreter with MAPPER_PYTHON.", interpreter, err, out)
		if os.Getenv("MAPPER_REQUIRE_ENGINES") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	folder := t.TempDir()
	if out, err := exec.Command(interpreter, "testdata/columnar.py", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// pyarrowCell is what a cell has to be, by the number of its row.
func pyarrowCell(column string, i int) string {
	if column == "nothing" || column != "id" && i%5 == 4 {
		return array.NullValueStr
	}
	digest := sha256.Sum256([]byte(fmt.Sprint(i)))
	switch column {
	case "id":
		return fmt.Sprint(i)
	case "email", "large", "view":
		return fmt.Sprintf("person%d@example.com", i)
	case "word":
		return fmt.Sprint("word ", i%10)
	case "hash", "bytes":
		return base64.StdEncoding.EncodeToString(digest[:])
	case "flag":
		return fmt.Sprint(i%3 == 0)
	case "small":
		return fmt.Sprint(i % 200)
	case "half":
		return fmt.Sprint(float64(i%100) / 4)
	case "real":
		return fmt.Sprint(float64(i) / 4)
	case "price":
		return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", float64(i-100)/4), "0"), ".0")
	}
	at := time.Unix(0, 0).UTC()
	switch column {
	case "day":
		return at.AddDate(0, 0, i).Format(time.DateOnly)
	case "nanos":
		return at.Add(time.Duration(i)).Format("2006-01-02 15:04:05.999999999Z")
	case "seconds":
		return at.Add(time.Duration(i) * time.Second).Format("2006-01-02 15:04:05.999999999Z")
	}
	return "no such column"
}

// TestFilesOfPyarrow reads what the other implementation of both formats writes, in all its ways.
func TestFilesOfPyarrow(t *testing.T) {
	folder := pyarrow(t)
	unreadable := map[string]string{ // besides time and tags
		"byte_stream_split.parquet": "hash real", "lz4.parquet": "real",
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Find(t, filepath.Join(folder, f.Name())), sources.Options{})
			var missing []string
			for name, why := range in.Layout.Unreadable {
				if name != "time" && name != "tags" {
					missing = append(missing, name)
				}
				if why == "" {
					t.Errorf("%s: no reason", name)
				}
			}
			slices.Sort(missing)
			if got := strings.Join(missing, " "); got != unreadable[f.Name()] {
				t.Errorf("unreadable: %v", in.Layout.Unreadable)
			}
			checkPyarrow(t, in, strings.HasPrefix(f.Name(), "no_rows"))
		})
	}
}

// checkPyarrow compares all cells of an input with what they have to be.
func checkPyarrow(t *testing.T, in *sources.Input, empty bool) {
	t.Helper()
	row := 0
	for b, err := range in.Batches(context.Background(), sourcestest.All(in), sources.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range b.Record.Columns() {
			for r := range c.Len() {
				name := b.Record.ColumnName(i)
				got, want := c.ValueStr(r), pyarrowCell(name, row+r)
				if got != want {
					t.Fatalf("%s (%s) of row %d is %s, want %s", name, c.DataType(), row+r, got, want)
				}
			}
		}
		row += int(b.Record.NumRows())
	}
	if want := map[bool]int{false: pyarrowRows, true: 0}[empty]; row != want {
		t.Errorf("%d rows, want %d", row, want)
	}
}
