package jobs

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sources"
)

// look is what the sampled values of a column look like. A value counts once, and blank ones not at all.
type look struct {
	filled   int
	emails   int // plausible ones
	framed   int // "<address>" without a name: ids of messages more often than emails
	odd      int // with an @, but they look like something else
	phones   int // E.164
	national int // numbers of minNational to maxNational digits that are not E.164 as they are
	plus     int // of these, those with a + in front, which do not lack their country
	hashes   int // SHA-256
	digests  int // MD5, SHA-1, SHA-512, or the hex of a SHA-256 in base64: hashes that the services do not take
	flags    int // yes, no, true, 0 and the like
}

// How many digits a national number has, for a column to look like phones: fewer are codes, counts and years, and
// more are keys. E.164 has 15, and a prefix for calls abroad may stand before them.
const (
	minNational = 6
	maxNational = 17
)

func (l look) share(n int) float64 { return float64(n) / float64(max(1, l.filled)) }

// raw is how many values are identifiers of a kind as they are; national numbers and addresses in brackets are, if
// the name says so.
func (l look) raw(kind normalize.Kind, named bool) int {
	switch {
	case kind == normalize.KindEmail && named:
		return l.emails + l.framed
	case kind == normalize.KindEmail:
		return l.emails
	case named:
		return l.phones + l.national
	}
	return l.phones
}

// String lists what the values are, in numbers alone.
func (l look) String() string {
	if l.filled == 0 {
		return "no value in the sample"
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{l.emails, "emails"}, {l.framed, "addresses in angle brackets"}, {l.odd, "with an @ that look like no emails"}, {l.phones, "phones"},
		{l.national - l.plus, "national numbers"}, {l.plus, "phones with a + that are not E.164"}, {l.hashes, "SHA-256 hashes"},
		{l.digests, "other digests"}, {l.flags, "flags"},
		{l.filled - l.emails - l.framed - l.odd - l.phones - l.national - l.hashes - l.digests - l.flags, "something else"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return fmt.Sprintf("of %d sampled values: %s", l.filled, strings.Join(parts, ", "))
}

// lookAt looks at the sample of an input, column by column.
func lookAt(in *sources.Input) []look {
	looks := make([]look, len(in.Layout.Columns))
	sample := in.Sample()
	if sample == nil {
		return looks
	}
	n := normalize.New(normalize.Options{})
	for i := range looks {
		looks[i] = lookAtColumn(n, sample.Column(i))
	}
	return looks
}

func lookAtColumn(n *normalize.Normalizer, column arrow.Array) look {
	var l look
	values := pipeline.IdentifiersOf(column, normalize.FormEmailHash) // with which binary may be digests, too
	for row := range column.Len() {
		if raw, ok := values(row); ok {
			l.add(n, raw)
		}
	}
	return l
}

// add looks at one value.
func (l *look) add(n *normalize.Normalizer, raw normalize.Raw) {
	_, note, refusal := n.Identity(normalize.FormEmail, raw)
	switch {
	case refusal == normalize.ReasonEmpty:
		return
	case refusal == normalize.ReasonNone && note&normalize.NotePrehashed != 0:
		l.hashes++
	case refusal == normalize.ReasonNone && note&normalize.NoteImplausible != 0:
		l.odd++
	case refusal == normalize.ReasonNone && bytes.TrimSpace(raw.Reveal())[0] == '<':
		l.framed++
	case refusal == normalize.ReasonNone:
		l.emails++
	case isFlag(raw):
		l.flags++
	default:
		l.addOther(n, raw)
	}
	l.filled++
}

// addOther looks at a value that is neither an email nor a hash.
func (l *look) addOther(n *normalize.Normalizer, raw normalize.Raw) {
	switch _, _, refusal := n.Identity(normalize.FormEmailHash, raw); refusal {
	case normalize.ReasonHashMD5, normalize.ReasonHashSHA1, normalize.ReasonHashSHA512, normalize.ReasonHashHexText:
		l.digests++
		return
	}
	if _, _, refusal := n.Identity(normalize.FormPhone, raw); refusal == normalize.ReasonNone {
		l.phones++
	} else if d := digits(raw); minNational <= d && d <= maxNational && !isDate(raw.Reveal()) && !isAddress(raw.Reveal()) {
		if l.national++; bytes.HasPrefix(bytes.TrimSpace(raw.Reveal()), []byte("+")) {
			l.plus++
		}
	}
}

// digits counts the digits of a value that holds nothing else but what stands between those of phones.
func digits(raw normalize.Raw) (n int) {
	for _, r := range string(raw.Reveal()) {
		switch {
		case '0' <= r && r <= '9':
			n++
		case !strings.ContainsRune("+ -./()\t\r\n\u00a0", r) && (r < '\u2010' || r > '\u2015'):
			return 0
		}
	}
	return n
}

// isDate says whether a value of digits and separators is a date, or the time that a date begins with: eight digits
// that are a day of the last or this century, or numbers of a date between dashes, slashes or dots.
func isDate(v []byte) bool {
	text, _, _ := strings.Cut(string(bytes.TrimSpace(v)), " ")
	for _, layout := range [...]string{"20060102", "2006-1-2", "2006/1/2", "2006.1.2", "2-1-2006", "2/1/2006", "2.1.2006", "1/2/2006", "1-2-2006", "1.2.2006", "2.1.06", "2/1/06", "1/2/06"} {
		if day, err := time.Parse(layout, text); err == nil && day.Year() >= 1900 && day.Year() < 2100 {
			return true
		}
	}
	return false
}

// isAddress says whether a value is the address of a host, which digits and dots are as well.
func isAddress(v []byte) bool {
	_, err := netip.ParseAddr(string(bytes.TrimSpace(v)))
	return err == nil
}

// isFlag says whether a value answers a question: columns beside identifiers, as mobile or mail, often say whether
// there is one.
func isFlag(raw normalize.Raw) bool {
	switch strings.ToLower(string(bytes.TrimSpace(raw.Reveal()))) {
	case "y", "n", "yes", "no", "t", "f", "true", "false", "0", "1", "x", "on", "off",
		"j", "ja", "nein", "s", "si", "sí", "oui", "non", "sim", "não", "да", "нет", "是", "否":
		return true
	}
	return false
}
