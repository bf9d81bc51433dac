package sources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func ndjsonLayout(names ...string) Layout {
	return Layout{Format: NDJSON, MaxRow: 200, Columns: stringColumns(names), Unreadable: map[string]string{"nested": "its values are nested"}}
}

func TestObjects(t *testing.T) {
	const not = "line 1 " + notJSON
	for _, c := range []struct {
		name, line, want string
	}{
		{"strings", `{"a":"x","b":"y"}`, `"x" "y"`},
		{"order of keys", `{"b":"y","z":1,"a":"x"}`, `"x" "y"`},
		{"missing and null", `{"b":null}`, `- -`},
		{"empty string is no null", `{"a":"","b":"y"}`, `"" "y"`},
		{"empty object", ` { } `, `- -`},
		{"numbers as written", `{"a":-1.50e+3,"b":12345678901234567890}`, `"-1.50e+3" "12345678901234567890"`},
		{"booleans", `{"a":true,"b":false}`, `"true" "false"`},
		{"white space", "\t{ \"a\" : \"x\" , \"b\" : \"y\" }\r", `"x" "y"`},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","\u0062":"y"}`, `"\"\\/\b\f\n\r\té😀" "y"`},
		{"nested where it is not wanted", `{"c":{"a":[1,{"b":2}]},"a":"x"}`, `"x" -`},
		{"nested", `{"a":{"b":1}}`, `line 1 row: "a" is nested`},
		{"array", `{"a":[]}`, `line 1 row: "a" is nested`},
		{"twice", `{"a":"x","a":"y"}`, `line 1 row: key "a" twice`},
		{"null and again", `{"a":null,"\u0061":"y"}`, `line 1 row: key "a" twice`},
		{"twice where it is not wanted", `{"c":1,"c":2,"a":"x"}`, `"x" -`},
		{"unknown word", `{"a":"x","c":"word"}`, `"x" -`},
		{"unknown email", `{"a":"x","c":" a@example.com"}`, "line 1 " + unknownKey},
		{"unknown hash", `{"c":"` + strings.Repeat("0a", 32) + `"}`, "line 1 " + unknownKey},
		{"unknown hash in base64", `{"c":"` + strings.Repeat("a", 43) + `="}`, "line 1 " + unknownKey},
		{"unknown phone number", `{"c":"+1 (555) 010-0000"}`, "line 1 " + unknownKey},
		{"unknown date, time and number", `{"c":"2026-01-02","d":"2026-01-02T03:04:05Z","e":"20260102","a":"x"}`, `"x" -`},
		{"unknown text with an at sign", `{"c":"call @ 5.30","d":"@name.x","e":"https://example.com/@a.b","a":"x"}`, `"x" -`},
		{"unknown email within a value", `{"c":{"d":"a@example.com"},"a":"x"}`, `"x" -`},
		{"nested email of the layout", `{"nested":"a@example.com","a":"x"}`, `"x" -`},
		{"not an object", `"a"`, not},
		{"an array", `[{"a":"x"}]`, not},
		{"cut off", `{"a":"x"`, not},
		{"garbage behind", `{"a":"x"} y`, not},
		{"two objects", `{"a":"x"}{"a":"x"}`, not},
		{"garbage behind an empty object", `{} x`, not},
		{"comma behind", `{"a":"x",}`, not},
		{"comma in front", `{,"a":"x"}`, not},
		{"no comma", `{"a":"x" "b":"y"}`, not},
		{"single quotes", `{'a':'x'}`, not},
		{"bad number", `{"a":01}`, not},
		{"bad number that is not wanted", `{"c":1.}`, not},
		{"bad literal", `{"a":nul}`, not},
		{"bad escape", `{"a":"\q"}`, not},
		{"bad escape that is not wanted", `{"c":"\u12"}`, not},
		{"half a surrogate pair", `{"a":"\ud83d"}`, not},
		{"tab in a string", "{\"a\":\"\t\"}", not},
		{"tab in a key", "{\"a\t\":1}", not},
		{"bad nested value", `{"c":{"a":}}`, not},
		{"NUL", "{\"a\":\"\x00\"}", not},
		{"escaped NUL", `{"a":"\u0000"}`, `"\x00" -`},
		{"not UTF-8", "{\"a\":\"\xe9\"}", "line 1 row: not UTF-8"},
		{"too long", `{"a":"` + strings.Repeat("x", 200) + `"}`, "line 1 row: longer than 200 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.line + "\n\n \t\n" + `{"a":"next"}`
			got := readText(ndjsonLayout("a", "b"), memoryWindow([]byte(text), nil))
			if !slices.Equal(got, []string{c.want, `"next" -`}) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzNDJSON: a line is read the way encoding/json reads it, or is malformed when that refuses it.
func FuzzNDJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":"x","b":1}`, `{"a":"\u00e9\n","c":{"x":[1,2]},"b":null}`, `{"a":1,"a":2}`, `{"b":true,}`, `{} `, `{"a":"\ud83d\ude00"}`,
		`{"a":[1]}`, `{"c":01}`, `{"a":-0.5E-7}`, "{\"a\":\"\t\"}", `{"a":"x"}x`, `{"a":"\ud800"}`, `{"\u0061":""}`, `{"":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.ReplaceAll(line, []byte("\n"), []byte(" "))
		l := ndjsonLayout("a", "b")
		l.MaxRow = 1 << 20
		w := memoryWindow(line, nil)
		clean := w.clean
		got := readRows(l, w)
		if len(trimSpace(line)) == 0 {
			if len(got) != 0 {
				t.Fatalf("blank line gives %v", got)
			}
			return
		}
		if len(got) != 1 {
			t.Fatalf("%d rows", len(got))
		}
		want, ok := oracle(line)
		if !clean {
			ok = false
		}
		if ok != (got[0].problem == "") || ok && !slices.Equal(got[0].cells, want) {
			t.Fatalf("%q gives %q %s, want %q, %v", line, got[0].cells, got[0].problem, want, ok)
		}
	})
}

// oracle reads the keys a and b of a line by the standard library; not ok when the line is malformed.
func oracle(line []byte) (cells []string, ok bool) {
	cells = []string{null, null}
	d := json.NewDecoder(bytes.NewReader(line))
	if open, err := d.Token(); !json.Valid(line) || err != nil || open != json.Delim('{') {
		return nil, false
	}
	seen := map[string]bool{}
	for d.More() {
		token, _ := d.Token()
		key := token.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, false
		}
		cell, good := scalar(raw)
		if !good {
			return nil, false
		}
		if i := slices.Index([]string{"a", "b"}, key); i >= 0 {
			if seen[key] || raw[0] == '{' || raw[0] == '[' {
				return nil, false
			}
			seen[key], cells[i] = true, cell
		} else if raw[0] == '"' && key != "nested" && isLost([]byte(cell)) {
			return nil, false
		}
	}
	return cells, true
}

// scalar is a value as a cell. It is not good when it is a string with a half of a surrogate pair.
func scalar(raw json.RawMessage) (cell string, good bool) {
	switch raw[0] {
	case 'n':
		return null, true
	case '"':
		if err := json.Unmarshal(raw, &cell); err != nil {
			return "", false
		}
		replaced := strings.Contains(cell, "\uFFFD") && !bytes.Contains(raw, []byte("\uFFFD"))
		return cell, !replaced
	}
	return string(raw), true
}

// TestLateKeys: every key of the first megabyte is a column, however many rows come before it.
func TestLateKeys(t *testing.T) {
	var text bytes.Buffer
	for i := range 1500 {
		fmt.Fprintf(&text, `{"id":"%d"}`+"\n", i)
	}
	text.WriteString(`{"id":"x","phone":"+15550100000"}` + "\n")
	h := &head{text: text.Bytes(), whole: true}
	l, err := h.detect(Options{MaxRow: 1000})
	if err != nil || len(l.Columns) != 2 || l.Columns[1].Name != "phone" {
		t.Fatalf("columns %v, %v", l.Columns, err)
	}
}
