package jobs

import (
	"slices"
	"strings"

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
	Country                            string   // of ID5: the column with the country of each row, or two letters, the country of all
	KnownUIDs                          string   // of ID5: uids that are known for the row's person, which ID5 joins; none when empty
	Keep                               []string // copied through
	AllowRaw                           bool     // ID and Keep may name columns that hold emails or phones

	emailsOnly bool // columns of phones are left out
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

// resolve finds the columns in one input. With none named, why says of each that is read, and of each that looks
// a little like it, what speaks for it and what against, a line for each.
func (c *Columns) resolve(in *sources.Input) (p pipeline.Input, why []string, err error) {
	p = pipeline.Input{Source: in, ID: pipeline.NoColumn, AllowRaw: c.AllowRaw, NamedPhone: namedPhone(in.Layout)}
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
		found, err := detect(in, looks)
		if c.emailsOnly {
			leavePhones(found)
		}
		for _, f := range found {
			why = append(why, in.Object.URI+": "+f.String())
		}
		if err != nil {
			return p, why, err
		}
		p.Identifiers = identifiers(found)
	}
	if c.emailsOnly {
		if err := onlyEmails(&p); err != nil {
			return p, why, err
		}
	}
	if p.PhoneRegion, err = c.phoneRegion(&p); err != nil {
		return p, nil, err
	}
	if p.Country, p.Everywhere, err = c.countryIn(in); err != nil {
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
		if slices.Contains(p.Keep, column) {
			return p, nil, usagef("%s: --keep names column %s twice; say it once", in.Object.URI, shown(name))
		}
		p.Keep = append(p.Keep, column)
	}
	if c.KnownUIDs != "" && len(in.Layout.Columns) > 0 {
		column, err := columnOf(in, c.KnownUIDs)
		if err != nil {
			return p, nil, err
		}
		p.KnownUIDs = &column
		other := slices.Contains(p.Keep, column) || column == p.ID || p.Country != nil && column == *p.Country
		for _, id := range p.Identifiers {
			other = other || id.Column == column
		}
		if other {
			return p, nil, settingf("known_uids", "%s: the column is named for something else too, and what it holds is sent to ID5 as it is; name one with ID5 uids alone, which are not copied", shown(c.KnownUIDs))
		}
	}
	return p, why, c.checkRaw(&p)
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

// leavePhones says of found columns of phones that they are not read, if emails are.
func leavePhones(found []ColumnFound) {
	isRead := func(kind normalize.Kind) func(ColumnFound) bool {
		return func(f ColumnFound) bool { return f.Read && f.form.Kind() == kind }
	}
	for i := range found {
		if f := &found[i]; isRead(normalize.KindPhone)(*f) && slices.ContainsFunc(found, isRead(normalize.KindEmail)) {
			f.Read, f.Why = false, f.Why+"; ID5 takes emails only"
		}
	}
}

// onlyEmails leaves out columns of phones, of which there must be others then.
func onlyEmails(p *pipeline.Input) error {
	isPhone := func(id pipeline.Identifier) bool { return id.Form.Kind() == normalize.KindPhone }
	emails := slices.DeleteFunc(slices.Clone(p.Identifiers), isPhone)
	if len(emails) == 0 && len(p.Identifiers) > 0 {
		return usagef("%s: column %s holds phones, and ID5 Partner Signals takes emails only; name a column of emails with --email or --email-hash (its columns are %s)",
			p.Source.Object.URI, shown(p.Source.Layout.Columns[p.Identifiers[0].Column].Name), columnNames(p.Source))
	}
	p.Identifiers = emails
	return nil
}

// countryIn finds the column with the country of each row. Two letters that are no column are the country of all rows.
func (c *Columns) countryIn(in *sources.Input) (column *int, everywhere [2]byte, err error) {
	if c.Country == "" || len(in.Layout.Columns) == 0 {
		return nil, everywhere, nil
	}
	found, err := columnOf(in, c.Country)
	if err == nil {
		return &found, everywhere, nil
	}
	if everywhere, reason := normalize.ParseCountry(normalize.RawString(c.Country)); reason == normalize.ReasonNone {
		return nil, everywhere, nil
	}
	return nil, everywhere, err
}

// maxIdentifiers is how many identifier columns an input may have: the pipeline numbers them in a byte.
const maxIdentifiers = 255

// checkRaw refuses to copy raw identifiers into the output, as far as the sample shows any. The pipeline looks at
// every value.
func (c *Columns) checkRaw(p *pipeline.Input) error {
	if c.AllowRaw {
		return nil
	}
	copied := p.Keep
	if p.ID != pipeline.NoColumn {
		copied = append([]int{p.ID}, copied...)
	}
	for _, column := range copied {
		raw := holdsRaw(p, column)
		for _, id := range p.Identifiers {
			raw = raw || id.Column == column && (id.Form == normalize.FormEmail || id.Form == normalize.FormPhone)
		}
		if raw {
			return usagef("%s: column %s holds emails or phones, and --id and --keep copy a column into the output as it is; name another column, or add --allow-raw if you mean it",
				p.Source.Object.URI, shown(p.Source.Layout.Columns[column].Name))
		}
	}
	return nil
}

// holdsRaw says whether a raw identifier is among the sampled values of a column.
func holdsRaw(p *pipeline.Input, column int) bool {
	sample := p.Source.Sample()
	if sample == nil {
		return false
	}
	values := pipeline.IdentifiersOf(sample.Column(column), normalize.FormEmailHash)
	for row := range int(sample.NumRows()) {
		if raw, ok := values(row); ok && pipeline.Identifies(raw, slices.Contains(p.NamedPhone, column)) != "" {
			return true
		}
	}
	return false
}

// namedPhone returns the columns whose names say that they hold phones, and not keys or something about them.
func namedPhone(l sources.Layout) (columns []int) {
	for i, c := range l.Columns {
		if nameOf(c.Name).worth(normalize.KindPhone) > 0 && !slices.Contains(wordsOf(c.Name), "id") {
			columns = append(columns, i)
		}
	}
	return columns
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
