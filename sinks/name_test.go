package sinks

import (
	"strings"
	"testing"
)

func TestPartName(t *testing.T) {
	for want, name := range map[string]PartName{
		"mapped/run=r1/part-0-0-abc.parquet":                      {DatasetMapped, "r1", 0, 0, "abc"},
		"unmapped/run=2026-11-22T02.00_x/part-15-1000-z9.parquet": {DatasetUnmapped, "2026-11-22T02.00_x", 15, 1000, "z9"},
		"refresh_from/run=part-1-2-x/part-3-4-x.parquet":          {DatasetRefreshFrom, "part-1-2-x", 3, 4, "x"},
	} {
		if got := name.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, err := ParsePartName(want); err != nil || got != name {
			t.Errorf("%s is %+v, %v; want %+v", want, got, err, name)
		}
	}
	for _, wrong := range []string{
		"", "mapped", "mapped/run=r1/_SUCCESS", "mapped/run=r1/.tmp-ABC", "other/run=r1/part-0-0-abc.parquet",
		"mapped/run=r1/part-0-0-.parquet", "mapped/run=r1/part-0-0.parquet", "mapped/run=r1/part-00-0-abc.parquet",
		"mapped/run=r1/part-0-0-ABC.parquet", "mapped/run=r1/part--1-0-abc.parquet", "mapped/run=/part-0-0-abc.parquet",
		"mapped/run=r1/part-0-0-abc.parquet/", "x/mapped/run=r1/part-0-0-abc.parquet", "mapped/r1/part-0-0-abc.parquet",
		"mapped/run=../part-0-0-abc.parquet", "mapped/run=" + strings.Repeat("r", 64) + "/part-0-0-abc.parquet",
		"mapped/run=r1/part-0-9999999999-abc.parquet", "mapped/run=r1/part-0-0-abc.parquet\n",
	} {
		if got, err := ParsePartName(wrong); err == nil {
			t.Errorf("%q is %+v, want an error", wrong, got)
		}
	}
}

// FuzzParsePartName: what is taken for a name is one.
func FuzzParsePartName(f *testing.F) {
	f.Add("mapped/run=r1/part-0-0-abc.parquet")
	f.Add("refresh_from/run=2026-11-22T02.00_x/part-15-1000-z9.parquet")
	f.Fuzz(func(t *testing.T, key string) {
		if name, err := ParsePartName(key); err == nil && name.String() != key {
			t.Errorf("%q is taken for %+v, which is %q", key, name, name.String())
		}
	})
}

// TestPartsDoNotCollide: two processes that write the same part of the same run take different files.
func TestPartsDoNotCollide(t *testing.T) {
	f := newFolder(t)
	rows := benchRows(1)
	a := writePart(t, newWriter(t, f, Options{}), 0, partRows{mapped: rows})
	b := writePart(t, newWriter(t, f, Options{}), 0, partRows{mapped: rows})
	if a[DatasetMapped].Path == b[DatasetMapped].Path {
		t.Errorf("both are %s", a[DatasetMapped].Path)
	}
	base := func(f File) string { return f.Path[strings.LastIndexByte(f.Path, '/'):] }
	if base(a[DatasetMapped]) != base(a[DatasetRefreshFrom]) {
		t.Errorf("the files of a part are %s and %s", a[DatasetMapped].Path, a[DatasetRefreshFrom].Path)
	}
}
