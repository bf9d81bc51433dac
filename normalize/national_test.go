package normalize_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"mapper/normalize"
)

func region(t testing.TB, text string) normalize.Region {
	t.Helper()
	r, ok := normalize.ParseRegion(text)
	if !ok && text != "" {
		t.Fatalf("%q is no region", text)
	}
	return r
}

// TestExampleNumbers reads an example of every kind of number that every numbering plan has, as it is written in
// its own country.
func TestExampleNumbers(t *testing.T) {
	regions := phonenumbers.GetSupportedRegions()
	if len(regions) < 245 {
		t.Errorf("%d regions, want 245 or more", len(regions))
	}
	accepted := 0
	for code := range regions {
		n := normalize.New(normalize.Options{Region: region(t, code)})
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.MOBILE, phonenumbers.FIXED_LINE} {
			example := phonenumbers.GetExampleNumberForType(code, kind)
			// The plan has none of this kind; or the library writes it as "09 15-2345-6789", which nobody dials:
			// TestNational has it as it is written there.
			if example == nil || code == "AR" && kind == phonenumbers.MOBILE {
				continue
			}
			national, e164 := phonenumbers.Format(example, phonenumbers.NATIONAL), phonenumbers.Format(example, phonenumbers.E164)
			want := normalize.CheckPhone(normalize.RawString(e164)) // some small countries have too few digits
			text, _, note, reason := n.Normalized(phone, normalize.RawString(national))
			if reason != want || want == normalize.ReasonNone && (string(text) != e164 || note != inRegion) {
				t.Errorf("%s %q: got %q, note %05b, reason %q; want %q, reason %q", code, national, text, note, reason, e164, want)
			}
			if reason == normalize.ReasonNone {
				accepted++
			}
		}
	}
	if accepted < len(regions) {
		t.Errorf("%d of the examples of %d regions were accepted", accepted, len(regions))
	}
}

func TestNational(t *testing.T) {
	const (
		national  = normalize.ReasonPhoneNational
		invalid   = normalize.ReasonPhoneInvalid
		unknown   = normalize.ReasonPhoneRegion
		format    = normalize.ReasonPhoneFormat
		length    = normalize.ReasonPhoneLength
		decimals  = normalize.ReasonPhoneDecimals
		ambiguous = normalize.ReasonPhoneAmbiguous
	)
	for _, c := range []struct {
		name, region, cell, in, want string
		note                         normalize.Note
		reason                       normalize.Reason
	}{
		{"US", "US", "", "(201) 555-0123", "+12015550123", inRegion, 0},
		{"US, digits alone", "US", "", "2015550123", "+12015550123", inRegion, 0},
		{"US, calling code without +", "US", "", "1 201 555 0123", "+12015550123", inRegion, 0},
		{"DE, trunk zero in parentheses", "DE", "", "+49 (0)30 123456", "+4930123456", inRegion, 0},
		{"DE, trunk zero", "DE", "", "030/123456", "+4930123456", inRegion, 0},
		{"GB mobile", "GB", "", "07911 123456", "+447911123456", inRegion, 0},
		{"FR mobile", "FR", "", "06 12 34 56 78", "+33612345678", inRegion, 0},
		{"IT keeps its zero", "IT", "", "06 1234 5678", "+390612345678", inRegion, 0},
		{"AR mobile, 15 inside", "AR", "", "011 15-2345-6789", "+5491123456789", inRegion, 0},
		{"00 prefix", "FR", "", "0049 30 123456", "+4930123456", inRegion, 0},
		{"011 prefix", "US", "", "011 49 30 123456", "+4930123456", inRegion, 0},
		{"+ and separators, another country", "US", "", "+44 7911-123.456", "+447911123456", inRegion, 0},
		{"+ behind a parenthesis", "US", "", "(+44) 7911 123456", "+447911123456", inRegion, 0},
		{"dashes and no-break spaces", "US", "", "201\u2010555\u2015\u00a00123", "+12015550123", inRegion, 0},
		{"hygiene first", "US", "", "\t201 555 0123\r\n", "+12015550123", inRegion | cleaned, 0},

		{"cell", "", "DE", "030 123456", "+4930123456", inRegion, 0},
		{"cell before default", "US", "de", "030 123456", "+4930123456", inRegion, 0},
		{"cell of three letters", "", " deu\t", "030 123456", "+4930123456", inRegion, 0},
		{"UK", "", "uk", "07911 123456", "+447911123456", inRegion, 0},
		{"blank cell, default", "DE", "\u00a0 ", "030 123456", "+4930123456", inRegion, 0},
		{"blank cell, no default", "", " ", "030 123456", "", 0, national},
		{"null cell, default", "DE", "NULL", "030 123456", "+4930123456", inRegion, 0},
		{"none cell, default", "DE", " None ", "030 123456", "+4930123456", inRegion, 0},
		{"n/a cell, default", "DE", "n/a", "030 123456", "+4930123456", inRegion, 0},
		{"dash cell, default", "DE", "-", "030 123456", "+4930123456", inRegion, 0},
		{"dash cell, no default", "", "-", "030 123456", "", 0, national},
		{"two dashes, default", "DE", "--", "030 123456", "", 0, unknown},
		{"no cell, no default", "", "", "030 123456", "", 0, national},
		{"unknown cell", "", "Germany", "030 123456", "", 0, unknown},
		{"unknown cell, default", "DE", "XX", "030 123456", "", 0, unknown},
		{"calling code for a cell", "", "380", "06 1234 5678", "", 0, unknown},
		{"unknown cell, + and separators", "DE", "XX", "+49 30 123456", "", 0, unknown},
		{"unknown cell, E.164", "", "XX", "+12015550123", "+12015550123", 0, 0},
		{"unknown cell, no number", "", "XX", "none", "", 0, format},

		{"E.164 of another country", "DE", "", "+12015550123", "+12015550123", 0, 0},
		{"E.164 that no plan has", "DE", "DE", "+00000000000", "+00000000000", 0, 0},
		{"E.164 with its trunk zero", "DE", "DE", "+49030123456", "+49030123456", 0, 0},
		{"E.164 and junk", "DE", "DE", "+12015550123\n", "+12015550123", cleaned, 0},

		{"too short", "DE", "", "12", "", 0, invalid},
		{"one digit", "DE", "", "1", "", 0, invalid},
		{"too long for the plan", "US", "", "201 555 0123 4", "", 0, invalid},
		{"no such area", "US", "", "(555) 555-0100", "", 0, invalid},
		{"another country's", "US", "", "07911 123456", "", 0, invalid},
		{"no such calling code", "DE", "", "+999 30 123456", "", 0, invalid},
		{"valid, too few digits for the service", "", "SH", "22158", "", 0, length},
		{"20 digits", "US", "", strings.Repeat("1", 20), "", 0, invalid},
		{"21 digits", "US", "", strings.Repeat("1", 21), "", 0, format},

		{"float", "DE", "", "1511234567.0", "", 0, decimals},
		{"float, two decimals", "DE", "", "1511234567.00", "", 0, decimals},
		{"float, +", "DE", "", "+491511234567.0", "", 0, decimals},
		{"float, no region", "", "", "1511234567.0", "", 0, decimals},
		{"float, unknown region", "", "XX", " 1511234567.0", "", 0, decimals},
		{"dots, the last group 00", "FR", "", "06.12.34.56.00", "+33612345600", inRegion, 0},
		{"a dot and three zeros", "DE", "", "030123.000", "+4930123000", inRegion, 0},

		{"calling code or not", "DE", "", "491712345678", "", 0, ambiguous},
		{"calling code or not, separators", "", "de", "49 171 2345678", "", 0, ambiguous},
		{"calling code and 00", "DE", "", "00491712345678", "+491712345678", inRegion, 0},
		{"calling code and +, separators", "DE", "", "+49 171 2345678", "+491712345678", inRegion, 0},
		{"calling code that cannot be an area code", "GB", "", "447911123456", "+447911123456", inRegion, 0},
		{"an area code like the calling code", "BR", "", "55 99123-4567", "+5555991234567", inRegion, 0},

		{"letters", "US", "", "1-800-FLOWERS", "", 0, format},
		{"extension", "US", "", "201 555 0123 x12", "", 0, format},
		{"extension, #", "US", "", "201 555 0123 #12", "", 0, format},
		{"text around", "DE", "", "Tel. 030 123456", "", 0, format},
		{"two numbers", "DE", "", "030 123456, 030 123457", "", 0, format},
		{"two +", "DE", "", "++49 30 123456", "", 0, format},
		{"+ inside", "DE", "", "030+123456", "", 0, format},
		{"tab inside", "DE", "", "030\t123456", "", 0, format},
		{"full-width digits", "DE", "", "０３０ 123456", "", 0, format},
		{"not UTF-8", "DE", "", "030\xa0123456", "", 0, format},
		{"no digit", "DE", "", "+ (-)", "", 0, format},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := normalize.New(normalize.Options{Region: region(t, c.region)})
			id, note, reason := n.IdentityIn(phone, normalize.RawString(c.in), normalize.RawString(c.cell))
			want := normalize.ID{}
			if c.reason == normalize.ReasonNone {
				want = normalize.ID{Kind: normalize.KindPhone, Hash: sha256.Sum256([]byte(c.want))}
			}
			if id != want || note != c.note || reason != c.reason {
				t.Errorf("%+q: got %x, note %05b, reason %q; want %x (%q), note %05b, reason %q", c.in, id.Hash, note, reason,
					want.Hash, c.want, c.note, c.reason)
			}
		})
	}
}

// TestRegionElsewhere: a region is about phones that are not hashed, and does not make ID5 take them.
func TestRegionElsewhere(t *testing.T) {
	de := region(t, "DE")
	for _, c := range []struct {
		name   string
		opts   normalize.Options
		form   normalize.Form
		in     string
		reason normalize.Reason
	}{
		{"ID5", normalize.Options{Profile: normalize.ID5, Region: de}, phone, "030 123456", normalize.ReasonPhoneID5},
		{"among emails", normalize.Options{Region: de}, email, "030 123456", normalize.ReasonEmailNoAt},
		{"among hashes", normalize.Options{Region: de}, phoneHash, "030 123456", normalize.ReasonHashPhone},
		{"a hash among phones", normalize.Options{Region: de}, phone, userHex, normalize.ReasonNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, note, reason := normalize.New(c.opts).Identity(c.form, normalize.RawString(c.in)); reason != c.reason || note&inRegion != 0 {
				t.Errorf("note %05b, reason %q; want reason %q", note, reason, c.reason)
			}
		})
	}
}

// TestE164WithRegionAllocatesNothing: neither does a number that is refused before it is parsed.
func TestE164WithRegionAllocatesNothing(t *testing.T) {
	n := normalize.New(normalize.Options{Region: region(t, "DE")})
	for _, in := range []string{"+12345678901", "none", "030 123456, 030 123457"} {
		raw, cell := normalize.RawString(in), normalize.RawString("deu")
		if allocs := testing.AllocsPerRun(20, func() { n.IdentityIn(phone, raw, cell) }); allocs > mayAllocate {
			t.Errorf("%q: %v allocations", in, allocs)
		}
	}
	raw, cell := normalize.RawString("030 123456"), normalize.RawString("no country")
	if allocs := testing.AllocsPerRun(20, func() { n.IdentityIn(phone, raw, cell) }); allocs > mayAllocate {
		t.Errorf("unknown region: %v allocations", allocs)
	}
}

func FuzzNational(f *testing.F) {
	for _, seed := range []struct{ raw, cell string }{
		{"(201) 555-0123", "US"}, {"+49 (0)30 123456", "deu"}, {"0049 30 123456", "FR"}, {"011 49 30 123456", "usa"},
		{"07911 123456", " UK "}, {"+12345678901", "XX"}, {"+123456789", "DE"}, {"22158", "SH"}, {"x12", ""}, {userHex, "DE"},
		{"0 15 11 2345-6789", "BR"}, {"8~10 49", "RU"}, {"+1\u2010201\u00a05550123", "CA"}, {"000", "IT"}, {"+0", "AU"},
	} {
		f.Add(seed.raw, seed.cell)
	}
	written := regexp.MustCompile(`\A[-./() \x{a0}\x{2010}-\x{2015}]*\+?[-./() \x{a0}\x{2010}-\x{2015}0-9]*[0-9][-./() \x{a0}\x{2010}-\x{2015}0-9]*\z`)
	f.Fuzz(func(t *testing.T, raw, cell string) {
		r := normalize.RawString(raw)
		bareID, bareNote, bare := normalize.New(normalize.Options{}).Identity(phone, r)
		if id, note, reason := normalize.New(normalize.Options{}).IdentityIn(phone, r, normalize.RawString(" ")); id != bareID || note != bareNote || reason != bare {
			t.Fatalf("%+q: a blank cell gives %x, note %05b, %q; none %x, %05b, %q", raw, id.Hash, note, reason, bareID.Hash, bareNote, bare)
		}
		id, note, reason := normalize.New(normalize.Options{}).IdentityIn(phone, r, normalize.RawString(cell))
		if note&inRegion == 0 { // nothing has changed but the reason
			isRegional := reason == normalize.ReasonPhoneRegion || reason == normalize.ReasonPhoneInvalid || reason == normalize.ReasonPhoneLength || reason == normalize.ReasonPhoneAmbiguous
			if id != bareID || note != bareNote || reason != bare && (bare == normalize.ReasonNone || !isRegional) {
				t.Fatalf("%+q in %+q: %x, note %05b, %q; without %x, %05b, %q", raw, cell, id.Hash, note, reason, bareID.Hash, bareNote, bare)
			}
			return
		}
		cc, ok := normalize.ParseRegion(cell)
		if !ok || reason != normalize.ReasonNone || bare == normalize.ReasonNone || !written.MatchString(strings.Trim(raw, stripped)) {
			t.Fatalf("%+q in %+q: accepted (%q); without a region %q", raw, cell, reason, bare)
		}
		text, same, sameNote, _ := normalize.New(normalize.Options{Region: cc}).Normalized(phone, r)
		if same != id || sameNote != note {
			t.Fatalf("%+q in %+q: %x, note %05b by the cell, %x, note %05b by the default", raw, cell, id.Hash, note, same.Hash, sameNote)
		}
		if normalize.CheckPhone(normalize.RawBytes(text)) != normalize.ReasonNone || id.Hash != sha256.Sum256(text) || id.Kind != normalize.KindPhone {
			t.Fatalf("%+q in %+q: the text is %q, the identity %x", raw, cell, text, id.Hash)
		}
	})
}

// stripped is what hygiene strips.
const stripped = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff"
