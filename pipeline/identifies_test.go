package pipeline

import (
	"errors"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/normalize"
	"mapper/sources"
)

func TestIdentifies(t *testing.T) {
	for _, c := range []struct {
		values     []string
		want       string
		wantPhones string // in a column that is named for phones, if that differs
	}{
		{values: []string{
			"bob@corp.example", " Bob@Corp.Example ", "bob@corp.example; ann@corp.example", "please mail bob@corp.example, he said",
			"Bob <b@c.example> @work", "@work b@c.example", "'b@c.example'", "mailto:b@c.example", "jürgen@bücher.example", "b_@c-d.e.example", "b@c.1.example",
		}, want: "an email"},
		{values: []string{
			"+14155550199", " +14155550199", "\u00a0+14155550199", "tel:+14155550199", "+14155550199 x12", "+1 (415) 555-0199", "+1\u00a0415\u2011555\u20110199",
			"call +1-415-555-0199 now", "++14155550199", "+14155550199 14155550200", "(+49) 30 123456", "+49 (0)30 123456", "1, +14155550199",
		}, want: "a phone"},
		{values: []string{"(415) 555-0199", "030 123456", "4155550199", "0014155550199", "415.555.0199 ext. 12", "tel: 415-555-0199", "123456789", "2024-01-31T10:00:00+0100"}, wantPhones: "a phone"},
		{values: []string{
			"", "@", "@handle", "a@", "@b.example", "a b", "key1", "+1", "+123456789", "user@host", "5 @ 3.99", "5@3.99", "lib@1.2.3", "https://x.example/@user1",
			"12345", "a+4155550199b", "x+14155550199", "c++", "1 + 2", "+1234567890123456", "home", "-",
		}},
	} {
		for _, value := range c.values {
			raw := normalize.RawString(value)
			if got := Identifies(raw, false); got != c.want {
				t.Errorf("%q: %q", value, got)
			}
			want := c.want
			if c.wantPhones != "" {
				want = c.wantPhones
			}
			if got := Identifies(raw, true); got != want {
				t.Errorf("%q named for phones: %q", value, got)
			}
		}
	}
}

// TestCopiedTypes: identifiers are found in every type that can hold them, and digests are none.
func TestCopiedTypes(t *testing.T) {
	binary := &arrow.FixedSizeBinaryType{ByteWidth: 11}
	for _, c := range []struct {
		name       string
		kind       arrow.DataType
		add        func(array.Builder)
		namedPhone bool
		want       string
	}{
		{"text", arrow.BinaryTypes.LargeString, func(b array.Builder) { b.(*array.LargeStringBuilder).Append("b@c.example") }, false, "an email"},
		{"binary", arrow.BinaryTypes.Binary, func(b array.Builder) { b.(*array.BinaryBuilder).Append([]byte("b@c.example")) }, false, "an email"},
		{"fixed", binary, func(b array.Builder) { b.(*array.FixedSizeBinaryBuilder).Append([]byte("b@c.example")) }, false, "an email"},
		{"digest", binary, func(b array.Builder) { b.(*array.FixedSizeBinaryBuilder).Append([]byte("b@c.exampl\xff")) }, false, ""},
		{"key", arrow.PrimitiveTypes.Int64, func(b array.Builder) { b.(*array.Int64Builder).Append(14155550199) }, false, ""},
		{"integer phone", arrow.PrimitiveTypes.Int64, func(b array.Builder) { b.(*array.Int64Builder).Append(14155550199) }, true, "a phone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "kept", Type: c.kind, Nullable: true}}, nil))
			b.Field(0).AppendNull()
			c.add(b.Field(0))
			in := &Input{Source: &sources.Input{}, ID: NoColumn, Keep: []int{7}}
			if c.namedPhone {
				in.NamedPhone = []int{3, 7}
			}
			looked := copiedOf(in, &sources.Batch{Record: b.NewRecord()})
			if err := looked.check(0, 1); err != nil {
				t.Errorf("null: %v", err)
			}
			what := ""
			var copied *CopiedError
			if err := looked.check(1, 2); errors.As(err, &copied) {
				what = copied.What
			}
			if what != c.want {
				t.Errorf("got %q, want %q", what, c.want)
			}
		})
	}
}

func BenchmarkIdentifies(b *testing.B) {
	for name, value := range map[string]string{
		"key": "customer-00012345", "text": "a kept note of some length, with nothing in it", "phone": "+1 (415) 555-0199", "email": "mail bob@corp.example",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			raw := normalize.RawString(value)
			for b.Loop() {
				Identifies(raw, false)
			}
		})
	}
}
