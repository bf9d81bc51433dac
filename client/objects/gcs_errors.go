package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// gcsAttempts decides which requests of one operation are repeated, and keeps the last failure that did not end it:
// when its time runs out, that is the reason.
type gcsAttempts struct {
	ctx context.Context

	mu   sync.Mutex
	last error
}

// options returns how the SDK repeats requests: whatever passes, until ctx ends, after waits of the SDK's own that
// grow to 30 seconds. Nothing here does harm when it is done twice: what is created has a precondition, and what is
// read a version.
func (a *gcsAttempts) options() []storage.RetryOption {
	return []storage.RetryOption{storage.WithPolicy(storage.RetryAlways), storage.WithErrorFunc(a.again)}
}

func (a *gcsAttempts) again(err error) bool {
	if err == nil || !passes(err) || a.ctx.Err() != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = err
	return true
}

// errNoAnswer is the end of an operation that had no answer at all before its time ran out.
var errNoAnswer = errors.New("no answer")

// cause returns why an operation that ended with err did.
func (a *gcsAttempts) cause(err error) error {
	if a.ctx.Err() == nil || !errors.Is(err, a.ctx.Err()) {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last != nil {
		return a.last
	}
	return errNoAnswer
}

// passes says whether a failure may be gone soon. The SDK's own answer leaves out most of what can happen to a
// connection.
func passes(err error) bool {
	if storage.ShouldRetry(err) {
		return true
	}
	var reply *googleapi.Error
	if errors.As(err, &reply) {
		return false
	}
	var connection *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return !name.IsNotFound
	case errors.As(err, &connection): // "remote error" and "local error" are TLS alerts
		return connection.Op == "dial" || connection.Op == "read" || connection.Op == "write"
	}
	var sent *url.Error // HTTP/2 streams that are reset have no type of their own outside of net/http
	return errors.As(err, &sent) && (strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: "))
}

// fail returns an error of the SDK as one of this package.
func (g *gcs) fail(key string, a *gcsAttempts, err error) error {
	if err == nil {
		return nil
	}
	err = a.cause(err)
	return &Error{URI: g.uri(key), Kind: kindGCS(err), Err: plainGCS(err)}
}

func kindGCS(err error) error {
	var reply *googleapi.Error
	var token *auth.Error
	switch {
	case errors.Is(err, storage.ErrObjectNotExist), errors.Is(err, storage.ErrBucketNotExist):
		return fs.ErrNotExist
	case errors.As(err, &reply):
		return kindOfStatus(reply.Code)
	case passes(err), errors.Is(err, errNoAnswer):
		return ErrUnavailable
	case errors.As(err, &token):
		return fs.ErrPermission
	case isNetwork(err):
		return ErrUnavailable
	}
	return nil
}

func kindOfStatus(code int) error {
	switch code {
	case http.StatusNotFound:
		return fs.ErrNotExist
	case http.StatusUnauthorized, http.StatusForbidden:
		return fs.ErrPermission
	case http.StatusConflict, http.StatusPreconditionFailed:
		return fs.ErrExist
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusGone: // of an upload that the service has forgotten
		return ErrUnavailable
	}
	if code >= http.StatusInternalServerError {
		return ErrUnavailable
	}
	return nil
}

// plainGCS returns what an error of the SDK says in one line, without its URL: that of an upload lets anybody write.
func plainGCS(err error) error {
	var reply *googleapi.Error
	if errors.As(err, &reply) {
		text := fmt.Sprintf("%d %s", reply.Code, http.StatusText(reply.Code))
		if reply.Message != "" && reply.Message != http.StatusText(reply.Code) {
			text += ": " + reply.Message
		}
		return errors.New(oneLine(text))
	}
	for sent := (*url.Error)(nil); errors.As(err, &sent); {
		err = sent.Err
	}
	return errors.New(oneLine(err.Error()))
}
