package main

import (
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mapper/client/sandbox"
)

// TestDoctorID5 examines what mapper sandbox serves, with the token in a file, and searches all output for it.
func TestDoctorID5(t *testing.T) {
	const token = "marker+token/a8f3"
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ID5_PARTNER", "00173")
	t.Setenv("ID5_TOKEN_FILE", path)
	o := startOperator(t)
	if o.ID5Partner != "00173" || o.ID5Token != token {
		t.Fatalf("the sandbox says %+v", o)
	}
	for name, c := range map[string]struct {
		env  []string
		args []string
		code int
		says string
	}{
		"fine":          {says: "ok    signals           partner number and token are accepted at 127.0.0.1:"},
		"other partner": {env: []string{"ID5_PARTNER=2"}, code: exitRefused, says: "look at ID5_PARTNER"},
		"other token":   {env: []string{"ID5_TOKEN=" + token + "2"}, code: exitRefused, says: "look at ID5_TOKEN"},
		"no file":       {env: []string{"ID5_TOKEN_FILE=" + path + "2"}, code: exitRefused, says: "the file cannot be read"},
		"nobody there":  {args: []string{"--base-url", "http://127.0.0.1:1"}, code: exitUnreachable, says: "no connection"},
		"in the URL":    {args: []string{"--base-url", o.BaseURL + "/?token=" + token}, code: exitUsage, says: "holds a user, a query"},
		"of UID2":       {args: []string{"--service", "uid2"}, env: o.env(), says: "ok    identity/map"},
	} {
		t.Run(name, func(t *testing.T) {
			c.args = append([]string{"doctor", "--service", "id5", "--base-url", o.BaseURL}, c.args...)
			run := command(t, c.env, c.args...)
			out, err := run.CombinedOutput()
			if got := run.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d (%v)", got, c.code, err)
			}
			if text := string(out); strings.Contains(text, token) || strings.Contains(text, url.QueryEscape(token)) || !strings.Contains(text, c.says) {
				t.Errorf("it says\n%s\nwant %q, and no token", text, c.says)
			}
		})
	}
}

// TestDoctorTLS reaches an operator whose authority the machine is told to trust, as those who run a private one do.
func TestDoctorTLS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only there SSL_CERT_FILE names authorities")
	}
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(s)
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "authority.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	o := operator{BaseURL: server.URL, APIKey: s.APIKey(), SecretKey: s.ClientSecret()}
	out, err := command(t, append(o.env(), "SSL_CERT_FILE="+authority), "doctor").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if text := string(out); !strings.Contains(text, "TLS 1.3, certificate until 2084-01-29, first reply in ") || strings.Count(text, "ok ") != 9 {
		t.Errorf("it says\n%s", text)
	}
}
