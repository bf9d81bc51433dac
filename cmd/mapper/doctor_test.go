package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mapper/client/sandbox"
)

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
