package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mapper/normalize"
)

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestOrderOfCalls(t *testing.T) {
	row := randomRows(rand.New(rand.NewPCG(4, 1)), 1)[0]
	f := newFolder(t)
	w := newWriter(t, f, Options{})
	if err := w.Mapped([]Row{row}); !errors.Is(err, errNoPart) {
		t.Errorf("row before Begin: %v", err)
	}
	if _, err := w.Seal(); !errors.Is(err, errNoPart) {
		t.Errorf("Seal before Begin: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort before Begin: %v", err)
	}
	if err := w.Begin(context.Background(), 0, 7); err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(context.Background(), 0, 8); err == nil || !strings.Contains(err.Error(), "part 7 of shard 0 is still open") {
		t.Errorf("second Begin: %v", err)
	}
	if err := w.Mapped([]Row{row}); err != nil {
		t.Errorf("row after second Begin: %v", err)
	}
	if w.Rows() != 1 || w.Memory() == 0 {
		t.Errorf("%d rows in %d bytes, want 1 in some", w.Rows(), w.Memory())
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if w.Rows() != 0 || w.Memory() != 0 {
		t.Errorf("after Abort: %d rows in %d bytes", w.Rows(), w.Memory())
	}
	if left := f.files(t); len(left) > 0 {
		t.Errorf("Abort left %v", left)
	}
	if files := writePart(t, w, 8, partRows{mapped: []Row{row}}); len(files) != 2 || files[DatasetMapped].Rows != 1 {
		t.Errorf("part after Abort: %+v", files)
	}
	if files := writePart(t, w, 9, partRows{}); len(files) != 0 {
		t.Errorf("part without rows has files: %+v", files)
	}
	if got := len(f.files(t)); got != 2 {
		t.Errorf("%d files, want 2", got)
	}
}

// TestFilesAreMadeWhenNeeded: a part without unmapped rows has no file of them, not even a hidden one.
func TestFilesAreMadeWhenNeeded(t *testing.T) {
	row := randomRows(rand.New(rand.NewPCG(4, 2)), 1)[0]
	f := newFolder(t)
	w := newWriter(t, f, Options{})
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if left := f.files(t); len(left) > 0 {
		t.Errorf("Begin made %v", left)
	}
	if err := w.Mapped([]Row{row}); err != nil {
		t.Fatal(err)
	}
	for _, name := range f.files(t) {
		if !strings.HasPrefix(name, "mapped/run=r1/.tmp-") {
			t.Errorf("open part has %s", name)
		}
	}
	if _, err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	for _, name := range f.files(t) {
		if strings.HasPrefix(name, "unmapped") || strings.Contains(name, ".tmp-") {
			t.Errorf("sealed part has %s", name)
		}
	}
}

// TestImpossibleRows: they come from a bug, and end the part.
func TestImpossibleRows(t *testing.T) {
	good := func() Row { return randomRows(rand.New(rand.NewPCG(4, 3)), 1)[0] }
	mapped := func(w *Writer, r *Row) error { return w.Mapped([]Row{*r}) }
	unmapped := func(w *Writer, r *Row) error { return w.Unmapped([]Row{*r}) }
	tests := []struct {
		name string
		add  func(w *Writer, r *Row) error
		row  func(r *Row)
		want string
	}{
		{"no hash", mapped, func(r *Row) { r.HasHash = false }, "has no identity"},
		{"no kind", mapped, func(r *Row) { r.HasKind = false }, "has no identity"},
		{"no raw UID", mapped, func(r *Row) { r.UID = nil }, "raw UID of 0 bytes"},
		{"long raw UID", mapped, func(r *Row) { r.UID = make([]byte, maxUID+1) }, "raw UID of 65537 bytes"},
		{"kind", mapped, func(r *Row) { r.Identity.Kind = normalize.Kinds }, "no kind"},
		{"country", mapped, func(r *Row) { r.Identity.Country = [2]byte{68, 101} }, "not two capitals"},
		{"half a country", unmapped, func(r *Row) { r.Identity.Country = [2]byte{68} }, "not two capitals"},
		{"change", mapped, func(r *Row) { r.Change = changes }, "no change"},
		{"change of unmapped", unmapped, func(r *Row) { r.Change = changes }, "no change"},
		{"reason", unmapped, func(r *Row) { r.Reason = reasons }, "no reason"},
		{"rejected by", unmapped, func(r *Row) { r.RejectedBy = rejecters }, "nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			w := newWriter(t, f, Options{})
			if err := w.Begin(context.Background(), 0, 0); err != nil {
				t.Fatal(err)
			}
			row := good()
			if err := w.Mapped([]Row{row}); err != nil {
				t.Fatal(err)
			}
			tt.row(&row)
			err := tt.add(w, &row)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			checkEnded(t, f, w, err)
		})
	}
}

// checkEnded checks that err has ended the part: every call returns it, nothing is published, and after Abort
// the writer works again.
func checkEnded(t *testing.T, f folder, w *Writer, err error) {
	t.Helper()
	row := randomRows(rand.New(rand.NewPCG(4, 4)), 1)[0]
	if got := w.Mapped([]Row{row}); !errors.Is(got, err) {
		t.Errorf("Mapped returned %v, want %v again", got, err)
	}
	if got := w.Unmapped([]Row{row}); !errors.Is(got, err) {
		t.Errorf("Unmapped returned %v, want %v again", got, err)
	}
	if got := w.Begin(context.Background(), 1, 1); !errors.Is(got, err) {
		t.Errorf("Begin returned %v, want %v again", got, err)
	}
	if files, got := w.Seal(); !errors.Is(got, err) || len(files) > 0 {
		t.Errorf("Seal returned %v, %v, want %v again", files, got, err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort: %v", err)
	}
	if left := f.files(t); len(left) > 0 {
		t.Errorf("Abort left %v", left)
	}
	if files := writePart(t, w, 1, partRows{mapped: []Row{row}}); len(files) != 2 {
		t.Errorf("part after Abort: %+v", files)
	}
}

// TestNoFolder: the file of the first row cannot be made.
func TestNoFolder(t *testing.T) {
	f := newFolder(t)
	if err := os.WriteFile(filepath.Join(f.path, "mapped"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, f, Options{})
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		t.Fatal(err)
	}
	row := randomRows(rand.New(rand.NewPCG(4, 5)), 1)[0]
	err := w.Mapped([]Row{row})
	if err == nil || !strings.Contains(err.Error(), "mapped/run=r1/part-0-0-") {
		t.Errorf("got error %v, want one that names the part", err)
	}
	if err := os.Remove(filepath.Join(f.path, "mapped")); err != nil {
		t.Fatal(err)
	}
	checkEnded(t, f, w, err)
}

// TestPublishFails: temporary files are gone when they are to be published. The error is one message, however many they
// are, and names the files that are there now for nobody.
func TestPublishFails(t *testing.T) {
	for _, c := range []struct {
		name       string
		gone, left []string
	}{
		{"one file", []string{"unmapped/"}, []string{"mapped/", "refresh_from/"}},
		{"two files", []string{"mapped/", "unmapped/"}, []string{"refresh_from/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			w := newWriter(t, f, Options{})
			rows := randomRows(rand.New(rand.NewPCG(4, 6)), 2)
			if err := w.Begin(context.Background(), 0, 0); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.Mapped(rows[0:][:1]), w.Unmapped(rows[1:][:1])); err != nil {
				t.Fatal(err)
			}
			for _, name := range f.files(t) {
				if slices.ContainsFunc(c.gone, func(folder string) bool { return strings.HasPrefix(name, folder) }) {
					if err := os.Remove(filepath.Join(f.path, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
			files, err := w.Seal()
			if len(files) > 0 || !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "\n") ||
				!strings.Contains(err.Error(), c.gone[0]+"run=r1/part-0-0-") {
				t.Errorf("Seal returned %v, %v", files, err)
			}
			if err := w.Abort(); err != nil {
				t.Error(err)
			}
			left := f.files(t)
			if len(left) != len(c.left) {
				t.Fatalf("left are %v", left)
			}
			for i, folder := range c.left {
				if name := folder + "run=r1/part-0-0-"; !strings.HasPrefix(left[i], name) || !strings.Contains(err.Error(), "; "+name) {
					t.Errorf("left are %v, and the error is %v", left, err)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	b := newFolder(t).Bucket
	for name, f := range map[string]func() (*Writer, error){
		"run that leads out":     func() (*Writer, error) { return New(b, "../r", Options{}) },
		"run without a name":     func() (*Writer, error) { return New(b, "", Options{}) },
		"run with a long name":   func() (*Writer, error) { return New(b, strings.Repeat("r", 64), Options{}) },
		"negative row group":     func() (*Writer, error) { return New(b, "r", Options{RowGroupRows: -1}) },
		"negative refresh group": func() (*Writer, error) { return New(b, "r", Options{RefreshGroupRows: -1}) },
		"compression":            func() (*Writer, error) { return New(b, "r", Options{Compression: compressions}) },
	} {
		if w, err := f(); err == nil || w != nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := New(b, "2026-11-22T02.00_a", Options{}); err != nil {
		t.Error(err)
	}
}

// TestMemory fills a row group of the default size: what Memory says is what the heap has grown by, and the
// row group of mapped stays in 20 MB.
func TestMemory(t *testing.T) {
	w := newWriter(t, newFolder(t), Options{})
	rows := benchRows(4096)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		t.Fatal(err)
	}
	const n = 131072 - 1
	for i := range n {
		if err := w.Mapped([]Row{rows[i%len(rows)]}); err != nil {
			t.Fatal(err)
		}
	}
	grown, group, refresh := heap()-before, w.mapped.held(), w.refresh.held()
	t.Logf("%d rows: row group %d bytes, refresh rows %d bytes, heap %d bytes", n, group, refresh, grown)
	if group > 20<<20 {
		t.Errorf("the row group takes %d bytes", group)
	}
	if w.Memory() != group+refresh {
		t.Errorf("Memory returned %d, want %d and %d", w.Memory(), group, refresh)
	}
	if refresh > n*130+slabBytes { // with room left in the open slab
		t.Errorf("a refresh row takes %d bytes", refresh/n)
	}
	if low, high := w.Memory()*8/10, w.Memory()*12/10+2<<20; grown < low || grown > high {
		t.Errorf("the heap has grown by %d bytes, Memory says %d", grown, w.Memory())
	}
	if err := w.Mapped(rows[0:][:1]); err != nil { // the row that fills the row group
		t.Fatal(err)
	}
	if w.Memory() != w.refresh.held() {
		t.Errorf("Memory returned %d after the row group was written, want %d", w.Memory(), w.refresh.held())
	}
	if err := w.Abort(); err != nil || w.Memory() != 0 {
		t.Errorf("Abort returned %v, and then Memory %d", err, w.Memory())
	}
}

// TestMemoryOfWords: words that differ from row to row leave nothing behind that counts.
func TestMemoryOfWords(t *testing.T) {
	w := newWriter(t, newFolder(t), Options{})
	rows := benchRows(20_000)
	for i := range rows {
		rows[i].SourceColumn = []string{"email", "email_2"}[i%2]
	}
	writePart(t, w, 0, partRows{mapped: rows})
	if w.Memory() != 0 {
		t.Errorf("Memory returned %d after Seal", w.Memory())
	}
}

// TestRowsAllocateNothing: once the buffers have grown, twice the rows in as many pages allocate as much.
func TestRowsAllocateNothing(t *testing.T) {
	rows := benchRows(2*refreshBatchRows - BlockRows)
	for i := range rows {
		rows[i].Identity.Country = [2]byte{'A', 'A' + byte(i%26)}
	}
	for c := range compressions {
		w := newWriter(t, newFolder(t), Options{Network: Network(c) % networks, Compression: c})
		part := func(n int) {
			if err := w.Begin(context.Background(), 0, 0); err != nil {
				t.Fatal(err)
			}
			for i := 0; i < n; i += BlockRows {
				block := rows[i%len(rows):][:BlockRows]
				if err := errors.Join(w.Mapped(block), w.Unmapped(block)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		const n = 4 * refreshBatchRows
		part(2 * n)
		single := testing.AllocsPerRun(3, func() { part(n) })
		double := testing.AllocsPerRun(3, func() { part(2 * n) })
		if double > single+n/20 {
			t.Errorf("%s: %v allocations with %d rows, %v with %d", c, single, n, double, 2*n)
		}
	}
}

func TestFileJSON(t *testing.T) {
	at := int64(5)
	for want, file := range map[string]File{
		`{"path":"p","dataset":"mapped","rows":1,"bytes":2,"sha256":"ab","min_refresh_from":5,"max_refresh_from":5,` +
			`"min_hash":"00000001","max_hash":"fffffffe"}`: {"p", "mapped", 1, 2, "ab", &at, &at, "00000001", "fffffffe"},
		`{"path":"p","dataset":"unmapped","rows":1,"bytes":2,"sha256":"ab"}`: {Path: "p", Dataset: "unmapped", Rows: 1, Bytes: 2, SHA256: "ab"},
	} {
		if got, err := json.Marshal(file); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}
