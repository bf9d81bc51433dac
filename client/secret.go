package client

import (
	"fmt"
	"io"
)

// Secret is a credential. Every way to print it gives "[secret]": fmt with any verb, JSON, YAML, slog. Inside
// another struct's unexported field, where fmt may call no method, it prints as an address, because the text
// lies behind a pointer. The zero value is an empty secret.
type Secret struct{ text *string }

const printedSecret = "[secret]"

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text. It is the only way out.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether the secret is empty.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Format prints "[secret]" for every verb; a String method alone would leak through %d.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, printedSecret) }

// MarshalText returns "[secret]". JSON, YAML and slog use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(printedSecret), nil }
