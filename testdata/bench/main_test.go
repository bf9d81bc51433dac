package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const measured = `goos: linux
cpu: Some CPU
pkg: mapper/sources
BenchmarkStage/read_CSV/own-2      1000  30.0 ns/op  800 MB/s  38 B/op  0 allocs/op
BenchmarkStage/read_CSV/floor-2    1000  10.0 ns/op  2000 MB/s
BenchmarkStage/read_CSV/own-2      1000  20.0 ns/op  900 MB/s  38 B/op  0 allocs/op
BenchmarkStage/read_CSV/floor-2    1000  12.0 ns/op  1800 MB/s
PASS
ok  	mapper/sources	1.2s
BenchmarkStage/write_mapped/own      10  400 ns/op  200.0 cpu-ns/op  0 allocs/op
BenchmarkStage/write_mapped/floor    10  90 ns/op  100.0 cpu-ns/op
BenchmarkMap/rows=1000000/latency=0s-2  1  1365105231 ns/op  1428 cpu-ns/row  210.2 peak-MB  200.0 requests  732761 rows/s
`

func TestTable(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(measured), &out, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cpu: Some CPU",
		"read CSV 20.0 900 0.00 10.0 2.00",
		"write mapped 200.0 - 0.00 100.0 2.00",
		"Map/rows=1000000/latency=0s 732761 1.43 210 200 1365",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
}

func TestCompare(t *testing.T) {
	baseline := filepath.Join(t.TempDir(), "baseline.txt")
	if err := os.WriteFile(baseline, []byte(measured), 0o600); err != nil {
		t.Fatal(err)
	}
	slower := strings.NewReplacer("30.0 ns/op", "41.0 ns/op", "20.0 ns/op", "40.5 ns/op").Replace(measured)
	for name, c := range map[string]struct{ input, want string }{
		"the same":         {measured, ""},
		"another machine":  {strings.NewReplacer("0.0 ns/op", "0000.0 ns/op", "12.0 ns/op", "12000.0 ns/op").Replace(measured), ""},
		"a slower stage":   {slower, "read CSV: takes 4.05 times its floor"},
		"a missing stage":  {strings.ReplaceAll(measured, "write_mapped", "write_others"), "write mapped: was not measured"},
		"an unknown stage": {strings.ReplaceAll(measured, "write_mapped", "write_others"), "write others: is not in the baseline"},
		"without a floor":  {strings.ReplaceAll(measured, "read_CSV/floor", "read_CSV/other"), "read CSV: was not measured together"},
		"another clock":    {strings.ReplaceAll(measured, "200.0 cpu-ns/op", "200.0 ns/row"), "write mapped: was not measured together"},
		"nothing measured": {strings.ReplaceAll(measured, "100.0 cpu-ns/op", "0.0 cpu-ns/op"), "write mapped: was not measured together"},
		"a broken line":    {strings.ReplaceAll(measured, "30.0 ns/op", "30.x ns/op"), "30.x"},
		"nothing":          {"PASS\n", "no benchmark"},
	} {
		var out strings.Builder
		switch err := run(strings.NewReader(c.input), &out, baseline); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	half := filepath.Join(t.TempDir(), "half.txt")
	if err := os.WriteFile(half, []byte(strings.ReplaceAll(measured, "read_CSV/floor", "read_CSV/other")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(strings.NewReader(measured), new(strings.Builder), half); err == nil || !strings.Contains(err.Error(), "no ratio in the baseline") {
		t.Errorf("a baseline without a floor: got %v", err)
	}
	if err := run(strings.NewReader(measured), new(strings.Builder), filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a baseline that is not there is believed")
	}
}
