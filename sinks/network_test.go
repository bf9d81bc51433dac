package sinks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

// The columns as the documentation lists them; a ? marks those that may be null.
var documented = map[Network]map[string]string{
	NetworkUID2: {
		DatasetMapped: "id? identity_type identity_hash current_uid previous_uid? former_uid? refresh_from? change " +
			"source_file? source_column? source_row? mapped_at",
		DatasetUnmapped: "id? identity_type? identity_hash? former_uid? change reason raw_reason rejected_by " +
			"source_file? source_column? source_row? mapped_at",
		DatasetRefreshFrom: "id? identity_type identity_hash current_uid refresh_from? mapped_at",
		datasetExport: "id? identity_type identity_hash current_uid? previous_uid? refresh_from? reason? raw_reason? " +
			"source_file? source_column? source_row? mapped_at?",
		datasetDiff: "action identity_type identity_hash former_uid? current_uid? reason? mapped_at?",
	},
	NetworkID5: {
		DatasetMapped: "id? identity_type identity_hash country current_uid previous_uid? former_uid? refresh_from? change " +
			"source_file? source_column? source_row? mapped_at",
		DatasetUnmapped: "id? identity_type? identity_hash? country former_uid? change reason raw_reason rejected_by " +
			"source_file? source_column? source_row? mapped_at",
		DatasetRefreshFrom: "id? identity_type identity_hash country current_uid refresh_from? mapped_at",
		datasetExport: "id? identity_type identity_hash country current_uid? previous_uid? refresh_from? reason? raw_reason? " +
			"source_file? source_column? source_row? mapped_at?",
		datasetDiff: "action identity_type identity_hash country former_uid? current_uid? reason? mapped_at?",
	},
}

func TestSchema(t *testing.T) {
	kept := []arrow.Field{{Name: "kept", Type: arrow.PrimitiveTypes.Float32}}
	for network, datasets := range documented {
		for dataset, want := range datasets {
			if dataset != DatasetRefreshFrom && dataset != datasetDiff {
				want += " kept?"
			}
			var got []string
			for _, f := range Schema(network, dataset, kept).Fields() {
				if f.Nullable {
					f.Name += "?"
				}
				got = append(got, f.Name)
				if typ := documentedType(f.Name); !arrow.TypeEqual(f.Type, typ) {
					t.Errorf("network %d, %s: %s is of type %s, not %s", network, dataset, f.Name, f.Type, typ)
				}
			}
			if !slices.Equal(got, strings.Fields(want)) {
				t.Errorf("network %d, %s:\ngot  %s\nwant %s", network, dataset, strings.Join(got, " "), want)
			}
		}
	}
	if s := ExportSchema(NetworkID5, kept); !s.Equal(Schema(NetworkID5, datasetExport, kept)) {
		t.Errorf("export: %v", s)
	}
	if s := Schema(networks, DatasetMapped, nil); s != nil {
		t.Errorf("no network: %v", s)
	}
	if s := Schema(NetworkID5, "other", nil); s != nil {
		t.Errorf("no dataset: %v", s)
	}
}

func documentedType(column string) arrow.DataType {
	switch strings.TrimSuffix(column, "?") {
	case "refresh_from", "mapped_at":
		return arrow.FixedWidthTypes.Timestamp_ms
	case "source_row":
		return arrow.PrimitiveTypes.Int64
	case "kept":
		return arrow.PrimitiveTypes.Float32
	}
	return arrow.BinaryTypes.String
}

// TestNoNetwork: a network that is none is refused and not taken for one.
func TestNoNetwork(t *testing.T) {
	opts := Options{Network: networks}
	_, err1 := New(newFolder(t).Bucket, "r1", opts)
	_, err2 := NewExport(newFolder(t).Bucket, opts)
	_, err3 := NewDiff(newFolder(t).Bucket, opts)
	for _, err := range []error{err1, err2, err3} {
		if err == nil || !strings.Contains(err.Error(), "2 is no network") {
			t.Errorf("got error %v", err)
		}
	}
}

// TestCountry: every text of two letters there and back, and what is none.
func TestCountry(t *testing.T) {
	for i := range 1 << 16 {
		c := [2]byte{byte(i >> 8), byte(i)}
		capitals := c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z'
		if got, want := isCountry(c), capitals || i == 0; got != want {
			t.Fatalf("%q: got %t, want %t", c, got, want)
		}
		if got := checkCountry(string(c[:])) == nil; got != capitals {
			t.Fatalf("%q: as a text: got %t, want %t", c, got, capitals)
		}
		if capitals && countryText(c) != string(c[:]) {
			t.Fatalf("%q: got %q", c, countryText(c))
		}
	}
	if got := countryText([2]byte{}); got != "" || checkCountry("") != nil {
		t.Errorf("none: got %q, %v", got, checkCountry(""))
	}
}

// TestCountryOfNoIdentity: one Row serves for all, so that the country of a row without an identity may be left over.
func TestCountryOfNoIdentity(t *testing.T) {
	left := Row{MappedAt: 1, Reason: ReasonInvalidRow}
	left.Identity.Country = [2]byte{'D', 'E'}
	checkPart(t, Options{Network: NetworkID5}, partRows{unmapped: []Row{left}})
	left.Identity.Country = [2]byte{'d', 'e'}
	checkPart(t, Options{Network: NetworkID5}, partRows{unmapped: []Row{left}})
}

// TestNoAsking: rows of ID5 mostly have no refresh_from, so that the file has no bounds of it, and no statistics but nulls.
func TestNoAsking(t *testing.T) {
	rows := benchRows(100)
	for i := range rows {
		rows[i].RefreshFrom = 0
	}
	f := newFolder(t)
	files := writePart(t, newWriter(t, f, Options{Network: NetworkID5, RefreshGroupRows: 30}), 0, partRows{mapped: rows})
	if len(files) != 2 {
		t.Fatalf("got %d files, want 2", len(files))
	}
	for dataset, file := range files {
		counts, err := recount(f.read(t, file.Path), NetworkID5, dataset)
		if err != nil || counts.Rows != 100 || counts.MinRefreshFrom != nil || !counts.Sorted {
			t.Errorf("%s: got %+v, %v", dataset, counts, err)
		}
		if file.MinRefreshFrom != nil || file.MaxRefreshFrom != nil || file.MinHash == "" {
			t.Errorf("%s: got %+v", dataset, file)
		}
	}
}

// TestExportID5 reads an export of ID5 back.
func TestExportID5(t *testing.T) {
	f := newFolder(t)
	e, err := NewExport(f.Bucket, Options{Network: NetworkID5})
	if err != nil {
		t.Fatal(err)
	}
	rows := benchRows(3)
	rows[1].Identity.Country, rows[2].Identity.Country = [2]byte{'A', 'A'}, [2]byte{'F', 'R'}
	rows[2].UID = nil
	for i := range rows {
		if err := e.Add(context.Background(), &rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	files, err := e.Publish(context.Background())
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	data := f.read(t, files[0].Path)
	table := readArrow(t, data)
	if want := ExportSchema(NetworkID5, nil); table.Schema().NumFields() != want.NumFields() {
		t.Fatalf("got %v, want %v", table.Schema(), want)
	}
	for i, column := range []string{"identity_hash", "country"} {
		got := table.Column(2 + i)
		var want []string
		for j := range rows {
			text, _, _ := expectedValue(t, NetworkID5, column, &rows[j])
			want = append(want, text)
		}
		if values := fmt.Sprint(got.Data().Chunk(0)); got.Name() != column || values != fmt.Sprintf("[%q %q %q]", want[0], want[1], want[2]) {
			t.Errorf("%s: got %s, want %q", got.Name(), values, want)
		}
	}
	sameXitongsys(t, data, table)
}
