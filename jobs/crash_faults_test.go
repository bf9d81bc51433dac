package jobs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/jobs"
)

// TestKeepStorageFaults compacts and remaps a table on a storage that does something wrong: nothing of it is seen by
// readers, the message says it, and on a sound storage the same command ends well.
func TestKeepStorageFaults(t *testing.T) {
	const lostReply = -1 // it is done, and the connection breaks
	var creations atomic.Int64
	kept := newKeptTable(t)
	for _, f := range []struct {
		name   string
		err    string                             // what it has to say; empty: the job succeeds
		giveUp bool                               // the run is to be given up, as the message says
		handle func(r *http.Request) (status int) // what is answered; 0 is what the server says
	}{
		{name: "the link of a part is taken and lost", err: "give the run up", giveUp: true, handle: func(r *http.Request) int {
			if creates(r, "/progress/0-2.json") {
				return http.StatusOK
			}
			return 0
		}},
		{name: "replies to creations of parts are lost", handle: func(r *http.Request) int {
			if creates(r, ".parquet") && creations.Add(1)%2 == 1 {
				return lostReply
			}
			return 0
		}},
		{name: "the manifest cannot be written", err: "HTTP 503", handle: func(r *http.Request) int {
			if creates(r, "/manifest.json") {
				return http.StatusServiceUnavailable
			}
			return 0
		}},
	} {
		for _, kind := range []childKind{childRemap, childCompact} {
			t.Run(f.name+"/"+string(kind), func(t *testing.T) {
				var sound atomic.Bool
				var hits atomic.Int64
				sound.Store(true) // while the table is put there
				c := kept.copyBetween(t, kind, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
					status := 0
					if !sound.Load() {
						status = f.handle(r)
					}
					if status != 0 {
						hits.Add(1)
					}
					switch status {
					case 0:
						server.ServeHTTP(w, r)
					case lostReply:
						server.ServeHTTP(httptest.NewRecorder(), r)
						panic(http.ErrAbortHandler)
					case http.StatusOK:
						w.Header().Set("ETag", `"lost"`)
					default:
						w.WriteHeader(status)
						_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code></Error>`)
					}
				})
				c.job.GiveUpAfter = time.Second
				sound.Store(false)
				_, err := c.job.run(t.Context())
				sound.Store(true)
				if hits.Load() == 0 {
					t.Fatal("nothing went wrong")
				}
				if (err == nil) != (f.err == "") || err != nil && !strings.Contains(err.Error(), f.err) {
					t.Fatalf("got %v", err)
				}
				if f.giveUp { // it is damaged as long as it is unfinished
					store := new(objects.Store)
					defer store.Close()
					if _, err := (jobs.Clean{Table: c.job.Out, Store: store, Run: c.unfinished(t), Yes: true}).Do(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err != nil {
					c.checkView(t, kept.view)
				}
				c.again(t)
				c.checkView(t, kept.expect(t, kind, "files"))
			})
		}
	}
}
