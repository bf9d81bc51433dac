package jobs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/jobs"
)

const id5Token = "marker-token-a8f3"

// The checks: credentials, partner and token, base url, dns, connection, clock, signals.
func TestID5Doctor(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<html>You asked for %s</html>", r.URL)
	}))
	t.Cleanup(page.Close)
	fail := func(f sandbox.Fault) sandbox.Faults {
		f.Do = sandbox.Fail
		return sandbox.Faults{Rules: []sandbox.Fault{f}}
	}
	for _, c := range []struct {
		name   string
		faults sandbox.Faults
		change func(*jobs.ID5Doctor)
		want   string
		says   []string
		class  func(error) bool
	}{
		{name: "all fine", want: "ooooooo", says: []string{"ID5_PARTNER and ID5_TOKEN are set", "plain http to this machine", "are accepted at 127.0.0.1:", "environment 127.0.0.1"}, class: isNil},
		{name: "refusals under 200", faults: sandbox.Faults{ID5: sandbox.ID5Faults{Status200: true}}, want: "ooooooo", class: isNil},
		{name: "no partner", change: func(d *jobs.ID5Doctor) { d.Partner = "" }, want: "fsoooos", says: []string{"ID5_PARTNER not set", "ID5_PARTNER_FILE"}, class: isRefused},
		{name: "no credentials", change: func(d *jobs.ID5Doctor) { d.Partner, d.Token = "", client.Secret{} }, want: "fsoooos", says: []string{"ID5_PARTNER and ID5_TOKEN not set"}, class: isRefused},
		{name: "credentials not read", change: func(d *jobs.ID5Doctor) { d.Unread = fs.ErrNotExist }, want: "fsoooos", class: func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{name: "partner that is no number", change: func(d *jobs.ID5Doctor) { d.Partner = "acme" }, want: "ofoooos", says: []string{"other than digits"}, class: isRefused},
		{name: "token with a line end", change: func(d *jobs.ID5Doctor) { d.Token = client.NewSecret(id5Token + "\n") }, want: "ofoooos", says: []string{"line end in ID5_TOKEN"}, class: isRefused},
		{name: "unknown token", change: func(d *jobs.ID5Doctor) { d.Token = client.NewSecret(id5Token + "2") }, want: "oooooof", says: []string{"the token is not valid", "ID5_TOKEN"}, class: isRefused},
		{name: "unknown partner", change: func(d *jobs.ID5Doctor) { d.Partner = "174" }, want: "oooooof", says: []string{"look at ID5_PARTNER"}, class: isRefused},
		{name: "403", faults: fail(sandbox.Fault{Status: 403}), want: "oooooof", says: []string{"ask ID5"}, class: isRefused},
		{name: "clock far off", faults: sandbox.Faults{Skew: -time.Hour}, want: "ooooowo", says: []string{"off by 3600 s, ahead", "ID5 does not look at it"}, class: isNil},
		{name: "clock a little off", faults: sandbox.Faults{Skew: 15 * time.Second}, want: "ooooooo", says: []string{"s, behind"}, class: isNil},
		{name: "http to elsewhere", change: func(d *jobs.ID5Doctor) { d.BaseURL = "http://id5.invalid" }, want: "oofssss", says: []string{"plain http"}, class: isUsage},
		{name: "token in the base URL", change: func(d *jobs.ID5Doctor) { d.BaseURL += "?token=" + id5Token }, want: "oofssss", says: []string{"holds a user, a query"}, class: isUsage},
		{name: "no such host", change: func(d *jobs.ID5Doctor) { d.BaseURL = "https://id5.invalid" }, want: "ooofsss", says: []string{"id5.invalid has no address"}, class: isUnreachable},
		{name: "a page", change: func(d *jobs.ID5Doctor) { d.BaseURL = page.URL }, want: "oooooof", says: []string{"not those of the service"}, class: isBroken},
		{name: "500 forever", faults: sandbox.Faults{Outage: true}, want: "oooooof", says: []string{"lastly HTTP 500"}, class: isUnreachable},
		{name: "503 once", faults: fail(sandbox.Fault{Status: 503, First: 1}), want: "oooooow", says: []string{"1 requests failed before, lastly with HTTP 503"}, class: isNil},
		{name: "table", change: func(d *jobs.ID5Doctor) { d.Out = t.TempDir() }, want: "oooooooooooo", says: []string{"the first run makes it one of id5, environment 127.0.0.1"}, class: isNil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			s, url := operator(t, sandbox.Options{ID5: sandbox.ID5Options{Token: id5Token}})
			s.SetFaults(c.faults)
			d := jobs.ID5Doctor{BaseURL: url, Partner: s.ID5Partner(), Token: client.NewSecret(id5Token)}
			if c.change != nil {
				c.change(&d)
			}
			began := time.Now()
			found := d.Examine(t.Context())
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			asJSON, err := json.Marshal(found)
			if err != nil {
				t.Fatal(err)
			}
			if shown := fmt.Sprintln(found, string(asJSON), found.Err()); strings.Contains(shown, id5Token) {
				t.Errorf("the token is shown: %s", shown)
			}
			if got := states(found); got != c.want {
				t.Errorf("the states are %s, want %s\n%s", got, c.want, found)
			}
			for _, text := range c.says {
				if !strings.Contains(found.String(), text) {
					t.Errorf("it does not say %q\n%s", text, found)
				}
			}
			if !c.class(found.Err()) {
				t.Errorf("the error is %v", found.Err())
			}
			if got := s.Stats().Identities; got > 0 {
				t.Errorf("%d users were asked for", got)
			}
		})
	}
}
