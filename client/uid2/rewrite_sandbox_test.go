package uid2_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"

	"mapper/client/sandbox"
)

// rewriting is a RoundTripper that changes what a sandbox replied, as a proxy might.
type rewriting struct {
	op     *sandbox.Sandbox
	change func(r *http.Response, body []byte) []byte
}

func (rw rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := memory{rw.op}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	body = rw.change(reply, body)
	reply.Body, reply.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	reply.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return reply, nil
}

func same(body []byte) []byte { return body }

func base64Of(body []byte) []byte { return base64.StdEncoding.AppendEncode(nil, body) }
