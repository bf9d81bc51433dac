package pipeline_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/client"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// says is a Mapper that says what it holds.
type says map[normalize.ID]pipeline.Answer

func (s says) Map(_ context.Context, asks *pipeline.Asks, a *client.Answers) error {
	ids := asks.IDs
	a.Reset(len(ids))
	for i, id := range ids {
		says, item := s[id], &a.Items[i]
		item.Status, item.At, item.RefreshFrom = says.Status, says.MappedAt, says.RefreshFrom
		put := func(text []byte, set func(i, from, to int)) {
			from := len(a.Text)
			a.Text = append(a.Text, text...)
			set(i, from, len(a.Text))
		}
		put(says.UID, a.SetUID)
		put(says.Previous, a.SetPrevious)
		put(says.RawReason, a.SetWord)
	}
	return nil
}

// fixed yields the same tasks whatever is added.
type fixed struct {
	list
	of *pipeline.Tasks
}

func (f fixed) Tasks(context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(yield func(*pipeline.Tasks, error) bool) { yield(f.of, nil) }
}

// TestMergeWrites is every Do and the row that it writes.
func TestMergeWrites(t *testing.T) {
	path := crowd(t, "in.csv", 3)
	inputs := []pipeline.Input{input(t, path)}
	const asked, then, july = 1_700_000_000_000, 1_600_000_000_000, 1_720_000_000_000
	id := func(b byte) normalize.ID { return normalize.ID{Hash: [32]byte{b, 200}, Kind: normalize.KindEmail} }
	hash := func(b byte) string {
		h := id(b).Hash
		return base64.StdEncoding.EncodeToString(h[:])
	}
	old := pipeline.Answer{Status: client.Mapped, UID: []byte("OLD"), Previous: []byte("OLDER"), RefreshFrom: july, MappedAt: then}
	service := says{
		id(1): {Status: client.Mapped, UID: []byte("NEW"), Previous: []byte("OLD"), RefreshFrom: july, MappedAt: asked},
		id(2): {Status: client.OptOut, RawReason: []byte("optout"), MappedAt: asked},
		id(3): {Status: client.Invalid, RawReason: []byte("invalid identifier"), MappedAt: asked},
		id(4): {Status: client.Unknown, MappedAt: asked},
	}
	mapped := func(b byte, uid, previous, former, change string) string {
		return fmt.Sprintf("id=key identity_type=email identity_hash=%s current_uid=%s previous_uid=%s former_uid=%s refresh_from=2024-07-03 09:46:40Z change=%s", hash(b), uid, previous, former, change)
	}
	unmapped := func(b byte, former, change, reason, raw, by string) string {
		return fmt.Sprintf("id=key identity_type=email identity_hash=%s former_uid=%s change=%s reason=%s raw_reason=%s rejected_by=%s", hash(b), former, change, reason, raw, by)
	}
	const null, now = "(null)", 0
	for _, c := range []struct {
		name string
		task pipeline.Task
		want string // one row, or nothing
		at   int64  // mapped_at, or now
	}{
		{"ask, first", pipeline.Task{Do: pipeline.Ask, Identity: id(1)}, mapped(1, "NEW", "OLD", null, "new"), asked},
		{"ask, rotated", pipeline.Task{Do: pipeline.Ask, Identity: id(1), Answer: old}, mapped(1, "NEW", "OLD", "OLD", "rotated"), asked},
		{"ask, opted out", pipeline.Task{Do: pipeline.Ask, Identity: id(2), Answer: old}, unmapped(2, "OLD", "opted_out", "OPTOUT", "optout", "service"), asked},
		{"ask, invalid", pipeline.Task{Do: pipeline.Ask, Identity: id(3), Answer: old}, unmapped(3, "OLD", "removed", "INVALID_IDENTIFIER", "invalid identifier", "service"), asked},
		{"ask, no answer", pipeline.Task{Do: pipeline.Ask, Identity: id(4), Answer: old}, unmapped(4, null, "same", "UNKNOWN", "no answer", "service"), asked},
		{"tell a raw UID", pipeline.Task{Do: pipeline.Tell, Identity: id(5), Answer: old}, mapped(5, "OLD", "OLDER", null, "same"), then},
		{"tell an opt-out", pipeline.Task{Do: pipeline.Tell, Identity: id(5), Answer: pipeline.Answer{Status: client.OptOut, RawReason: []byte("opt out"), MappedAt: then}},
			unmapped(5, null, "same", "OPTOUT", "opt out", "service"), then},
		{"tell that it is invalid", pipeline.Task{Do: pipeline.Tell, Identity: id(5), Answer: pipeline.Answer{Status: client.Invalid, RawReason: []byte("bad"), MappedAt: then}},
			unmapped(5, null, "same", "INVALID_IDENTIFIER", "bad", "service"), then},
		{"tell that there was no answer", pipeline.Task{Do: pipeline.Tell, Identity: id(5), Answer: pipeline.Answer{MappedAt: then}},
			unmapped(5, null, "same", "UNKNOWN", "no answer", "service"), then},
		{"tell that it was never asked", pipeline.Task{Do: pipeline.Tell, Identity: id(5)}, unmapped(5, null, "same", "UNKNOWN", "no answer", "service"), now},
		{"withhold", pipeline.Task{Do: pipeline.Withhold, Identity: id(6), Answer: old}, "", now},
		{"remove a mapped one", pipeline.Task{Do: pipeline.Remove, Identity: id(7), Answer: old}, unmapped(7, "OLD", "removed", "REMOVED", "not in the input", "mapper"), now},
		{"remove another", pipeline.Task{Do: pipeline.Remove, Identity: id(7), Answer: pipeline.Answer{Status: client.OptOut}}, unmapped(7, null, "removed", "REMOVED", "not in the input", "mapper"), now},
		{"suppress a mapped one", pipeline.Task{Do: pipeline.Suppress, Live: true, Identity: id(8), Answer: old}, unmapped(8, "OLD", "removed", "SUPPRESSED", "on the suppression list", "mapper"), now},
		{"suppress a live one", pipeline.Task{Do: pipeline.Suppress, Live: true, Identity: id(8)}, unmapped(8, null, "removed", "SUPPRESSED", "on the suppression list", "mapper"), now},
		{"suppress one that is not live", pipeline.Task{Do: pipeline.Suppress, Identity: id(8), Answer: old},
			"id=key identity_type=email identity_hash=(null) former_uid=(null) change=new reason=SUPPRESSED raw_reason=on the suppression list rejected_by=mapper", now},
		{"refuse", pipeline.Task{Do: pipeline.Refuse, Refusal: normalize.ReasonEmailNoAt, Identity: normalize.ID{Kind: normalize.KindEmail}},
			"id=key identity_type=email identity_hash=(null) former_uid=(null) change=new reason=INVALID_IDENTIFIER raw_reason=email: no @ rejected_by=mapper", now},
		{"malformed", pipeline.Task{Do: pipeline.Malformed, Malformed: "row: 9 fields"},
			"id=key identity_type=(null) identity_hash=(null) former_uid=(null) change=new reason=INVALID_ROW raw_reason=row: 9 fields rejected_by=mapper", now},
		{"blank", pipeline.Task{Do: pipeline.Blank, Lines: 5}, "", now},
	} {
		for _, from := range []int{0, pipeline.NoInput} {
			t.Run(fmt.Sprintf("%s/input %d", c.name, from), func(t *testing.T) {
				task := c.task
				task.Input, task.ID, task.HasID, task.KeptRow = from, []byte("key"), true, 1
				source := " source_file=gs://b/x.csv source_column=mail source_row=33 segment=kept"
				if from == 0 {
					task.Row = 2
					source = fmt.Sprintf(" source_file=%s source_column=email source_row=2 segment=kept", path)
				} else {
					task.SourceFile, task.SourceColumn, task.SourceRow = "gs://b/x.csv", "mail", 33
				}
				if task.Do == pipeline.Malformed {
					source = strings.NewReplacer("column=email", "column=(null)", "column=mail", "column=(null)").Replace(source)
				}
				if task.Do != pipeline.Blank && task.Do != pipeline.Remove {
					task.Lines = 1
				}
				// Behind rows that have everything, as many as are written at once, nothing of them may be left over.
				before := pipeline.Task{Do: pipeline.Ask, Lines: 1, Identity: id(1), Answer: old, Input: pipeline.NoInput}
				segments := kept("other", "kept")
				tb := newTable(t)
				w, err := sinks.New(tb.bucket, "r", sinks.Options{Kept: segments.Schema().Fields()})
				if err != nil {
					t.Fatal(err)
				}
				merge := fixed{of: &pipeline.Tasks{List: append(slices.Repeat([]pipeline.Task{before}, sinks.BlockRows), task), Kept: segments}}
				began := time.Now().UnixMilli()
				if err := pipeline.Run(t.Context(), inputs, pipeline.Part{}, service, w, tb.sealed, pipeline.Options{Merge: merge}); err != nil {
					t.Fatal(err)
				}
				tb.conserves()
				var want []string
				if c.want != "" {
					want = []string{" " + c.want + source}
				}
				got := append(tb.rows(sinks.DatasetMapped)[sinks.BlockRows:], tb.rows(sinks.DatasetUnmapped)...)
				same(t, "row", got, want)
				for _, at := range tb.times()[sinks.BlockRows:] {
					if c.at != now && at != c.at || c.at == now && (at < began || at > time.Now().UnixMilli()) {
						t.Errorf("mapped_at is %d, want %d", at, c.at)
					}
				}
			})
		}
	}
}

// kept is a record of one column that is kept.
func kept(values ...string) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "segment", Type: arrow.BinaryTypes.String, Nullable: true}}, nil))
	b.Field(0).(*array.StringBuilder).AppendValues(values, nil)
	return b.NewRecord()
}

// times returns mapped_at of the rows of mapped and unmapped.
func (tb *table) times() (all []int64) {
	tb.t.Helper()
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		for _, f := range tb.last().Files {
			if f.Dataset != dataset {
				continue
			}
			for _, text := range readColumns(tb.t, filepath.Join(tb.root, f.Path), func(name string) bool { return name == "mapped_at" }) {
				at, err := time.Parse("2006-01-02 15:04:05.999Z", strings.TrimPrefix(text, " mapped_at="))
				if err != nil {
					tb.t.Fatal(err)
				}
				all = append(all, at.UnixMilli())
			}
		}
	}
	return all
}

// TestMergeReads: what a merge is told is what is in the inputs, in their order.
func TestMergeReads(t *testing.T) {
	inputs := []pipeline.Input{input(t, crowd(t, "a.csv", 40)), input(t, crowd(t, "b.csv", 20))}
	inputs[0].Keep, inputs[1].Keep = []int{2}, []int{2}
	inputs[0].AllowRaw, inputs[1].AllowRaw = true, true
	var got []string
	m := adds(func(r *pipeline.Read) {
		text := fmt.Sprintf("%d:%d begins=%v", r.Input, r.Row, r.Begins)
		switch {
		case r.Malformed != "":
			text += " " + r.Malformed
		case r.Blank:
			text += " blank"
		case r.Refusal != normalize.ReasonNone:
			text += fmt.Sprintf(" column %d %s %s %v", r.Column, r.Identity.Kind, r.Refusal, r.Identity.Hash == [32]byte{})
		default:
			text += fmt.Sprintf(" column %d %s %s", r.Column, r.Identity.Kind, r.Identity.AppendBase64(nil))
		}
		got = append(got, fmt.Sprintf("%s id=%s %v phone=%s", text, r.ID, r.HasID, r.Kept.Column(0).ValueStr(r.KeptRow)))
	})
	var malformed []string
	opts := pipeline.Options{Merge: m, Malformed: func(_ string, line int64, _ string) { malformed = append(malformed, fmt.Sprint(line)) }}
	tb := newTable(t)
	w, err := sinks.New(tb.bucket, "r", sinks.Options{Kept: []arrow.Field{{Name: "phone", Type: arrow.BinaryTypes.String, Nullable: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pipeline.Run(t.Context(), inputs, pipeline.Part{}, says{}, w, tb.sealed, opts); err != nil {
		t.Fatal(err)
	}
	same(t, "read", got, reads(40, 0, reads(20, 1, nil)))
	if want := []string{"9", "26", "9"}; !reflect.DeepEqual(malformed, want) {
		t.Errorf("malformed lines are %v, want %v", malformed, want)
	}
}

// reads is what crowd writes, as a merge is told of it, and then more.
func reads(n, input int, more []string) (all []string) {
	norm := normalize.New(normalize.Options{})
	for i := range n {
		at := fmt.Sprintf("%d:%d begins=", input, i+1)
		add := func(begins bool, what, id, phone string) {
			all = append(all, fmt.Sprintf("%s%v %s id=%s %v phone=%s", at, begins, what, id, id != "", phone))
		}
		hash := func(form normalize.Form, text string) []byte {
			id, _, _ := norm.Identity(form, normalize.RawString(text))
			return id.AppendBase64(nil)
		}
		email, phone, key := fmt.Sprintf("p%d@example.com", i%130), "(null)", fmt.Sprint("k", i)
		switch i % 17 {
		case 3:
			add(true, "blank", key, phone)
			continue
		case 5:
			add(true, "column 0 email email: no @ true", key, phone)
			continue
		case 7:
			add(true, "row: 4 fields, header has 3", "", "(null)")
			continue
		case 9:
			email, phone = fmt.Sprintf("p%d@example.com", i%90), fmt.Sprintf("+1555%07d", i%50)
		case 11:
			email = "placeholder@example.com"
		default:
			key = fmt.Sprint("k", i%200)
		}
		add(true, fmt.Sprintf("column 0 email %s", hash(normalize.FormEmail, email)), key, phone)
		if phone != "(null)" {
			add(false, fmt.Sprintf("column 1 phone %s", hash(normalize.FormPhone, phone)), key, phone)
		}
	}
	return append(all, more...)
}

// adds is a merge that has nothing to do.
type adds func(*pipeline.Read)

func (a adds) Add(r *pipeline.Read) error {
	a(r)
	return nil
}

func (adds) Tasks(context.Context) iter.Seq2[*pipeline.Tasks, error] {
	return func(func(*pipeline.Tasks, error) bool) {}
}

// TestMergeCounts: what a task counts for besides its row.
func TestMergeCounts(t *testing.T) {
	in := []pipeline.Input{input(t, crowd(t, "in.csv", 1))}
	id := normalize.ID{Hash: [32]byte{77}}
	due := pipeline.Answer{Status: client.Mapped, UID: []byte("U"), RefreshFrom: 1_720_000_000_000, MappedAt: 1}
	list := []pipeline.Task{
		{Do: pipeline.Withhold, Identity: id, Lines: 1, Live: true, Answer: due},
		{Do: pipeline.Tell, Identity: id, Lines: 1, Answer: due, Note: normalize.NotePrehashed},
		{Do: pipeline.Tell, Identity: id, Lines: 0, Column: 1, Answer: due, Unnormalized: true},
		{Do: pipeline.Tell, Identity: id, Lines: 1, Input: pipeline.NoInput, Answer: due},
		{Do: pipeline.Tell, Identity: normalize.ID{Hash: [32]byte{78}}, Lines: 1, Answer: pipeline.Answer{Status: client.Invalid, MappedAt: 1}},
		{Do: pipeline.Ask, Identity: normalize.ID{Hash: [32]byte{79}}, Lines: 1},
		{Do: pipeline.Ask, Identity: normalize.ID{Hash: [32]byte{79}}, Lines: 1, Row: 8},
		{Do: pipeline.Ask, Identity: normalize.ID{Hash: [32]byte{79}}, Lines: 1, Row: 9},
		{Do: pipeline.Refuse, Lines: 1, Refusal: normalize.ReasonEmailNoAt},
		{Do: pipeline.Blank, Lines: 100},
	}
	tb := newTable(t)
	if err := tb.run(t.Context(), in, &service{}, pipeline.Options{Merge: fixed{of: &pipeline.Tasks{List: list}}}); err != nil {
		t.Fatal(err)
	}
	tb.conserves()
	p := tb.last()
	if want := (pipeline.Counts{Lines: 107, Rows: 107, EmptyRows: 100, Identifiers: 8, Withheld: 1, Mapped: 5, Unmapped: map[string]int64{"INVALID_IDENTIFIER": 2}}); !reflect.DeepEqual(p.Inputs[0].Counts, want) {
		t.Errorf("counts of the input are %+v, want %+v", p.Inputs[0].Counts, want)
	}
	if want := (pipeline.Counts{Lines: 1, Rows: 1, Identifiers: 1, Mapped: 1, Unmapped: map[string]int64{}}); p.Inputs[1].Input != pipeline.NoInput || !reflect.DeepEqual(p.Inputs[1].Counts, want) {
		t.Errorf("counts of no input are %+v, want %+v", p.Inputs[1], want)
	}
	hash := normalize.ID{Hash: [32]byte{79}}
	totals := p.Totals
	if totals.Asked != 1 || totals.Live != 1 || p.Unique != 1 {
		t.Errorf("%d asked, %d unique, %d live; want 1 of each", totals.Asked, p.Unique, totals.Live)
	}
	calendar := map[string]int64{"2024-07-03": 1, time.UnixMilli(refresh(&hash)).UTC().Format(time.DateOnly): 1}
	if !maps.Equal(totals.Calendar, calendar) {
		t.Errorf("the calendar is %v, want %v", totals.Calendar, calendar)
	}
	if want := map[string]int64{normalize.NotePrehashed.String(): 1, pipeline.NoteUnnormalized: 1}; !maps.Equal(totals.Notes, want) {
		t.Errorf("notes are %v, want %v", totals.Notes, want)
	}
	if want := (pipeline.ColumnCounts{Identifiers: 7, Invalid: map[string]int64{pipeline.ServiceInvalid: 1, normalize.ReasonEmailNoAt.String(): 1}}); !reflect.DeepEqual(totals.Columns["email"], want) {
		t.Errorf("column email has %+v, want %+v", totals.Columns["email"], want)
	}
	if !slices.ContainsFunc(totals.Repeated, func(r pipeline.Repeated) bool { return r.Count == 2 && r.Input == 0 && r.Row == 8 }) || len(totals.Repeated) != 1 {
		t.Errorf("repeated are %+v, want the identity asked, twice, first in row 8", totals.Repeated)
	}
}
