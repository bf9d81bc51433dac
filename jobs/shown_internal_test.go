package jobs

import (
	"fmt"
	"testing"
)

func TestShownSetting(t *testing.T) {
	list := func(names ...string) string { return fmt.Sprintf("%q", names) }
	for value, want := range map[string]string{
		"":                         "none",
		list():                     "none",
		list("email"):              "email",
		list("email", "alt_email"): "email,alt_email",
		list("e, mail", "x"):       `'"e, mail",x'`,
		list(`a"b`):                `'"a""b"'`,
		list("a@example.com"):      "'[an email]'",
		"true":                     "true",
		"IT":                       "IT",
		"[odd":                     "'[odd'",
	} {
		if got := shownSetting(value); got != want {
			t.Errorf("%s is shown as %s, want %s", value, got, want)
		}
	}
}
