package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mapper/client/objects"
)

// Target is a storage to be tested: an empty folder of it.
type Target struct {
	URI   string // without a slash at the end
	Proxy *Proxy // that all requests to it go through; nil for local files
}

// Run checks a storage. open makes a target for one test; what it sets up ends with that test.
func Run(t *testing.T, open func(t testing.TB) Target) {
	for name, test := range map[string]func(*suite){
		"whole or absent":     (*suite).wholeOrAbsent,
		"large objects":       (*suite).large,
		"odd names":           (*suite).oddNames,
		"list by prefix":      (*suite).list,
		"list in pages":       (*suite).pages,
		"folders":             (*suite).folders,
		"find":                (*suite).find,
		"not there":           (*suite).notThere,
		"pinned":              (*suite).pinned,
		"read at":             (*suite).readAt,
		"seek":                (*suite).seek,
		"one creator wins":    (*suite).race,
		"locks":               (*suite).locks,
		"cancelled":           (*suite).cancelled,
		"reads that are cut":  (*suite).cutReads,
		"reads that stall":    (*suite).stalledReads,
		"reads that die":      (*suite).deadReads,
		"slow reads":          (*suite).slowReads,
		"changed in a read":   (*suite).changedInRead,
		"refused for a while": (*suite).unavailableForAWhile,
		"out of reach":        (*suite).outOfReach,
		"denied":              (*suite).denied,
		"lost replies":        (*suite).lostReplies,
		"late creation":       (*suite).lateCreation,
		"corrupted upload":    (*suite).corrupted,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, target: open(t), store: &objects.Store{GiveUpAfter: time.Minute}}
			t.Cleanup(func() {
				if err := s.store.Close(); err != nil {
					t.Error(err)
				}
			})
			s.bucket = s.open(s.store)
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	target Target
	store  *objects.Store
	bucket *objects.Bucket
}

func (s *suite) open(store *objects.Store) *objects.Bucket {
	s.Helper()
	b, err := store.Bucket(s.Context(), s.target.URI)
	if err != nil {
		s.Fatal(err)
	}
	return b
}

// impatient returns the bucket as seen by a store that gives up soon.
func (s *suite) impatient(after time.Duration) *objects.Bucket {
	store := &objects.Store{GiveUpAfter: after}
	s.Cleanup(func() { _ = store.Close() }) // what is wrong with closing shows elsewhere
	return s.open(store)
}

// proxy returns what breaks requests, where there is any.
func (s *suite) proxy() *Proxy {
	if s.target.Proxy == nil {
		s.Skip("files are not reached through anything that could break")
	}
	return s.target.Proxy
}

func (s *suite) put(key string, data []byte) {
	s.Helper()
	if err := s.bucket.CreateIfAbsent(s.Context(), key, data); err != nil {
		s.Fatal(err)
	}
}

// write creates an object as parts of tables are, in several requests where the storage takes it so.
func (s *suite) write(key string, data []byte) error {
	w, err := s.bucket.Create(s.Context(), key)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Abort())
	}
	return w.Close()
}

// want compares an object with what it has to be.
func (s *suite) want(key string, data []byte) {
	s.Helper()
	got, err := s.bucket.ReadAll(s.Context(), key)
	if err != nil || !bytes.Equal(got, data) {
		s.Fatalf("%s: %d bytes that differ from the %d written, %v", key, len(got), len(data), err)
	}
}

func (s *suite) keys(prefix string) []string {
	s.Helper()
	keys, err := s.bucket.List(s.Context(), prefix)
	if err != nil {
		s.Fatal(err)
	}
	return keys
}

// one returns an object by its key.
func (s *suite) one(key string) objects.Object {
	s.Helper()
	found, err := s.store.Find(s.Context(), s.bucket.URI(key))
	if err != nil || len(found) != 1 {
		s.Fatal(found, err)
	}
	return found[0]
}

func (s *suite) file(o objects.Object) objects.File {
	s.Helper()
	f, err := s.store.Open(s.Context(), o)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = f.Close() }) // it was only read
	return f
}

// noise is bytes that differ everywhere.
func noise(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	_, _ = r.Read(data) // never fails
	return data
}

func (s *suite) wholeOrAbsent() {
	w, err := s.bucket.Create(s.Context(), "d/part")
	if err != nil {
		s.Fatal(err)
	}
	for range 2 {
		if _, err := w.Write([]byte("half ")); err != nil {
			s.Fatal(err)
		}
		if got := s.keys(""); got != nil {
			s.Errorf("an open object shows: %v", got)
		}
	}
	if err := w.Close(); err != nil {
		s.Fatal(err)
	}
	s.want("d/part", []byte("half half "))
	aborted, err := s.bucket.Create(s.Context(), "d/other")
	if err != nil {
		s.Fatal(err)
	}
	if _, err := aborted.Write([]byte("x")); err != nil {
		s.Fatal(err)
	}
	if err := aborted.Abort(); err != nil {
		s.Fatal(err)
	}
	if err := s.bucket.CreateIfAbsent(s.Context(), "d/part", []byte("again")); !errors.Is(err, fs.ErrExist) {
		s.Errorf("an object was replaced: %v", err)
	}
	s.want("d/part", []byte("half half "))
	s.put("d/empty", nil)
	s.want("d/empty", nil)
	if got := s.keys(""); !reflect.DeepEqual(got, []string{"d/empty", "d/part"}) {
		s.Errorf("there are %v", got)
	}
	for range 2 { // one that is not there is no error
		if err := s.bucket.Delete(s.Context(), "d/part"); err != nil {
			s.Error(err)
		}
	}
	if got := s.keys(""); !reflect.DeepEqual(got, []string{"d/empty"}) {
		s.Errorf("left: %v", got)
	}
}

// large objects go up in several requests: around the sizes of a chunk, and in small and large pieces.
func (s *suite) large() {
	for i, size := range []int{4<<20 - 1, 4 << 20, 5 << 20, 5<<20 + 1, 10 << 20, 13<<20 + 7} {
		key, data := fmt.Sprintf("large-%d", i), noise(size)
		w, err := s.bucket.Create(s.Context(), key)
		if err != nil {
			s.Fatal(err)
		}
		pieces := 1 << (10 + 3*i%13)
		for piece := range slices.Chunk(data, pieces) {
			if _, err := w.Write(piece); err != nil {
				s.Fatal(err)
			}
		}
		if got := s.keys(key); got != nil {
			s.Errorf("an open object shows: %v", got)
		}
		if err := w.Close(); err != nil {
			s.Fatal(err)
		}
		s.want(key, data)
		for _, err := range []error{s.write(key, noise(size+1)), s.bucket.CreateIfAbsent(s.Context(), key, noise(size+1))} {
			if !errors.Is(err, fs.ErrExist) {
				s.Errorf("%d bytes were replaced: %v", size, err)
			}
		}
		s.want(key, data)
	}
	unfinished, err := s.bucket.Create(s.Context(), "unfinished")
	if err != nil {
		s.Fatal(err)
	}
	if _, err := unfinished.Write(noise(11 << 20)); err != nil {
		s.Fatal(err)
	}
	if err := unfinished.Abort(); err != nil {
		s.Error(err)
	}
	if got := s.keys("unfinished"); got != nil {
		s.Errorf("an aborted object shows: %v", got)
	}
}

func (s *suite) oddNames() {
	names := []string{"run=2026-11-22T04.05/part-0-1-x.parquet", "a b", "a+b", "50%", "50%25", "a#b", "what?", "ünï-码", "a&b=c", "'q'", "a:b", "(x)!~*"}
	for _, name := range names {
		s.put("odd/"+name, []byte(name))
	}
	want := []string{}
	for _, name := range names {
		s.want("odd/"+name, []byte(name))
		want = append(want, "odd/"+name)
		if o := s.one("odd/" + name); o.URI != s.bucket.URI("odd/"+name) || o.Size != int64(len(name)) {
			s.Errorf("found %+v", o)
		}
	}
	slices.Sort(want)
	if got := s.keys("odd/"); !reflect.DeepEqual(got, want) {
		s.Errorf("listed %q, want %q", got, want)
	}
	for _, name := range names {
		if err := s.bucket.Delete(s.Context(), "odd/"+name); err != nil {
			s.Error(err)
		}
	}
	if got := s.keys("odd/"); got != nil {
		s.Errorf("left: %q", got)
	}
}

func (s *suite) list() {
	for _, key := range []string{"a/x-1", "a/x-2", "a/y", "b/x-1", "a.txt"} {
		s.put(key, nil)
	}
	for prefix, want := range map[string][]string{
		"":       {"a.txt", "a/x-1", "a/x-2", "a/y", "b/x-1"},
		"a/":     {"a/x-1", "a/x-2", "a/y"},
		"a/x":    {"a/x-1", "a/x-2"},
		"a":      {"a.txt", "a/x-1", "a/x-2", "a/y"},
		"none/x": nil,
	} {
		if got := s.keys(prefix); !reflect.DeepEqual(got, want) {
			s.Errorf("List(%q) = %v, want %v", prefix, got, want)
		}
	}
}

// pages lists more than fits in one reply of any storage at its usual page size.
func (s *suite) pages() {
	const many = 1100
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range many {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := s.bucket.CreateIfAbsent(s.Context(), fmt.Sprintf("p/%05d/x", i), nil); err != nil {
				s.Error(err)
			}
		})
	}
	all.Wait()
	got := s.keys("p/")
	if len(got) != many || !slices.IsSorted(got) {
		s.Fatalf("%d keys, want %d in order", len(got), many)
	}
	folders, err := s.bucket.Folders(s.Context(), "p")
	if err != nil || len(folders) != many || folders[0] != "00000" || !slices.IsSorted(folders) {
		s.Errorf("%d folders, want %d in order; %v", len(folders), many, err)
	}
	if s.target.Proxy != nil { // patience is for each page
		s.target.Proxy.Wait(-1, IsAny, 2500*time.Millisecond)
		if got, err := s.impatient(4*time.Second).List(s.Context(), "p/"); err != nil || len(got) != many {
			s.Errorf("slowly listed: %d keys, %v", len(got), err)
		}
	}
}

func (s *suite) folders() {
	if got, err := s.bucket.Folders(s.Context(), "a"); err != nil || got != nil {
		s.Errorf("below nothing: %v, %v", got, err)
	}
	for _, key := range []string{"a/y/deep/deeper/1", "a/x/1", "a/x/2", "a/file", "ab/z/1", "o/a/1", "o/a-b/1", "o/a0/1", "o/a.b/1"} {
		s.put(key, nil)
	}
	for folder, want := range map[string][]string{"": {"a", "ab", "o"}, "o": {"a", "a-b", "a.b", "a0"}, "a": {"x", "y"}, "a/x": nil, "none": nil} {
		if got, err := s.bucket.Folders(s.Context(), folder); err != nil || !reflect.DeepEqual(got, want) {
			s.Errorf("Folders(%q) = %v, %v; want %v", folder, got, err, want)
		}
	}
}

func (s *suite) find() {
	for _, key := range []string{"b.csv", "a.csv", "dir/c.csv", "dir/_SUCCESS", "dir/.hidden/d.csv", "dir/sub/e.csv", "odd[1].csv", "directory.csv"} {
		s.put(key, []byte("x"))
	}
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"a.csv", []string{"a.csv"}},
		{"[ab].csv", []string{"a.csv", "b.csv"}},
		{"{a,b}.csv", []string{"a.csv", "b.csv"}},
		{"odd[1].csv", []string{"odd[1].csv"}}, // the file itself, though it looks like a glob
		{"dir", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"dir/", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"*/*.csv", []string{"dir/c.csv"}},
		{"**/[ce].csv", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"di?/", []string{"dir/c.csv", "dir/sub/e.csv"}},
		{"dir/*", []string{"dir/c.csv"}},
		{"dir/_*", []string{"dir/_SUCCESS"}},
		{`odd\[1].csv`, []string{"odd[1].csv"}},
		{"none*", nil},
	} {
		found, err := s.store.Find(s.Context(), s.target.URI+"/"+c.pattern)
		var got []string
		for _, o := range found {
			got = append(got, strings.TrimPrefix(o.URI, s.target.URI+"/"))
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			s.Errorf("Find(%q) = %v, %v; want %v", c.pattern, got, err, c.want)
		}
	}
	beside, err := s.store.Bucket(s.Context(), s.target.URI+"/di")
	if err != nil {
		s.Fatal(err)
	}
	inside, err := s.store.Bucket(s.Context(), s.target.URI+"/dir/")
	if err != nil {
		s.Fatal(err)
	}
	if o := s.one("dir/c.csv"); !s.bucket.Contains(o) || !inside.Contains(o) || beside.Contains(o) {
		s.Error("Contains is wrong")
	}
	if !inside.Inside(s.target.URI) || !inside.Inside(s.target.URI+"/dir") || beside.Inside(s.target.URI+"/dir") || inside.Inside(s.target.URI+"/a.csv") {
		s.Error("Inside is wrong")
	}
	if got := inside.URI("x/y"); got != s.target.URI+"/dir/x/y" {
		s.Errorf("URI is %s", got)
	}
}

func (s *suite) notThere() {
	if _, err := s.bucket.ReadAll(s.Context(), "nosuch"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nosuch") {
		s.Errorf("ReadAll: %v", err)
	}
	if _, err := s.store.Find(s.Context(), s.bucket.URI("nosuch.csv")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nosuch.csv") {
		s.Errorf("Find: %v", err)
	}
	s.put("gone", []byte("x"))
	o := s.one("gone")
	if err := s.bucket.Delete(s.Context(), "gone"); err != nil {
		s.Fatal(err)
	}
	if _, err := s.read(o); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, objects.ErrChanged) {
		s.Errorf("an object that is gone: %v", err)
	}
}

func (s *suite) read(o objects.Object) ([]byte, error) {
	f, err := s.store.Open(s.Context(), o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// replace puts another object in the place of one.
func (s *suite) replace(key string, data []byte) {
	s.Helper()
	if err := s.bucket.Delete(s.Context(), key); err != nil {
		s.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // so that files have another time
	s.put(key, data)
}

func (s *suite) pinned() {
	s.put("in.csv", []byte("first"))
	o := s.one("in.csv")
	if data, err := s.read(o); err != nil || string(data) != "first" {
		s.Errorf("read %q, %v", data, err)
	}
	s.replace("in.csv", []byte("other"))
	if data, err := s.read(o); !errors.Is(err, objects.ErrChanged) {
		s.Errorf("a changed object: %q, %v", data, err)
	}
	f, err := s.store.Open(s.Context(), o)
	if err == nil {
		_, err = f.ReadAt(make([]byte, 3), 1)
		_ = f.Close() // it was only read
	}
	if !errors.Is(err, objects.ErrChanged) {
		s.Errorf("a changed object, read at a place: %v", err)
	}
	if data, err := s.read(s.one("in.csv")); err != nil || string(data) != "other" {
		s.Errorf("found again: %q, %v", data, err)
	}
}

func (s *suite) readAt() {
	data := noise(3<<20 + 11)
	s.put("x", data)
	f := s.file(s.one("x"))
	for range 200 {
		from := rand.IntN(len(data))
		buf := make([]byte, rand.IntN(1<<rand.IntN(20)))
		n, err := f.ReadAt(buf, int64(from))
		if want := data[from:min(len(data), from+len(buf))]; !bytes.Equal(buf[:n], want) || (err != nil) != (n < len(buf)) {
			s.Fatalf("%d bytes at %d: %d, %v", len(buf), from, n, err)
		}
	}
	if n, err := f.ReadAt(make([]byte, 1), int64(len(data))); n != 0 || !errors.Is(err, io.EOF) {
		s.Errorf("behind the end: %d, %v", n, err)
	}
	if all, err := io.ReadAll(f); err != nil || !bytes.Equal(all, data) {
		s.Errorf("read from the beginning: %d bytes, %v", len(all), err)
	}
}

func (s *suite) seek() {
	data := noise(1 << 20)
	s.put("x", data)
	f := s.file(s.one("x"))
	for range 20 {
		at := rand.Int64N(int64(len(data)))
		whence, offset := io.SeekStart, at
		if at%2 == 0 {
			whence, offset = io.SeekEnd, at-int64(len(data))
		}
		got, err := f.Seek(offset, whence)
		if err != nil || got != at {
			s.Fatalf("seek to %d: %d, %v", at, got, err)
		}
		buf := make([]byte, min(1000, len(data)-int(at)))
		if _, err := io.ReadFull(f, buf); err != nil || !bytes.Equal(buf, data[at:int(at)+len(buf)]) {
			s.Fatalf("read at %d: %v", at, err)
		}
		if now, err := f.Seek(0, io.SeekCurrent); err != nil || now != at+int64(len(buf)) {
			s.Fatalf("it stands at %d, %v", now, err)
		}
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		s.Error("a seek before the beginning succeeds")
	}
	if err := f.Check(); err != nil {
		s.Error(err)
	}
}

// creators lets many create one object at once, and checks that one has and all others know that they have not.
func (s *suite) creators(key string, n int) {
	var won atomic.Int64
	var winner atomic.Value
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			content := fmt.Appendf(nil, "creator %d of %s", i, key)
			<-start
			switch err := s.bucket.CreateIfAbsent(s.Context(), key, content); {
			case err == nil:
				won.Add(1)
				winner.Store(content)
			case !errors.Is(err, fs.ErrExist):
				s.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	if won.Load() != 1 {
		s.Fatalf("%s: %d creators won", key, won.Load())
	}
	s.want(key, winner.Load().([]byte))
}

// race is 100 creators and one winner, several times.
func (s *suite) race() {
	for round := range 3 {
		s.creators(fmt.Sprintf("race-%d", round), 100)
	}
}

// locks: of many one gets the lock, and the others are refused while it lives; then each has its turn.
func (s *suite) locks() {
	var holders atomic.Int64
	var won atomic.Pointer[objects.Lock]
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			switch l, err := s.bucket.TryLock(s.Context(), "d/lock", objects.LockOptions{}); {
			case err == nil:
				holders.Add(1)
				won.Store(l)
			case !errors.Is(err, objects.ErrLocked):
				s.Error(err)
			}
		})
	}
	all.Wait()
	if holders.Load() != 1 {
		s.Fatalf("%d holders", holders.Load())
	}
	other, err := s.bucket.TryLock(s.Context(), "d/lock-2", objects.LockOptions{})
	if err != nil {
		s.Fatalf("another lock: %v", err)
	}
	for range 3 {
		all.Go(func() { s.turn(&holders) })
	}
	holders.Add(-1)
	if err := errors.Join(other.Release(), won.Load().Release()); err != nil {
		s.Error(err)
	}
	all.Wait()
	if err := s.bucket.DropLocks(s.Context(), "d/"); err != nil {
		s.Error(err)
	}
	if s.target.Proxy != nil {
		if got := s.keys("d/"); got != nil {
			s.Errorf("left: %v", got)
		}
	}
}

// turn waits for the lock, holds it for a moment, and expects to be alone.
func (s *suite) turn(holders *atomic.Int64) {
	l, err := s.bucket.Lock(s.Context(), "d/lock", objects.LockOptions{})
	if err != nil {
		s.Error(err)
		return
	}
	if n := holders.Add(1); n != 1 {
		s.Errorf("%d holders at once", n)
	}
	time.Sleep(5 * time.Millisecond)
	holders.Add(-1)
	if err := l.Release(); err != nil {
		s.Error(err)
	}
}

func (s *suite) cancelled() {
	ctx, cancel := context.WithCancel(s.Context())
	w, err := s.bucket.Create(ctx, "x")
	if err != nil {
		s.Fatal(err)
	}
	_, err = w.Write(noise(6 << 20))
	cancel()
	if err == nil && s.target.Proxy != nil {
		if err = w.Close(); err == nil {
			s.Error("an upload whose context has ended succeeds")
		}
		if got := s.keys(""); got != nil {
			s.Errorf("a cancelled object shows: %v", got)
		}
	} else if err := w.Abort(); err != nil {
		s.Error(err)
	}
	s.put("y", noise(1<<20))
	ctx, cancel = context.WithCancel(s.Context())
	f, err := s.store.Open(ctx, s.one("y"))
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	cancel()
	if _, err := io.ReadAll(f); s.target.Proxy != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("a read whose context has ended: %v", err)
	}
	if _, err := s.bucket.List(ctx, ""); s.target.Proxy != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("a list whose context has ended: %v", err)
	}
}
