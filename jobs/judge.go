package jobs

import (
	"fmt"
	"strings"

	"mapper/normalize"
)

// judge finds out what the column could be. Why stays empty when it looks like nothing of interest.
func (f *ColumnFound) judge() {
	f.named = nameOf(f.Name)
	kind, share := normalize.KindEmail, 0.0
	for k := range normalize.Kinds {
		confidence, s := f.confidence(k)
		if confidence > f.Confidence || confidence == f.Confidence && s > share {
			kind, share, f.Confidence = k, s, confidence
		}
	}
	mentioned := f.named.mentions(normalize.KindEmail) || f.named.mentions(normalize.KindPhone)
	if !mentioned && f.look.share(f.look.hashes) >= 0.5 {
		f.Confidence = min(f.Confidence, sure/2)
		f.Why = fmt.Sprintf("%s; hashes of emails or of phones, which cannot be known: --email-hash or --phone-hash says it", f.look)
		return
	}
	if f.Confidence == 0 && f.named.mentions(normalize.KindPhone) {
		kind = normalize.KindPhone
	}
	f.become(kind)
	if mentioned || f.Confidence >= 0.05 {
		f.Why = f.nameSays(kind) + "; " + f.look.String()
	}
}

// manyFilled is how many sampled values are enough to say that a name is wrong: a mobile may be an operating system.
const manyFilled = 20

// confidence is how much speaks for identifiers of a kind. Values that are plainly something else speak against
// the name, and so do many of which hardly any is such an identifier or a wrong hash of one.
func (f *ColumnFound) confidence(kind normalize.Kind) (confidence, share float64) {
	l, mentioned := f.look, f.named.mentions(kind)
	good, other := l.raw(kind, mentioned), l.emails
	if kind == normalize.KindEmail {
		other = l.phones
	}
	if mentioned {
		good += l.hashes
	}
	share = l.share(good)
	name := f.named.worth(kind)
	if share < 0.1 && l.share(l.flags+other) >= 0.5 || l.filled >= manyFilled && l.share(good+l.digests) < 0.1 {
		name = 0
	}
	return (name + share) / 2, share
}

// become says that the column holds raw identifiers of a kind, or hashes of them. Among raw ones, hashes are
// told apart value by value, so every value has to be a hash.
func (f *ColumnFound) become(kind normalize.Kind) {
	l := f.look
	named := f.named.mentions(kind) && f.named.says&saysHash != 0
	hashed := l.raw(kind, true) == 0 && (named || l.share(l.hashes+l.digests) >= 0.5)
	switch {
	case kind == normalize.KindEmail && hashed:
		f.form = normalize.FormEmailHash
	case kind == normalize.KindEmail:
		f.form = normalize.FormEmail
	case hashed:
		f.form = normalize.FormPhoneHash
	default:
		f.form = normalize.FormPhone
	}
	f.Form = f.form.String()
}

// only judges the one column of a file without columns: there is nothing else that it could be, if at least half
// of it is identifiers; lines that hold more than one thing are a table. Of hashes alone nobody knows what they are
// of.
func (f *ColumnFound) only() {
	emails, phones := f.look.emails, f.look.phones+f.look.national
	if emails+phones+f.look.odd+f.look.framed == 0 {
		f.judge()
		return
	}
	f.form = normalize.FormEmail
	if phones > emails {
		f.form = normalize.FormPhone
	}
	f.Form = f.form.String()
	f.Confidence = f.look.share(max(emails, phones) + f.look.hashes)
	f.Why = "there is no other; " + f.look.String()
	if f.Confidence < 0.5 {
		f.Confidence = min(f.Confidence, sure/2)
	}
}

// nameSays says in words what the name is worth.
func (f *ColumnFound) nameSays(kind normalize.Kind) string {
	switch {
	case !f.named.mentions(kind):
		return "its name says nothing"
	case f.named.about != "":
		return fmt.Sprintf("its name is about an identifier (%q)", f.named.about)
	case f.named.worth(kind) < 1:
		return fmt.Sprintf("its name speaks of %ss among others", kind)
	}
	return fmt.Sprintf("its name says %s", kind)
}

// isFax says that the column holds phones at which nobody is.
func (f *ColumnFound) isFax() bool {
	return f.form.Kind() == normalize.KindPhone && strings.Contains(f.named.about, "fax")
}

// isRaw says that the column is read, and not only for hashes.
func (f *ColumnFound) isRaw() bool {
	return f.Read && f.form != normalize.FormEmailHash && f.form != normalize.FormPhoneHash
}

// holds says whether at least half of the sampled values are what the column is taken for.
func (f *ColumnFound) holds() bool {
	_, share := f.confidence(f.form.Kind())
	return share >= 0.5
}
