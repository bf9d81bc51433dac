package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// shownSetting writes the value of a setting, as a plan has it, as people write it.
func shownSetting(value string) string {
	var names []string
	list, ok := strings.CutPrefix(value, "[")
	for ok {
		quoted, err := strconv.QuotedPrefix(list)
		if err != nil {
			break
		}
		name, _ := strconv.Unquote(quoted) // which it is
		names, list = append(names, name), strings.TrimPrefix(list[len(quoted):], " ")
	}
	switch {
	case value == "", ok && list == "]" && len(names) == 0:
		return "none"
	case ok && list == "]":
		return flagValue(names)
	}
	return flagValue([]string{value})
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
