package jobs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/sinks"
)

// between puts a handler between the client of S3 and its server, which may do something else than the server does.
func between(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, server http.Handler)) objectstest.Target {
	t.Helper()
	target := objectstest.S3(t)
	to, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // signatures are made over it
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, server) }))
	t.Cleanup(front.Close)
	t.Setenv("AWS_ENDPOINT_URL", front.URL)
	return target
}

// creates says whether a request makes an object of a name visible.
func creates(r *http.Request, part string) bool {
	completes := r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
	return strings.Contains(r.URL.Path, part) && (completes || r.Method == http.MethodPut && !r.URL.Query().Has("uploadId"))
}

// TestStorageFaults runs a job on a storage that does something wrong: it fails with a clear message or succeeds, and
// readers see all of the run or nothing. With the storage sound again, the same command succeeds.
func TestStorageFaults(t *testing.T) {
	refuse := func(w http.ResponseWriter, status int, code string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code></Error>`)
	}
	for _, c := range []struct {
		name    string
		handle  func(w http.ResponseWriter, r *http.Request, server http.Handler) (done bool)
		err     string // what it has to say; empty: the job succeeds
		kind    error
		forever bool // what is wrong then is not made good by running again
	}{
		{name: "create-if-absent is not honoured", err: "it cannot hold a table", handle: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			r.Header.Del("If-None-Match")
			return false
		}},
		{name: "409 at each creation", err: "409", kind: objects.ErrUnavailable, handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if creates(r, "/progress/") {
				refuse(w, http.StatusConflict, "ConditionalRequestConflict")
			}
			return creates(r, "/progress/")
		}},
		{name: "412 where there is nothing", err: "404", kind: objects.ErrUnavailable, handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if creates(r, "/progress/") {
				refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
			}
			return creates(r, "/progress/")
		}},
		{name: "replies to all creations of parts are lost once", handle: func() func(http.ResponseWriter, *http.Request, http.Handler) bool {
			var lost atomic.Int64
			return func(_ http.ResponseWriter, r *http.Request, server http.Handler) bool {
				if creates(r, ".parquet") && lost.Add(1)%2 == 1 {
					server.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
				return false
			}
		}()},
		{name: "the manifest cannot be written", err: "HTTP 503", kind: objects.ErrUnavailable, handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if creates(r, "/manifest.json") {
				refuse(w, http.StatusServiceUnavailable, "SlowDown")
			}
			return creates(r, "/manifest.json")
		}},
		{name: "nothing can be written", err: "AccessDenied", handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if r.Method == http.MethodPut || r.Method == http.MethodPost {
				refuse(w, http.StatusForbidden, "AccessDenied")
			}
			return r.Method == http.MethodPut || r.Method == http.MethodPost
		}},
		{name: "a part is taken and lost", err: "the storage has lost them", forever: true, handle: func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if creates(r, "/unmapped/") && strings.Contains(r.URL.Path, "part-0-2-") {
				w.Header().Set("ETag", `"lost"`)
				return true
			}
			return false
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var sound atomic.Bool
			target := between(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				if sound.Load() || !c.handle(w, r, server) {
					server.ServeHTTP(w, r)
				}
			})
			s, url := operator(t, sandbox.Options{})
			store := &objects.Store{GiveUpAfter: time.Second}
			defer store.Close()
			m := job(s, url, writePeople(t, 900), target.URI+"/table")
			m.Columns.ID, m.RunID, m.PartRows, m.MaxBatch, m.Store = "id", "r", 300, 100, store
			_, err := m.Run(t.Context())
			if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || c.kind != nil && !errors.Is(err, c.kind)) {
				t.Fatalf("got %v", err)
			}
			sound.Store(true)
			if err != nil {
				if files, err := jobs.LiveFiles(context.Background(), store, m.Out, sinks.DatasetMapped); len(files) > 0 || err != nil && !strings.Contains(err.Error(), "is no table") {
					t.Errorf("visible: %v, %v", files, err)
				}
			}
			if c.forever {
				return
			}
			if _, err := m.Run(t.Context()); err != nil {
				t.Fatalf("on a sound storage: %v", err)
			}
			checkOutput(t, s, m.Out, 900)
			if v, err := jobs.Verify(t.Context(), store, m.Out); err != nil {
				t.Errorf("%v\n%s", err, v)
			}
		})
	}
}
