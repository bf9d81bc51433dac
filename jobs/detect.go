package jobs

import (
	"fmt"
	"slices"
	"strings"

	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sources"
)

// ColumnFound is a column that holds identifiers, or looks a little like it.
type ColumnFound struct {
	Name string `json:"name"`
	// Form is what the column is read as: email, phone, email_hash or phone_hash; of one that is not read, what it
	// could be, or nothing when that cannot be known.
	Form string `json:"form,omitempty"`
	Read bool   `json:"read"` // without flags that say otherwise
	// Confidence, from 0 to 1, is half what the name says (1: this and nothing else; 0.5: this among other words;
	// 0) and half the share of the sampled values that are such identifiers. A column can be read from 0.45 on:
	// for a clear name alone, for a vague one and two values in five, or for nine values in ten.
	Confidence float64 `json:"confidence"`
	Why        string  `json:"why"` // for people; holds no value of the column

	column int
	form   normalize.Form
	look   look
	named  naming
	beside bool // not read because raw identifiers of its kind are
}

// sure is the confidence from which on a column is read.
const sure = 0.45

// String says in a line what the column is read as, and why.
func (f *ColumnFound) String() string {
	what := "is not read"
	if f.Read {
		what = "is read as " + f.Form
	}
	return fmt.Sprintf("column %s %s, confidence %.2f: %s", shown(f.Name), what, f.Confidence, f.Why)
}

// identifiers returns the columns that are read.
func identifiers(found []ColumnFound) (ids []pipeline.Identifier) {
	for _, f := range found {
		if f.Read {
			ids = append(ids, pipeline.Identifier{Column: f.column, Form: f.form})
		}
	}
	return ids
}

// detect finds the identifier columns of an input: at most one of emails and one of phones. Two that could be
// meant are an error, because asking for the wrong one is worse than asking the user. Emails themselves are
// preferred to hashes of them: whoever has both need not be asked. The order of the columns makes no difference.
func detect(in *sources.Input, looks []look) ([]ColumnFound, error) {
	var found []ColumnFound
	for i, l := range looks {
		f := ColumnFound{Name: in.Layout.Columns[i].Name, column: i, look: l}
		if in.Layout.Format == sources.Text {
			f.only()
		} else {
			f.judge()
		}
		if f.Why != "" {
			found = append(found, f)
		}
	}
	for kind := range normalize.Kinds {
		settle(found, kind)
	}
	for i := range found {
		if f := &found[i]; f.beside {
			f.Why = fmt.Sprintf("%s; another column holds the %ss themselves; to read both: %s", f.Why, f.form.Kind(), flagsFor(found, f))
		}
	}
	for kind := range normalize.Kinds {
		if err := ambiguous(in, found, kind); err != nil {
			for i := range found {
				if f := &found[i]; f.Read {
					f.Read, f.Why = false, f.Why+"; undecided"
				}
			}
			return found, err
		}
	}
	return found, missing(in, found)
}

// settle marks the columns of a kind that are read, or that would be if there were fewer of them, and says of
// the others why they are not.
func settle(found []ColumnFound, kind normalize.Kind) {
	var left []*ColumnFound
	for i := range found {
		f := &found[i]
		if f.Form == "" || f.form.Kind() != kind {
			continue
		}
		if f.Read = f.Confidence >= sure; f.Read {
			left = append(left, f)
		} else {
			f.Why += "; too little"
		}
	}
	if slices.ContainsFunc(left, func(f *ColumnFound) bool { return !f.isFax() }) {
		for _, f := range left {
			if f.isFax() {
				f.Read, f.Why = false, f.Why+"; a fax, and another column holds phones"
			}
		}
		left = slices.DeleteFunc(left, func(f *ColumnFound) bool { return !f.Read })
	}
	if slices.ContainsFunc(left, (*ColumnFound).holds) {
		for _, f := range left {
			if !f.holds() {
				f.Read, f.Why = false, fmt.Sprintf("%s; another column holds %ss, this one few or none", f.Why, kind)
			}
		}
	}
	if slices.ContainsFunc(left, (*ColumnFound).isRaw) {
		for _, f := range left {
			if f.Read && !f.isRaw() {
				f.Read, f.beside = false, true
			}
		}
	}
}

// ambiguous fails when several columns of a kind are left.
func ambiguous(in *sources.Input, found []ColumnFound, kind normalize.Kind) error {
	var names, reasons []string
	var form normalize.Form
	for i := range found {
		if f := &found[i]; f.Read && f.form.Kind() == kind {
			form = f.form
			names = append(names, shown(f.Name))
			reasons = append(reasons, fmt.Sprintf("%s, confidence %.2f: %s", shown(f.Name), f.Confidence, f.Why))
		}
	}
	if len(names) < 2 {
		return nil
	}
	all := "both"
	if len(names) > 2 {
		all = "all"
	}
	last := len(names) - 1
	return usagef("%s: columns %s and %s %s look like %s; say which to use with --%s (%s); to take %s: %s",
		in.Object.URI, strings.Join(names[:last], ", "), names[last], all, plural(form), flagOf(form), strings.Join(reasons, "; "), all, flagsFor(found, nil))
}

// plural says what a column of a form holds.
func plural(form normalize.Form) string {
	return [...]string{"emails", "phones", "hashes of emails", "hashes of phones"}[form]
}

// missing fails when nothing is read of an input that has rows.
func missing(in *sources.Input, found []ColumnFound) error {
	if slices.ContainsFunc(found, func(f ColumnFound) bool { return f.Read }) {
		return nil
	}
	var hashes, near []string
	for i := range found {
		if f := &found[i]; f.Form == "" {
			hashes = append(hashes, shown(f.Name))
		} else {
			near = append(near, f.String())
		}
	}
	if len(hashes) > 0 {
		which, hold := "column", "holds"
		if len(hashes) > 1 {
			which, hold = "columns", "hold"
		}
		return usagef("%s: %s %s %s hashes, of emails or of phones: say which with --email-hash or --phone-hash",
			in.Object.URI, which, strings.Join(hashes, " and "), hold)
	}
	if sample := in.Sample(); sample == nil || sample.NumRows() == 0 {
		return nil // nothing to map, so nothing to find
	}
	if len(near) > 0 && (in.Layout.Format == sources.Text || len(in.Layout.Columns) == 1 && found[0].look.odd > 0) {
		return usagef("%s: the lines look like a table with another delimiter (name it with --delimiter), or are no emails or phones; name the column with --email or --phone to take each line as one all the same (%s)",
			in.Object.URI, near[0])
	}
	nearest := ""
	if len(near) > 0 {
		nearest = " (" + strings.Join(near, "; ") + ")"
	}
	return fmt.Errorf("%s: no column looks like emails or phones; its columns are %s%s; name one with --email, --phone, --email-hash or --phone-hash%s",
		in.Object.URI, columnNames(in), unreadable(in), nearest)
}
