package id5_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/sandbox"
	"mapper/client/transport"
)

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(*id5.Options)
	}{
		{"no partner", "ID5_PARTNER", func(o *id5.Options) { o.Partner = "" }},
		{"partner with a slash", "digits", func(o *id5.Options) { o.Partner = "1/../2" }},
		{"partner with a line end", "digits", func(o *id5.Options) { o.Partner = "173\n" }},
		{"no token", "ID5_TOKEN", func(o *id5.Options) { o.Token = client.Secret{} }},
		{"token with a line end", "line end", func(o *id5.Options) { o.Token = client.NewSecret(token + "\n") }},
		{"token beyond ASCII", "not ASCII", func(o *id5.Options) { o.Token = client.NewSecret(token + "é") }},
		{"plain http", "plain http", func(o *id5.Options) { o.BaseURL = "http://api.example.com" }},
		{"no scheme", "https", func(o *id5.Options) { o.BaseURL = "api.example.com" }},
		{"no URL", "cannot be read", func(o *id5.Options) { o.BaseURL = "https://[" + token }},
		{"token in the URL", "a query", func(o *id5.Options) { o.BaseURL = "https://api.example.com?token=" + token }},
		{"batch too large", "MaxBatch", func(o *id5.Options) { o.MaxBatch = id5.MaxUsers + 1 }},
		{"batch negative", "MaxBatch", func(o *id5.Options) { o.MaxBatch = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := id5.Options{Partner: "173", Token: client.NewSecret(token)}
			c.change(&o)
			_, err := id5.New(o)
			if !isFault(err, client.Refused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want one about %q", err, c.says)
			}
			checkHidden(t, fmt.Sprint(err))
		})
	}
}

// checkHidden looks for the token, as it is and as it travels, and for hashes of people.
func checkHidden(t *testing.T, shown string) {
	t.Helper()
	for _, secret := range []string{token, url.QueryEscape(token), url.PathEscape(token), hexOf(people(1)[0])} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown: %s", secret, shown)
		}
	}
}

func hexOf(u id5.User) string { return hex.EncodeToString(u.Hash[:]) }

// TestRequest reads what arrives, with a uid that needs escapes.
func TestRequest(t *testing.T) {
	type user struct {
		Hash    string              `json:"email_sha256"`
		Country *string             `json:"country_alpha2"`
		Number  string              `json:"partner_user_id"`
		Known   []map[string]string `json:"known_uids"`
	}
	users := people(40)
	users[2].KnownUIDs = []string{"ID5*abc", "\"\\\n\u00e9<"}
	var got struct{ Users []user }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/in/front/partners/v1/00173/signals" || r.URL.Query().Get("token") != token || r.Method != http.MethodPost ||
			r.Header.Get("Content-Type") != "application/json; charset=UTF-8" || r.Header.Get("User-Agent") != "mapper/1.2" {
			t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
		}
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, `{"users":[]}`)
	}))
	defer server.Close()
	rt := &http.Transport{}
	defer rt.CloseIdleConnections()
	api := newClient(t, id5.Options{BaseURL: server.URL + "/in/front/", Partner: "00173", Token: client.NewSecret(token), Version: "1.2", Transport: transport.Options{RoundTripper: rt}})
	var ans client.Answers
	if err := api.Map(t.Context(), users, &ans); err != nil {
		t.Fatal(err)
	}
	if len(got.Users) != len(users) {
		t.Fatalf("%d users arrived", len(got.Users))
	}
	numbers := map[string]bool{}
	for i, u := range got.Users {
		if u.Hash != hexOf(users[i]) || (u.Country == nil) != (country(users[i]) == "") || u.Country != nil && *u.Country != country(users[i]) {
			t.Errorf("user %d arrived as %+v", i, u)
		}
		if numbers[u.Number] = true; len(u.Number) < 1 || len(u.Number) > 16 || len(u.Known) != len(users[i].KnownUIDs) {
			t.Errorf("user %d arrived as %+v", i, u)
		}
		for k, uid := range u.Known {
			if uid["uid"] != users[i].KnownUIDs[k] {
				t.Errorf("user %d arrived with the uid %q", i, uid)
			}
		}
	}
	if len(numbers) != len(users) {
		t.Errorf("%d numbers for %d users", len(numbers), len(users))
	}
}

// trouble is a way in which calls fail, and whose turn it is then.
type trouble struct {
	name   string
	faults sandbox.Faults
	change func(*id5.Options)
	fault  client.Fault
	says   string
}

// fails makes every request fail.
func fails(status int, body string) sandbox.Faults {
	return rules(sandbox.Fault{Do: sandbox.Fail, Status: status, Body: body, Location: "https://elsewhere.example.com/?token=" + token})
}

// troubles all quote the token, and a hash, wherever the service can.
func troubles() []trouble {
	quoting := fmt.Sprintf(`{"error":{"code":%%q,"type":"x","message":"token %s %s"}}`, token, hexOf(people(1)[0]))
	said := func(code string) string { return fmt.Sprintf(quoting, code) }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_ = closed.Close()
	return []trouble{
		{name: "other token", change: func(o *id5.Options) { o.Token = client.NewSecret(token + "2") }, fault: client.Refused, says: "ID5_TOKEN"},
		{name: "other partner", change: func(o *id5.Options) { o.Partner = "174" }, fault: client.Refused, says: "ID5_PARTNER"},
		{name: "401", faults: fails(401, said(token)), fault: client.Refused, says: "the token is not valid"},
		{name: "401 in HTML", faults: fails(401, "<html>"+token), fault: client.Refused, says: "the token is not valid"},
		{name: "403", faults: fails(403, said("api_token_not_authorized")), fault: client.Refused, says: "ask ID5"},
		{name: "403 with culprits", faults: fails(403, `{"users":[{"error":{"code":"x"}}]}`), fault: client.Refused, says: "ask ID5"},
		{name: "not authorized under 400", faults: fails(400, said("api_token_not_authorized")), fault: client.Refused, says: "ask ID5"},
		{name: "token invalid under 200", faults: fails(200, said("api_token_invalid")), fault: client.Refused, says: "api_token_invalid"},
		{name: "authentication error without a code", faults: fails(400, `{"error":{"type":"authentication_error"}}`), fault: client.Refused, says: "authentication_error"},
		{name: "our format", faults: fails(400, said("request_format_invalid")), fault: client.Broken, says: "bug of this program"},
		{name: "400 in HTML", faults: fails(400, "<html>"+token), fault: client.Broken, says: "HTTP 400"},
		{name: "unknown code", faults: fails(400, said("something_new")), fault: client.Broken, says: "something_new"},
		{name: "unknown code under 200", faults: fails(200, said(token)), fault: client.Broken, says: "HTTP 200, x;"},
		{name: "redirect", faults: fails(302, token), fault: client.Refused, says: "redirects are not followed"},
		{name: "404", faults: fails(404, token), fault: client.Refused, says: "base URL is probably wrong"},
		{name: "407", faults: fails(407, token), fault: client.Refused, says: "proxy"},
		{name: "501", faults: fails(501, token), fault: client.Unreachable, says: "HTTP 501"},
		{name: "500", faults: sandbox.Faults{Outage: true}, fault: client.Unreachable, says: "lastly HTTP 500"},
		{name: "reset", faults: rules(sandbox.Fault{Do: sandbox.Reset}), fault: client.Unreachable, says: "no success"},
		{name: "nobody there", change: func(o *id5.Options) { o.BaseURL = "http://" + closed.Addr().String() }, fault: client.Unreachable, says: "refused"},
	}
}

// TestTroubles looks in every failure of both calls for the right error, and in all that it shows for the token.
func TestTroubles(t *testing.T) {
	calls := map[string]func(context.Context, *id5.Client) error{
		"check": func(ctx context.Context, c *id5.Client) error { return c.Check(ctx) },
		"map": func(ctx context.Context, c *id5.Client) error {
			var ans client.Answers
			return c.Map(ctx, people(3), &ans)
		},
	}
	for _, c := range troubles() {
		for name, call := range calls {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel() // most of it is waiting
				_, opts := overTCP(t, c.faults)
				var shown bytes.Buffer
				opts.Logger = slog.New(slog.NewJSONHandler(&shown, nil))
				opts.Transport.GiveUpAfter = 300 * time.Millisecond
				opts.Transport.OnRetry = func(r transport.Retry) { fmt.Fprintf(&shown, "%+v %v\n", r, r.Err) }
				if c.change != nil {
					c.change(&opts)
				}
				api := newClient(t, opts)
				err := call(t.Context(), api)
				if !isFault(err, c.fault) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("the error is %v, want %d about %q", err, c.fault, c.says)
				}
				checkHidden(t, shown.String()+fmt.Sprintf("%v %+v %#v %+v %#v", err, err, err, api, api)+fmt.Sprintf("%+v", opts))
			})
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults sandbox.Faults
	}{
		{"as documented", sandbox.Faults{}},
		{"under 200", signals(sandbox.ID5Faults{Status200: true})},
		{"nobody answered", fails(200, `{"users":[]}`)},
		{"without a code", fails(400, `{"error":{"type":"validation_error"}}`)},
		{"429 first", rules(sandbox.Fault{Do: sandbox.Fail, Status: 429, First: 1})},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, opts := overTCP(t, c.faults)
			if err := newClient(t, opts).Check(t.Context()); err != nil {
				t.Error(err)
			}
			if got := s.Stats().Identities; got != 0 {
				t.Errorf("%d users were asked for", got)
			}
		})
	}
}

// TestRefusalIsWarnedOfOnce looks at what is logged about refusals, which the service's messages quote hashes in.
func TestRefusalIsWarnedOfOnce(t *testing.T) {
	users := people(6)
	_, opts := overTCP(t, signals(sandbox.ID5Faults{Reject: rejecting(users, hexOf(users[0]), 0, 5)}))
	var logged bytes.Buffer
	opts.Logger, opts.MaxBatch = slog.New(slog.NewTextHandler(&logged, nil)), 3
	api := newClient(t, opts)
	var ans client.Answers
	if err := api.Map(t.Context(), users, &ans); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(logged.String(), "level=WARN"); got != 1 || api.Stats().Refusals != 2 {
		t.Errorf("%d warnings of %d refusals: %s", got, api.Stats().Refusals, &logged)
	}
	if got := string(ans.Word(0)); got != "validation_error" { // a code that is a hash is none
		t.Errorf("the word is %q", got)
	}
	checkHidden(t, logged.String())
}

func TestEnvironment(t *testing.T) {
	for base, want := range map[string]string{id5.Production: "api.id5-sync.com", "http://127.0.0.1:8080": "127.0.0.1", "https://API.example.com./x": "api.example.com", "http://[::1]:1": "::1", ":": ""} {
		if got := id5.Environment(base); got != want {
			t.Errorf("%s is %q, want %q", base, got, want)
		}
	}
}
