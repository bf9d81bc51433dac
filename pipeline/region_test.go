package pipeline_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// TestPhoneRegion: the same national number in two countries is two people, and the column that says in which it
// is goes into the output only where it is kept.
func TestPhoneRegion(t *testing.T) {
	rows := []struct{ cc, phone, want, wantIT string }{ // what is hashed or the reason; with IT as the default, if that differs
		{"DE", "0301 23456", "+4930123456", ""},
		{"FR", "0123456789", "+33123456789", ""},
		{"it", "0123456789", "+390123456789", ""},
		{"", "0123456789", "phone: national number and no region", "+390123456789"},
		{"Narnia", "0123456789", "phone: unknown region", ""},
		{"Narnia", "+4930123456", "+4930123456", ""},
		{"US", "0123456789", "phone: no valid number in its region", ""},
	}
	text := "cc,phone\n"
	for _, r := range rows {
		text += r.cc + "," + r.phone + "\n"
	}
	path := filepath.Join(t.TempDir(), "phones.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in := input(t, path)
	column := 0
	in.ID, in.Identifiers, in.PhoneRegion = pipeline.NoColumn, []pipeline.Identifier{{Column: 1, Form: normalize.FormPhone}}, &column
	italy, _ := normalize.ParseRegion("IT")
	for _, c := range []struct {
		name   string
		region normalize.Region
		keep   bool
		notes  int64
	}{
		{"no default", normalize.Region{}, false, 3},
		{"default", italy, false, 4},
		{"kept", italy, true, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kept []arrow.Field
			if in.Keep = nil; c.keep {
				in.Keep, kept = []int{column}, []arrow.Field{{Name: "cc", Type: arrow.BinaryTypes.String, Nullable: true}}
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
			var want []string
			for _, r := range rows {
				what := r.want
				if c.region == italy && r.wantIT != "" {
					what = r.wantIT
				}
				if strings.HasPrefix(what, "+") {
					hash := sha256.Sum256([]byte(what))
					what = base64.StdEncoding.EncodeToString(hash[:])
				}
				if c.keep && r.cc != "" {
					what += " cc=" + r.cc
				}
				want = append(want, what)
			}
			var got []string
			for _, row := range append(tb.rows(sinks.DatasetMapped), tb.rows(sinks.DatasetUnmapped)...) {
				got = append(got, regional(row))
			}
			slices.Sort(want)
			slices.Sort(got)
			same(t, "output", got, want)
			if notes := tb.last().Totals.Notes; len(notes) != 1 || notes["phone_region"] != c.notes {
				t.Errorf("notes are %v, want phone_region:%d", notes, c.notes)
			}
		})
	}
}

// regional is the hash or the reason of a row, and the country if it has one.
func regional(row string) string {
	between := func(name, next string) string {
		_, from, _ := strings.Cut(row, " "+name+"=")
		value, _, _ := strings.Cut(from, " "+next+"=")
		return value
	}
	what := between("identity_hash", "current_uid")
	if !strings.Contains(row, " current_uid=") {
		what = between("raw_reason", "rejected_by")
	}
	if _, cc, ok := strings.Cut(row, " cc="); ok && cc != "(null)" {
		what += " cc=" + cc
	}
	return what
}
