package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing/iotest"
	"time"

	"mapper/client/objects"
)

// cutReads: bytes that come over connections that break anywhere are the bytes that are there.
func (s *suite) cutReads() {
	proxy := s.proxy()
	data := noise(3<<20 + 5)
	s.put("x", data)
	o := s.one("x")
	cuts := proxy.Cut(-1, IsRead, func() int64 { return rand.Int64N(700_000) })
	got, err := s.read(o)
	if err != nil || !bytes.Equal(got, data) {
		s.Fatalf("%d bytes that differ from %d, %v", len(got), len(data), err)
	}
	if cuts() < 4 {
		s.Errorf("only %d reads were cut", cuts())
	}
	f := s.file(o)
	for range 10 {
		from, n := rand.IntN(len(data)), rand.IntN(900_000)
		buf := make([]byte, min(n, len(data)-from))
		if _, err := f.ReadAt(buf, int64(from)); err != nil || !bytes.Equal(buf, data[from:from+len(buf)]) {
			s.Fatalf("%d bytes at %d: %v", len(buf), from, err)
		}
	}
}

// stalledReads: a connection that goes silent is given up.
func (s *suite) stalledReads() {
	proxy := s.proxy()
	data := noise(1 << 20)
	s.put("x", data)
	stalls := proxy.Stall(2, IsRead, 300_000)
	got, err := s.impatient(time.Second).ReadAll(s.Context(), "x")
	if err != nil || !bytes.Equal(got, data) || stalls() != 2 {
		s.Errorf("%d bytes, %v, after %d stalls", len(got), err, stalls())
	}
}

// deadReads: when a storage does not come back, what has been read is a beginning, and never all there is.
func (s *suite) deadReads() {
	proxy := s.proxy()
	data := noise(6 << 20)
	s.put("x", data)
	for _, after := range []int64{1 << 20, 0} {
		soon := s.impatient(1200 * time.Millisecond)
		f, err := soon.Open(s.Context(), "x")
		if err != nil {
			s.Fatal(err)
		}
		left := after
		proxy.Cut(-1, IsRead, func() int64 { defer func() { left = 0 }(); return left })
		got, err := io.ReadAll(f)
		if !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || len(got) == len(data) {
			s.Errorf("%d bytes, then %v", len(got), err)
		}
		if n, err := f.ReadAt(make([]byte, 10), 5<<20); !errors.Is(err, objects.ErrUnavailable) || errors.Is(err, io.EOF) {
			s.Errorf("at a place: %d bytes, then %v", n, err)
		}
		proxy.Heal()
		_ = f.Close() // it was only read
	}
}

func (s *suite) slowReads() {
	proxy := s.proxy()
	data := noise(100_000)
	s.put("x", data)
	proxy.Slow(-1, IsRead, 10_000, 5*time.Millisecond)
	o := s.one("x")
	if err := iotest.TestReader(onlyReader{s.file(o)}, data); err != nil {
		s.Error(err)
	}
}

// onlyReader hides that a file can do more.
type onlyReader struct{ io.Reader }

// changedInRead: an object that is replaced while it is read is never a mixture.
func (s *suite) changedInRead() {
	proxy := s.proxy()
	s.put("x", noise(9<<20))
	f := s.file(s.one("x"))
	proxy.Cut(1, IsRead, func() int64 { return 5 << 20 })
	if _, err := io.ReadFull(f, make([]byte, 100)); err != nil {
		s.Fatal(err)
	}
	s.replace("x", noise(9<<20+1))
	n, err := io.Copy(io.Discard, f)
	if !errors.Is(err, objects.ErrChanged) || n >= 9<<20-100 {
		s.Errorf("%d bytes, then %v", n, err)
	}
}

// unavailableForAWhile: what passes is not noticed.
func (s *suite) unavailableForAWhile() {
	proxy := s.proxy()
	data := noise(11 << 20)
	for i, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError} {
		refused := proxy.Refuse(2, IsAny, status)
		s.put(fmt.Sprintf("small-%d", i), []byte("x"))
		if refused() != 2 {
			s.Errorf("%d: refused %d times", status, refused())
		}
	}
	w, err := s.bucket.Create(s.Context(), "large")
	if err != nil {
		s.Fatal(err)
	}
	if _, err := w.Write(data[:1<<20]); err != nil {
		s.Fatal(err)
	}
	refused := proxy.Refuse(2, IsWrite, http.StatusServiceUnavailable)
	if _, err := w.Write(data[1<<20:]); err != nil {
		s.Fatal(err)
	}
	if err := w.Close(); err != nil || refused() != 2 {
		s.Fatal(err, refused())
	}
	refused = proxy.Refuse(3, IsAny, http.StatusServiceUnavailable)
	s.want("large", data)
	if got := s.keys("large"); len(got) != 1 || refused() != 3 {
		s.Errorf("listed %v, after %d refusals", got, refused())
	}
}

// outOfReach: what does not pass is an error that says so, and leaves nothing.
func (s *suite) outOfReach() {
	proxy := s.proxy()
	s.put("x", []byte("x"))
	o := s.one("x")
	soon := s.impatient(700 * time.Millisecond)
	proxy.Refuse(-1, IsAny, http.StatusServiceUnavailable)
	for what, err := range map[string]error{
		"create": soon.CreateIfAbsent(s.Context(), "y", []byte("y")),
		"delete": soon.Delete(s.Context(), "x"),
		"list":   last(soon.List(s.Context(), "")),
		"read":   last(soon.ReadAll(s.Context(), "x")),
	} {
		if !errors.Is(err, objects.ErrUnavailable) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), s.target.URI) {
			s.Errorf("%s: %v", what, err)
		}
	}
	proxy.Heal()
	if got := s.keys(""); len(got) != 1 {
		s.Errorf("there are %v", got)
	}
	if _, err := s.read(o); err != nil {
		s.Error(err)
	}
}

func last[T any](_ T, err error) error { return err }

// denied: credentials that do not do are said at once.
func (s *suite) denied() {
	proxy := s.proxy()
	for _, status := range []int{http.StatusForbidden, http.StatusUnauthorized} {
		proxy.Refuse(-1, IsAny, status)
		for what, err := range map[string]error{
			"create": s.bucket.CreateIfAbsent(s.Context(), "y", []byte("y")),
			"list":   last(s.bucket.List(s.Context(), "")),
			"read":   last(s.bucket.ReadAll(s.Context(), "x")),
		} {
			if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "credentials") {
				s.Errorf("%s, %d: %v", what, status, err)
			}
		}
		proxy.Heal()
	}
}

// lostReplies: a creation whose reply was lost is repeated, meets itself, and knows it.
func (s *suite) lostReplies() {
	proxy := s.proxy()
	for i, size := range []int{10, 12 << 20} {
		key, data := fmt.Sprintf("x-%d", i), noise(size)
		lost := proxy.LoseReply(2, IsWrite)
		if err := s.write(key, data); err != nil || lost() != 2 {
			s.Error(err)
			s.Errorf("%d replies were lost", lost())
		}
		s.want(key, data)
		if err := s.bucket.CreateIfAbsent(s.Context(), key, []byte("foreign")); !errors.Is(err, fs.ErrExist) {
			s.Errorf("a second creator: %v", err)
		}
	}
	// What the last attempt comes to says nothing of those before it.
	proxy.LoseReply(1, IsWrite)
	proxy.Refuse(-1, IsWrite, http.StatusForbidden)
	s.put("denied-later", []byte("x"))
	proxy.Heal()
	proxy.LoseReply(60, func(r *http.Request) bool { return IsWrite(r) && rand.IntN(2) == 0 })
	s.creators("race", 100)
}

// lateCreation: a creation that timed out may land after another has succeeded, and changes nothing.
func (s *suite) lateCreation() {
	proxy := s.proxy()
	release := make(chan struct{})
	delayed := proxy.Delay(-1, IsWrite, release)
	err := s.impatient(700*time.Millisecond).CreateIfAbsent(s.Context(), "x", []byte("late"))
	if !errors.Is(err, objects.ErrUnavailable) || delayed() == 0 {
		s.Fatalf("a creation that nobody answers: %v, %d requests", err, delayed())
	}
	proxy.Heal()
	s.put("x", []byte("first"))
	close(release)
	proxy.late.Wait()
	s.want("x", []byte("first"))
	// And the other way round: one that gave up may have won after all.
	release = make(chan struct{})
	proxy.Delay(-1, IsWrite, release)
	if err := s.impatient(700*time.Millisecond).CreateIfAbsent(s.Context(), "y", []byte("late")); !errors.Is(err, objects.ErrUnavailable) {
		s.Fatal(err)
	}
	proxy.Heal()
	close(release)
	proxy.late.Wait()
	if err := s.bucket.CreateIfAbsent(s.Context(), "y", []byte("second")); err != nil && !errors.Is(err, fs.ErrExist) {
		s.Error(err)
	}
	data, err := s.bucket.ReadAll(s.Context(), "y")
	if err != nil || string(data) != "late" && string(data) != "second" {
		s.Errorf("%q, %v", data, err)
	}
}

// corrupted: bytes that change on the way up are never stored in silence.
func (s *suite) corrupted() {
	proxy := s.proxy()
	for i, size := range []int{1000, 12 << 20} {
		key, data := fmt.Sprintf("x-%d", i), noise(size)
		flipped := proxy.Corrupt(1, IsWrite, 500)
		err := s.write(key, data)
		if flipped() != 1 {
			s.Errorf("%d uploads were corrupted", flipped())
		}
		proxy.Heal()
		got, read := s.bucket.ReadAll(s.Context(), key)
		switch {
		case err == nil && !bytes.Equal(got, data):
			s.Errorf("%d bytes: corrupted and stored, %v", size, read)
		case err != nil && !errors.Is(read, fs.ErrNotExist):
			s.Errorf("%d bytes: refused (%v) and there: %v", size, err, read)
		}
	}
}
