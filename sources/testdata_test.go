package sources_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

const shared = "../testdata/"

// TestSharedFiles reads the files that several packages test with: the same people come out of every format.
func TestSharedFiles(t *testing.T) {
	malformedCSV := []string{
		"52 row: 4 fields, header has 6", "153 row: text behind a closing quote", "204 row: 7 fields, header has 6",
	}
	for _, c := range []struct {
		file      string
		layout    string
		malformed []string // data row and reason
	}{
		{"crm.csv", `csv ["customer_id" "name" "email" "phone" "country" "signup_date"] by "," with header`, malformedCSV},
		{"crm.csv.gz", `csv ["customer_id" "name" "email" "phone" "country" "signup_date"] by "," with header`, malformedCSV},
		{"crm.ndjson", `ndjson ["customer_id" "name" "email" "phone" "country" "signup_date" "active"]`, []string{
			"122 row: not one valid JSON object", `183 row: key "email" twice`}},
		{"crm.parquet", `parquet ["customer_id" "name" "email" "phone" "country" "created"]`, nil},
	} {
		t.Run(c.file, func(t *testing.T) {
			in := sourcestest.Inspect(t, sourcestest.Find(t, shared+c.file), sources.Options{})
			if got := describe(in.Layout); got != c.layout {
				t.Errorf("got  %s\nwant %s", got, c.layout)
			}
			batches, err := sourcestest.Batches(t, in, []int{0, 2, 3, 4}, sources.Position{})
			if err != nil {
				t.Fatal(err)
			}
			var malformed []string
			for _, b := range batches {
				for _, m := range b.Malformed {
					malformed = append(malformed, fmt.Sprint(b.Start.Row+int64(m.Index)+1, " ", m.Reason))
				}
			}
			if !slices.Equal(malformed, c.malformed) {
				t.Errorf("malformed %q, want %q", malformed, c.malformed)
			}
			good := slices.DeleteFunc(sourcestest.Rows(batches), func(row []string) bool { return row[0] == "" })
			if want := people(t); !reflect.DeepEqual(good, want) {
				t.Errorf("%d people, want those %d of the Parquet file", len(good), len(want))
			}
		})
	}
}

// people are the cells of the Parquet file, which the others are compared with.
func people(t *testing.T) [][]string {
	t.Helper()
	in := sourcestest.Inspect(t, sourcestest.Find(t, shared+"crm.parquet"), sources.Options{})
	batches, err := sourcestest.Batches(t, in, []int{0, 2, 3, 4}, sources.Position{})
	if err != nil || len(batches) != 3 {
		t.Fatalf("%d batches, %v, want one for each of 3 row groups", len(batches), err)
	}
	return sourcestest.Rows(batches)
}

func TestSharedLines(t *testing.T) {
	in := sourcestest.Inspect(t, sourcestest.Find(t, shared+"emails.txt"), sources.Options{})
	var want [][]string
	for _, p := range people(t) {
		if p[1] != "" {
			want = append(want, p[1:2])
		}
	}
	if got := sourcestest.Collect(t, in); in.Layout.Format != sources.Text || !reflect.DeepEqual(got, want) {
		t.Errorf("%s with %d rows, want %d", describe(in.Layout), len(got), len(want))
	}
}

func TestSharedFilesToRefuse(t *testing.T) {
	for name, want := range map[string]string{"latin1.csv": "add --encoding windows-1252", "truncated.csv.gz": "cut off"} {
		_, err := sources.Inspect(context.Background(), sourcestest.Find(t, shared+name), sources.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestNothingIsQuoted: whatever is wrong, neither an error nor a reason has a value of the input in it.
func TestNothingIsQuoted(t *testing.T) {
	const marker = "marker77@example.com"
	texts := map[string]string{
		"a.csv":    "id,email\n1," + marker + ",x\n2,\"" + marker + "\n" + marker + "\"\n3\n" + marker + "\x00,\n\"" + marker + "\" ,\n",
		"a.json":   "{\"id\":1}\n{\"id\":\"" + marker + "\"\n" + marker + "\n{\"id\":{\"x\":\"" + marker + "\"}}\n{\"id\":\"" + marker + "\\q\"}\n",
		"b.csv":    "id,\"" + marker + "\n1,2\n",
		"c.csv":    "id,name\n1,Jos\xe9 " + marker + "\n",
		"b.json":   "[{\"id\":\"" + marker + "\"}]",
		"c.json":   "{\n\"id\":\"" + marker + "\"\n}",
		"d.csv":    "1," + marker + "\r2," + marker + "\r",
		"a.csv.gz": string(gzipped(t, []byte(strings.Repeat("1,"+marker+"\n", 50))))[:40],
	}
	seen := 0
	for name, text := range texts {
		in, err := sources.Inspect(context.Background(), sourcestest.Write(t, name, []byte(text)), sources.Options{})
		said := fmt.Sprint(err)
		if err == nil {
			batches, err := sourcestest.Batches(t, in, sourcestest.All(in), sources.Position{})
			for _, b := range batches {
				said += fmt.Sprint(b.Malformed)
				seen += len(b.Malformed)
			}
			said += fmt.Sprint(err)
		}
		if strings.Contains(said, "marker77") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if seen < 8 {
		t.Errorf("only %d malformed rows", seen)
	}
}
