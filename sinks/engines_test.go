package sinks

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

//go:embed testdata/engines.py
var enginesScript string

// question asks how many rows of a dataset have a value of a column that is equal to, or less than, another.
type question struct {
	Dataset string `json:"dataset"`
	Column  string `json:"column"`
	Op      string `json:"op"`     // "=" or "<"
	Text    string `json:"text"`   // for "="
	Millis  int64  `json:"millis"` // for "<"
	Want    int    `json:"want"`
}

// python returns an interpreter that has DuckDB and pyarrow, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("MAPPER_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if out, err := exec.Command(interpreter, "-c", "import duckdb, pyarrow").CombinedOutput(); err != nil {
		message := fmt.Sprintf("that DuckDB and pyarrow read what is written is left out: %s -c 'import duckdb, pyarrow': %v\n%s"+
			"Install them (pip install duckdb pyarrow) or name another interpreter with MAPPER_PYTHON.", interpreter, err, out)
		if os.Getenv("MAPPER_REQUIRE_ENGINES") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return interpreter
}

// TestEngines lets DuckDB and pyarrow open parts: types and nullability are those of the contract, and
// look-ups find exactly the rows that there are. Both skip row groups and pages by statistics and dictionaries,
// so that wrong ones show as missing rows.
func TestEngines(t *testing.T) {
	interpreter := python(t)
	for network := range networks {
		t.Run(fmt.Sprint(network), func(t *testing.T) {
			t.Parallel()
			testEngines(t, interpreter, network)
		})
	}
}

func testEngines(t *testing.T, interpreter string, network Network) {
	random := rand.New(rand.NewPCG(6, 6))
	kept := keptFields(engineTypes())
	record := keptRecord(random, kept, 100)
	defer record.Release()
	rows := partRows{mapped: engineRows(random, 6000), unmapped: lacking(random, engineRows(random, 3000))}
	for _, of := range [][]Row{rows.mapped, rows.unmapped} {
		for i := range of {
			if i%3 > 0 {
				of[i].Kept, of[i].KeptFirst, of[i].KeptRow = record, 1, i%100
			}
		}
	}
	var folders []string
	for c := range compressions {
		f := newFolder(t)
		w := newWriter(t, f, Options{Network: network, Kept: kept, RowGroupRows: 1000, RefreshGroupRows: 500, Compression: c})
		writePart(t, w, 0, partRows{mapped: rows.mapped[:4000], unmapped: rows.unmapped})
		writePart(t, w, 1, partRows{mapped: rows.mapped[4000:]})
		folders = append(folders, f.path)
	}
	asked := questions(random, network, rows)
	for _, a := range ask(t, interpreter, folders, asked) {
		checkAnswer(t, a, asked, network, kept)
	}
}

// engineTypes are the types that can be kept, with those decimals only between which their storage changes.
func engineTypes() []arrow.DataType {
	return slices.DeleteFunc(keptTypes(), func(t arrow.DataType) bool {
		decimal, ok := t.(*arrow.Decimal128Type)
		return ok && !slices.Contains([]int32{1, 9, 10, 18, 19, 38}, decimal.Precision)
	})
}

// engineRows are rows of which some share their raw UID and hash.
func engineRows(random *rand.Rand, n int) []Row {
	rows := benchRows(n)
	extra := randomRows(random, n)
	for i := range rows {
		if i%10 == 0 && i > 0 {
			rows[i].UID, rows[i].Identity = rows[i-7].UID, rows[i-7].Identity
		}
		rows[i].Change, rows[i].Reason, rows[i].RejectedBy = extra[i].Change, extra[i].Reason, extra[i].RejectedBy
		rows[i].SourceFile, rows[i].SourceRow, rows[i].HasID = extra[i].SourceFile, extra[i].SourceRow, extra[i].HasID
		rows[i].Former = extra[i].Former
		rows[i].Identity.Country = [][2]byte{{}, {'A', 'A'}, {'D', 'E'}, {'F', 'R'}}[random.IntN(4)]
		if i%4 == 0 {
			rows[i].RefreshFrom = 0
		}
	}
	return rows
}

func questions(random *rand.Rand, network Network, rows partRows) []question {
	var all []question
	add := func(q question) {
		of := rows.mapped
		if q.Dataset == DatasetUnmapped {
			of = rows.unmapped
		}
		for i := range of {
			text, number, null := expectedValue(nil, network, q.Column, &of[i])
			if !null && (q.Op == "=" && text == q.Text || q.Op == "<" && number < q.Millis) {
				q.Want++
			}
		}
		all = append(all, q)
	}
	for range 12 {
		m, u := rows.mapped[random.IntN(len(rows.mapped))], rows.unmapped[random.IntN(len(rows.unmapped))]
		hash := func(r Row) string { return expectedHash(network, &r) }
		for _, dataset := range []string{DatasetMapped, DatasetRefreshFrom} {
			add(question{Dataset: dataset, Column: "current_uid", Op: "=", Text: string(m.UID)})
			add(question{Dataset: dataset, Column: "identity_hash", Op: "=", Text: hash(m)})
			add(question{Dataset: dataset, Column: "refresh_from", Op: "<", Millis: m.RefreshFrom})
			add(question{Dataset: dataset, Column: "refresh_from", Op: "<", Millis: m.RefreshFrom + 1})
			add(question{Dataset: dataset, Column: "id", Op: "=", Text: string(m.ID)})
		}
		add(question{Dataset: DatasetMapped, Column: "previous_uid", Op: "=", Text: string(m.Previous)})
		add(question{Dataset: DatasetUnmapped, Column: "identity_hash", Op: "=", Text: hash(u)})
		add(question{Dataset: DatasetUnmapped, Column: "mapped_at", Op: "<", Millis: u.MappedAt})
	}
	for _, country := range []string{"", "AA", "FR", "XX"} {
		for _, dataset := range Datasets() {
			if network == NetworkID5 {
				add(question{Dataset: dataset, Column: "country", Op: "=", Text: country})
			}
		}
	}
	for _, word := range append(Reasons(), reasons) { // and one that is nowhere
		add(question{Dataset: DatasetUnmapped, Column: "reason", Op: "=", Text: word.String()})
	}
	for _, file := range []string{"a.csv", "c.csv", "d.csv"} {
		add(question{Dataset: DatasetMapped, Column: "source_file", Op: "=", Text: file})
		add(question{Dataset: DatasetUnmapped, Column: "source_file", Op: "=", Text: file})
	}
	for _, change := range []Change{ChangeNew, ChangeRemoved} {
		add(question{Dataset: DatasetMapped, Column: "change", Op: "=", Text: change.String()})
	}
	return all
}

// engineAnswer is what the script prints for a folder and an engine.
type engineAnswer struct {
	Folder  string                 `json:"folder"`
	Engine  string                 `json:"engine"`
	Columns map[string][][3]string `json:"columns"` // by dataset: name, type, "null" or "not null"
	Counts  []int                  `json:"counts"`  // by question
}

func ask(t *testing.T, interpreter string, folders []string, asked []question) []engineAnswer {
	t.Helper()
	input, err := json.Marshal(map[string]any{"folders": folders, "questions": asked})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, "-c", enginesScript)
	cmd.Stdin = strings.NewReader(string(input))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var answers []engineAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != 2*len(folders) {
		t.Fatalf("%d answers, %v: %s", len(answers), err, out)
	}
	return answers
}

func checkAnswer(t *testing.T, a engineAnswer, asked []question, network Network, kept []arrow.Field) {
	t.Helper()
	if len(a.Counts) != len(asked) {
		t.Fatalf("%s: %d answers to %d questions", a.Engine, len(a.Counts), len(asked))
	}
	for i, q := range asked {
		if a.Counts[i] != q.Want {
			t.Errorf("%s: %+v: got %d rows", a.Engine, q, a.Counts[i])
		}
	}
	for _, dataset := range Datasets() {
		got, want := a.Columns[dataset], engineColumns(a.Engine, Schema(network, dataset, kept))
		if len(got) != len(want) {
			t.Errorf("%s: %s has %d columns, want %d", a.Engine, dataset, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("%s: %s has a column %v, want %v", a.Engine, dataset, got[i], want[i])
			}
		}
	}
}

// engineColumns is how an engine is to describe a schema.
func engineColumns(engine string, schema *arrow.Schema) [][3]string {
	duck := strings.NewReplacer("large_utf8", "VARCHAR", "utf8", "VARCHAR", "large_binary", "BLOB", "binary", "BLOB",
		"bool", "BOOLEAN", "float32", "FLOAT", "float64", "DOUBLE",
		"uint8", "UTINYINT", "uint16", "USMALLINT", "uint32", "UINTEGER", "uint64", "UBIGINT",
		"int8", "TINYINT", "int16", "SMALLINT", "int32", "INTEGER", "int64", "BIGINT", "date32", "DATE",
		"decimal(", "DECIMAL(", ", ", ",")
	pyarrow := strings.NewReplacer("large_utf8", "large_string", "utf8", "string", "float32", "float", "float64", "double",
		"date32", "date32[day]", "decimal(", "decimal128(")
	var columns [][3]string
	for _, f := range schema.Fields() {
		typ, null := f.Type.String(), "not null"
		if f.Nullable {
			null = "null"
		}
		switch stamp, ok := f.Type.(*arrow.TimestampType); {
		case engine == "pyarrow":
			typ = pyarrow.Replace(typ)
		case !ok:
			typ = duck.Replace(typ)
		case stamp.TimeZone != "":
			typ = "TIMESTAMP WITH TIME ZONE"
		case stamp.Unit == arrow.Nanosecond:
			typ = "TIMESTAMP_NS"
		default:
			typ = "TIMESTAMP"
		}
		columns = append(columns, [3]string{f.Name, typ, null})
	}
	return columns
}
