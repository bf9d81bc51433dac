package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const azureErrorCode = "x-ms-error-code" // the header with a name for what is wrong

// azureTryTimeout is for how long one attempt may take, but for reading, which takes as long as it takes. Against a
// peer that takes no more bytes of a chunk there is no other limit: that on headers counts from the request's end.
const azureTryTimeout = 3 * time.Minute

// azureRetry says that whatever may pass is tried until the context ends.
func azureRetry(timeout time.Duration) policy.RetryOptions {
	return policy.RetryOptions{
		TryTimeout:    timeout,
		MaxRetries:    math.MaxInt32 - 1, // the SDK counts attempts, one more, in 32 bits
		RetryDelay:    firstWait,
		MaxRetryDelay: lastWait,
		ShouldRetry:   mayPass,
	}
}

// mayPass says whether the next attempt may do better.
func mayPass(resp *http.Response, err error) bool {
	if err != nil {
		return !isLasting(err)
	}
	switch resp.Header.Get(azureErrorCode) {
	case "Md5Mismatch", "Crc64Mismatch": // damaged on the way
		return true
	}
	return isPassing(resp.StatusCode)
}

func isPassing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// azureCall is one call of the SDK, of any number of attempts.
type azureCall struct {
	ctx  context.Context
	last error // of the last attempt that failed while there was time for another
}

type azureCallKey struct{}

// call makes one call of the SDK and explains its error.
func (a *azure) call(ctx context.Context, key string, do func(context.Context) error) error {
	c := &azureCall{ctx: ctx}
	err := do(context.WithValue(ctx, azureCallKey{}, c))
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return a.explain(key, err)
	case c.last == nil:
		c.last = context.Cause(ctx)
	}
	// Whether it is the storage that did not answer in time or the user who is tired of it, remote knows.
	return &Error{URI: a.uri(key), Kind: ErrUnavailable, Err: c.last}
}

// azureAttempt is what is done about each attempt of a call.
type azureAttempt struct{}

// Do makes an attempt.
func (azureAttempt) Do(req *policy.Request) (*http.Response, error) {
	if body := req.Raw().Body; body != nil && body != http.NoBody {
		lent := &lentBody{from: body}
		req.Raw().Body = lent
		defer lent.takeBack()
	}
	resp, err := req.Next()
	if err == nil {
		capRetryAfter(resp)
	}
	if c, ok := req.Raw().Context().Value(azureCallKey{}).(*azureCall); ok && c.ctx.Err() == nil && (err != nil || resp.StatusCode >= 400) {
		c.last = azureCause(err)
		if err == nil {
			c.last = &azureRefusal{code: resp.Header.Get(azureErrorCode), status: resp.StatusCode}
		}
	}
	return resp, err
}

// capRetryAfter shortens the wait that the service asks for. The SDK gives up at once when that is longer than the
// longest it may wait.
func capRetryAfter(resp *http.Response) {
	after := resp.Header.Get("Retry-After")
	if after == "" {
		return
	}
	if seconds, err := strconv.Atoi(after); err != nil || seconds > int(lastWait/time.Second) {
		resp.Header.Set("Retry-After", strconv.Itoa(int(lastWait/time.Second)))
	}
}

// lentBody is a request's body for the length of one attempt. net/http may still be reading it when an attempt is
// over, while the next one reads the same, or its memory is used for something else.
type lentBody struct {
	mu   sync.Mutex
	from io.ReadCloser // nil when it was taken back
}

// Read reads on.
func (b *lentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.from == nil {
		return 0, fs.ErrClosed
	}
	return b.from.Read(p)
}

// Close leaves the body as it is, for the next attempt.
func (b *lentBody) Close() error { return nil }

func (b *lentBody) takeBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from = nil
}

// azureRefusal is an answer that is no success, in few words. The SDK's own error is a page long.
type azureRefusal struct {
	code   string // may be empty
	status int
}

// Error returns what the service calls it.
func (r *azureRefusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s HTTP %d", r.code, r.status))
}

// isRefused says whether the service answered with a status.
func isRefused(err error, status int) bool {
	var r *azureRefusal
	return errors.As(err, &r) && r.status == status
}

// explain makes an Error of what the SDK says.
func (a *azure) explain(key string, err error) error {
	e := &Error{URI: a.uri(key), Err: azureCause(err)}
	var refusal *azureRefusal
	var hopeless interface{ NonRetriable() } // how the SDK says that it finds no credentials, or is given none
	switch {
	case errors.As(e.Err, &refusal):
		e.Kind = refusal.kind()
	case errors.As(err, &hopeless):
		e.Kind = fs.ErrPermission
	case isNetwork(err):
		e.Kind = ErrUnavailable
	}
	return e
}

func (r *azureRefusal) kind() error {
	switch {
	case r.status == http.StatusNotFound, r.code == "ContainerBeingDeleted":
		return fs.ErrNotExist
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return fs.ErrPermission
	case isPassing(r.status):
		return ErrUnavailable
	}
	return nil
}

// azureCause returns an error of the SDK in one line and without what stands behind the ? of a URL, which may be a
// signature that opens the account.
func azureCause(err error) error {
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		return &azureRefusal{code: refused.ErrorCode, status: refused.StatusCode}
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if err == nil {
		return nil
	}
	text := err.Error()
	text, _, _ = strings.Cut(text, "\n---") // what follows is an answer's whole text
	words := strings.Fields(text)
	for i, word := range words {
		if strings.Contains(word, "://") {
			words[i], _, _ = strings.Cut(word, "?")
		}
	}
	if line := strings.Join(words, " "); line != err.Error() {
		return errors.New(line)
	}
	return err
}
