package objects

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// gcs is a bucket of Google Cloud Storage. It is spoken to over its JSON API, but read over its XML API, which alone
// hands out compressed objects as they are stored.
//
// Credentials are the application default ones: the file that GOOGLE_APPLICATION_CREDENTIALS names, what
// `gcloud auth application-default login` has left, or the account of the machine. GOOGLE_CLOUD_QUOTA_PROJECT names the
// project that is billed, HTTPS_PROXY a proxy. With STORAGE_EMULATOR_HOST, a host or URL, everything goes there
// instead, without credentials.
type gcs struct {
	name   string
	client *storage.Client
	bucket *storage.BucketHandle
}

// creatorKey is where an object's metadata have the id of its creator.
const creatorKey = "mapper-creator"

func openGCS(ctx context.Context, bucket string, client *http.Client) (cloud, error) {
	client = &http.Client{Transport: unstalled{client.Transport, stalledAfter}}
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		var err error
		if client, err = authenticated(ctx, client); err != nil {
			return nil, &Error{URI: "gs://" + bucket, Kind: fs.ErrPermission, Err: plainGCS(err)}
		}
	}
	// The client that is given authenticates, so the SDK need not look for credentials once more.
	sdk, err := storage.NewClient(ctx, option.WithHTTPClient(client), option.WithoutAuthentication())
	if err != nil {
		return nil, &Error{URI: "gs://" + bucket, Err: plainGCS(err)}
	}
	return &gcs{name: bucket, client: sdk, bucket: sdk.Bucket(bucket)}, nil
}

// authenticated returns a client that adds the credentials of this machine to what it sends.
func authenticated(ctx context.Context, client *http.Client) (*http.Client, error) {
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{storage.ScopeReadWrite}, Client: client})
	if err != nil {
		return nil, err
	}
	transport, err := htransport.NewTransport(ctx, client.Transport, option.WithAuthCredentials(found), option.WithTelemetryDisabled())
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: transport}, nil
}

func (g *gcs) uri(key string) string { return "gs://" + g.name + "/" + key }

func (g *gcs) object(key string, a *gcsAttempts) *storage.ObjectHandle {
	return g.bucket.Object(key).Retryer(a.options()...)
}

func (g *gcs) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for o, err := range g.walk(ctx, prefix, "") {
			if err != nil {
				yield(entry{}, err)
				return
			}
			if !yield(entryOf(o), nil) {
				return
			}
		}
	}
}

func (g *gcs) folders(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range g.walk(ctx, folder, "/") {
			if err != nil {
				yield("", err)
				return
			}
			name := strings.TrimSuffix(strings.TrimPrefix(o.Prefix, folder), "/")
			if o.Prefix != "" && name != "" && !yield(name, nil) {
				return
			}
		}
	}
}

// walk yields what begins with prefix: objects, and with a delimiter also the prefixes that end there.
func (g *gcs) walk(ctx context.Context, prefix, delimiter string) iter.Seq2[*storage.ObjectAttrs, error] {
	return func(yield func(*storage.ObjectAttrs, error) bool) {
		a := &gcsAttempts{ctx: ctx}
		query := &storage.Query{Prefix: prefix, Delimiter: delimiter, Projection: storage.ProjectionNoACL}
		if err := query.SetAttrSelection([]string{"Name", "Size", "Generation"}); err != nil {
			yield(nil, g.fail(prefix, a, err))
			return
		}
		pages := g.bucket.Retryer(a.options()...).Objects(ctx, query)
		pages.PageInfo().MaxSize = 1000 // the most there is
		for {
			o, err := pages.Next()
			if errors.Is(err, iterator.Done) {
				return
			}
			if err != nil {
				yield(nil, g.fail(prefix, a, err))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// entryOf describes an object. Its generation is another number whenever it is written.
func entryOf(o *storage.ObjectAttrs) entry {
	return entry{key: o.Name, size: o.Size, version: strconv.FormatInt(o.Generation, 10), modified: o.Updated}
}

func (g *gcs) stat(ctx context.Context, key string) (entry, string, error) {
	a := &gcsAttempts{ctx: ctx}
	o, err := g.object(key, a).Attrs(ctx)
	if err != nil {
		return entry{}, "", g.fail(key, a, err)
	}
	return entryOf(o), o.Metadata[creatorKey], nil
}

func (g *gcs) remove(ctx context.Context, key string) error {
	a := &gcsAttempts{ctx: ctx}
	err := g.object(key, a).Delete(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil
	}
	return g.fail(key, a, err)
}

func (g *gcs) read(ctx context.Context, e entry, from, size int64) (io.ReadCloser, error) {
	generation, err := strconv.ParseInt(e.version, 10, 64)
	if err != nil {
		return nil, &Error{URI: g.uri(e.key), Kind: ErrChanged, Err: errors.New("the version is no generation")}
	}
	if from == 0 && size == e.size {
		size = -1 // without a range, which is when the SDK compares the bytes with their CRC32C
	}
	a := &gcsAttempts{ctx: ctx}
	fail := func(err error) error { return pinned(g.fail(e.key, a, err)) }
	body, err := g.object(e.key, a).Generation(generation).ReadCompressed(true).NewRangeReader(ctx, from, size)
	if err != nil {
		return nil, fail(err)
	}
	return &gcsBody{body, fail}, nil
}

// gcsBody is what is read of an object, with errors that name it.
type gcsBody struct {
	*storage.Reader
	fail func(error) error
}

// Read reads on. When the connection breaks, the SDK makes another one, of the same generation.
func (b *gcsBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.fail(err)
	}
	return n, err
}

// Close ends the request.
func (b *gcsBody) Close() error { return b.Reader.Close() }

// Close ends what the SDK keeps.
func (g *gcs) Close() error { return g.client.Close() }
