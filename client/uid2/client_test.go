package uid2

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mapper/client"
)

func TestNewRefuses(t *testing.T) {
	good := testOptions(nil)
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no key", func(o *Options) { o.APIKey = client.Secret{} }, "no API key"},
		{"a key with a line end", func(o *Options) { o.APIKey = client.NewSecret("marker\n") }, "white space"},
		{"no secret", func(o *Options) { o.ClientSecret = client.NewSecret("") }, "UID2_SECRET_KEY"},
		{"a secret that is not base64", func(o *Options) { o.ClientSecret = client.NewSecret("marker!") }, "not standard base64"},
		{"a URL-safe secret", func(o *Options) { o.ClientSecret = client.NewSecret(strings.Repeat("-_", 21) + "m=") }, "not standard base64"},
		{"a short secret", func(o *Options) {
			o.ClientSecret = client.NewSecret(base64.StdEncoding.EncodeToString([]byte("marker")))
		}, "6 bytes"},
		{"a long secret", func(o *Options) {
			o.ClientSecret = client.NewSecret(base64.StdEncoding.EncodeToString(make([]byte, 33)))
		}, "33 bytes"},
		{"plain http", func(o *Options) { o.BaseURL = "http://operator.example" }, "use https"},
		{"no scheme", func(o *Options) { o.BaseURL = "operator.example" }, "https"},
		{"no URL", func(o *Options) { o.BaseURL = "https://operator.example:marker" }, "cannot be read"},
		{"a user in the URL", func(o *Options) { o.BaseURL = "https://marker:marker@operator.example" }, "holds a user"},
		{"a query in the URL", func(o *Options) { o.BaseURL = "https://operator.example/?key=marker" }, "holds a user, a query"},
		{"the other network", func(o *Options) { o.BaseURL = "https://prod.euid.eu" }, "euid-prod"},
		{"the other network, reversed", func(o *Options) { o.Service, o.BaseURL = EUID, "https://usw.prod.uidapi.com" }, "uid2-prod"},
		{"a large batch", func(o *Options) { o.MaxBatch = 5001 }, "5000"},
		{"a negative batch", func(o *Options) { o.MaxBatch = -1 }, "5000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			c.change(&o)
			_, err := New(o)
			var refused *client.Error
			if !errors.As(err, &refused) || refused.Fault != client.Refused || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "marker") {
				t.Errorf("the error shows a credential: %v", err)
			}
		})
	}
}

func TestNewTakes(t *testing.T) {
	for base, want := range map[string]string{
		"":                             "https://prod.uidapi.com/v3/identity/map",
		"https://prod.uidapi.com/v2/":  "https://prod.uidapi.com/v3/identity/map",
		"https://op.example/prefix/":   "https://op.example/prefix/v3/identity/map",
		"http://localhost:8080":        "http://localhost:8080/v3/identity/map",
		"https://euid-private.example": "https://euid-private.example/v3/identity/map",
	} {
		o := testOptions(nil)
		o.BaseURL = base
		var log bytes.Buffer
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		if c := newClient(t, o); c.url.String() != want {
			t.Errorf("%q: asks %s; want %s", base, c.url, want)
		}
		if warned := log.Len() > 0; warned != strings.HasSuffix(base, "/") {
			t.Errorf("%q: logged %q", base, log.String())
		}
	}
}

// TestClientIsNotPrinted prints everything that holds the credentials.
func TestClientIsNotPrinted(t *testing.T) {
	o := testOptions(nil)
	c := newClient(t, o)
	if text := fmt.Sprintf("%v %+v %#v %v %+v %#v", o, o, o, c, c, c); strings.Contains(text, "marker") {
		t.Errorf("printed as %s", text)
	}
}

func TestCleanBaseURL(t *testing.T) {
	for _, c := range [][3]string{
		{"https://a.example", "https://a.example", ""},
		{"https://a.example/", "https://a.example", "/"},
		{"https://a.example/v2", "https://a.example", "/v2"},
		{"https://a.example/v3/", "https://a.example", "/v3/"},
		{"https://a.example/v2/v3", "https://a.example", "/v2/v3"},
		{" https://a.example//\n", "https://a.example", "//"},
		{"https://a.example/v4", "https://a.example/v4", ""},
		{"https://a.example/v2/x", "https://a.example/v2/x", ""},
		{"", "", ""},
	} {
		if clean, dropped := CleanBaseURL(c[0]); clean != c[1] || dropped != c[2] {
			t.Errorf("%q: got %q, %q; want %q, %q", c[0], clean, dropped, c[1], c[2])
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		service   Service
		url, want string
	}{
		{UID2, "https://prod.uidapi.com", "uid2-prod"},
		{UID2, "https://usw.prod.uidapi.com", "uid2-prod"},
		{UID2, "https://global.PROD.uidapi.com.:443/", "uid2-prod"},
		{UID2, "https://operator-integ.uidapi.com", "uid2-integ"},
		{UID2, "https://notprod.uidapi.com", "notprod.uidapi.com"},
		{UID2, "https://notprod.uidapi.com.example", "notprod.uidapi.com.example"},
		{UID2, "http://127.0.0.1:8080", "127.0.0.1"},
		{UID2, "http://[::1]:8080", "::1"},
		{EUID, "https://prod.euid.eu", "euid-prod"},
		{EUID, "https://integ.euid.eu", "euid-integ"},
		{EUID, "https://operator.example:8443", "operator.example"},
		{EUID, "https://x.prod.euid.eu", "x.prod.euid.eu"},
	} {
		if got := Environment(c.service, c.url); got != c.want {
			t.Errorf("%v %s: got %q; want %q", c.service, c.url, got, c.want)
		}
	}
	for _, s := range []Service{UID2, EUID} {
		if got := Environment(s, s.Production()); got != s.String()+"-prod" {
			t.Errorf("%v: production is %q", s, got)
		}
		if parsed, err := ParseService(s.String()); err != nil || parsed != s {
			t.Errorf("%v parses as %v, %v", s, parsed, err)
		}
	}
	if _, err := ParseService("UID2"); err == nil {
		t.Error("UID2 in capitals is no service")
	}
}
