package objects

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Store is the way to all storages. Its zero value is ready for use, and it is safe for concurrent use. Each cloud
// is reached with the credentials and endpoints that its own SDK finds in its environment.
type Store struct {
	// GiveUpAfter is for how long a storage may fail or be silent, without one success, before an operation
	// ends with ErrUnavailable; default 15 minutes.
	GiveUpAfter time.Duration

	mu      sync.Mutex
	buckets map[string]*remote // by scheme://bucket
	http    *http.Client
}

const defaultGiveUpAfter = 15 * time.Minute

func (s *Store) giveUpAfter() time.Duration { return cmp.Or(s.GiveUpAfter, defaultGiveUpAfter) }

// split takes a URL of a cloud storage apart. A path has no scheme.
func split(uri string) (scheme, bucket, key string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return "", "", uri
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return scheme, bucket, key
}

// place returns the backend of a path or URL, and the key there.
func (s *Store) place(ctx context.Context, uri string) (backend, string, error) {
	scheme, bucket, key := split(uri)
	if scheme == "" {
		return local{}, filepath.ToSlash(uri), nil
	}
	b, err := s.bucket(ctx, scheme, bucket)
	return b, key, err
}

// bucket returns the backend of a bucket. Each has one client for as long as the Store lives.
func (s *Store) bucket(ctx context.Context, scheme, name string) (*remote, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := scheme + "://" + name
	if r := s.buckets[id]; r != nil {
		return r, nil
	}
	dial := map[string]func(context.Context, string, *http.Client) (cloud, error){"gs": openGCS, "s3": openS3, "azblob": openAzure}[scheme]
	switch {
	case dial == nil:
		return nil, fmt.Errorf("%s: %s:// is not a storage that this program knows; give a path, or a URL that begins with gs://, s3:// or azblob://", id, scheme)
	case name == "":
		return nil, fmt.Errorf("%s: names no bucket; write %s://bucket/path", id, scheme)
	}
	if s.http == nil {
		s.http = newHTTPClient()
	}
	// The client outlives the call that happens to need it first.
	c, err := dial(context.WithoutCancel(ctx), name, s.http)
	if err != nil {
		return nil, err // which names the bucket, as all errors of a cloud do
	}
	r := &remote{cloud: c, giveUpAfter: s.giveUpAfter()}
	if s.buckets == nil {
		s.buckets = map[string]*remote{}
	}
	s.buckets[id] = r
	return r, nil
}

// Close lets go of idle connections. Files and writers that are still open do not end by it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	var err error
	for _, r := range s.buckets {
		if c, ok := r.cloud.(interface{ Close() error }); ok {
			err = errors.Join(err, c.Close())
		}
	}
	s.buckets = nil
	return err
}

// newHTTPClient returns what all clouds are spoken to with. A server that accepts a request and says nothing is
// given up, so that the SDK repeats it. Nothing is decompressed: an object is the bytes that are stored. HTTP/1.1 gives
// each stream a connection of its own, so that one that stalls holds up no other.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
	}}
}
