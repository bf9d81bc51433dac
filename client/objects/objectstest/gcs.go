package objectstest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

const gcsBucket = "bucket"

// GCS starts a server that speaks as Google Cloud Storage does, behind a proxy, with an empty bucket. The SDK finds it
// by STORAGE_EMULATOR_HOST. Both end with the test.
func GCS(t testing.TB) Target {
	t.Helper()
	_, url := GCSServer(t)
	proxy := NewProxy(t)
	if err := proxy.Forward(url); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", proxy.URL)
	return Target{URI: "gs://" + gcsBucket, Proxy: proxy}
}

// GCSServer starts only the server, with an empty bucket "bucket". It may also be given objects that nobody uploads.
func GCSServer(t testing.TB) (server *fakestorage.Server, url string) {
	t.Helper()
	// Any port of this host is the public one, by which objects are read. In memory, it would search all objects for
	// each that is created.
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "127.0.0.1", StorageRoot: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: gcsBucket})
	listener := httptest.NewServer(&gcsSessions{server: server, open: map[string]*gcsSession{}})
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
		server.Stop()
	})
	return server, listener.URL
}

// gcsSessions stands before the server for uploads in chunks, where it is not what it imitates: it appends a chunk
// that is repeated, forgets a session with its last chunk, does not look at the checksum that this carries, and
// notices only then that there is an object. Here it gets an upload as one chunk, once it is complete and right.
// See https://docs.cloud.google.com/storage/docs/performing-resumable-uploads.
type gcsSessions struct {
	server *fakestorage.Server

	mu   sync.Mutex
	open map[string]*gcsSession // by upload_id
}

type gcsSession struct {
	mu    sync.Mutex
	data  []byte
	reply *httptest.ResponseRecorder // to the last chunk
}

// ServeHTTP is the server, but for the chunks of an upload.
func (g *gcsSessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id := query.Get("upload_id")
	if id == "" {
		if query.Get("uploadType") == "resumable" && query.Get("ifGenerationMatch") == "0" {
			if _, err := g.server.GetObject(gcsBucket, query.Get("name")); err == nil {
				http.Error(w, "there is an object", http.StatusPreconditionFailed)
				return
			}
		}
		g.server.HTTPHandler().ServeHTTP(w, r)
		return
	}
	g.mu.Lock()
	session := g.open[id]
	if session == nil {
		session = &gcsSession{}
		g.open[id] = session
	}
	g.mu.Unlock()
	session.chunk(w, r, g.server.HTTPHandler())
}

// chunk takes what is new of a chunk, and with the last one gives all to the server.
func (s *gcsSession) chunk(w http.ResponseWriter, r *http.Request, server http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reply == nil {
		from, total, err := s.place(r.Header.Get("Content-Range"))
		body, broken := io.ReadAll(r.Body)
		switch {
		case broken != nil:
			panic(http.ErrAbortHandler)
		case err != nil || from > len(s.data):
			http.Error(w, fmt.Sprintf("a chunk at %d, where %d is the next byte (%v)", from, len(s.data), err), http.StatusBadRequest)
			return
		}
		if known := len(s.data) - from; known < len(body) {
			s.data = append(s.data, body[known:]...)
		}
		if len(s.data) != total {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.data)-1))
			w.Header().Set("X-Http-Status-Code-Override", "308")
			return
		}
		s.reply = s.finish(r, server)
	}
	for name, values := range s.reply.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(s.reply.Code)
	_, _ = w.Write(s.reply.Body.Bytes()) // whoever is gone will ask again
}

// place returns where a chunk begins, and how long the whole is: -1 before the last one.
func (s *gcsSession) place(contentRange string) (from, total int, err error) {
	var to int
	if strings.HasSuffix(contentRange, "/*") {
		_, err = fmt.Sscanf(contentRange, "bytes %d-%d/*", &from, &to)
		return from, -1, err
	}
	if _, err = fmt.Sscanf(contentRange, "bytes */%d", &total); err == nil {
		return total, total, nil
	}
	_, err = fmt.Sscanf(contentRange, "bytes %d-%d/%d", &from, &to, &total)
	return from, total, err
}

// finish compares the upload with its checksum and makes an object of it.
func (s *gcsSession) finish(r *http.Request, server http.Handler) *httptest.ResponseRecorder {
	reply := httptest.NewRecorder()
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(s.data, crc32.MakeTable(crc32.Castagnoli)))
	if got, want := r.Header.Get("X-Goog-Hash"), "crc32c="+base64.StdEncoding.EncodeToString(sum); got != want {
		http.Error(reply, fmt.Sprintf("provided %q does not match the calculated %q", got, want), http.StatusBadRequest)
		return reply
	}
	whole := r.Clone(r.Context())
	whole.Body = io.NopCloser(bytes.NewReader(s.data))
	whole.ContentLength = int64(len(s.data))
	whole.Header.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(s.data)-1, len(s.data)))
	server.ServeHTTP(reply, whole)
	s.data = nil
	return reply
}
