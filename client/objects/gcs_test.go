package objects_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"go.uber.org/goleak"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

func TestGCS(t *testing.T) { objectstest.Run(t, objectstest.GCS) }

// openGCS returns the bucket of a server, as seen by a store that ends with the test.
func openGCS(t *testing.T, store *objects.Store, uri string) *objects.Bucket {
	t.Helper()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := store.Bucket(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(data) // never fails
	return data
}

func isChunk(r *http.Request) bool { return r.URL.Query().Has("upload_id") }

// TestGCSCompressed: an object with a Content-Encoding is the bytes that are stored, not those that are in them.
func TestGCSCompressed(t *testing.T) {
	server, url := objectstest.GCSServer(t)
	t.Setenv("STORAGE_EMULATOR_HOST", url)
	var stored bytes.Buffer
	w := gzip.NewWriter(&stored)
	if _, err := w.Write(random(900_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	server.CreateObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "bucket", Name: "x.csv", ContentEncoding: "gzip", ContentType: "text/csv"},
		Content:     stored.Bytes(),
	})
	bucket := openGCS(t, &objects.Store{}, "gs://bucket")
	if got, err := bucket.ReadAll(t.Context(), "x.csv"); err != nil || !bytes.Equal(got, stored.Bytes()) {
		t.Errorf("%d bytes that differ from the %d stored, %v", len(got), stored.Len(), err)
	}
	f, err := bucket.Open(t.Context(), "x.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	got := make([]byte, 5000)
	if _, err := f.ReadAt(got, 600_000); err != nil || !bytes.Equal(got, stored.Bytes()[600_000:605_000]) {
		t.Errorf("a place in the middle: %v", err)
	}
}

// TestGCSReadChecksum: bytes that change on the way down are an error.
func TestGCSReadChecksum(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/storage/v1/") {
			_, _ = io.WriteString(w, `{"name":"x","size":"5","generation":"7"}`)
			return
		}
		w.Header().Set("X-Goog-Hash", "crc32c=mnG7TA==") // of "hello"
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("hellp"))
	}))
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	bucket := openGCS(t, &objects.Store{}, "gs://bucket")
	var e *objects.Error
	if got, err := bucket.ReadAll(t.Context(), "x"); !errors.As(err, &e) || !strings.Contains(err.Error(), "CRC") {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestGCSLostChunks: chunks whose replies are lost are repeated, the last one too, and add up to the object.
func TestGCSLostChunks(t *testing.T) {
	target := objectstest.GCS(t)
	bucket := openGCS(t, &objects.Store{}, target.URI)
	for _, size := range []int{4 << 20, 8<<20 - 1, 9 << 20} {
		key, data, n := fmt.Sprint(size), random(size), 0
		lost := target.Proxy.LoseReply(-1, func(r *http.Request) bool {
			if !isChunk(r) {
				return false
			}
			n++
			return n%2 == 1
		})
		if err := bucket.CreateIfAbsent(t.Context(), key, data); err != nil {
			t.Error(err)
		}
		if want := size/(4<<20) + 1; lost() != want { // one that is full is never the last
			t.Errorf("%d bytes: %d replies were lost, want %d", size, lost(), want)
		}
		target.Proxy.Heal()
		if got, err := bucket.ReadAll(t.Context(), key); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes that differ from %d, %v", len(got), size, err)
		}
	}
}

// TestGCSTaken: that there is an object is said before all of another one has gone up.
func TestGCSTaken(t *testing.T) {
	target := objectstest.GCS(t)
	bucket := openGCS(t, &objects.Store{}, target.URI)
	if err := bucket.CreateIfAbsent(t.Context(), "x", nil); err != nil {
		t.Fatal(err)
	}
	w, err := bucket.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	data := random(1 << 20)
	for sent := 0; ; sent += len(data) {
		if _, err := w.Write(data); errors.Is(err, fs.ErrExist) {
			break
		} else if err != nil || sent > 100<<20 {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
	if err := w.Close(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("closed: %v", err)
	}
}

// TestGCSErrors: what an operation says when it does not succeed, in one line that names no session of an upload.
func TestGCSErrors(t *testing.T) {
	target := objectstest.GCS(t)
	soon := func() *objects.Bucket {
		return openGCS(t, &objects.Store{GiveUpAfter: 400 * time.Millisecond}, target.URI)
	}
	patient := openGCS(t, &objects.Store{}, target.URI)
	elsewhere := openGCS(t, &objects.Store{}, "gs://nosuch")
	for _, c := range []struct {
		name  string
		fault func()
		do    func() error
		kind  error
		says  string
	}{
		{"no bucket to list", nil, func() error { _, err := elsewhere.List(t.Context(), "a"); return err }, fs.ErrNotExist, "gs://nosuch/a"},
		{"no bucket to write to", nil, func() error { return elsewhere.CreateIfAbsent(t.Context(), "a", nil) }, fs.ErrNotExist, "gs://nosuch/a"},
		{"no bucket for much", nil, func() error { return elsewhere.CreateIfAbsent(t.Context(), "a", random(5<<20)) }, fs.ErrNotExist, "gs://nosuch/a"},
		{"no bucket to read", nil, func() error { _, err := elsewhere.ReadAll(t.Context(), "a"); return err }, fs.ErrNotExist, "gs://nosuch/a"},
		{"chunks that nobody answers", func() { target.Proxy.LoseReply(-1, isChunk) },
			func() error { return soon().CreateIfAbsent(t.Context(), "b", random(5<<20)) }, objects.ErrUnavailable, "is out of reach"},
		{"chunks that are refused", func() { target.Proxy.Refuse(-1, isChunk, http.StatusBadGateway) },
			func() error { return soon().CreateIfAbsent(t.Context(), "c", random(5<<20)) }, objects.ErrUnavailable, "502 Bad Gateway"},
		{"a session that is forgotten", func() { target.Proxy.Refuse(-1, isChunk, http.StatusGone) },
			func() error { return patient.CreateIfAbsent(t.Context(), "d", random(5<<20)) }, objects.ErrUnavailable, "410 Gone"},
		{"a list that is refused", func() { target.Proxy.Refuse(-1, objectstest.IsRead, http.StatusTooManyRequests) },
			func() error { _, err := soon().List(t.Context(), "e"); return err }, objects.ErrUnavailable, "429 Too Many Requests"},
		{"a list that is not answered", func() { target.Proxy.Stall(-1, objectstest.IsRead, 0) },
			func() error { _, err := soon().List(t.Context(), "e"); return err }, objects.ErrUnavailable, "(no answer)"},
		{"something else", func() { target.Proxy.Refuse(-1, objectstest.IsRead, http.StatusTeapot) },
			func() error { _, err := patient.List(t.Context(), "f"); return err }, nil, "418 I'm a teapot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer target.Proxy.Heal()
			if c.fault != nil {
				c.fault()
			}
			err := c.do()
			var e *objects.Error
			if !errors.As(err, &e) || !errors.Is(e.Kind, c.kind) {
				t.Fatalf("%v, want one of kind %v", err, c.kind)
			}
			if text := err.Error(); !strings.Contains(text, c.says) || strings.ContainsAny(text, "\n?") || strings.Contains(text, "upload_id") {
				t.Errorf("it says %q, want %q", text, c.says)
			}
		})
	}
}

// TestGCSNobodyThere: a server that cannot be reached is named as such.
func TestGCSNobodyThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	bucket := openGCS(t, &objects.Store{GiveUpAfter: 300 * time.Millisecond}, "gs://bucket")
	for what, err := range map[string]error{
		"small": bucket.CreateIfAbsent(t.Context(), "x", nil),
		"large": bucket.CreateIfAbsent(t.Context(), "x", random(5<<20)),
		"list":  func() error { _, err := bucket.List(t.Context(), ""); return err }(),
		"read":  func() error { _, err := bucket.ReadAll(t.Context(), "x"); return err }(),
	} {
		if !errors.Is(err, objects.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestGCSLeavesNothing: whatever becomes of them, files and uploads leave no goroutine.
func TestGCSLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the servers have ended
	target := objectstest.GCS(t)
	bucket := openGCS(t, &objects.Store{}, target.URI)
	if err := bucket.CreateIfAbsent(t.Context(), "x", random(6<<20)); err != nil {
		t.Fatal(err)
	}
	f, err := bucket.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 600_000, 5 << 20} {
		if _, err := f.ReadAt(make([]byte, 10), off); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Read(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, size := range []int{1000, 256 << 10, 4 << 20, 9 << 20} {
		w, err := bucket.Create(t.Context(), fmt.Sprint(size))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(random(size)); err != nil {
			t.Error(err)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}
	target.Proxy.LoseReply(-1, objectstest.IsWrite)
	soon := openGCS(t, &objects.Store{GiveUpAfter: 400 * time.Millisecond}, target.URI)
	if err := soon.CreateIfAbsent(t.Context(), "y", random(6<<20)); !errors.Is(err, objects.ErrUnavailable) {
		t.Error(err)
	}
	target.Proxy.Heal()
	if keys, err := bucket.List(t.Context(), ""); err != nil || len(keys) != 1 {
		t.Errorf("there are %v, %v", keys, err)
	}
}

func BenchmarkReadGCS(b *testing.B) {
	size := 256
	if text := os.Getenv("MAPPER_BENCH_MB"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	server, url := objectstest.GCSServer(b)
	b.Setenv("STORAGE_EMULATOR_HOST", url)
	server.CreateObject(fakestorage.Object{ObjectAttrs: fakestorage.ObjectAttrs{BucketName: "bucket", Name: "x"}, Content: random(size << 20)})
	b.Run("mapper", func(b *testing.B) {
		var store objects.Store
		defer func() { _ = store.Close() }() // what is wrong with closing shows in the tests
		found, err := store.Find(b.Context(), "gs://bucket/x")
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(found[0].Size)
		b.ReportAllocs()
		for b.Loop() {
			f, err := store.Open(b.Context(), found[0])
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, f); n != found[0].Size || err != nil {
				b.Fatal(n, err)
			}
			_ = f.Close() // it was only read
		}
	})
	b.Run("sdk", func(b *testing.B) {
		client, err := storage.NewClient(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = client.Close() }() // never fails
		b.SetBytes(int64(size) << 20)
		b.ReportAllocs()
		for b.Loop() {
			r, err := client.Bucket("bucket").Object("x").NewReader(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); n != int64(size)<<20 || err != nil {
				b.Fatal(n, err)
			}
			_ = r.Close() // it was only read
		}
	})
}

// BenchmarkCreateGCS shows that a marker does not cost the buffer of a chunk. The memory is that of the server too.
func BenchmarkCreateGCS(b *testing.B) {
	_, url := objectstest.GCSServer(b)
	b.Setenv("STORAGE_EMULATOR_HOST", url)
	var store objects.Store
	defer func() { _ = store.Close() }() // what is wrong with closing shows in the tests
	bucket, err := store.Bucket(b.Context(), "gs://bucket")
	if err != nil {
		b.Fatal(err)
	}
	data := random(1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := bucket.CreateIfAbsent(b.Context(), "x", data); err != nil {
			b.Fatal(err)
		}
		if err := bucket.Delete(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
	}
}
