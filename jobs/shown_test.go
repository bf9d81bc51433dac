package jobs

import (
	"fmt"
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"email": `"email"`, "E-Mail, privat": `"E-Mail, privat"`, "@timestamp": `"@timestamp"`, "col7": `"col7"`, "": `""`, "2024": `"2024"`,
		"2024-01-31": `"2024-01-31"`, "a@example.com": "[an email]", "'a@example.com'": "[an email]", "Ann <a@example.com>": "[an email]",
		"mailto:a@example.com; b@example.com": "[an email]", "+15550100000": "[a phone]", "(415) 555-0199": "[a phone]", "4155550199": "[a phone]",
		aHash: "[a hash]", md5Text: "[a hash]",
	} {
		if got := shown(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}

// TestNamesThatAreIdentifiers: no message of detection shows one, whatever it is about.
func TestNamesThatAreIdentifiers(t *testing.T) {
	secrets := []string{"a@example.com", "+15550100000", aHash}
	for _, columns := range [][][]string{
		{column(secrets[0], "x"), column(secrets[1], "y"), column(secrets[2], "z")},
		{column(secrets[0], "b@example.com"), column(secrets[1], "c@example.com")},
		{column(secrets[2], aHash), column(secrets[1], aHash)},
		{column(secrets[0], "b@example.com"), column("email_sha256", aHash), column(secrets[2], aHash)},
	} {
		in := csvOf(t, columns...)
		for i := range in.Layout.Columns { // as in objects that are keyed by them, which have no header to be found out
			in.Layout.Columns[i].Name = columns[i][0]
		}
		found, err := detect(in, lookAt(in))
		said := fmt.Sprint(err)
		for _, f := range found {
			said += f.String()
		}
		_, err = columnOf(in, "nosuch")
		said += fmt.Sprint(err)
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Errorf("%s", said)
			}
		}
		if !strings.Contains(said, "[a") {
			t.Errorf("nothing stands for the names: %s", said)
		}
	}
}

func TestManyColumns(t *testing.T) {
	var columns [][]string
	for i := range 500 {
		columns = append(columns, column(fmt.Sprint("column", i), "x"))
	}
	_, err := read(csvOf(t, columns...))
	if err == nil || !strings.Contains(err.Error(), `"column49" and 450 more; name one`) || strings.Contains(err.Error(), "column50") {
		t.Errorf("got %v", err)
	}
}

func TestUnreadableColumns(t *testing.T) {
	in := csvOf(t, column("id", "x"))
	in.Layout.Unreadable = map[string]string{"emails": "is a list", "a@example.com": "is a struct"}
	_, err := read(in)
	if err == nil || !strings.Contains(err.Error(), `its columns are "id"; it cannot read [an email] (is a struct), "emails" (is a list); name one`) {
		t.Errorf("got %v", err)
	}
}
