package sinks

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/normalize"
)

// TestDiff reads a diff with two other implementations.
func TestDiff(t *testing.T) {
	for network := range networks {
		t.Run(fmt.Sprint(network), func(t *testing.T) { testDiff(t, network) })
	}
}

func testDiff(t *testing.T, network Network) {
	f := newFolder(t)
	e, err := NewDiff(f.Bucket, Options{Network: network, Kept: []arrow.Field{{Name: "no part of it", Type: arrow.BinaryTypes.String}}})
	if err != nil {
		t.Fatal(err)
	}
	rows := []Row{
		{UID: []byte("new"), MappedAt: 5, Reason: ReasonUnknown},
		{Former: []byte("old"), UID: []byte("new"), MappedAt: 6},
		{Former: []byte("old"), Reason: ReasonOptOut, MappedAt: 7},
		{Former: []byte("older"), Reason: ReasonRemoved},
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, Schema(network, datasetDiff, nil))
	text := func(i int, v string) {
		if v == "" {
			b.Field(i).AppendNull()
			return
		}
		b.Field(i).(*array.StringBuilder).Append(v)
	}
	for i, want := range [][]string{{"add", ""}, {"replace", ""}, {"remove", "OPTOUT"}, {"remove", "REMOVED"}} {
		r := &rows[i]
		r.HasKind, r.HasHash, r.Identity = true, true, normalize.ID{Kind: normalize.Kind(i % 2), Hash: [32]byte{byte(i)}, Country: [2]byte{'D', 'E'}}
		if err := e.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		values := []string{want[0], r.Identity.Kind.String(), expectedHash(network, r), string(r.Former), string(r.UID), want[1]}
		if network == NetworkID5 {
			values = slices.Insert(values, 3, "DE")
		}
		for column, v := range values {
			text(column, v)
		}
		if at := b.Field(len(values)).(*array.TimestampBuilder); r.MappedAt == 0 {
			at.AppendNull()
		} else {
			at.Append(arrow.Timestamp(r.MappedAt))
		}
	}
	record := b.NewRecord()
	want := array.NewTableFromRecords(record.Schema(), []arrow.Record{record})
	files, err := e.Publish(t.Context())
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	data := f.read(t, files[0].Path)
	sameTable(t, readArrow(t, data), want)
	sameXitongsys(t, data, want)
}

// TestDiffRefuses: rows that say nothing come from a bug.
func TestDiffRefuses(t *testing.T) {
	id := Row{HasKind: true, HasHash: true}
	for want, change := range map[string]func(r *Row){
		"nothing has changed": func(r *Row) { r.Former, r.UID = []byte("uid"), []byte("uid") },
		"has no identity":     func(r *Row) { r.HasHash, r.UID = false, []byte("uid") },
		"raw UIDs of":         func(r *Row) { r.UID = make([]byte, maxUID+1) },
		"is no reason":        func(r *Row) { r.Former, r.Reason = []byte("uid"), reasons },
	} {
		e, err := NewDiff(newFolder(t).Bucket, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := id
		change(&r)
		if err := e.Add(t.Context(), &r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if err := e.Abort(); err != nil {
			t.Error(err)
		}
	}
}
