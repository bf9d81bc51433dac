package uid2

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/client/transport"
	"mapper/normalize"
)

// TestErrors lists what the service says and what the user reads. requests is how often it is asked.
func TestErrors(t *testing.T) {
	says := func(message string) string { return fmt.Sprintf(`{"status":"client_error","message":%q}`, message) }
	for _, c := range []struct {
		name     string
		fault    fault
		turn     client.Fault
		want     string
		requests int
	}{
		{"wrong secret", fault{status: 400, body: says("Invalid body: Check encryption key (ClientSecret). For help see https://x.example")}, client.Refused, "secret does not belong", 1},
		{"clock, though right", fault{status: 400, body: says("Invalid timestamp: Request too old or client time drift.")}, client.Refused, "the local clock agrees", 2},
		{"clock, no date", fault{status: 400, body: says("Invalid timestamp: Request too old or client time drift."), header: map[string]string{"Date": "?"}}, client.Refused, "set the local clock", 2},
		{"our bug", fault{status: 400, body: says("Incorrect request format")}, client.Broken, "bug of this program", 1},
		{"another client error", fault{status: 400, body: says("Required Parameter Missing: one or more of [email, phone]")}, client.Broken, "Required Parameter Missing", 1},
		{"400 of a proxy", fault{status: 400, body: "<html>marker</html>"}, client.Broken, "HTTP 400", 1},
		{"401", fault{status: 401, body: `{"status":"unauthorized"}`}, client.Refused, "MAPPER", 1},
		{"401 with a message", fault{status: 401, body: `{"status":"unauthorized","message":"Invalid link_id"}`}, client.Refused, `"Invalid link_id"`, 1},
		{"403", fault{status: 403, body: "Forbidden"}, client.Refused, "in front of the service", 1},
		{"404", fault{status: 404, body: "<h1>Resource not found</h1>"}, client.Refused, "base URL is probably wrong", 1},
		{"405", fault{status: 405}, client.Refused, "base URL is probably wrong", 1},
		{"302", fault{status: 302, header: map[string]string{"Location": "https://marker.example"}}, client.Refused, "redirects are not followed", 1},
		{"408", fault{status: 408}, client.Unreachable, "HTTP 408", 1},
		{"501", fault{status: 501}, client.Unreachable, "HTTP 501", 1},
		{"520", fault{status: 520}, client.Unreachable, "HTTP 520", 1},
		{"199", fault{status: 199}, client.Broken, "HTTP 199", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(t)
				o.fault = func(int, []normalize.ID) *fault { return &c.fault }
				err := newClient(t, testOptions(o)).Map(t.Context(), people(20), new(client.Answers))
				var failed *client.Error
				if !errors.As(err, &failed) {
					t.Fatalf("got %v", err)
				}
				if failed.Fault != c.turn || failed.Status != c.fault.status || !strings.Contains(err.Error(), c.want) || len(o.requests) != c.requests {
					t.Errorf("got fault %d, HTTP %d, %v after %d requests; want %q", failed.Fault, failed.Status, err, len(o.requests), c.want)
				}
				if failed.Op != "uid2 identity/map" || strings.Contains(err.Error(), "marker") || strings.Contains(err.Error(), "\n") {
					t.Errorf("shown: %v", err)
				}
			})
		})
	}
}

// TestTooOldOnce: the second envelope is in time.
func TestTooOldOnce(t *testing.T) {
	o := newOperator(t)
	o.fault = func(n int, _ []normalize.ID) *fault {
		if n == 0 {
			return &fault{status: 400, body: `{"message":"Invalid timestamp: Request too old or client time drift."}`}
		}
		return nil
	}
	ids := people(5)
	var ans client.Answers
	if err := newClient(t, testOptions(o)).Map(t.Context(), ids, &ans); err != nil {
		t.Fatal(err)
	}
	checkStandard(t, ids, &ans)
}

func TestStatusOtherThanSuccess(t *testing.T) {
	o := newOperator(t)
	o.spoil = func(int, string) string { return `{"status":"insufficient_user_consent"}` }
	err := newClient(t, testOptions(o)).Map(t.Context(), people(5), new(client.Answers))
	var broken *client.Error
	if !errors.As(err, &broken) || broken.Fault != client.Broken || broken.Status != 200 || len(o.requests) != 1 {
		t.Errorf("got %v after %d requests", err, len(o.requests))
	}
}

// TestUnreachable gives up after 15 minutes without a success, whatever the failure.
func TestUnreachable(t *testing.T) {
	for name, f := range map[string]*fault{
		"500": {status: 500}, "502": {status: 502}, "429": {status: 429}, "network": {err: errors.New("connection refused")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOperator(t)
				o.fault = func(int, []normalize.ID) *fault { return f }
				began := time.Now()
				err := newClient(t, testOptions(o)).Map(t.Context(), people(5), new(client.Answers))
				var failed *client.Error
				if took := time.Since(began); !errors.As(err, &failed) || failed.Fault != client.Unreachable || took < 15*time.Minute || took > 16*time.Minute {
					t.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

// TestServiceQuotesUs lets the service send back, in every kind of error, whatever it knows of us and of a person.
func TestServiceQuotesUs(t *testing.T) {
	id := people(1)[0]
	hash := string(id.AppendBase64(nil))
	ours := []string{testKey, testSecret, hash, hash[:30], fmt.Sprintf("%x", id.Hash), "person-0@example.com", "+12345678901",
		base64.StdEncoding.EncodeToString([]byte("Bearer " + testKey))}
	check := func(t *testing.T, text string) {
		t.Helper()
		for _, secret := range append(ours, "marker") {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %q", secret, text)
			}
		}
	}
	message := fmt.Sprintf("Incorrect\x1b[31m request\nformat: %s", strings.Join(ours, " "))
	for _, status := range []int{200, 302, 400, 401, 403, 404, 413, 429, 500, 501, 502, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			o := newOperator(t)
			f := &fault{status: status, body: fmt.Sprintf(`{"status":%q,"message":%q}`, message, message)}
			o.fault = func(int, []normalize.ID) *fault { return f }
			o.spoil = func(int, string) string {
				return fmt.Sprintf(`{"status":%q}`, strings.ReplaceAll(message, "\x1b", " "))
			}
			if strings.Contains(o.spoil(0, ""), `\x`) {
				t.Fatal("not JSON")
			}
			var log bytes.Buffer
			opts := testOptions(o)
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			opts.Transport.OnRetry = func(r transport.Retry) { fmt.Fprintf(&log, "%+v %v\n", r, r.Err) }
			c := newClient(t, opts)
			err := c.Map(t.Context(), []normalize.ID{id}, new(client.Answers))
			if err == nil {
				t.Fatalf("HTTP %d: no error", status)
			}
			check(t, err.Error())
			check(t, fmt.Sprintf("%+v", err))
			check(t, log.String())
			if len(err.Error()) > 500 {
				t.Errorf("%d characters: %v", len(err.Error()), err)
			}
		})
	}
}

// TestNetworkQuotesUs is the same for the network: a RoundTripper that prints the request.
func TestNetworkQuotesUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		opts := testOptions(roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("cannot send %v with %v", r.URL, r.Header)
		}))
		opts.Transport.OnRetry = func(r transport.Retry) { fmt.Fprintf(&log, "%+v %v\n", r, r.Err) }
		err := newClient(t, opts).Map(t.Context(), people(1), new(client.Answers))
		if err == nil || strings.Contains(err.Error()+log.String(), "marker") {
			t.Errorf("got %v, logged %.200s", err, log.String())
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return f(r)
}

// TestRedirectNotFollowed: the key must not travel to where a redirect points.
func TestRedirectNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	opts := testOptions(nil)
	opts.BaseURL = server.URL
	c := newClient(t, opts)
	defer c.CloseIdleConnections()
	var refused *client.Error
	if err := c.Map(t.Context(), people(1), new(client.Answers)); !errors.As(err, &refused) || refused.Fault != client.Refused {
		t.Errorf("got %v", err)
	}
}

func TestWrongCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"key":    {func(o *Options) { o.APIKey = client.NewSecret("marker-other") }, "MAPPER"},
		"secret": {func(o *Options) { o.ClientSecret = client.NewSecret(strings.Repeat("A", 43) + "=") }, "secret does not belong"},
	} {
		o := newOperator(t)
		opts := testOptions(o)
		c.change(&opts)
		err := newClient(t, opts).Map(t.Context(), people(1), new(client.Answers))
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Fault != client.Refused || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	c := newClient(t, testOptions(nil))
	for text, want := range map[string]string{
		"Incorrect request format":             "Incorrect request format",
		"two\nlines\tand\x00more":              "two lines and more",
		"call +1 234 567 890 or 12345678":      "call +1 234 567 890 or [...]",
		"to a@b":                               "to [...]",
		"key " + testKey + "!":                 "key [...]!",
		strings.Repeat("word ", 100):           strings.TrimSpace(strings.Repeat("word ", 40)) + " ",
		strings.Repeat("x", 25):                "[...]",
		"received N, must be 1. \u202egnp.exe": "received N, must be 1. gnp.exe",
	} {
		if got := c.printable(text); got != want {
			t.Errorf("%q: got %q; want %q", text, got, want)
		}
	}
}
