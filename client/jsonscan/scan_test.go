package jsonscan

import (
	"math"
	"strings"
	"testing"
)

// TestSkipDepth: the value that is skipped, and MaxDepth brackets inside it.
func TestSkipDepth(t *testing.T) {
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "0" + strings.Repeat("}", n) }
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"arrays":           {arrays(1 + MaxDepth), true},
		"arrays too deep":  {arrays(2 + MaxDepth), false},
		"objects":          {objects(MaxDepth), true},
		"objects too deep": {objects(1 + MaxDepth), false},
		"brackets alone":   {strings.Repeat("[", 1e6), false},
	} {
		s := Scanner{Data: []byte(c.text)}
		s.Skip()
		if s.End(); (s.Err() == nil) != c.ok {
			t.Errorf("%s: the error is %v", name, s.Err())
		}
	}
}

// TestErrors has what the errors say. None quotes the text.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, text string
		read       func(s *Scanner)
		want       string
	}{
		{"no object", `  "marker"`, func(s *Scanner) { s.Enter('{') }, "at byte 2: no {"},
		{"no array", `{"marker":1}`, func(s *Scanner) { s.Enter('[') }, "at byte 0: no ["},
		{"no string", `7`, func(s *Scanner) { s.Text() }, "at byte 0: no string"},
		{"no string but null", `null`, func(s *Scanner) { s.Text() }, "at byte 0: no string"},
		{"no number", `"5"`, func(s *Scanner) { s.Number() }, "at byte 0: no number"},
		{"a number in a string's place", `{"a":"marker"}`, func(s *Scanner) { s.Enter('{'); s.Key(); s.Number() }, "at byte 5: no number"},
		{"no colon", `{"marker"}`, func(s *Scanner) { s.Enter('{'); s.Key() }, "at byte 9: no colon"},
		{"no comma", `["marker" 1]`, func(s *Scanner) { s.Skip() }, "at byte 10: no comma and no ]"},
		{"no value", `marker`, func(s *Scanner) { s.Skip() }, "at byte 0: no number"},
		{"no word", `nomarker`, func(s *Scanner) { s.Null() }, "at byte 0: no value"},
		{"an escape", `"marker\marker"`, func(s *Scanner) { s.Skip() }, `at byte 7: an escape that does not exist`},
		{"a line end", "\"marker\nmarker\"", func(s *Scanner) { s.Skip() }, "at byte 7: a control character in a string"},
		{"no end", `"marker`, func(s *Scanner) { s.Skip() }, "at byte 0: a string without end"},
		{"not UTF-8", "\"marker\xff\"", func(s *Scanner) { s.Text() }, "at byte 9: a string that is not UTF-8"},
		{"a key that is not UTF-8", "{\"marker\xff\":1}", func(s *Scanner) { s.Skip() }, "at byte 10: a string that is not UTF-8"},
		{"no fraction", `1.`, func(s *Scanner) { s.Number() }, "at byte 2: a number without digits behind the point"},
		{"no exponent", `1e+`, func(s *Scanner) { s.Number() }, "at byte 3: a number without an exponent"},
		{"something behind", `1 marker`, func(s *Scanner) { s.Skip(); s.End() }, "at byte 2: something behind the end"},
		{"the caller's", `1 marker`, func(s *Scanner) { s.Skip(); s.Fail("not that one") }, "at byte 1: not that one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Scanner{Data: []byte(c.text)}
			c.read(&s)
			if want := "the reply's JSON, " + c.want; s.Err() == nil || s.Err().Error() != want {
				t.Errorf("got %v, want %s", s.Err(), want)
			}
		})
	}
}

// TestErrorSticks: after an error nothing is found, and no loop goes on.
func TestErrorSticks(t *testing.T) {
	for _, text := range []string{`{"a":1,"b":"text"}`, `["text"]`, `{}`, `[]`} {
		s := Scanner{Data: []byte(text)}
		s.Enter(text[0])
		s.Fail("first")
		if key, more := s.Key(), s.More(']'); key != nil || more {
			t.Errorf("after an error there is the key %q, and more: %v", key, more)
		}
		s.Enter('{')
		s.Skip()
		if text, n, null := s.Text(), s.Number(), s.Null(); len(text) > 0 || n != 0 || null {
			t.Errorf("after an error there are %q, %d and null: %v", text, n, null)
		}
		if s.End(); !strings.HasSuffix(s.Err().Error(), ": first") {
			t.Errorf("the error is %v", s.Err())
		}
	}
}

// TestSpan has where strings lie, of which the scanner reads one from the middle of other data.
func TestSpan(t *testing.T) {
	for _, c := range []struct {
		name, text, says string
		plain            bool
	}{
		{"plain", `"text"`, "text", true},
		{"long", `"` + strings.Repeat("a", 100) + `"`, strings.Repeat("a", 100), true},
		{"empty", `""`, "", true},
		{"beyond ASCII", `"gelöscht 😊"`, "gelöscht 😊", true},
		{"escapes", `"a\/b\u003d\n"`, "a/b=\n", false},
		{"not UTF-8", "\"cut \xc3\"", "cut \ufffd", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			const before, behind = `head"\` + "\xff", ` tail`
			s := Scanner{Data: []byte(before + c.text + behind), Pos: len(before), Mend: true}
			text := s
			from, to, plain := s.Span()
			if from != len(before)+1 || to != len(before)+len(c.text)-1 || plain != c.plain || s.Pos != to+1 || s.Err() != nil {
				t.Errorf("from %d to %d, plain: %v, now at %d, %v", from, to, plain, s.Pos, s.Err())
			}
			if got := s.Resolve(from, to); string(got) != c.says {
				t.Errorf("resolved %q", got)
			}
			if got := text.Text(); string(got) != c.says || len(got) > 0 && (&got[0] == &s.Data[from]) != plain {
				t.Errorf("the text is %q, a slice of the data or not", got)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, " 7": 7, "-7": -7, "1706659200": 1706659200, "1706659200.9": 1706659200, "-1.9": -1, "17e8": 1.7e9, "17E+8": 1.7e9, "5e-1": 0,
		"999999999999999999": 999999999999999999, "-999999999999999999": -999999999999999999, "1000000000000000000": 1e18,
		"9223372036854775807": math.MaxInt64, "123456789012345678901234567890": math.MaxInt64, "-123456789012345678901234567890": math.MinInt64,
		"1e999": math.MaxInt64, "-1e999": math.MinInt64,
	} {
		s := Scanner{Data: []byte(text)}
		got := s.Number()
		if s.End(); got != want || s.Err() != nil {
			t.Errorf("%s is %d, %v; want %d", text, got, s.Err(), want)
		}
	}
}

// TestAllocations: plain data is read, and any value is skipped, without memory.
func TestAllocations(t *testing.T) {
	plain := []byte(`{"users":[{"uid":"ID5*0123456789","n":1706659200,"x":null,"gelöscht":"😊"},{}]}`)
	odd := []byte("[{\"a\":\"\\u0062\\n\"},\"\xff\",1.5e3,123456789012345678901234567890,true]")
	if n := testing.AllocsPerRun(100, func() {
		s := Scanner{Data: plain}
		s.Enter('{')
		s.Key()
		s.Enter('[')
		s.More(']')
		s.Enter('{')
		s.Key()
		s.Text()
		s.Key()
		s.Number()
		s.Key()
		s.Null()
		s.Key()
		s.Span()
		if s.Key() != nil || !s.More(']') || s.Err() != nil {
			t.Error(s.Err())
		}
	}); n > 0 {
		t.Errorf("reading allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		s := Scanner{Data: odd, Mend: true}
		s.Skip()
		if s.End(); s.Err() != nil {
			t.Error(s.Err())
		}
	}); n > 0 {
		t.Errorf("skipping allocates %v times", n)
	}
}
