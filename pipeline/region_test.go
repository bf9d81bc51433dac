package pipeline_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// TestPhoneRegion: the same national number in two countries is two people, and the column that says in which it
// is goes into the output only where it is kept.
func TestPhoneRegion(t *testing.T) {
	const marker = "marker@example.com"                 // nothing that is not copied stops a run
	rows := []struct{ cc, phone, want, wantIT string }{ // what is hashed or the reason; with IT as the default, if that differs
		{"DE", "0301 23456", "+4930123456", ""},
		{"FR", "0123456789", "+33123456789", ""},
		{"it", "0123456789", "+390123456789", ""},
		{"", "0123456789", "phone: national number and no region", "+390123456789"},
		{"Narnia", "0123456789", "phone: unknown region", ""},
		{"Narnia", "+4930123456", "+4930123456", ""},
		{marker, "0123456789", "phone: unknown region", ""},
		{"US", "0123456789", "phone: no valid number in its region", ""},
	}
	text := "id,cc,phone,tier\n"
	for i, r := range rows {
		text += fmt.Sprintf("r%d,%s,%s,t%d\n", i, r.cc, r.phone, i)
	}
	path := filepath.Join(t.TempDir(), "phones.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in := input(t, path)
	cc, tier := 1, 3
	in.Identifiers, in.PhoneRegion = []pipeline.Identifier{{Column: 2, Form: normalize.FormPhone}}, &cc
	italy, _ := normalize.ParseRegion("IT")
	for _, c := range []struct {
		name   string
		region normalize.Region
		keep   []int
		notes  int64
	}{
		{"no default", normalize.Region{}, nil, 3},
		{"default", italy, nil, 4},
		{"another column kept", italy, []int{tier}, 4},
		{"kept", italy, []int{tier, cc}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			in.Keep, in.AllowRaw = c.keep, slices.Contains(c.keep, cc)
			var kept []arrow.Field
			for _, column := range c.keep {
				kept = append(kept, arrow.Field{Name: in.Source.Layout.Columns[column].Name, Type: arrow.BinaryTypes.String, Nullable: true})
			}
			tb := newTable(t)
			w, err := sinks.New(tb.bucket, "r", sinks.Options{Kept: kept})
			if err != nil {
				t.Fatal(err)
			}
			opts := pipeline.Options{Normalize: normalize.Options{Region: c.region}}
			if err := pipeline.Run(t.Context(), []pipeline.Input{in}, pipeline.Part{}, &service{}, w, tb.sealed, opts); err != nil {
				t.Fatal(err)
			}
			got := append(tb.rows(sinks.DatasetMapped), tb.rows(sinks.DatasetUnmapped)...)
			slices.Sort(got) // they begin with the id
			if len(got) != len(rows) {
				t.Fatalf("%d rows, want %d", len(got), len(rows))
			}
			for i, r := range rows {
				has := []string{fmt.Sprintf(" id=r%d ", i), expected(r.want)}
				if c.region == italy && r.wantIT != "" {
					has[1] = expected(r.wantIT)
				}
				if slices.Contains(c.keep, tier) {
					has = append(has, fmt.Sprintf(" tier=t%d ", i))
				}
				if slices.Contains(c.keep, cc) {
					has = append(has, " cc="+cmp.Or(r.cc, "(null)")+" ")
				} else if strings.Contains(got[i], " cc=") || strings.Contains(got[i], marker) {
					t.Errorf("row %d holds its country:\n%s", i, got[i])
				}
				for _, part := range has {
					if !strings.Contains(got[i]+" ", part) {
						t.Errorf("row %d is\n%s\nwant%s", i, got[i], part)
					}
				}
			}
			if notes := tb.last().Totals.Notes; len(notes) != 1 || notes["phone_region"] != c.notes {
				t.Errorf("notes are %v, want phone_region:%d", notes, c.notes)
			}
		})
	}
}

// TestPhoneRegionBinaryID: a key that is no text stops the run, wherever the column of the country stands.
func TestPhoneRegionBinaryID(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.Binary}, {Name: "email", Type: arrow.BinaryTypes.String},
		{Name: "phone", Type: arrow.BinaryTypes.String}, {Name: "cc", Type: arrow.BinaryTypes.String},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.BinaryBuilder).Append([]byte("key\xff"))
	for i, cell := range []string{"", "030 123456", "DE"} {
		b.Field(i + 1).(*array.StringBuilder).Append(cell)
	}
	record := b.NewRecord()
	defer record.Release()
	rows := array.NewTableFromRecords(schema, []arrow.Record{record})
	defer rows.Release()
	path := filepath.Join(t.TempDir(), "keys.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pqarrow.WriteTable(rows, f, 1, nil, pqarrow.DefaultWriterProps()); err != nil { // it closes f
		t.Fatal(err)
	}
	in := input(t, path)
	cc := 3
	for _, in.PhoneRegion = range []*int{nil, &cc} {
		err := newTable(t).run(t.Context(), []pipeline.Input{in}, &service{}, pipeline.Options{})
		var copied *pipeline.CopiedError
		if !errors.As(err, &copied) || copied.Column != "id" || copied.Row != 1 {
			t.Errorf("region %v: got %v, want a CopiedError for the id", in.PhoneRegion != nil, err)
		}
	}
}

// expected is what the row of an E.164 number, or of a refused one, has to hold.
func expected(what string) string {
	if !strings.HasPrefix(what, "+") {
		return " raw_reason=" + what + " "
	}
	hash := sha256.Sum256([]byte(what))
	return " identity_hash=" + base64.StdEncoding.EncodeToString(hash[:]) + " "
}
