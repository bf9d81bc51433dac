package jsonscan

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// value reads a value of any kind in the way that a client does.
func (s *Scanner) value() any {
	switch c := s.peek(); c {
	case '{':
		object := map[string]any{}
		s.Enter('{')
		for key := s.Key(); key != nil; key = s.Key() {
			name := string(key)
			object[name] = s.value()
		}
		return object
	case '[':
		array := []any{}
		s.Enter('[')
		for s.More(']') {
			array = append(array, s.value())
		}
		return array
	case '"':
		return string(s.Text())
	case 'n':
		s.Null()
		return nil
	case 't', 'f':
		s.Skip()
		return c == 't'
	}
	return s.Number()
}

// oracle reads the same with encoding/json.
func oracle(data []byte) (value any, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err := d.Decode(&value)
	return whole(value), err == nil
}

// whole replaces the numbers in a value by what Number returns for them.
func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && -1e18 < n && n < 1e18 {
			return n
		}
		f, _ := v.Float64()
		switch {
		case f >= math.MaxInt64:
			return int64(math.MaxInt64)
		case f <= math.MinInt64:
			return int64(math.MinInt64)
		}
		return int64(f)
	}
	return value
}

// compare reads data in both ways, and skips it.
func compare(t *testing.T, data []byte) {
	t.Helper()
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > MaxDepth {
		return // Skip may refuse it
	}
	want, valid := oracle(data)
	for _, mend := range []bool{false, true} {
		ok := valid && (mend || utf8.Valid(data))
		read := Scanner{Data: data, Mend: mend}
		got := read.value()
		if read.End(); (read.Err() == nil) != ok {
			t.Fatalf("mending %v: reading says %v, encoding/json takes it: %v: %q", mend, read.Err(), valid, data)
		}
		if ok && !reflect.DeepEqual(got, want) {
			t.Fatalf("mending %v: %q\nis  %#v\nnot %#v", mend, data, got, want)
		}
		skipped := Scanner{Data: data, Mend: mend}
		skipped.Skip()
		if skipped.End(); (skipped.Err() == nil) != ok {
			t.Fatalf("mending %v: skipping says %v, encoding/json takes it: %v: %q", mend, skipped.Err(), valid, data)
		}
	}
}

// taken is JSON, and refused is not.
var (
	taken = []string{
		`{}`, `[]`, `""`, `0`, `-0`, `null`, `true`, `false`, `[{}]`, `{"":""}`, `{"a":1,"a":2}`, `{"a" :1}`, `{"ab":1}`, `{"A":1}`,
		" {\t\"users\" :\r\n[ { } , { \"uid\" : \"a\" } ] , \"more\" : [ 1 , -0.5e+3 , true , false , null , { \"a\" : [ ] } ] } ",
		`{"a":"\u00e9\ud83d\ude00\ud800\"\\\/\b\f\n\r\t","\u0061b":"7","\u0062":[]}`, `["\ud800\u0041","\udc00"]`,
		`"0123456"`, `"01234567"`, `"012345678"`, `"0123456789012345678901234567\n"`, `"0123456\"01234567\"0123"`, `"café 😊, and longer than that"`,
		"[\"cut \xc3\",\"\xff\",{\"\xff\":1}]", "\"\x7f\"", `[1E-7,17e8,1e999,-1e999,1.9,-1.9,0.0,5e0,100,1706659200]`,
		`[999999999999999999,-999999999999999999,9223372036854775807,-9223372036854775808,9223372036854775808,123456789012345678901234567890]`,
	}
	refused = []string{
		``, ` `, `{}{}`, `{} x`, "{}\x00", "\ufeff{}", "\v{}", `<html>`, `x`, `'a'`, `nul`, `nulll`, `tru`, `falsy`, `NaN`, `Infinity`, `/**/{}`,
		`{`, `[`, `"`, `}`, `]`, `[}`, `{]`, `[{]`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `[1`, `[1,`,
		`{"a":1,}`, `[1,]`, `[,1]`, `{,"a":1}`, `{"a":1 "b":2}`, `[1 2]`, `[1,,2]`, `{"a" 1}`, `{"a",1}`, `{"a"::1}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{null:1}`, `{"a":}`,
		`01`, `-`, `-01`, `+1`, `1.`, `.5`, `-.5`, `1e`, `1e+`, `1.e1`, `0x1`, `1_000`, `--1`, `1.2.3`, `[01]`, `[1.]`, `[1e]`,
		"\"a\nb\"", "\"0123456789\x00\"", "\"\t\"", `"a\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u+123"`, `"\u_123"`, `"\`, `"\u123`, `"\U0041"`, `"\'"`, `"01234567\`,
	}
)

func TestAsEncodingJSON(t *testing.T) {
	for _, text := range append(taken, refused...) {
		compare(t, []byte(text))
	}
	for _, text := range taken {
		s := Scanner{Data: []byte(text), Mend: true}
		if s.Skip(); s.Err() != nil {
			t.Errorf("%q: %v", text, s.Err())
		}
	}
	for _, text := range refused {
		s := Scanner{Data: []byte(text), Mend: true}
		s.Skip()
		if s.End(); s.Err() == nil {
			t.Errorf("taken: %q", text)
		}
	}
}

// TestCutAnywhere cuts what is taken at each of its bytes, and changes each of them.
func TestCutAnywhere(t *testing.T) {
	for _, text := range taken {
		for i := range len(text) {
			compare(t, []byte(text[:i]))
			for _, c := range []byte{0, ' ', '"', '\\', '{', '}', '[', ']', ',', ':', 'n', 'u', '0', '-', '.', 'e', 0x1f, 0x7f, 0x80, 0xff} {
				data := []byte(text)
				data[i] = c
				compare(t, data)
			}
		}
	}
}

// TestSpecialAnywhere has each byte at each place of strings that are longer than those looked at together.
func TestSpecialAnywhere(t *testing.T) {
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				data := []byte(`"` + strings.Repeat("a", length) + `"`)
				data[1+at] = byte(c)
				compare(t, data)
			}
		}
	}
}

// FuzzScanner reads anything in both ways.
func FuzzScanner(f *testing.F) {
	for _, text := range append(taken, refused...) {
		f.Add([]byte(text))
	}
	f.Fuzz(compare)
}
