package objects_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"go.uber.org/goleak"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

// TestAzure runs on one server, since Node takes its time to start.
func TestAzure(t *testing.T) {
	server := objectstest.StartAzurite(t)
	t.Run("conformance", func(t *testing.T) { objectstest.Run(t, server.Target) })
	for name, test := range map[string]func(*azureSuite){
		"bytes as stored":      (*azureSuite).asStored,
		"stored checksums":     (*azureSuite).checksums,
		"damaged on the way":   (*azureSuite).damaged,
		"folders are no blobs": (*azureSuite).folders,
		"another kind of blob": (*azureSuite).otherKind,
		"two writers":          (*azureSuite).twoWriters,
		"no container":         (*azureSuite).noContainer,
		"signatures":           (*azureSuite).signatures,
		"nothing stays":        (*azureSuite).nothingStays,
	} {
		t.Run(name, func(t *testing.T) {
			s := &azureSuite{T: t, server: server, target: server.Target(t), store: &objects.Store{GiveUpAfter: 20 * time.Second}}
			s.sdk = containerOf(t, server, s.target)
			var err error
			if s.bucket, err = s.store.Bucket(t.Context(), s.target.URI); err != nil {
				t.Fatal(err)
			}
			test(s)
			if err := s.store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

type azureSuite struct {
	*testing.T
	server *objectstest.Azurite
	target objectstest.Target
	store  *objects.Store
	bucket *objects.Bucket
	sdk    *container.Client // the same container, without us and the proxy
}

// containerOf returns the SDK's own client of a target, which goes past the proxy.
func containerOf(t testing.TB, server *objectstest.Azurite, target objectstest.Target) *container.Client {
	t.Helper()
	c, err := container.NewClientFromConnectionString(server.ConnectionString(), strings.TrimPrefix(target.URI, "azblob://"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *azureSuite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// foreign uploads a blob as another program might.
func (s *azureSuite) foreign(key string, data []byte, options *blockblob.UploadOptions) {
	s.Helper()
	_, err := s.sdk.NewBlockBlobClient(key).Upload(s.Context(), streaming.NopCloser(bytes.NewReader(data)), options)
	s.must(err)
}

func (s *azureSuite) want(key, data string) {
	s.Helper()
	if got, err := s.bucket.ReadAll(s.Context(), key); err != nil || string(got) != data {
		s.Errorf("%s: %d bytes, %v; want %d", key, len(got), err, len(data))
	}
}

// large is more than two chunks.
func large(seed byte) string {
	data := make([]byte, 11<<20)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data) // never fails
	return string(data)
}

func (s *azureSuite) writer(key, data string) *objects.Writer {
	s.Helper()
	w, err := s.bucket.Create(s.Context(), key)
	s.must(err)
	_, err = io.WriteString(w, data)
	s.must(err)
	return w
}

// asStored: nothing is decompressed on the way.
func (s *azureSuite) asStored() {
	zipped := "\x1f\x8b these are not even the bytes of gzip"
	encoding := "gzip"
	s.foreign("x.gz", []byte(zipped), &blockblob.UploadOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &encoding}})
	s.want("x.gz", zipped)
}

// checksums: each blob that we make keeps its MD5.
func (s *azureSuite) checksums() {
	for key, data := range map[string]string{"small": "small", "empty": "", "large": large(1)} {
		s.must(s.writer(key, data).Close())
		p, err := s.sdk.NewBlobClient(key).GetProperties(s.Context(), nil)
		if err != nil || len(p.ContentMD5) != 16 || p.Metadata["Mapper_creator"] == nil {
			s.Errorf("%s: %x, %v, %v", key, p.ContentMD5, p.Metadata, err)
		}
		s.want(key, data)
	}
}

// damaged: what was damaged on the way up is sent again, each block for itself.
func (s *azureSuite) damaged() {
	for key, data := range map[string]string{"small": strings.Repeat("x", 1000), "large": large(2)} {
		flipped := s.target.Proxy.Corrupt(2, objectstest.IsWrite, 1000)
		s.must(s.writer(key, data).Close())
		if flipped() != 2 {
			s.Errorf("%s: damaged %d times", key, flipped())
		}
		s.want(key, data)
	}
}

// folders: an account with a hierarchical namespace lists its folders among the blobs.
func (s *azureSuite) folders() {
	yes := "true"
	s.foreign("run=1", nil, &blockblob.UploadOptions{Metadata: map[string]*string{"hdi_isfolder": &yes}})
	s.must(s.bucket.CreateIfAbsent(s.Context(), "run=1/x.csv", []byte("x")))
	found, err := s.store.Find(s.Context(), s.target.URI+"/run=1")
	if err != nil || len(found) != 1 || found[0].URI != s.target.URI+"/run=1/x.csv" {
		s.Errorf("found %v, %v", found, err)
	}
	keys, err := s.bucket.List(s.Context(), "")
	if err != nil || len(keys) != 1 {
		s.Errorf("listed %v, %v", keys, err)
	}
}

// otherKind: a name is taken, whatever took it.
func (s *azureSuite) otherKind() {
	_, err := s.sdk.NewAppendBlobClient("log").Create(s.Context(), &appendblob.CreateOptions{})
	s.must(err)
	if err := s.bucket.CreateIfAbsent(s.Context(), "log", []byte("x")); !errors.Is(err, fs.ErrExist) {
		s.Errorf("small: %v", err)
	}
	w, err := s.bucket.Create(s.Context(), "log")
	s.must(err)
	_, err = io.WriteString(w, large(3))
	if err = cmp.Or(err, w.Close()); !errors.Is(err, fs.ErrExist) {
		s.Errorf("large: %v", err)
	}
}

// twoWriters: blocks of one name lie in one place, and are not mixed up.
func (s *azureSuite) twoWriters() {
	dropped := s.writer("x", large(4))
	lost := s.writer("x", large(5))
	won := s.writer("x", large(6))
	s.must(dropped.Abort())
	s.must(won.Close())
	if err := lost.Close(); !errors.Is(err, fs.ErrExist) {
		s.Errorf("the second: %v", err)
	}
	s.want("x", large(6))
}

func (s *azureSuite) noContainer() {
	b, err := s.store.Bucket(s.Context(), "azblob://nosuchbox/folder")
	s.must(err)
	_, list := b.List(s.Context(), "")
	_, read := b.ReadAll(s.Context(), "x")
	for what, err := range map[string]error{"list": list, "read": read, "create": b.CreateIfAbsent(s.Context(), "x", nil)} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "azblob://nosuchbox/folder/") {
			s.Errorf("%s: %v", what, err)
		}
	}
	s.must(b.Delete(s.Context(), "x"))
}

// signatures do their work and are never told.
func (s *azureSuite) signatures() {
	s.must(s.bucket.CreateIfAbsent(s.Context(), "x", []byte("x")))
	for permissions, allowed := range map[sas.ContainerPermissions]bool{{Read: true, List: true}: true, {List: true}: false} {
		url, err := s.sdk.GetSASURL(permissions, time.Now().Add(time.Hour), nil)
		s.must(err)
		_, token, _ := strings.Cut(url, "?")
		s.Setenv("AZURE_STORAGE_CONNECTION_STRING", "BlobEndpoint="+s.target.Proxy.URL+"/devstoreaccount1;SharedAccessSignature="+token)
		store := &objects.Store{GiveUpAfter: time.Second}
		b, err := store.Bucket(s.Context(), s.target.URI)
		s.must(err)
		if keys, err := b.List(s.Context(), ""); err != nil || len(keys) != 1 {
			s.Fatal(keys, err)
		}
		_, read := b.ReadAll(s.Context(), "x")
		if (read == nil) != allowed || !allowed && !errors.Is(read, fs.ErrPermission) {
			s.Errorf("%v: %v", permissions, read)
		}
		created := b.CreateIfAbsent(s.Context(), "y", nil)
		if !errors.Is(created, fs.ErrPermission) {
			s.Errorf("%v: %v", permissions, created)
		}
		s.target.Proxy.LoseReply(-1, objectstest.IsAny)
		_, lost := b.List(s.Context(), "")
		if !errors.Is(lost, objects.ErrUnavailable) {
			s.Error(lost)
		}
		s.target.Proxy.Heal()
		for _, err := range []error{read, created, lost} {
			if err != nil && (strings.ContainsAny(err.Error(), "?\n") || strings.Contains(err.Error(), "sig=")) {
				s.Errorf("it tells: %v", err)
			}
		}
		s.must(store.Close())
	}
}

// nothingStays: a store that is closed leaves no goroutine.
func (s *azureSuite) nothingStays() {
	s.Setenv("AZURE_STORAGE_CONNECTION_STRING", s.server.ConnectionString()) // the proxy's goroutines are not ours
	before := goleak.IgnoreCurrent()
	store := &objects.Store{GiveUpAfter: time.Second}
	b, err := store.Bucket(s.Context(), s.target.URI)
	s.must(err)
	ctx, cancel := context.WithCancel(s.Context())
	w, err := b.Create(ctx, "cancelled")
	s.must(err)
	_, err = io.WriteString(w, large(8))
	s.must(err)
	cancel()
	s.must(w.Abort())
	s.must(b.CreateIfAbsent(s.Context(), "x", []byte(large(9))))
	f, err := b.Open(s.Context(), "x")
	s.must(err)
	_, err = io.CopyN(io.Discard, f, 1000)
	s.must(err)
	_, err = f.ReadAt(make([]byte, 1000), 5<<20)
	s.must(err)
	s.must(f.Close())
	s.must(store.Close())
	goleak.VerifyNone(s, before)
}

// BenchmarkReadAzure reads a blob as we do, and as the SDK does by itself. MAPPER_BENCH_MB is its size.
func BenchmarkReadAzure(b *testing.B) {
	server := objectstest.StartAzurite(b)
	target := server.Target(b)
	b.Setenv("AZURE_STORAGE_CONNECTION_STRING", server.ConnectionString()) // not through the proxy
	megabytes, err := strconv.Atoi(cmp.Or(os.Getenv("MAPPER_BENCH_MB"), "256"))
	if err != nil {
		b.Fatal(err)
	}
	size := int64(megabytes) << 20
	store := new(objects.Store)
	b.Cleanup(func() { _ = store.Close() }) // it was only read
	sdk := containerOf(b, server, target)
	_, err = sdk.NewBlockBlobClient("x").UploadStream(b.Context(), io.LimitReader(rand.NewChaCha8([32]byte{}), size), &blockblob.UploadStreamOptions{BlockSize: 5 << 20})
	if err != nil {
		b.Fatal(err)
	}
	object, err := store.Stat(b.Context(), target.URI+"/x")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{
		{"mapper", func() (io.ReadCloser, error) { return store.Open(b.Context(), object) }},
		{"sdk", func() (io.ReadCloser, error) {
			got, err := sdk.NewBlobClient("x").DownloadStream(b.Context(), nil)
			return got.Body, err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			for b.Loop() {
				f, err := c.open()
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, f); err != nil || n != size {
					b.Fatal(n, err)
				}
				_ = f.Close() // it was only read
			}
		})
	}
}
