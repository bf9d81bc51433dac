package pipeline_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/normalize"
	"mapper/pipeline"
)

// TestIdentifiersInBinary: digests are told from text by their type, form and content.
func TestIdentifiersInBinary(t *testing.T) {
	digest := sha256.Sum256([]byte("jane@example.com"))
	inHex, inBase64 := hex.EncodeToString(digest[:]), base64.StdEncoding.EncodeToString(digest[:])
	printable := "jane.doe.of.the.does@example.com" // an email of 32 bytes
	fixed := func(width int) arrow.DataType { return &arrow.FixedSizeBinaryType{ByteWidth: width} }
	for name, c := range map[string]struct {
		typ   arrow.DataType
		form  normalize.Form
		value string
		want  string
	}{
		"fixed digest as email":       {fixed(32), normalize.FormEmail, string(digest[:]), inBase64},
		"fixed digest as phone hash":  {fixed(32), normalize.FormPhoneHash, string(digest[:]), inBase64},
		"fixed email is no digest":    {fixed(32), normalize.FormEmailHash, printable, printable},
		"fixed MD5 in hex":            {fixed(32), normalize.FormEmailHash, inHex[:32], inHex[:32]},
		"fixed hex":                   {fixed(64), normalize.FormEmail, inHex, inHex},
		"fixed base64":                {fixed(44), normalize.FormEmailHash, inBase64, inBase64},
		"binary digest as email hash": {arrow.BinaryTypes.Binary, normalize.FormEmailHash, string(digest[:]), inBase64},
		"binary digest as phone hash": {arrow.BinaryTypes.Binary, normalize.FormPhoneHash, string(digest[:]), inBase64},
		"binary digest as email":      {arrow.BinaryTypes.Binary, normalize.FormEmail, string(digest[:]), string(digest[:])},
		"binary email is no digest":   {arrow.BinaryTypes.Binary, normalize.FormEmailHash, printable, printable},
		"binary MD5 in hex":           {arrow.BinaryTypes.Binary, normalize.FormPhoneHash, inHex[:32], inHex[:32]},
		"binary hex":                  {arrow.BinaryTypes.Binary, normalize.FormEmailHash, inHex, inHex},
		"string":                      {arrow.BinaryTypes.String, normalize.FormEmailHash, printable, printable},
	} {
		t.Run(name, func(t *testing.T) {
			b := array.NewBuilder(memory.DefaultAllocator, c.typ)
			for range 2 {
				switch b := b.(type) {
				case *array.FixedSizeBinaryBuilder:
					b.Append([]byte(c.value))
				case *array.BinaryBuilder:
					b.Append([]byte(c.value))
				case *array.StringBuilder:
					b.Append(c.value)
				}
				b.AppendNull()
			}
			values := pipeline.IdentifiersOf(b.NewArray(), c.form)
			for _, row := range []int{0, 2} {
				if raw, ok := values(row); !ok || string(raw.Reveal()) != c.want {
					t.Errorf("row %d is %q, %t, want %q", row, raw.Reveal(), ok, c.want)
				}
				if _, ok := values(row + 1); ok {
					t.Errorf("row %d is not null", row+1)
				}
			}
			if n := testing.AllocsPerRun(100, func() { values(0) }); n > 0 {
				t.Errorf("%v allocations a row", n)
			}
		})
	}
}
