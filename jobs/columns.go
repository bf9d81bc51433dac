package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sources"
)

// Columns says which columns of the inputs hold what. With no identifier column named, they are found from the
// header and the content of each input.
type Columns struct {
	ID                                 string // the caller's row key; none when empty
	Email, Phone, EmailHash, PhoneHash []string
	PhoneRegionColumn                  string   // the country of a row's phones; none when empty
	Keep                               []string // copied through
	AllowRaw                           bool     // ID and Keep may name columns that hold emails or phones
}

// named returns the identifier columns that the user has named, with their forms.
func (c *Columns) named() (names []string, forms []normalize.Form) {
	for _, of := range []struct {
		names []string
		form  normalize.Form
	}{{c.Email, normalize.FormEmail}, {c.Phone, normalize.FormPhone}, {c.EmailHash, normalize.FormEmailHash}, {c.PhoneHash, normalize.FormPhoneHash}} {
		for _, name := range of.names {
			names, forms = append(names, name), append(forms, of.form)
		}
	}
	return names, forms
}

// resolve finds the columns in one input. why says, a line for each identifier column, what spoke for it.
func (c *Columns) resolve(in *sources.Input) (p pipeline.Input, why []string, err error) {
	p = pipeline.Input{Source: in, ID: pipeline.NoColumn, AllowRaw: c.AllowRaw}
	looks := lookAt(in)
	names, forms := c.named()
	if len(names) > maxIdentifiers {
		return p, nil, usagef("%d columns with identifiers are named; %d is the most", len(names), maxIdentifiers)
	}
	for i, name := range names {
		column, err := columnOf(in, name)
		if err != nil {
			return p, nil, err
		}
		if slices.ContainsFunc(p.Identifiers, func(id pipeline.Identifier) bool { return id.Column == column }) {
			return p, nil, usagef("%s: column %q is named twice; say once what it holds", in.Object.URI, name)
		}
		p.Identifiers = append(p.Identifiers, pipeline.Identifier{Column: column, Form: forms[i]})
	}
	if len(names) == 0 {
		if p.Identifiers, why, err = detect(in, looks); err != nil {
			return p, nil, err
		}
	}
	if p.PhoneRegion, err = c.phoneRegion(&p); err != nil {
		return p, nil, err
	}
	if c.ID != "" {
		if p.ID, err = columnOf(in, c.ID); err != nil {
			return p, nil, err
		}
	}
	for _, name := range c.Keep {
		column, err := columnOf(in, name)
		if err != nil {
			return p, nil, err
		}
		p.Keep = append(p.Keep, column)
	}
	return p, why, c.checkRaw(&p, looks)
}

// phoneRegion finds the column with the country of phones, which is of use only where there are phones.
func (c *Columns) phoneRegion(p *pipeline.Input) (*int, error) {
	if c.PhoneRegionColumn == "" {
		return nil, nil
	}
	column, err := columnOf(p.Source, c.PhoneRegionColumn)
	if err != nil {
		return nil, err
	}
	isPhone := func(id pipeline.Identifier) bool { return id.Form == normalize.FormPhone }
	// Without any identifier it is a file without rows.
	if len(p.Identifiers) > 0 && !slices.ContainsFunc(p.Identifiers, isPhone) {
		return nil, usagef("%s: --phone-region-column %q says where phones are from, but no column holds phones; name one with --phone, or leave the flag out (its columns are %s)",
			p.Source.Object.URI, c.PhoneRegionColumn, columnNames(p.Source))
	}
	return &column, nil
}

// maxIdentifiers is how many identifier columns an input may have: the pipeline numbers them in a byte.
const maxIdentifiers = 255

// checkRaw refuses to copy raw identifiers into the output, as far as the sample shows any. The pipeline looks at
// every value.
func (c *Columns) checkRaw(p *pipeline.Input, looks []look) error {
	if c.AllowRaw {
		return nil
	}
	copied := p.Keep
	if p.ID != pipeline.NoColumn {
		copied = append([]int{p.ID}, copied...)
	}
	for _, column := range copied {
		l := looks[column]
		hint, _ := hintOf(p.Source.Layout.Columns[column].Name)
		raw := l.emails+l.phones > 0 || hint == hintPhone && l.national > 0
		for _, id := range p.Identifiers {
			raw = raw || id.Column == column && (id.Form == normalize.FormEmail || id.Form == normalize.FormPhone)
		}
		if raw {
			return usagef("%s: column %q holds emails or phones, and --id and --keep copy a column into the output as it is; name another column, or add --allow-raw if you mean it",
				p.Source.Object.URI, p.Source.Layout.Columns[column].Name)
		}
	}
	return nil
}

// columnOf finds a column by its name, in any case if no other differs in case alone.
func columnOf(in *sources.Input, name string) (int, error) {
	var like []int
	for i, c := range in.Layout.Columns {
		if c.Name == name {
			return i, nil
		}
		if strings.EqualFold(c.Name, name) {
			like = append(like, i)
		}
	}
	if len(like) == 1 {
		return like[0], nil
	}
	if why, ok := in.Layout.Unreadable[name]; ok {
		return 0, usagef("%s: column %q cannot be read: %s", in.Object.URI, name, why)
	}
	return 0, usagef("%s: no column %q; its columns are %s", in.Object.URI, name, columnNames(in))
}

func columnNames(in *sources.Input) string {
	names := make([]string, 0, len(in.Layout.Columns))
	for _, c := range in.Layout.Columns {
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	return strings.Join(names, ", ")
}

// look is what the sampled cells of a column look like.
type look struct {
	filled, emails, phones, national, hashes int
}

func (l look) share(n int) float64 { return float64(n) / float64(max(1, l.filled)) }

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
	for row := range column.Len() {
		if column.IsNull(row) {
			continue
		}
		raw := normalize.RawString(text(column, row))
		_, note, refusal := n.Identity(normalize.FormEmail, raw)
		if refusal == normalize.ReasonEmpty {
			continue
		}
		l.filled++
		if refusal == 0 {
			if note&normalize.NotePrehashed != 0 {
				l.hashes++
			} else {
				l.emails++
			}
			continue
		}
		switch _, _, refusal := n.Identity(normalize.FormPhone, raw); refusal {
		case 0:
			l.phones++
		case normalize.ReasonPhoneNational:
			l.national++
		}
	}
	return l
}

func text(column arrow.Array, row int) string {
	if a, ok := column.(*array.String); ok {
		return a.Value(row)
	}
	return column.ValueStr(row)
}

// hint is what the name of a column says.
type hint uint8

const (
	hintNone hint = iota
	hintEmail
	hintPhone
)

var (
	emailWords = []string{"email", "mail", "hem"}
	phoneWords = []string{"phone", "mobile", "msisdn", "tel", "cell"}
	// sureNames leave no doubt, whatever the values look like.
	sureNames = []string{"email", "mail", "emailaddress", "phone", "phonenumber", "mobile", "mobilephone", "msisdn", "telephone"}
)

func hintOf(name string) (h hint, sure bool) {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	contains := func(word string) bool { return strings.Contains(name, word) }
	switch sure = slices.Contains(sureNames, name); {
	case slices.ContainsFunc(emailWords, contains):
		return hintEmail, sure
	case slices.ContainsFunc(phoneWords, contains):
		return hintPhone, sure
	}
	return hintNone, false
}

// form says what a column holds, if it holds identifiers.
func (l look) form(h hint, sure bool) (form normalize.Form, ok bool) {
	const most, nearlyAll = 0.5, 0.9
	switch {
	case h == hintEmail && l.hashes > 0 && l.emails == 0 && l.share(l.hashes) >= most:
		return normalize.FormEmailHash, true
	case h == hintEmail && (sure || l.filled > 0 && l.share(l.emails+l.hashes) >= most):
		return normalize.FormEmail, true
	case h == hintPhone && l.hashes > 0 && l.phones+l.national == 0 && l.share(l.hashes) >= most:
		return normalize.FormPhoneHash, true
	case h == hintPhone && (sure || l.filled > 0 && l.share(l.phones+l.national+l.hashes) >= most):
		return normalize.FormPhone, true
	case h == hintNone && l.filled > 0 && l.share(l.emails) >= nearlyAll:
		return normalize.FormEmail, true
	case h == hintNone && l.filled > 0 && l.share(l.phones) >= nearlyAll:
		return normalize.FormPhone, true
	}
	return 0, false
}

// only says what the one column of a file without columns holds: there is nothing else that it could be.
func (l look) only() (form normalize.Form, ok bool) {
	switch {
	case l.emails > 0 && l.emails >= l.phones+l.national:
		return normalize.FormEmail, true
	case l.phones+l.national > 0:
		return normalize.FormPhone, true
	}
	return 0, false // nothing, or hashes of who knows what
}

// detect finds the identifier columns of an input: at most one of emails and one of phones. Two that could be
// meant are an error, because asking for the wrong one is worse than asking the user.
func detect(in *sources.Input, looks []look) (ids []pipeline.Identifier, why []string, err error) {
	var hashes []string
	ofKind := map[normalize.Kind]string{}
	for i, l := range looks {
		name := in.Layout.Columns[i].Name
		h, sure := hintOf(name)
		form, ok := l.form(h, sure)
		if in.Layout.Format == sources.Text {
			form, ok = l.only()
		}
		if !ok {
			if l.filled > 0 && l.share(l.hashes) >= 0.9 {
				hashes = append(hashes, fmt.Sprintf("%q", name))
			}
			continue
		}
		if other, taken := ofKind[form.Kind()]; taken {
			return nil, nil, usagef("%s: columns %q and %q both look like %ss; say which to use with --%s (its columns are %s)",
				in.Object.URI, other, name, form.Kind(), flagOf(form), columnNames(in))
		}
		ofKind[form.Kind()] = name
		ids = append(ids, pipeline.Identifier{Column: i, Form: form})
		why = append(why, fmt.Sprintf("%s: column %q is read as %s (of %d sampled values: %d emails, %d phones, %d national numbers, %d hashes)",
			in.Object.URI, name, form, l.filled, l.emails, l.phones, l.national, l.hashes))
	}
	switch {
	case len(ids) > 0:
		return ids, why, nil
	case len(hashes) > 0:
		return nil, nil, usagef("%s: column %s holds hashes, of emails or of phones: say which with --email-hash or --phone-hash",
			in.Object.URI, strings.Join(hashes, " and "))
	}
	if sample := in.Sample(); sample == nil || sample.NumRows() == 0 {
		return nil, nil, nil // nothing to map, so nothing to find
	}
	return nil, nil, fmt.Errorf("%s: no column looks like emails or phones; its columns are %s; name one with --email, --phone, --email-hash or --phone-hash",
		in.Object.URI, columnNames(in))
}

func flagOf(form normalize.Form) string { return strings.ReplaceAll(form.String(), "_", "-") }
