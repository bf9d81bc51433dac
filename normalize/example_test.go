package normalize_test

import (
	"errors"
	"fmt"

	"mapper/normalize"
)

func ExampleEmail() {
	id, err := normalize.Email(" Jane.Saoirse+news@GMail.com ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.Kind, string(id.AppendBase64(nil)))
	// Output: email ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8=
}

func ExamplePhone() {
	_, err := normalize.Phone("(555) 555-0100")
	var refused *normalize.Error
	if errors.As(err, &refused) && refused.Reason == normalize.ReasonPhoneNational {
		fmt.Println(err)
	}
	// Output: phone: national number and no region
}

func ExampleNormalizer() {
	n := normalize.New(normalize.Options{})
	for _, cell := range []string{
		"User@Example.com",
		"Jane Doe <user@example.com>",
		"tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=", // a hash among emails
		"user at example.com",
	} {
		id, note, reason := n.Identity(normalize.FormEmail, normalize.RawString(cell))
		if reason != normalize.ReasonNone {
			fmt.Println(reason)
			continue
		}
		fmt.Printf("%s cleaned=%t prehashed=%t\n", id.AppendBase64(nil),
			note&normalize.NoteCleaned != 0, note&normalize.NotePrehashed != 0)
	}
	// Output:
	// tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ= cleaned=false prehashed=false
	// tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ= cleaned=true prehashed=false
	// tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ= cleaned=false prehashed=true
	// email: no @
}

// National numbers, each in the country that its row names.
func ExampleNormalizer_IdentityIn() {
	us, _ := normalize.ParseRegion("US")
	n := normalize.New(normalize.Options{Region: us})
	for _, row := range []struct{ phone, country string }{
		{"(201) 555-0123", ""}, // that of the options
		{"0201 555012", "DE"},
		{"0201 555012", "nowhere"},
		{"+49201555012", "nowhere"}, // E.164 needs no country
	} {
		id, _, reason := n.IdentityIn(normalize.FormPhone, normalize.RawString(row.phone), normalize.RawString(row.country))
		if reason != normalize.ReasonNone {
			fmt.Println(reason)
			continue
		}
		fmt.Printf("%s\n", id.AppendBase64(nil))
	}
	// Output:
	// 5+CWFB/mKQ+MBOILUaaGBwqcQPfzBGZ4SbQwZFqq8H0=
	// rOdSYpYFyrN0bWRn9Vm8fKqLsfzImlwoReMC0ffREsM=
	// phone: unknown region
	// rOdSYpYFyrN0bWRn9Vm8fKqLsfzImlwoReMC0ffREsM=
}

func ExampleAppendEmail() {
	text, _ := normalize.AppendEmail(nil, normalize.RawString("Te.St+x@GoogleMail.com"))
	fmt.Printf("UID2 %s\n", text)
	text, _ = normalize.AppendEmailID5(nil, normalize.RawString("Te.St+x@GoogleMail.com"))
	fmt.Printf("ID5  %s\n", text)
	// Output:
	// UID2 te.st+x@googlemail.com
	// ID5  test@gmail.com
}

func ExampleParseHash() {
	_, reason := normalize.ParseHash(normalize.RawString("5f4dcc3b5aa765d61d8327deb882cf99"))
	fmt.Println(reason)
	// Output: hash: 32 hex digits, MD5?
}

func ExampleRaw() {
	row := struct {
		line int
		raw  normalize.Raw
	}{7, normalize.RawString("user@example.com")}
	fmt.Printf("line %d: %v\n", row.line, row.raw)
	fmt.Printf("%s\n", row.raw.Reveal())
	// Output:
	// line 7: [raw]
	// user@example.com
}
