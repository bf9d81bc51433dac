package jobs

import (
	"strings"

	"mapper/normalize"
)

// flagsFor writes the flags that name the columns that are read, and one more unless it is nil, to be pasted into
// a shell: once a column is named, no other is looked for.
func flagsFor(found []ColumnFound, more *ColumnFound) string {
	var flags []string
	for _, form := range []normalize.Form{normalize.FormEmail, normalize.FormPhone, normalize.FormEmailHash, normalize.FormPhoneHash} {
		var names []string
		for i := range found {
			if f := &found[i]; f.form == form && (f.Read || f == more) {
				names = append(names, f.Name)
			}
		}
		if len(names) > 0 {
			flags = append(flags, "--"+flagOf(form)+" "+flagValue(names))
		}
	}
	return strings.Join(flags, " ")
}

func flagOf(form normalize.Form) string { return strings.ReplaceAll(form.String(), "_", "-") }

// flagValue writes names of columns as the value of a flag. A comma stands between names, so a name with one in
// it is quoted; the shell gets the whole quoted when it would not leave it alone. A name that is an identifier is not shown, here as elsewhere.
func flagValue(names []string) string {
	list := make([]string, 0, len(names))
	for _, name := range names {
		if what := secretIn(name); what != "" {
			name = "[" + what + "]"
		}
		if strings.ContainsAny(name, ",\"\n") {
			name = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
		list = append(list, name)
	}
	value := strings.Join(list, ",")
	if strings.ContainsAny(value, " \t\n\"'$`\\!*?[](){}<>|&;~#") {
		value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return value
}
