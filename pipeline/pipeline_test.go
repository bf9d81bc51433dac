package pipeline_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	"go.uber.org/goleak"

	"mapper/client"
	"mapper/client/objects"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
	"mapper/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a Mapper whose answers follow from the hash alone.
type service struct {
	latency func(call int) time.Duration
	fail    func(call int) error
	calls   atomic.Int64
	now     atomic.Int64
	most    atomic.Int64

	mu    sync.Mutex
	asked [][]normalize.ID
}

func (s *service) Map(ctx context.Context, asks *pipeline.Asks, a *client.Answers) error {
	ids := asks.IDs
	n := s.now.Add(1)
	defer s.now.Add(-1)
	for old := s.most.Load(); n > old && !s.most.CompareAndSwap(old, n); old = s.most.Load() {
	}
	call := int(s.calls.Add(1))
	s.mu.Lock()
	s.asked = append(s.asked, slices.Clone(ids))
	s.mu.Unlock()
	if s.latency != nil {
		select {
		case <-time.After(s.latency(call)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if s.fail != nil {
		if err := s.fail(call); err != nil {
			return err
		}
	}
	a.Reset(len(ids))
	for i := range ids {
		item := &a.Items[i]
		item.At = 1_700_000_000_000
		uid, status := expect(&ids[i])
		item.Status = status
		from := len(a.Text)
		a.Text = append(a.Text, uid...)
		switch status {
		case client.Mapped:
			item.RefreshFrom = refresh(&ids[i])
			a.SetUID(i, from, len(a.Text))
		default:
			a.SetWord(i, from, len(a.Text))
		}
	}
	return nil
}

// expect is the raw UID of an identity, or the word for why it has none.
func expect(id *normalize.ID) (string, client.Status) {
	switch id.Hash[0] % 16 {
	case 0:
		return "optout", client.OptOut
	case 1:
		return "something new", client.Unknown
	}
	sum := sha256.Sum256(append(id.Hash[:], byte(id.Kind)))
	return base64.StdEncoding.EncodeToString(sum[:]), client.Mapped
}

func refresh(id *normalize.ID) int64 { return 1_700_000_000_000 + int64(id.Hash[1]%30)*86_400_000 }

// people writes a CSV file of n rows: emails of a limited set, so that they repeat, phones, blanks, invalid
// values and malformed lines.
func people(t *testing.T, n, distinct int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	var b strings.Builder
	b.WriteString("id,email,phone\n")
	for i := range n {
		email, phone := fmt.Sprintf("p%d@example.com", rng.IntN(distinct)), ""
		switch rng.IntN(20) {
		case 0:
			email = ""
		case 1:
			email = "nobody"
		case 2:
			phone = fmt.Sprintf("+1555%07d", rng.IntN(distinct))
		case 3:
			email, phone = "", "555 0100"
		case 4:
			email += ",too,many"
		}
		fmt.Fprintf(&b, "r%d,%s,%s\n", i+1, email, phone)
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func input(t *testing.T, path string) pipeline.Input {
	t.Helper()
	found, err := new(objects.Store).Find(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sources.Inspect(t.Context(), found[0], sources.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.Input{Source: in, ID: 0, Identifiers: []pipeline.Identifier{
		{Column: 1, Form: normalize.FormEmail}, {Column: 2, Form: normalize.FormPhone}}}
}

// table is where a test's parts go.
type table struct {
	t      *testing.T
	bucket *objects.Bucket
	root   string
	parts  []pipeline.Part
	read   map[string][]string // the rows of files that have been read
}

func newTable(t *testing.T) *table {
	t.Helper()
	root := t.TempDir()
	b, err := new(objects.Store).Bucket(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	return &table{t: t, bucket: b, root: root, read: map[string][]string{}}
}

func (tb *table) last() pipeline.Part {
	if len(tb.parts) == 0 {
		return pipeline.Part{}
	}
	return tb.parts[len(tb.parts)-1]
}

func (tb *table) sealed(_ context.Context, p pipeline.Part) error {
	tb.parts = append(tb.parts, p)
	return nil
}

func (tb *table) run(ctx context.Context, in []pipeline.Input, s pipeline.Mapper, opts pipeline.Options) error {
	tb.t.Helper()
	w, err := sinks.New(tb.bucket, "r", sinks.Options{})
	if err != nil {
		tb.t.Fatal(err)
	}
	return pipeline.Run(ctx, in, tb.last(), s, w, tb.sealed, opts)
}

// rows returns the rows of the sealed parts of the dataset in order, each as text, without mapped_at.
func (tb *table) rows(dataset string) []string {
	tb.t.Helper()
	var rows []string
	for _, p := range tb.parts {
		for _, f := range p.Files {
			if f.Dataset != dataset {
				continue
			}
			if _, ok := tb.read[f.Path]; !ok {
				tb.read[f.Path] = readRows(tb.t, filepath.Join(tb.root, f.Path))
			}
			rows = append(rows, tb.read[f.Path]...)
		}
	}
	return rows
}

func readRows(t *testing.T, path string) []string {
	t.Helper()
	return readColumns(t, path, func(name string) bool { return name != "mapped_at" })
}

// readColumns returns the wanted columns of a file, a text for each row.
func readColumns(t *testing.T, path string, wanted func(name string) bool) []string {
	t.Helper()
	pf, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer pf.Close()
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Release()
	rows := make([]string, tab.NumRows())
	for c := range int(tab.NumCols()) {
		if !wanted(tab.Column(c).Name()) {
			continue
		}
		i := 0
		for _, chunk := range tab.Column(c).Data().Chunks() {
			for k := range chunk.Len() {
				rows[i] += " " + tab.Column(c).Name() + "=" + cell(chunk, k)
				i++
			}
		}
	}
	return rows
}

func cell(a arrow.Array, i int) string {
	if d, ok := a.(*array.Dictionary); ok && d.IsValid(i) {
		return d.Dictionary().ValueStr(d.GetValueIndex(i))
	}
	return a.ValueStr(i)
}

// model is what the rows of a file have to be, computed row by row with nothing else than the rules.
func model(t *testing.T, path string) (mapped, unmapped []string, counts pipeline.Counts) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counts.Unmapped = map[string]int64{}
	n := normalize.New(normalize.Options{})
	refuse := func(row int, id, kind, hash, reason, raw, by, column string) {
		counts.Unmapped[reason]++
		unmapped = append(unmapped, fmt.Sprintf(" id=%s identity_type=%s identity_hash=%s former_uid=(null) change=new reason=%s raw_reason=%s rejected_by=%s source_file=%s source_column=%s source_row=%d",
			id, kind, hash, reason, raw, by, path, column, row))
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")[1:] {
		row := i + 1
		counts.Lines++
		fields := strings.Split(line, ",")
		if len(fields) != 3 {
			counts.Malformed++
			refuse(row, "(null)", "(null)", "(null)", "INVALID_ROW", fmt.Sprintf("row: %d fields, header has 3", len(fields)), "mapper", "(null)")
			continue
		}
		counts.Rows++
		found := false
		for c, form := range []normalize.Form{normalize.FormEmail, normalize.FormPhone} {
			if fields[c+1] == "" {
				continue
			}
			found = true
			counts.Identifiers++
			id, _, refusal := n.Identity(form, normalize.RawString(fields[c+1]))
			if refusal != 0 {
				refuse(row, fields[0], form.Kind().String(), "(null)", "INVALID_IDENTIFIER", refusal.String(), "mapper", form.String())
				continue
			}
			hash := base64.StdEncoding.EncodeToString(id.Hash[:])
			switch uid, status := expect(&id); status {
			case client.Mapped:
				counts.Mapped++
				mapped = append(mapped, fmt.Sprintf(" id=%s identity_type=%s identity_hash=%s current_uid=%s previous_uid=(null) former_uid=(null) refresh_from=%s change=new source_file=%s source_column=%s source_row=%d",
					fields[0], form.Kind(), hash, uid, time.UnixMilli(refresh(&id)).UTC().Format("2006-01-02 15:04:05.999Z"), path, form, row))
			case client.OptOut:
				refuse(row, fields[0], form.Kind().String(), hash, "OPTOUT", "optout", "service", form.String())
			default:
				refuse(row, fields[0], form.Kind().String(), hash, "UNKNOWN", "something new", "service", form.String())
			}
		}
		if !found {
			counts.EmptyRows++
		}
	}
	return mapped, unmapped, counts
}

func (tb *table) counts() pipeline.Counts {
	c := pipeline.Counts{Unmapped: map[string]int64{}}
	for _, p := range tb.parts {
		for _, in := range p.Inputs {
			c.Add(&in.Counts)
		}
	}
	return c
}

// check compares everything that was sealed with the model.
func (tb *table) check(path string) {
	tb.t.Helper()
	mapped, unmapped, counts := model(tb.t, path)
	same(tb.t, "mapped", tb.rows(sinks.DatasetMapped), mapped)
	same(tb.t, "unmapped", tb.rows(sinks.DatasetUnmapped), unmapped)
	got := tb.counts()
	if !reflect.DeepEqual(got, counts) {
		tb.t.Errorf("counts are\n%+v, want\n%+v", got, counts)
	}
	if err := got.Check(); err != nil {
		tb.t.Error(err)
	}
	if !tb.last().Done {
		tb.t.Error("the last part is not done")
	}
	if n := len(tb.rows(sinks.DatasetRefreshFrom)); n != len(mapped) {
		tb.t.Errorf("refresh_from has %d rows, mapped %d", n, len(mapped))
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s row %d is\n%s, want\n%s", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d %s rows, want %d", len(got), what, len(want))
	}
}

// shuffled are latencies that make later requests overtake earlier ones.
func shuffled(call int) time.Duration { return time.Duration(call*7919%23) * time.Millisecond / 4 }

func TestEveryRowGetsItsAnswer(t *testing.T) {
	path := people(t, 5000, 700)
	for _, c := range []struct {
		name string
		opts pipeline.Options
	}{
		{"defaults", pipeline.Options{}},
		{"one identity a request", pipeline.Options{MaxBatch: 1, PartRows: 2000}},
		{"two", pipeline.Options{MaxBatch: 2, Recent: 2, MaxInFlight: 3}},
		{"small memory of what was asked", pipeline.Options{MaxBatch: 50, Recent: 16, MaxInFlight: 7}},
		{"large memory of what was asked", pipeline.Options{MaxBatch: 50, Recent: 1 << 12, MaxInFlight: 7}},
		{"one request at once", pipeline.Options{MaxBatch: 100, MaxInFlight: 1}},
		{"tiny byte budget", pipeline.Options{MaxBatch: 100, Memory: 1}},
		{"small parts", pipeline.Options{MaxBatch: 500, PartRows: 300}},
		{"parts of hardly any memory", pipeline.Options{MaxBatch: 500, PartBytes: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tb := newTable(t)
			s := &service{latency: shuffled}
			if err := tb.run(t.Context(), []pipeline.Input{input(t, path)}, s, c.opts); err != nil {
				t.Fatal(err)
			}
			tb.check(path)
			if limit := max(1, c.opts.MaxInFlight); c.opts.MaxInFlight > 0 && s.most.Load() > int64(limit) {
				t.Errorf("%d requests at once, limit %d", s.most.Load(), limit)
			}
			batch := c.opts.MaxBatch
			if batch == 0 {
				batch = 5000
			}
			for _, ids := range s.asked {
				// A row of two identifiers is not torn apart: the client splits.
				if len(ids) > max(batch, 2) || len(ids) == 0 {
					t.Errorf("a request of %d identities, at most %d", len(ids), batch)
				}
			}
			for i, p := range tb.parts {
				if p.N != i+1 {
					t.Errorf("part %d has number %d", i+1, p.N)
				}
			}
		})
	}
}

// TestRequestsDependOnTheInputAlone: whatever the timing, the same identities stand in the same requests.
func TestRequestsDependOnTheInputAlone(t *testing.T) {
	path := people(t, 4000, 900)
	var want []string
	for round := range 4 {
		s := &service{latency: func(call int) time.Duration { return shuffled(call * (round + 1)) }}
		tb := newTable(t)
		if err := tb.run(t.Context(), []pipeline.Input{input(t, path)}, s, pipeline.Options{MaxBatch: 64, Recent: 256, MaxInFlight: 1 + 5*round}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ids := range s.asked {
			got = append(got, fmt.Sprintf("%x", ids))
		}
		slices.Sort(got) // they are sent in order, but begin side by side
		if round == 0 {
			want = got
		}
		same(t, "request", got, want)
	}
}

var errCrash = errors.New("crashed")

// TestResumeAtEveryPart stops after every part that an uninterrupted run seals, goes on from there, and expects
// the rows of the uninterrupted run.
func TestResumeAtEveryPart(t *testing.T) {
	paths := []string{people(t, 900, 200), people(t, 700, 100)}
	inputs := []pipeline.Input{input(t, paths[0]), input(t, paths[1])}
	opts := pipeline.Options{MaxBatch: 40, PartRows: 170, MaxInFlight: 4}
	whole := newTable(t)
	if err := whole.run(t.Context(), inputs, &service{}, opts); err != nil {
		t.Fatal(err)
	}
	if len(whole.parts) < 8 {
		t.Fatalf("only %d parts: too few to stop at", len(whole.parts))
	}
	for stop := range len(whole.parts) {
		tb := newTable(t)
		w, err := sinks.New(tb.bucket, "r", sinks.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = pipeline.Run(t.Context(), inputs, pipeline.Part{}, &service{}, w, func(_ context.Context, p pipeline.Part) error {
			if len(tb.parts) == stop {
				return errCrash
			}
			return tb.sealed(context.Background(), p)
		}, opts)
		if !errors.Is(err, errCrash) {
			t.Fatalf("stopped after %d parts with %v", stop, err)
		}
		if len(tb.parts) != stop {
			t.Fatalf("%d parts were sealed after the failure", len(tb.parts)-stop)
		}
		if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
			t.Fatal(err)
		}
		for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
			same(t, dataset, tb.rows(dataset), whole.rows(dataset))
		}
		if got, want := tb.counts(), whole.counts(); !reflect.DeepEqual(got, want) {
			t.Fatalf("counts after resuming at part %d are\n%+v, want\n%+v", stop, got, want)
		}
		if got, want := tb.last().Unique, whole.last().Unique; got != want {
			t.Errorf("distinct identities: %d, want %d", got, want)
		}
	}
}

// TestFailureSealsWhatComesBefore fails each request in turn. What was read before the failing chunk is sealed,
// nothing after it, and the same job goes on from there.
func TestFailureSealsWhatComesBefore(t *testing.T) {
	path := people(t, 1000, 300)
	inputs := []pipeline.Input{input(t, path)}
	opts := pipeline.Options{MaxBatch: 30, MaxInFlight: 3}
	refused := &client.Error{Fault: client.Refused, Op: "test", Message: "no"}
	for failing := 1; ; failing++ {
		tb := newTable(t)
		s := &service{latency: shuffled, fail: func(call int) error {
			if call == failing {
				return refused
			}
			return nil
		}}
		err := tb.run(t.Context(), inputs, s, opts)
		if err == nil {
			if failing < 5 {
				t.Fatalf("only %d requests were made: too few", failing-1)
			}
			tb.check(path)
			return
		}
		if !errors.Is(err, refused) {
			t.Fatalf("request %d failed: got %v", failing, err)
		}
		if tb.last().Done {
			t.Fatal("a failed run is done")
		}
		if err := tb.run(t.Context(), inputs, &service{}, opts); err != nil {
			t.Fatal(err)
		}
		tb.check(path)
	}
}

// TestCancelSealsAndGoesOn cancels in the middle: requests in flight are waited for, for Grace at most.
func TestCancelSealsAndGoesOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		latency time.Duration
		within  time.Duration
	}{
		{"requests in flight finish", 2 * time.Second, 3 * time.Second},
		{"requests in flight hang", time.Hour, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := people(t, 2000, 2000)
			inputs := []pipeline.Input{input(t, path)}
			tb := newTable(t)
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var stopped time.Time
				s := &service{latency: func(call int) time.Duration {
					if call == 10 {
						time.AfterFunc(time.Second, func() {
							stopped = time.Now()
							cancel()
						})
					}
					if call < 10 {
						return time.Second
					}
					return c.latency
				}}
				err := tb.run(ctx, inputs, s, pipeline.Options{MaxBatch: 20, MaxInFlight: 3})
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v, want context.Canceled", err)
				}
				if took := time.Since(stopped); took > c.within {
					t.Errorf("stopping took %v, want %v at most", took, c.within)
				}
			})
			if len(tb.parts) == 0 || tb.last().Done {
				t.Fatalf("%d parts, done %v: want what is contiguous, and not done", len(tb.parts), tb.last().Done)
			}
			if err := tb.run(t.Context(), inputs, &service{}, pipeline.Options{MaxBatch: 20}); err != nil {
				t.Fatal(err)
			}
			tb.check(path)
		})
	}
}

// TestOldPartIsSealed: a part is sealed when its time has come, also while a request hangs.
func TestOldPartIsSealed(t *testing.T) {
	path := people(t, 200, 200)
	in := input(t, path)
	tb := newTable(t)
	synctest.Test(t, func(t *testing.T) {
		s := &service{latency: func(call int) time.Duration {
			if call == 3 {
				return time.Hour
			}
			return time.Second
		}}
		if err := tb.run(t.Context(), []pipeline.Input{in}, s, pipeline.Options{MaxBatch: 20, PartInterval: time.Minute, MaxInFlight: 1}); err != nil {
			t.Fatal(err)
		}
	})
	if len(tb.parts) < 2 {
		t.Fatalf("%d parts, want one from before the request that hung", len(tb.parts))
	}
	tb.check(path)
}

func TestTooManyInvalid(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,email,phone\n")
	for i := range 30_000 {
		fmt.Fprintf(&b, "%d,nobody%d,\n", i, i)
	}
	path := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	limit := 0.5
	tb := newTable(t)
	err := tb.run(t.Context(), []pipeline.Input{input(t, path)}, &service{}, pipeline.Options{MaxInvalid: &limit})
	var tooMany *pipeline.TooManyInvalidError
	if !errors.As(err, &tooMany) {
		t.Fatalf("got %v, want TooManyInvalidError", err)
	}
	if tb.last().Done {
		t.Error("the run is done")
	}
}

// TestLimit reads the first rows only, also after a resume.
func TestLimit(t *testing.T) {
	path := people(t, 500, 100)
	in := []pipeline.Input{input(t, path)}
	for _, limit := range []int64{1, 57, 499, 500, 501} {
		tb := newTable(t)
		opts := pipeline.Options{MaxBatch: 10, Limit: limit}
		if err := tb.run(t.Context(), in, &service{}, opts); err != nil {
			t.Fatal(err)
		}
		if got := tb.counts().Lines; got != min(limit, 500) {
			t.Errorf("limit %d: %d lines", limit, got)
		}
	}
}

// TestCopiedIdentifier: a raw email or phone deep in a column that is copied into the output stops the run before
// it gets there, unless the user has allowed it.
func TestCopiedIdentifier(t *testing.T) {
	const rows = 6000
	for value, what := range map[string]string{"marker@example.com": "an email", "+15550100000": "a phone", "@handle": "", "+1": "", "a b": ""} {
		var b strings.Builder
		b.WriteString("id,email,phone\n")
		for i := range rows {
			id := fmt.Sprint("key", i+1)
			if i+1 == 5500 {
				id = value
			}
			fmt.Fprintf(&b, "%s,p%d@example.com,\n", id, i)
		}
		path := filepath.Join(t.TempDir(), "late.csv")
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		in := input(t, path)
		tb := newTable(t)
		err := tb.run(t.Context(), []pipeline.Input{in}, &service{}, pipeline.Options{MaxBatch: 1000})
		if what == "" {
			if err != nil {
				t.Errorf("%q: %v", value, err)
			}
			continue
		}
		var copied *pipeline.CopiedError
		if !errors.As(err, &copied) || copied.Row != 5500 || copied.What != what || strings.Contains(err.Error(), value) {
			t.Errorf("%q: %v", value, err)
		}
		if lines := tb.counts().Lines; lines != 5499 || tb.last().Done {
			t.Errorf("%q: %d lines are sealed, want the 5499 before it", value, lines)
		}
		in.AllowRaw = true
		if err := tb.run(t.Context(), []pipeline.Input{in}, &service{}, pipeline.Options{}); err != nil || tb.counts().Lines != rows {
			t.Errorf("%q allowed: %v, %d lines", value, err, tb.counts().Lines)
		}
	}
}

// TestBookedOnce: what is asked again after a crash in the middle of a request is not counted twice.
func TestBookedOnce(t *testing.T) {
	path := people(t, 1000, 1_000_000) // hardly any repeats
	in := []pipeline.Input{input(t, path)}
	asked := func(parts []pipeline.Part) (n, due int64) {
		for _, p := range parts {
			n += p.Totals.Asked
			for _, identities := range p.Totals.Calendar {
				due += identities
			}
		}
		return n, due
	}
	opts := pipeline.Options{MaxBatch: 200, PartRows: 7}
	whole := newTable(t)
	if err := whole.run(t.Context(), in, &service{}, opts); err != nil {
		t.Fatal(err)
	}
	tb := newTable(t)
	for !tb.last().Done {
		w, err := sinks.New(tb.bucket, "r", sinks.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sealed := 0
		err = pipeline.Run(t.Context(), in, tb.last(), &service{}, w, func(_ context.Context, p pipeline.Part) error {
			if sealed++; sealed == 10 {
				return errCrash
			}
			return tb.sealed(context.Background(), p)
		}, opts)
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	gotAsked, gotDue := asked(tb.parts)
	wantAsked, wantDue := asked(whole.parts)
	// A repeated identity is asked again when its first row was sealed before the crash.
	if gotAsked < wantAsked || gotAsked > wantAsked+3 || gotDue < wantDue || gotDue > wantDue+3 {
		t.Errorf("asked %d and due %d after crashes, want %d and %d", gotAsked, gotDue, wantAsked, wantDue)
	}
	tb.check(path)
}

// TestSinkFailure: when the sink cannot write, Run says so, seals nothing more and leaves no half file.
func TestSinkFailure(t *testing.T) {
	path := people(t, 2000, 2000)
	tb := newTable(t)
	if err := os.WriteFile(filepath.Join(tb.root, "unmapped"), nil, 0o600); err != nil { // a file where a folder has to be
		t.Fatal(err)
	}
	if err := tb.run(t.Context(), []pipeline.Input{input(t, path)}, &service{}, pipeline.Options{MaxBatch: 20}); err == nil {
		t.Fatal("no error")
	}
	if len(tb.parts) != 0 {
		t.Errorf("%d parts were sealed", len(tb.parts))
	}
	left, err := filepath.Glob(filepath.Join(tb.root, "*", "*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
