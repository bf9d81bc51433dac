package normalize_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mapper/normalize"
)

const secret = "secret.person@example.com"

// holders are values that print a Raw: itself, and in fields where fmt cannot call its methods.
func holders() map[string]any {
	raw := normalize.RawString(secret)
	type inner struct{ raw normalize.Raw }
	return map[string]any{
		"value":              raw,
		"pointer":            &raw,
		"slice":              []normalize.Raw{raw},
		"map":                map[string]normalize.Raw{"k": raw},
		"exported field":     struct{ Raw normalize.Raw }{raw},
		"unexported field":   inner{raw},
		"unexported, deeper": &struct{ in []inner }{[]inner{{raw}}},
		"unexported pointer": struct{ raw *normalize.Raw }{&raw},
		"embedded":           struct{ normalize.Raw }{raw},
		"any, unexported":    struct{ v any }{raw},
	}
}

// checkSecret fails when text gives the secret away, also as a list of numbers or in hex.
func checkSecret(t *testing.T, what, text string) {
	t.Helper()
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(secret)[:4]), "[]")
	for _, leak := range []string{"secret", "example", hex.EncodeToString([]byte(secret[:4])), numbers, "0x73, 0x65"} {
		if strings.Contains(strings.ToLower(text), leak) {
			t.Errorf("%s gives it away: %s", what, text)
		}
	}
}

func TestRawIsNotPrinted(t *testing.T) {
	const verbs = "vTtbcdoOqxXUeEfFgGsp"
	for name, holder := range holders() {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				for _, flags := range []string{"", "+", "#", "-", " ", "0", "20", ".3", "# "} {
					format := "%" + flags + string(verb)
					checkSecret(t, format, fmt.Sprintf(format, holder))
				}
			}
			checkSecret(t, "Sprint", fmt.Sprint(holder))
			checkSecret(t, "Errorf", fmt.Errorf("value %v: %w", holder, &normalize.Error{}).Error())
			for _, handler := range []func(*bytes.Buffer) slog.Handler{
				func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
				func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
			} {
				var log bytes.Buffer
				slog.New(handler(&log)).Info("row", "raw", holder)
				checkSecret(t, "slog", log.String())
			}
			if text, err := json.Marshal(holder); err == nil {
				checkSecret(t, "json", string(text))
			}
		})
	}
}

func TestRawPrintsAsRaw(t *testing.T) {
	raw := normalize.RawString(secret)
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "d", "x", "X", "# x", "t", "c", "U", "e", "10s", "!"} {
		if got := fmt.Sprintf("%"+verb, raw); got != "[raw]" {
			t.Errorf("%%%s: got %s", verb, got)
		}
	}
	if got := raw.String(); got != "[raw]" {
		t.Errorf("String: got %s", got)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("row", "raw", raw)
	if !strings.Contains(log.String(), "raw=[raw]") {
		t.Errorf("slog: got %s", log.String())
	}
	for name, marshal := range map[string]func(any) ([]byte, error){
		"json": json.Marshal, "xml": xml.Marshal, "gob": marshalGob,
	} {
		type row struct{ Raw normalize.Raw } // encoding/xml wants a name
		text, err := marshal(row{raw})
		if err != nil || !bytes.Contains(text, []byte("[raw]")) {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
		checkSecret(t, name, string(text))
	}
}

func marshalGob(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func TestReveal(t *testing.T) {
	buf := []byte(secret)
	for name, raw := range map[string]normalize.Raw{
		"string": normalize.RawString(secret), "bytes": normalize.RawBytes(buf),
	} {
		if got := raw.Reveal(); string(got) != secret || len(got) != cap(got) || raw.Len() != len(secret) {
			t.Errorf("%s: got %q, capacity %d, length %d", name, got, cap(got), raw.Len())
		}
	}
	if &normalize.RawBytes(buf).Reveal()[0] != &buf[0] {
		t.Error("RawBytes made a copy")
	}
	for name, raw := range map[string]normalize.Raw{
		"zero": {}, "no string": normalize.RawString(""), "nil": normalize.RawBytes(nil), "no bytes": normalize.RawBytes(buf[:0]),
	} {
		if got := raw.Reveal(); len(got) != 0 || cap(got) != 0 || raw.Len() != 0 {
			t.Errorf("%s: got %q, capacity %d, length %d", name, got, cap(got), raw.Len())
		}
	}
}
