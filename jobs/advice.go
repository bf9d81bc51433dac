package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/pipeline"
)

// Advice is a likely mistake in the data of a run, found by counting all of it.
type Advice struct {
	Code    AdviceCode `json:"code"`
	Count   int64      `json:"count"`   // values, or of repeated_identity about how many identifiers
	Message string     `json:"message"` // for people: what, where, and what to do; holds no identifier
}

// AdviceCode names a kind of mistake, for machines.
type AdviceCode string

// The kinds of mistakes.
const (
	AdviceHashOfHexText     AdviceCode = "hash_of_hex_text"    // base64 of the hex digits of a hash, not of its bytes
	AdviceMD5               AdviceCode = "md5"                 // 32 hex digits
	AdviceSHA1              AdviceCode = "sha1"                // 40 hex digits
	AdviceSHA512            AdviceCode = "sha512"              // 128 hex digits
	AdviceEmptyHash         AdviceCode = "empty_hash"          // the SHA-256 of nothing
	AdviceHashNotNormalized AdviceCode = "hash_not_normalized" // made of the email beside it as it is written
	AdviceImplausible       AdviceCode = "implausible_email"   // emails with a delimiter, quote or URL around them
	AdvicePhoneDecimals     AdviceCode = "phone_decimals"      // a number that was a float on its way
	AdvicePhoneAmbiguous    AdviceCode = "phone_ambiguous"     // with or without the country code
	AdviceNoPhoneRegion     AdviceCode = "no_phone_region"     // a column of mostly national numbers, and no region
	AdviceColumnInvalid     AdviceCode = "column_invalid"      // a column of mostly invalid values
	AdviceRepeatedIdentity  AdviceCode = "repeated_identity"   // one identity in very many rows
)

// advise looks for likely mistakes in what a run has counted.
func advise(m *table.Manifest) []Advice {
	list := []Advice{}
	add := func(code AdviceCode, count int64, format string, args ...any) {
		if count > 0 {
			list = append(list, Advice{Code: code, Count: count, Message: fmt.Sprintf(format, args...)})
		}
	}
	for _, h := range mistakes {
		n := m.Counts.Reasons[h.reason.String()]
		add(h.code, n, "%s %s", counted(n, "value", "values"), h.message)
	}
	n := m.Counts.Notes[normalize.NoteEmptyHash.String()]
	add(AdviceEmptyHash, n, "%s the SHA-256 of an empty text: missing values were hashed, and all of them are one identity that is nobody; leave such cells blank",
		counted(n, "value is", "values are"))
	n = m.Counts.Notes[normalize.NoteImplausible.String()]
	add(AdviceImplausible, n, "%s like something else (a delimiter, quote or URL around an address), and the service was asked for all of it; check the delimiter and the column",
		counted(n, "email looks", "emails look"))
	n = m.Counts.Notes[pipeline.NoteUnnormalized]
	add(AdviceHashNotNormalized, n, "%s made of the email in the same row without normalizing it, and will match nobody; trim and lower-case emails before hashing (and for gmail.com drop dots and +suffix), or map the emails alone",
		counted(n, "hash of an email was", "hashes of emails were"))
	list = append(list, adviseColumns(m.Counts.Columns)...)
	return append(list, adviseRepeated(m)...)
}

// mistakes are the refusals that tell what went wrong before the values got here.
var mistakes = []struct {
	code    AdviceCode
	reason  normalize.Reason
	message string
}{
	{AdviceHashOfHexText, normalize.ReasonHashHexText, "in a hash column look like base64 of hex text; encode the 32 bytes of the hash, or give the 64 hex digits as they are"},
	{AdviceMD5, normalize.ReasonHashMD5, "in a hash column look like MD5 (32 hex digits); only SHA-256 is taken: hash the emails or phones again"},
	{AdviceSHA1, normalize.ReasonHashSHA1, "in a hash column look like SHA-1 (40 hex digits); only SHA-256 is taken: hash the emails or phones again"},
	{AdviceSHA512, normalize.ReasonHashSHA512, "in a hash column look like SHA-512 (128 hex digits); only SHA-256 is taken: hash the emails or phones again"},
	{AdvicePhoneDecimals, normalize.ReasonPhoneDecimals, "in a phone column went through a column of floats, which put .0 behind them; read the column as text and export it again"},
	{AdvicePhoneAmbiguous, normalize.ReasonPhoneAmbiguous, "in a phone column can be read with and without the country code, as two people's numbers; write a + before numbers that have their country code"},
}

// isMistake says whether there is advice on a reason by itself.
func isMistake(reason string) bool {
	for _, h := range mistakes {
		if h.reason.String() == reason {
			return true
		}
	}
	return false
}

// adviseColumns names the columns of which more than half is invalid, for a reason that there is no advice on yet.
func adviseColumns(columns map[string]pipeline.ColumnCounts) []Advice {
	var list []Advice
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		c := columns[name]
		var invalid int64
		reason := ""
		for _, word := range slices.Sorted(maps.Keys(c.Invalid)) {
			if invalid += c.Invalid[word]; reason == "" || c.Invalid[word] > c.Invalid[reason] {
				reason = word
			}
		}
		national := c.Invalid[normalize.ReasonPhoneNational.String()]
		switch {
		case 2*national > c.Identifiers:
			list = append(list, Advice{AdviceNoPhoneRegion, national, fmt.Sprintf(
				"column %s: %s of %s values are national phone numbers without a country; say which with --phone-region, as --phone-region US",
				shown(name), humanize.Comma(national), humanize.Comma(c.Identifiers))})
		case 2*invalid > c.Identifiers && !isMistake(reason):
			list = append(list, Advice{AdviceColumnInvalid, invalid, fmt.Sprintf(
				"column %s: %s of %s values are invalid, most often %q (%s); see the unmapped rows, and whether it is the right column and form",
				shown(name), humanize.Comma(invalid), humanize.Comma(c.Identifiers), reason, humanize.Comma(c.Invalid[reason]))})
		}
	}
	return list
}

const (
	repeatedFrom  = 10_000 // identifiers of a run, before shares mean something
	repeatedShare = 0.01   // of all identifiers
	repeatedMost  = 5      // identities named
)

// adviseRepeated names the places of identities that stand in very many rows.
func adviseRepeated(m *table.Manifest) []Advice {
	all := m.Counts.Identifiers
	if all < repeatedFrom {
		return nil
	}
	var list []Advice
	for _, r := range m.Counts.Repeated {
		n := r.Count + 1 // the first row of an identity repeats nothing
		if float64(n) > repeatedShare*float64(all) && len(list) < repeatedMost && r.Input < len(m.Inputs) {
			list = append(list, Advice{AdviceRepeatedIdentity, n, fmt.Sprintf(
				"one identity stands in about %s of %s identifiers (%.1f %%), for one in %s, row %d: a placeholder? Leave such cells blank",
				humanize.Comma(n), humanize.Comma(all), 100*float64(n)/float64(all), m.Inputs[r.Input].URI, r.Row)})
		}
	}
	return list
}

// counted writes a number with the word for one or for several.
func counted(n int64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + several
}

// adviceText writes advice for people, a line each.
func adviceText(list []Advice) string {
	var b strings.Builder
	for _, a := range list {
		fmt.Fprintf(&b, "\nadvice: %s", a.Message)
	}
	return b.String()
}
