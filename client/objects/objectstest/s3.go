package objectstest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"encoding/xml"
	"hash/crc64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const (
	s3TestBucket = "test-bucket"
	s3TestURI    = "s3://" + s3TestBucket + "/below"
)

// S3 starts a server of S3's protocol, behind a fault proxy, and points the SDK's environment to it.
func S3(t testing.TB) Target {
	server := httptest.NewServer(newStrictS3(t))
	t.Cleanup(server.Close)
	proxy := NewProxy(t)
	if err := proxy.Forward(server.URL); err != nil {
		t.Fatal(err)
	}
	S3Environment(t, proxy.URL)
	return Target{URI: s3TestURI, Proxy: proxy}
}

// S3Direct is S3 without the proxy.
func S3Direct(t testing.TB) Target {
	server := httptest.NewServer(newStrictS3(t))
	t.Cleanup(server.Close)
	S3Environment(t, server.URL)
	return Target{URI: s3TestURI}
}

// S3TLS is S3 without the proxy, over TLS, with a certificate that only AWS_CA_BUNDLE vouches for.
func S3TLS(t testing.TB) Target {
	server := httptest.NewUnstartedServer(newStrictS3(t))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	S3Environment(t, server.URL)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	return Target{URI: s3TestURI}
}

// S3Environment points the SDK's environment to a server, and away from what this machine has for others.
func S3Environment(t testing.TB, endpoint string) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": "", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CA_BUNDLE": "", "AWS_REQUEST_CHECKSUM_CALCULATION": "", "AWS_RESPONSE_CHECKSUM_VALIDATION": "",
	} {
		t.Setenv(name, value)
	}
}

func newStrictS3(t testing.TB) *strictS3 {
	backend := s3mem.New()
	if err := backend.CreateBucket(s3TestBucket); err != nil {
		t.Fatal(err)
	}
	return &strictS3{
		to:    gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server(),
		table: crc64.MakeTable(0x9a6c9329ac4bc9b5),
		sums:  map[string]string{},
	}
}

// strictS3 stands before gofakes3 and does what S3 does and gofakes3 does not: it heeds If-None-Match when a
// multipart upload is completed and If-Match when an object is read, compares what is written with its CRC-64/NVME,
// and gives that of a whole object to who reads it whole and asks for checksums, and lists uploads where there are none.
type strictS3 struct {
	to    http.Handler
	table *crc64.Table

	mu   sync.Mutex        // held by one write after another, so that a precondition and its write are one
	sums map[string]string // of objects, by path and ETag
}

const sumHeader = "X-Amz-Checksum-Crc64nvme"

// ServeHTTP answers a request.
func (s *strictS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Query().Has("uploads") {
		s.uploads(w, r)
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		s.to.ServeHTTP(&s3Reply{ResponseWriter: w, request: r, server: s}, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		s3Refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") || r.Header.Get("Content-Encoding") == "aws-chunked" {
		s3Refuse(w, http.StatusNotImplemented, "NotImplemented") // gofakes3 would store the frames
		return
	}
	sum := r.Header.Get(sumHeader)
	if r.Method == http.MethodPut && r.Header.Get("Content-Md5") == "" && sum != s3Sum(crc64.Checksum(body, s.table)) {
		s3Refuse(w, http.StatusBadRequest, "BadDigest") // that there is one is no rule of S3, but one of these tests
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(w, r)
}

// uploads lists multipart uploads. Before the first one gofakes3 knows of no list, where S3 has one that is empty.
func (s *strictS3) uploads(w http.ResponseWriter, r *http.Request) {
	reply := httptest.NewRecorder()
	s.to.ServeHTTP(reply, r)
	if body := reply.Body.String(); reply.Code == http.StatusNotFound && strings.Contains(body, "NoSuchUpload") {
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><ListMultipartUploadsResult></ListMultipartUploadsResult>`)
		return
	}
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes()) // a client that is gone has not got it
}

// write lets a request through, if what makes an object visible may.
func (s *strictS3) write(w http.ResponseWriter, r *http.Request) {
	completes := r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
	creates := completes || r.Method == http.MethodPut && !r.URL.Query().Has("uploadId")
	if !creates {
		s.to.ServeHTTP(w, r)
		return
	}
	head := httptest.NewRecorder()
	s.to.ServeHTTP(head, s3ObjectRequest(r, http.MethodHead))
	if head.Code == http.StatusOK && r.Header.Get("If-None-Match") == "*" {
		s3Refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	reply := httptest.NewRecorder()
	s.to.ServeHTTP(reply, r)
	etag, sum := reply.Header().Get("Etag"), r.Header.Get(sumHeader)
	if completes && reply.Code == http.StatusOK && sum != "" {
		stored := &s3Content{header: http.Header{}, server: s}
		s.to.ServeHTTP(stored, s3ObjectRequest(r, http.MethodGet))
		if sum != s3Sum(stored.crc) {
			s.to.ServeHTTP(httptest.NewRecorder(), s3ObjectRequest(r, http.MethodDelete))
			s3Refuse(w, http.StatusBadRequest, "BadDigest")
			return
		}
		etag = stored.header.Get("Etag")
	}
	s.sums[r.URL.Path+etag] = sum
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes()) // a client that is gone has not got it
}

// s3ObjectRequest returns another request for the object of r.
func s3ObjectRequest(r *http.Request, method string) *http.Request {
	object := *r.URL
	object.RawQuery = ""
	return &http.Request{Method: method, URL: &object, Header: http.Header{}, Host: r.Host, Body: http.NoBody}
}

// s3Content takes the checksum of a reply.
type s3Content struct {
	header http.Header
	server *strictS3
	crc    uint64
}

// Header is that of the reply.
func (c *s3Content) Header() http.Header { return c.header }

// WriteHeader does nothing.
func (c *s3Content) WriteHeader(int) {}

// Write takes more of it.
func (c *s3Content) Write(p []byte) (int, error) {
	c.crc = crc64.Update(c.crc, c.server.table, p)
	return len(p), nil
}

func s3Sum(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

func (s *strictS3) sumOf(r *http.Request, etag string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sums[r.URL.Path+etag]
}

// s3Refuse answers with an error of S3's.
func s3Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct { // a client that is gone has not got it
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: "as S3 would say"})
}

// s3Reply is a reply with an object, which may be refused when its ETag is known.
type s3Reply struct {
	http.ResponseWriter
	request *http.Request
	server  *strictS3
	begun   bool
	refused bool
}

// WriteHeader decides.
func (w *s3Reply) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	header := w.Header()
	header.Del(sumHeader) // what came with a PUT; gofakes3 echoes all it was sent
	etag, want := header.Get("Etag"), w.request.Header.Get("If-Match")
	if want != "" && etag != "" && want != etag {
		w.refused = true
		header.Del("Content-Length")
		header.Del("Content-Range")
		s3Refuse(w.ResponseWriter, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	if sum := w.server.sumOf(w.request, etag); sum != "" && status == http.StatusOK && w.request.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		header.Set(sumHeader, sum)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes on, unless refused.
func (w *s3Reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
