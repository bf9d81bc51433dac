package objects_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

// answer is what a server of the script below says, and a request that it says it to.
type answer struct {
	to     string // method and query, as far as they matter
	status int
	header string // name: value
	body   string
}

func s3ErrorBody(code, message string) string {
	return "<?xml version='1.0'?>\n<Error><Code>" + code + "</Code><Message>" + message + "</Message><Secret>shh</Secret></Error>"
}

// scriptedS3 gives one answer after the other, and stops the test when the next is for another request.
func scriptedS3(t *testing.T, answers []answer) (left func() int) {
	t.Helper()
	next := make(chan answer, len(answers))
	for _, a := range answers {
		next <- a
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the connection may break
		var a answer
		select {
		case a = <-next:
		default:
		}
		method, query, _ := strings.Cut(a.to, " ")
		if r.Method != method || !strings.Contains(r.URL.RawQuery, query) {
			t.Errorf("%s %s, want %q", r.Method, r.URL, a.to)
			a = answer{status: http.StatusNotImplemented}
		}
		if name, value, ok := strings.Cut(a.header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		if strings.HasSuffix(a.body, "<Key>") { // cut off
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	objectstest.S3Environment(t, server.URL)
	return func() int { return len(next) }
}

func TestS3Answers(t *testing.T) {
	small, large := []byte("x"), s3Noise(5<<20+1)
	list := func(b *objects.Bucket) error { _, err := b.List(t.Context(), ""); return err }
	read := func(b *objects.Bucket) error { _, err := b.ReadAll(t.Context(), "x"); return err }
	write := func(data []byte) func(*objects.Bucket) error {
		return func(b *objects.Bucket) error {
			w, err := b.Create(t.Context(), "x")
			if err != nil {
				return err
			}
			if _, err := w.Write(data); err != nil {
				return errors.Join(err, w.Abort())
			}
			return w.Close()
		}
	}
	const none = "<ListBucketResult></ListBucketResult>"
	begun := []answer{
		{"POST uploads", 200, "", "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"},
		{"PUT partNumber=1", 200, "ETag: 1", ""},
		{"PUT partNumber=2", 200, "ETag: 2", ""},
	}
	then := func(more ...answer) []answer { return append(begun[:3:3], more...) }
	done := answer{"POST uploadId=u", 200, "", "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"}
	for _, c := range []struct {
		name    string
		answers []answer
		do      func(*objects.Bucket) error
		kind    error  // or nil
		text    string // of the error; "" if there must be none
	}{
		{"another region, named", []answer{{"GET list-type=2", 301, "x-amz-bucket-region: eu-west-1", s3ErrorBody("PermanentRedirect", "use the endpoint")}}, list, nil, "AWS_REGION=eu-west-1"},
		{"another region, signed for", []answer{{"GET list-type=2", 400, "x-amz-bucket-region: eu-west-1", s3ErrorBody("AuthorizationHeaderMalformed", "wrong")}}, list, nil, "AWS_REGION=eu-west-1"},
		{"another region, HEAD", []answer{{"HEAD", 301, "x-amz-bucket-region: eu-west-1", ""}}, read, nil, "AWS_REGION=eu-west-1"},
		{"no such bucket", []answer{{"GET list-type=2", 404, "", s3ErrorBody("NoSuchBucket", "The bucket\n is not there")}}, list, fs.ErrNotExist, "HTTP 404 NoSuchBucket: The bucket is not there"},
		{"not found or not to be seen", []answer{{"HEAD", 403, "", ""}}, read, fs.ErrPermission, "HTTP 403 Forbidden"},
		{"not found", []answer{{"HEAD", 404, "", ""}}, read, fs.ErrNotExist, "HTTP 404"},
		{"expired token", []answer{{"GET list-type=2", 400, "", s3ErrorBody("ExpiredToken", "expired")}}, list, fs.ErrPermission, "ExpiredToken: expired"},
		{"gone before it was read", []answer{{"HEAD", 200, "ETag: 1", "ab"}, {"GET", 404, "", s3ErrorBody("NoSuchKey", "gone")}}, readByte, objects.ErrChanged, "changed"},
		{"If-Match is not heeded", []answer{{"HEAD", 200, "ETag: 1", "ab"}, {"GET", 200, "ETag: 2", "y"}}, readByte, objects.ErrChanged, "changed"},
		{"shorter than it was", []answer{{"HEAD", 200, "ETag: 1", "ab"}, {"GET", 416, "", s3ErrorBody("InvalidRange", "short")}}, readByte, objects.ErrChanged, "changed"},
		{"precondition unknown", []answer{{"PUT", 501, "", s3ErrorBody("NotImplemented", "a header that")}, {"HEAD", 404, "", ""}}, write(small), nil, "HTTP 501 NotImplemented: a header that"},
		{"throttled", []answer{{"GET list-type=2", 503, "", s3ErrorBody("SlowDown", "slow")}, {"GET list-type=2", 429, "", ""}, {"GET list-type=2", 200, "", none}}, list, nil, ""},
		{"timed out", []answer{{"PUT", 408, "", ""}, {"PUT", 400, "", s3ErrorBody("RequestTimeout", "idle")}, {"PUT", 200, "", ""}}, write(small), nil, ""},
		{"a list that is cut off", []answer{{"GET list-type=2", 200, "Content-Length: 1000", "<ListBucketResult><Contents><Key>"}, {"GET list-type=2", 200, "", none}}, list, nil, ""},
		{"a list that does not go on", []answer{{"GET list-type=2", 200, "", "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}}, list, nil, "does not go on"},
		{"two at once", []answer{{"PUT", 409, "", s3ErrorBody("ConditionalRequestConflict", "two")}, {"PUT", 412, "", s3ErrorBody("PreconditionFailed", "is there")}, {"HEAD", 200, "ETag: 1", ""}}, write(small), fs.ErrExist, "already"},
		{"completed", then(done), write(large), nil, ""},
		{"completed, after an error in a reply that began well", then(answer{"POST uploadId=u", 200, "", s3ErrorBody("InternalError", "sorry")}, done), write(large), nil, ""},
		{"completed, the reply lost", then(answer{"POST uploadId=u", 404, "", s3ErrorBody("NoSuchUpload", "done")}, answer{"DELETE uploadId=u", 404, "", s3ErrorBody("NoSuchUpload", "done")}, answer{"HEAD", 200, "ETag: 1", ""}), write(large), fs.ErrExist, "already"},
		{"completed, an empty reply", then(answer{"POST uploadId=u", 200, "", ""}, answer{"DELETE uploadId=u", 204, "", ""}, answer{"HEAD", 404, "", ""}), write(large), objects.ErrUnavailable, "cut off"},
		{"not the chunk that was sent", []answer{begun[0], {"PUT partNumber=1", 400, "", s3ErrorBody("BadDigest", "differs")}, begun[1], begun[2], done}, write(large), nil, ""},
		{"no id", []answer{{"POST uploads", 200, "", "<InitiateMultipartUploadResult/>"}, {"HEAD", 404, "", ""}}, write(large), nil, "is this S3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			left := scriptedS3(t, c.answers)
			t.Setenv("AWS_MAX_ATTEMPTS", "1") // the store's patience counts, and nothing else
			_, b := openS3Bucket(t, "s3://test-bucket/below")
			err := c.do(b)
			if (err == nil) != (c.text == "") || err != nil && (!strings.Contains(err.Error(), c.text) || strings.ContainsAny(err.Error(), "\n")) {
				t.Errorf("%v, want %q", err, c.text)
			}
			if c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("%v is no %v", err, c.kind)
			}
			if err != nil && (strings.Contains(err.Error(), "shh") || strings.Contains(err.Error(), "test-secret") || strings.Contains(err.Error(), "http://")) {
				t.Errorf("the error tells too much: %v", err)
			}
			if left() != 0 {
				t.Errorf("%d answers were not asked for", left())
			}
		})
	}
}

// readByte reads a byte of an object of two bytes.
func readByte(b *objects.Bucket) error {
	f, err := b.Open(context.Background(), "x")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(make([]byte, 1), 0)
	return err
}

// TestS3Listed: names come as in URLs, since XML cannot hold them all, and from some services as they are.
func TestS3Listed(t *testing.T) {
	page := func(encoding, key, prefix string) string {
		return "<ListBucketResult>" + encoding + "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>e</ETag></Contents><CommonPrefixes><Prefix>" + prefix + "</Prefix></CommonPrefixes></ListBucketResult>"
	}
	for name, c := range map[string]struct {
		body         string
		keys, folder []string
	}{
		"encoded": {page("<EncodingType>url</EncodingType>", "below/run%3D1/a+b%2B%01", "below/run%3D1/"), []string{"run=1/a b+\x01"}, []string{"run=1"}},
		"plain":   {page("", "below/run=1/a+b%2B", "below/50%25/"), []string{"run=1/a+b%2B"}, []string{"50%25"}},
	} {
		t.Run(name, func(t *testing.T) {
			scriptedS3(t, []answer{{"GET encoding-type=url", 200, "", c.body}, {"GET delimiter=%2F", 200, "", c.body}})
			_, b := openS3Bucket(t, "s3://test-bucket/below")
			if got, err := b.List(t.Context(), ""); err != nil || !reflect.DeepEqual(got, c.keys) {
				t.Errorf("listed %q, want %q; %v", got, c.keys, err)
			}
			if got, err := b.Folders(t.Context(), ""); err != nil || !reflect.DeepEqual(got, c.folder) {
				t.Errorf("folders %q, want %q; %v", got, c.folder, err)
			}
		})
	}
}
