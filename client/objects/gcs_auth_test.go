package objects

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// redirect sends all requests to one server, whatever their host.
type redirect struct{ to string }

// RoundTrip sends a request.
func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", r.to
	return http.DefaultTransport.RoundTrip(req)
}

// useCredentials makes the application default credentials of this process those of a service account that gets its
// tokens at a path of any host.
func useCredentials(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@example.com", "project_id": "p", "private_key_id": "k",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "http://accounts.example.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, account, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
}

// tokenServer gives out tokens with status, and says of an object that it is there to whoever has one.
func tokenServer(t *testing.T, status int) *http.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token" && status != http.StatusOK:
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "{\n\"error\": \"invalid_grant\", \"error_description\": \"account not found\"}")
		case r.URL.Path == "/token":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"open-sesame","token_type":"Bearer","expires_in":3600}`)
		case r.Header.Get("Authorization") != "Bearer open-sesame":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = io.WriteString(w, `{"name":"x","size":"5","generation":"7","metadata":{"mapper-creator":"me"}}`)
		}
	}))
	t.Cleanup(server.Close)
	return &http.Client{Transport: redirect{strings.TrimPrefix(server.URL, "http://")}}
}

func TestGCSCredentials(t *testing.T) {
	useCredentials(t)
	for _, c := range []struct {
		name   string
		tokens int
		kind   error
		says   string
	}{
		{"good", http.StatusOK, nil, ""},
		{"revoked", http.StatusBadRequest, fs.ErrPermission, "invalid_grant"},
		{"no answer", http.StatusServiceUnavailable, ErrUnavailable, "503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bucket, err := openGCS(t.Context(), "b", tokenServer(t, c.tokens))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if c.tokens == http.StatusServiceUnavailable {
				time.AfterFunc(300*time.Millisecond, cancel)
			}
			defer cancel()
			e, creator, err := bucket.stat(ctx, "x")
			if c.says == "" {
				if want := (entry{key: "x", size: 5, version: "7"}); err != nil || e != want || creator != "me" {
					t.Errorf("%+v, %q, %v", e, creator, err)
				}
				return
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %v", err, c.kind)
			}
		})
	}
}

func TestGCSNoCredentials(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "nosuch.json"))
	var store Store
	_, err := store.Bucket(t.Context(), "gs://b/table")
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "nosuch.json") || strings.Count(err.Error(), "gs://b") != 1 {
		t.Error(err)
	}
}

// TestGCSPasses says which failures are worth another attempt.
func TestGCSPasses(t *testing.T) {
	sent := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://storage.example.com/?upload_id=secret", Err: err}
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"refused":                 {sent(&net.OpError{Op: "dial", Err: errors.New("connect: connection refused")}), true},
		"no route":                {sent(&net.OpError{Op: "dial", Err: errors.New("connect: no route to host")}), true},
		"reset":                   {sent(&net.OpError{Op: "read", Err: errors.New("read: connection reset by peer")}), true},
		"closed by the server":    {sent(io.EOF), true},
		"cut":                     {io.ErrUnexpectedEOF, true},
		"HTTP/2 stream":           {sent(errors.New("stream error: stream ID 3; INTERNAL_ERROR; received from peer")), true},
		"no such host":            {sent(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), false},
		"name server":             {sent(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}), true},
		"alert":                   {sent(&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}), false},
		"unknown authority":       {sent(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), false},
		"503":                     {&googleapi.Error{Code: http.StatusServiceUnavailable}, true},
		"429":                     {&googleapi.Error{Code: http.StatusTooManyRequests}, true},
		"408":                     {&googleapi.Error{Code: http.StatusRequestTimeout}, true},
		"403":                     {&googleapi.Error{Code: http.StatusForbidden}, false},
		"412":                     {&googleapi.Error{Code: http.StatusPreconditionFailed}, false},
		"404, as the SDK says it": {fmt.Errorf("%w: x", storage.ErrObjectNotExist), false},
	} {
		if got := passes(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if text := plainGCS(c.err).Error(); strings.Contains(text, "secret") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
