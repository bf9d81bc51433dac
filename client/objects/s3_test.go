package objects_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/goleak"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

func TestS3(t *testing.T) { objectstest.Run(t, objectstest.S3) }

// TestS3OldChecksums is the part about writing for services that know no checksum but MD5.
func TestS3OldChecksums(t *testing.T) {
	target := objectstest.S3(t)
	t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
	newer := target.Proxy.Refuse(-1, func(r *http.Request) bool {
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Mode" {
				return true
			}
		}
		return false
	}, http.StatusNotImplemented)
	_, b := openS3Bucket(t, target.URI)
	for _, size := range []int{0, 1000, 11 << 20} {
		key, data := strconv.Itoa(size), s3Noise(size)
		flipped := target.Proxy.Corrupt(1, objectstest.IsWrite, 1000)
		if err := b.CreateIfAbsent(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
		if got, err := b.ReadAll(t.Context(), key); err != nil || !bytes.Equal(got, data) || (flipped() == 0) != (size == 0) {
			t.Errorf("%d bytes: got %d, %v, after %d were damaged", size, len(got), err, flipped())
		}
		if err := b.CreateIfAbsent(t.Context(), key, data); !errors.Is(err, fs.ErrExist) {
			t.Errorf("again: %v", err)
		}
	}
	if newer() != 0 {
		t.Errorf("%d newer checksums were sent", newer())
	}
}

// openS3Bucket opens a target with a store that has a minute of patience.
func openS3Bucket(t testing.TB, uri string) (*objects.Store, *objects.Bucket) {
	t.Helper()
	store := &objects.Store{GiveUpAfter: time.Minute}
	t.Cleanup(func() { _ = store.Close() }) // idempotent; some tests look at what it returns
	b, err := store.Bucket(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return store, b
}

// plainS3 is the SDK as it is, and the bucket and folder of a target.
func plainS3(t testing.TB, target objectstest.Target) (client *s3.Client, bucket, folder string) {
	t.Helper()
	leavesNothing := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithHTTPClient(leavesNothing))
	if err != nil {
		t.Fatal(err)
	}
	bucket, folder, _ = strings.Cut(strings.TrimPrefix(target.URI, "s3://"), "/")
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), bucket, folder + "/"
}

func s3Noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// TestS3OverTLS writes and reads where the SDK would rather put checksums behind the body, which the server refuses.
func TestS3OverTLS(t *testing.T) {
	target := objectstest.S3TLS(t)
	_, b := openS3Bucket(t, target.URI)
	for _, size := range []int{0, 10, 11 << 20} {
		key, data := strconv.Itoa(size), s3Noise(size)
		if err := b.CreateIfAbsent(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
		if got, err := b.ReadAll(t.Context(), key); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
}

// TestS3UnknownAuthority: a certificate that nobody vouches for does not get better by waiting.
func TestS3UnknownAuthority(t *testing.T) {
	target := objectstest.S3TLS(t)
	t.Setenv("AWS_CA_BUNDLE", "")
	_, b := openS3Bucket(t, target.URI)
	begun := time.Now()
	_, err := b.List(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "certificate") || time.Since(begun) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// TestS3StoredCompressed: an object is the bytes that are stored, whatever its Content-Encoding says.
func TestS3StoredCompressed(t *testing.T) {
	target := objectstest.S3Direct(t)
	client, bucket, folder := plainS3(t, target)
	var stored bytes.Buffer
	w := gzip.NewWriter(&stored)
	if _, err := w.Write(bytes.Repeat([]byte("mapper "), 1000)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String(folder + "x"), Body: bytes.NewReader(stored.Bytes()),
		ContentEncoding: aws.String("gzip"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, b := openS3Bucket(t, target.URI)
	if got, err := b.ReadAll(t.Context(), "x"); err != nil || !bytes.Equal(got, stored.Bytes()) {
		t.Errorf("got %d bytes, want %d; %v", len(got), stored.Len(), err)
	}
	f, err := b.Open(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := make([]byte, 10)
	if _, err := f.ReadAt(part, 5); err != nil || !bytes.Equal(part, stored.Bytes()[5:15]) {
		t.Errorf("at 5: %x, %v", part, err)
	}
}

// TestS3DamagedOnTheWayDown: bytes of an object that is read whole are compared with the checksum that S3 keeps.
func TestS3DamagedOnTheWayDown(t *testing.T) {
	target := objectstest.S3Direct(t)
	to, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	damage := httputil.NewSingleHostReverseProxy(to)
	damage.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method == http.MethodGet && r.Request.URL.RawQuery != "list-type=2" {
			r.Body = &damaged{ReadCloser: r.Body}
		}
		return nil
	}
	between := httptest.NewServer(damage)
	defer between.Close()
	t.Setenv("AWS_ENDPOINT_URL", between.URL)
	_, b := openS3Bucket(t, target.URI)
	for _, size := range []int{10, 11 << 20} { // one with the checksum of a request, one with that of many
		key := strconv.Itoa(size)
		if err := b.CreateIfAbsent(t.Context(), key, s3Noise(size)); err != nil {
			t.Fatal(err)
		}
		got, err := b.ReadAll(t.Context(), key)
		if err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%d of %d bytes, %v", len(got), size, err)
		}
	}
}

// damaged flips a bit of the first byte of a body.
type damaged struct {
	io.ReadCloser
	done bool
}

// Read reads.
func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if n > 0 && !d.done {
		p[0] ^= 1
		d.done = true
	}
	return n, err
}

// TestS3LeavesNothing: whatever becomes of an upload, no parts are left that somebody pays for, and no goroutines.
func TestS3LeavesNothing(t *testing.T) {
	target := objectstest.S3Direct(t)
	client, bucket, _ := plainS3(t, target)
	running := goleak.IgnoreCurrent()
	store, b := openS3Bucket(t, target.URI)
	data := s3Noise(11 << 20)
	begin := func(ctx context.Context, key string) *objects.Writer {
		w, err := b.Create(ctx, key)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	ctx, cancel := context.WithCancel(t.Context())
	aborted, cancelled, first, second := begin(ctx, "aborted"), begin(ctx, "cancelled"), begin(t.Context(), "x"), begin(t.Context(), "x")
	if err := aborted.Abort(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := cancelled.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Close(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second of two: %v", err)
	}
	left, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil || len(left.Uploads) != 0 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, running)
}

// TestS3NoCredentials: a machine without credentials says so at once.
func TestS3NoCredentials(t *testing.T) {
	target := objectstest.S3Direct(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, b := openS3Bucket(t, target.URI)
	_, err := b.List(t.Context(), "")
	if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "no credentials") {
		t.Error(err)
	}
}
