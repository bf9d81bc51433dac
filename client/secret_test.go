package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const marker = "marker-a8f3"

// TestSecretIsNeverPrinted prints a secret in every way we know and searches for it.
func TestSecretIsNeverPrinted(t *testing.T) {
	s := NewSecret(marker)
	if s.Reveal() != marker || s.IsZero() {
		t.Fatalf("the secret reveals %q, IsZero %v", s.Reveal(), s.IsZero())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3s", "%T"} {
		text := fmt.Sprintf(verb, s)
		if strings.Contains(text, marker) || strings.Contains(text, fmt.Sprintf("%x", marker)) {
			t.Errorf("%s prints %q", verb, text)
		}
		if verb != "%T" && text != "[secret]" {
			t.Errorf("%s prints %q; want [secret]", verb, text)
		}
		for _, holder := range []any{struct{ secret Secret }{s}, struct{ Secret Secret }{s}, []Secret{s}, &s, map[string]Secret{"k": s}} {
			if text := fmt.Sprintf(verb, holder); strings.Contains(text, marker) || strings.Contains(text, fmt.Sprintf("%x", marker)) {
				t.Errorf("%s of %T prints %q", verb, holder, text)
			}
		}
	}
}

func TestSecretIsNeverEncoded(t *testing.T) {
	s := NewSecret(marker)
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("configured", "key", s, "all", struct{ Key Secret }{s}, "inner", struct{ key Secret }{s})
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"key": s, "ptr": &s}); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, marker) || strings.Count(text, "[secret]") < 4 {
		t.Errorf("encoded as %s", text)
	}
}

func TestZeroSecret(t *testing.T) {
	var s Secret
	if !s.IsZero() || s.Reveal() != "" || !NewSecret("").IsZero() {
		t.Error("the zero Secret is not empty")
	}
}
