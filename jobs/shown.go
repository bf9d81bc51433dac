package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mapper/normalize"
	"mapper/sources"
)

// shown writes the name of a column into a message. What stands in the first line of a file is its header only if
// it has one, and objects may be keyed by what they are about: a name that is an identifier is not shown.
func shown(name string) string {
	if what := secretIn(name); what != "" {
		return "[" + what + "]"
	}
	return fmt.Sprintf("%q", name)
}

// secretIn says what kind of identifier the name of a column is or holds, or nothing.
func secretIn(name string) string {
	var l look
	l.add(normalize.New(normalize.Options{}), normalize.RawString(name))
	switch {
	case strings.Contains(strings.Trim(name, "@"), "@"):
		return "an email"
	case l.phones+l.national > 0:
		return "a phone"
	case l.hashes+l.digests > 0:
		return "a hash"
	}
	return ""
}

// mostNames is how many columns a message names.
const mostNames = 50

// columnNames writes the names of an input's columns into a message.
func columnNames(in *sources.Input) string {
	var names []string
	for _, c := range in.Layout.Columns[:min(mostNames, len(in.Layout.Columns))] {
		names = append(names, shown(c.Name))
	}
	list := strings.Join(names, ", ")
	if more := len(in.Layout.Columns) - mostNames; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// unreadable says which columns cannot be read and why, or nothing when all can.
func unreadable(in *sources.Input) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(in.Layout.Unreadable)) {
		if len(list) == mostNames {
			list = append(list, fmt.Sprintf("and %d more", len(in.Layout.Unreadable)-mostNames))
			break
		}
		list = append(list, fmt.Sprintf("%s (%s)", shown(name), in.Layout.Unreadable[name]))
	}
	if len(list) == 0 {
		return ""
	}
	return "; it cannot read " + strings.Join(list, ", ")
}
