package objects

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
)

// s3CallTimeout is for how long one attempt may take, with all of its reply: a chunk that goes up at 17 kB/s, or a
// large upload that S3 puts together. Reading an object has no such limit.
const s3CallTimeout = 5 * time.Minute

// s3Creator is the key of the metadata that holds the id of an object's creator.
const s3Creator = "mapper-creator"

// s3Bucket is a bucket of S3, or of a service that speaks its protocol. What the SDK finds in the environment and in
// ~/.aws applies: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, AWS_PROFILE, web identities, the
// roles of containers and machines; AWS_REGION, us-east-1 if there is none; AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL
// for other services, whose buckets are then named in the path and not in the host; AWS_CA_BUNDLE;
// AWS_RESPONSE_CHECKSUM_VALIDATION; and AWS_REQUEST_CHECKSUM_CALCULATION=when_required for services that refuse
// S3's newer checksums, which are then sent MD5 sums.
type s3Bucket struct {
	name    string
	client  *s3.Client
	retryer aws.Retryer
	http    *http.Client // for objects, which may take hours to read
	calls   *http.Client // for everything else
	md5     bool         // the only checksum that the service knows
}

func openS3(ctx context.Context, bucket string, client *http.Client) (cloud, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithDefaultRegion("us-east-1"), config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, &Error{URI: "s3://" + bucket, Kind: fs.ErrPermission, Err: err}
	}
	b := &s3Bucket{name: bucket, retryer: newS3Retryer(), http: withRootsOf(cfg, client)}
	b.md5 = cfg.RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired
	b.calls = &http.Client{Transport: b.http.Transport, Timeout: s3CallTimeout}
	cfg.Credentials = &s3Credentials{from: cfg.Credentials}
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Names like bucket.host exist where somebody has set them up, which is seldom beyond AWS.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.HTTPClient = b.calls
		o.DisableLogOutputChecksumValidationSkipped = true
		o.ContinueHeaderThresholdBytes = -1 // a chunk is small enough to be sent in vain
	})
	return b, nil
}

// withRootsOf returns the client, which also trusts the authorities of AWS_CA_BUNDLE. The SDK would put them into
// a client of its own.
func withRootsOf(cfg aws.Config, client *http.Client) *http.Client {
	own, isOwn := cfg.HTTPClient.(*awshttp.BuildableClient)
	transport, isTransport := client.Transport.(*http.Transport)
	if !isOwn || !isTransport || own.GetTransport().TLSClientConfig.RootCAs == nil {
		return client
	}
	transport = transport.Clone()
	transport.TLSClientConfig.RootCAs = own.GetTransport().TLSClientConfig.RootCAs
	return &http.Client{Transport: transport}
}

// Close lets go of idle connections.
func (b *s3Bucket) Close() error {
	b.http.CloseIdleConnections()
	return nil
}

func (b *s3Bucket) uri(key string) string { return "s3://" + b.name + "/" + key }

// pages yields the replies to a list, each with 1000 names at most.
func (b *s3Bucket) pages(ctx context.Context, prefix, delimiter string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		// XML cannot hold every name, so they are asked for as in URLs.
		in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		if delimiter != "" {
			in.Delimiter = &delimiter
		}
		for {
			out, err := s3Call(ctx, b, prefix, b.client.ListObjectsV2, in)
			if !yield(out, err) || err != nil || !aws.ToBool(out.IsTruncated) {
				return
			}
			if aws.ToString(out.NextContinuationToken) == aws.ToString(in.ContinuationToken) {
				yield(nil, &Error{URI: b.uri(prefix), Err: errors.New("the list does not go on where it says it does")})
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}

func (b *s3Bucket) list(ctx context.Context, prefix string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for page, err := range b.pages(ctx, prefix, "") {
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, o := range page.Contents {
				key, err := b.listed(page, o.Key)
				if !yield(entry{key: key, size: aws.ToInt64(o.Size), version: aws.ToString(o.ETag), modified: aws.ToTime(o.LastModified)}, err) || err != nil {
					return
				}
			}
		}
	}
}

// listed returns a name in a list.
func (b *s3Bucket) listed(page *s3.ListObjectsV2Output, name *string) (string, error) {
	if page.EncodingType != types.EncodingTypeUrl {
		return aws.ToString(name), nil // a service that does not know the parameter
	}
	key, err := url.QueryUnescape(aws.ToString(name))
	if err != nil {
		return "", &Error{URI: b.uri(aws.ToString(name)), Err: err}
	}
	return key, nil
}

func (b *s3Bucket) folders(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for page, err := range b.pages(ctx, folder, "/") {
			if err != nil {
				yield("", err)
				return
			}
			for _, below := range page.CommonPrefixes {
				name, err := b.listed(page, below.Prefix)
				name = strings.TrimSuffix(strings.TrimPrefix(name, folder), "/")
				if (err != nil || name != "") && !yield(name, err) || err != nil {
					return
				}
			}
		}
	}
}

func (b *s3Bucket) stat(ctx context.Context, key string) (e entry, creator string, err error) {
	out, err := s3Call(ctx, b, key, b.client.HeadObject, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return entry{}, "", err
	}
	return entry{key: key, size: aws.ToInt64(out.ContentLength), version: aws.ToString(out.ETag)}, out.Metadata[s3Creator], nil
}

// read asks for an object whole without naming a range: then S3 adds the checksum that it keeps of it, and the
// SDK compares what it reads.
func (b *s3Bucket) read(ctx context.Context, e entry, from, size int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &b.name, Key: &e.key, IfMatch: &e.version}
	if from != 0 || size != e.size {
		in.Range = aws.String("bytes=" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(from+size-1, 10))
	}
	out, err := s3Call(ctx, b, e.key, b.client.GetObject, in, func(o *s3.Options) { o.HTTPClient = b.http })
	if err != nil {
		return nil, pinned(err)
	}
	// Not every service heeds If-Match.
	if got := aws.ToString(out.ETag); got != e.version {
		_ = out.Body.Close() // nobody wants it
		return nil, &Error{URI: b.uri(e.key), Kind: ErrChanged}
	}
	return out.Body, nil
}

func (b *s3Bucket) remove(ctx context.Context, key string) error {
	_, err := s3Call(ctx, b, key, b.client.DeleteObject, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	return err // one that is not there is no error for S3 either
}
