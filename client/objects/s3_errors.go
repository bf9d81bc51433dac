package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// s3Call sends a request, again and again until it succeeds, fails for good, or ctx ends.
func s3Call[In, Out any](ctx context.Context, b *s3Bucket, key string,
	send func(context.Context, In, ...func(*s3.Options)) (Out, error), in In, with ...func(*s3.Options),
) (Out, error) {
	tries := &s3Tries{Retryer: b.retryer}
	out, err := send(ctx, in, append(with, func(o *s3.Options) { o.Retryer = tries })...)
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return out, &Error{URI: b.uri(key), Kind: s3Kind(err), Err: s3Reason(err)}
	case tries.last == nil:
		return out, &Error{URI: b.uri(key), Kind: ErrUnavailable, Err: fmt.Errorf("no answer: %w", context.Cause(ctx))}
	}
	return out, &Error{URI: b.uri(key), Kind: ErrUnavailable, Err: s3Reason(tries.last)}
}

// s3Tries is the retryer of one request. It remembers why the last attempt failed, which the SDK does not tell when
// the context ends between two.
type s3Tries struct {
	aws.Retryer
	last error
}

// IsErrorRetryable is asked once for each attempt that failed.
func (t *s3Tries) IsErrorRetryable(err error) bool {
	var ended interface{ CanceledError() bool }
	if !errors.As(err, &ended) || !ended.CanceledError() {
		t.last = err
	}
	return t.Retryer.IsErrorRetryable(err)
}

// newS3Retryer repeats without end whatever may pass.
func newS3Retryer() aws.Retryer {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.RateLimiter = ratelimit.None // which would give up before the store does
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			wait := min(lastWait, firstWait<<min(max(attempt-1, 0), 16))
			return wait/2 + rand.N(wait/2), nil
		})
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(isS3Hopeless)}, o.Retryables...)
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusRequestTimeout: {}, http.StatusTooManyRequests: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{
				"ConditionalRequestConflict": {}, "OperationAborted": {}, // two at once
				"BadDigest": {}, "XAmzContentSHA256Mismatch": {}, "XAmzContentChecksumMismatch": {}, "IncompleteBody": {}, // damaged on the way
			}},
			retry.IsErrorRetryableFunc(isS3CutOff))
	})
	return retry.AddWithMaxAttempts(standard, 0)
}

// isS3Hopeless knows errors that look to the SDK like those of a connection, and do not pass.
func isS3Hopeless(err error) aws.Ternary {
	if isLasting(err) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// isS3CutOff knows a reply that ended before it was complete.
func isS3CutOff(err error) aws.Ternary {
	var reply *smithy.DeserializationError
	if errors.As(err, &reply) && (errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "unexpected EOF")) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// s3Credentials tells a machine that has no credentials, which does not pass, from one that cannot renew them just
// now.
type s3Credentials struct {
	from aws.CredentialsProvider
	had  atomic.Bool
}

// Retrieve returns the credentials.
func (c *s3Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.from.Retrieve(ctx)
	if err != nil {
		return found, &s3CredentialsError{err: err, passing: c.had.Load()}
	}
	c.had.Store(true)
	return found, nil
}

type s3CredentialsError struct {
	err     error
	passing bool
}

// Error returns why there are none.
func (e *s3CredentialsError) Error() string { return "no credentials: " + e.err.Error() }

// Unwrap returns the cause.
func (e *s3CredentialsError) Unwrap() error { return e.err }

// RetryableError is what the SDK asks.
func (e *s3CredentialsError) RetryableError() bool { return e.passing }

// s3Kind says what an error means. HEAD has no body to tell, so the status has to do.
func s3Kind(err error) error {
	var credentials *s3CredentialsError
	var api smithy.APIError
	var reply *smithyhttp.ResponseError
	switch {
	case errors.As(err, &credentials):
		return fs.ErrPermission
	case !errors.As(err, &reply) && isNetwork(err):
		return ErrUnavailable
	case reply == nil:
		return nil
	}
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchUpload": // it was completed by an attempt whose reply was lost, or somebody has aborted it
			return ErrUnavailable
		case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
			return fs.ErrPermission
		}
	}
	return map[int]error{
		http.StatusUnauthorized:                 fs.ErrPermission,
		http.StatusForbidden:                    fs.ErrPermission,
		http.StatusNotFound:                     fs.ErrNotExist,
		http.StatusPreconditionFailed:           fs.ErrExist,
		http.StatusRequestedRangeNotSatisfiable: ErrChanged, // it was longer when it was found
	}[reply.HTTPStatusCode()]
}

// s3Reason returns what S3 said, or else what the network did, in one line. The SDK adds URLs.
func s3Reason(err error) error {
	var api smithy.APIError
	var reply *smithyhttp.ResponseError
	var request *url.Error
	var operation *smithy.OperationError
	hasReply := errors.As(err, &reply)
	switch {
	case errors.As(err, &api):
		text := api.ErrorCode()
		if hasReply {
			text = fmt.Sprintf("HTTP %d %s", reply.HTTPStatusCode(), text)
		}
		if said := api.ErrorMessage(); said != "" && said != api.ErrorCode() {
			text += ": " + said
		}
		return errors.New(oneLine(text) + regionHint(reply))
	case errors.As(err, &request):
		return request.Err
	case hasReply:
		return fmt.Errorf("HTTP %d%s", reply.HTTPStatusCode(), regionHint(reply))
	case errors.As(err, &operation):
		err = operation.Err
	}
	return errors.New(oneLine(err.Error()))
}

// regionHint says where a bucket is that was looked for in another region.
func regionHint(reply *smithyhttp.ResponseError) string {
	if reply == nil || reply.Response == nil {
		return ""
	}
	status, region := reply.HTTPStatusCode(), reply.Response.Header.Get("X-Amz-Bucket-Region")
	if region == "" || status != http.StatusMovedPermanently && status != http.StatusBadRequest {
		return ""
	}
	return fmt.Sprintf("; the bucket is in region %s, set AWS_REGION=%[1]s", region)
}
