package pipeline_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
)

// refuser calls the identities of one email invalid and maps the others.
type refuser struct{ email string }

func (r refuser) Map(_ context.Context, asks *pipeline.Asks, a *client.Answers) error {
	ids := asks.IDs
	a.Reset(len(ids))
	for i := range ids {
		a.Items[i].At = 1_700_000_000_000
		from := len(a.Text)
		if ids[i].Hash == sha256.Sum256([]byte(r.email)) {
			a.Text = append(a.Text, "invalid identifier"...)
			a.Items[i].Status = client.Invalid
			a.SetWord(i, from, len(a.Text))
			continue
		}
		a.Text = ids[i].AppendBase64(a.Text)
		a.Items[i].Status, a.Items[i].RefreshFrom = client.Mapped, 1_700_000_000_000
		a.SetUID(i, from, len(a.Text))
	}
	return nil
}

// TestColumnCounts: identifiers are counted by the names of their columns over inputs and parts, with what was
// wrong with them, and hashes that were not normalized are noted.
func TestColumnCounts(t *testing.T) {
	upper := sha256.Sum256([]byte("A@EXAMPLE.COM"))
	var inputs []pipeline.Input
	for _, text := range []string{
		"email,hem\na@example.com," + hex.EncodeToString(upper[:]) + "\nnobody,\nrefused@example.com,\n",
		"email,hem\nrefused@example.com,abc\n,\nb@example.com,\nnowhere,\n",
	} {
		path := filepath.Join(t.TempDir(), "in.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in := input(t, path)
		in.ID, in.Keep = pipeline.NoColumn, nil
		in.Identifiers = []pipeline.Identifier{{Column: 0, Form: normalize.FormEmail}, {Column: 1, Form: normalize.FormEmailHash}}
		inputs = append(inputs, in)
	}
	tb := newTable(t)
	if err := tb.run(t.Context(), inputs, refuser{"refused@example.com"}, pipeline.Options{PartRows: 2}); err != nil {
		t.Fatal(err)
	}
	if len(tb.parts) < 3 {
		t.Fatalf("%d parts: too few to add up", len(tb.parts))
	}
	var sum pipeline.Totals
	for _, p := range tb.parts {
		sum.Add(&p.Totals)
	}
	want := map[string]pipeline.ColumnCounts{
		"email": {Identifiers: 6, Invalid: map[string]int64{"email: no @": 2, pipeline.ServiceInvalid: 2}},
		"hem":   {Identifiers: 2, Invalid: map[string]int64{"hash: not 32 bytes": 1}},
	}
	if !reflect.DeepEqual(sum.Columns, want) {
		t.Errorf("got %v, want %v", sum.Columns, want)
	}
	if sum.Notes[pipeline.NoteUnnormalized] != 1 {
		t.Errorf("got notes %v, want one hash that was not normalized", sum.Notes)
	}
}
