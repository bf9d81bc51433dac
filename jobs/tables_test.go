package jobs_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"testing"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// madeRun is a run that a test makes up.
type madeRun struct {
	id, kind       string
	base, replaces []string
	rows           []sinks.Row // with a UID they are mapped
	calendar       map[string]int64
}

// answered returns a row about a pair of an id and the email of a person.
func answered(id, email, uid string, reason sinks.Reason, at int64) sinks.Row {
	r := sinks.Row{ID: []byte(id), HasID: true, Identity: normalize.ID{Hash: sha256.Sum256([]byte(email))}, HasKind: true, HasHash: true, MappedAt: at, Reason: reason}
	if uid != "" {
		r.UID = []byte(uid)
	} else {
		r.RawReason = []byte(reason.String())
	}
	return r
}

// mapped is answered with a raw UID.
func mapped(id, email, uid string, at int64) sinks.Row { return answered(id, email, uid, 0, at) }

// makeTable commits runs to a new table, and returns its folder.
func makeTable(t *testing.T, runs ...madeRun) string {
	t.Helper()
	folder := t.TempDir()
	tab, err := table.Open(t.Context(), new(objects.Store), folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Claim(t.Context(), "uid2", "made-up"); err != nil {
		t.Fatal(err)
	}
	commitRuns(t, tab, runs...)
	return folder
}

func commitRuns(t *testing.T, tab *table.Table, runs ...madeRun) {
	t.Helper()
	for _, r := range runs {
		w, err := sinks.New(tab.Bucket, r.id, sinks.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := table.Manifest{RunID: r.id, Kind: r.kind, Seq: int64(len(r.base) + 1), Base: r.base, Replaces: r.replaces, Calendar: r.calendar}
		m.Counts.Unmapped = map[string]int64{}
		if err := w.Begin(t.Context(), 0, 1); err != nil {
			t.Fatal(err)
		}
		if len(r.replaces) > 0 {
			slices.SortFunc(r.rows, func(a, b sinks.Row) int {
				return cmp.Or(bytes.Compare(a.Identity.AppendBase64(nil), b.Identity.AppendBase64(nil)), bytes.Compare(a.ID, b.ID))
			})
		}
		for i := range r.rows {
			put := w.Mapped
			if len(r.rows[i].UID) == 0 {
				put = w.Unmapped
				m.Counts.Unmapped[r.rows[i].Reason.String()]++
			} else {
				m.Counts.Mapped++
			}
			if err := put(r.rows[i:][:1]); err != nil {
				t.Fatal(err)
			}
		}
		if m.Parts, err = w.Seal(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tab.Commit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}
