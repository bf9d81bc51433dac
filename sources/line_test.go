package sources_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/client/objects"
	"mapper/sources"
)

// TestLineOfRows: each row knows its line, whatever stands between it and the row before, in batches of any number.
func TestLineOfRows(t *testing.T) {
	for name, between := range map[string]func(i int) string{
		"nothing":     func(int) string { return "" },
		"blank lines": func(i int) string { return strings.Repeat("\n", i%7/5) + strings.Repeat("\r\n", i%1000/998) },
		"quotes":      func(i int) string { return strings.Repeat("\"a\nb\",\n", i%5/4) },
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("line,x\n")
			for i := range 20_000 {
				text.WriteString(between(i))
				fmt.Fprintf(&text, "%d,\n", i)
			}
			checkLines(t, text.String())
		})
	}
}

// checkLines compares the lines of rows with where their first cell, a number that no other row has, stands.
func checkLines(t *testing.T, text string) {
	t.Helper()
	want := map[string]int64{}
	for n, line := range strings.Split(text, "\n") {
		want[strings.TrimSuffix(line, "\r")] = int64(n) + 1
	}
	in, err := sources.Inspect(t.Context(), objects.Object{URI: "-", Size: -1}, sources.Options{Stdin: strings.NewReader(text), Format: sources.CSV})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for b, err := range in.Batches(t.Context(), []int{0}, in.Layout.Start) {
		if err != nil {
			t.Fatal(err)
		}
		cells := b.Record.Column(0).(*array.String)
		for i := range cells.Len() {
			if strings.Contains(cells.Value(i), "\n") {
				continue
			}
			if line := b.Line(i); line != want[cells.Value(i)+","] {
				t.Fatalf("row %s: line %d, want %d", cells.Value(i), line, want[cells.Value(i)+","])
			}
			rows++
		}
	}
	if rows != 20_000 {
		t.Errorf("%d rows", rows)
	}
}
