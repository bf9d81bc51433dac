package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"mapper/client/objects"
	"mapper/normalize"
	"mapper/sources"
)

func inspect(t *testing.T, name, text string) *sources.Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := new(objects.Store).Find(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sources.Inspect(t.Context(), found[0], sources.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const aHash = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"

// TestDetect: which columns are taken for what, or what the user is asked.
func TestDetect(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"by name and content", "id,email,city\n1,a@example.com,Bonn\n", "email:email"},
		{"by content alone", "id,contact\n1,a@example.com\n2,b@example.com\n", "contact:email"},
		{"phone by name", "name,mobile\nx,+15550100000\ny,555-0100\n", "mobile:phone"},
		{"phone by content", "a,b\n1,+15550100000\n2,+15550100001\n", "b:phone"},
		{"both", "email,phone\na@example.com,+15550100000\n", "email:email phone:phone"},
		{"hashed emails", "id,email_sha256\n1," + aHash + "\n", "email_sha256:email_hash"},
		{"hashed phones", "id,phone_hash\n1," + aHash + "\n", "phone_hash:phone_hash"},
		{"emails and hashes mixed", "id,email\n1," + aHash + "\n2,a@example.com\n", "email:email"},
		{"a sure name, bad content", "id,email\n1,nobody\n2,nowhere\n", "email:email"},
		{"a name with other content", "id,email_optin,mail\n1,yes,a@example.com\n", "mail:email"},
		{"mostly blank", "id,e_mail\n1,\n2,\n3,a@example.com\n", "e_mail:email"},
		{"a header and no row", "id,name\n", ""},
		{"national phones by name", "id,tel\n1,030 123456\n2,(030) 123457\n", "tel:phone"},
		{"two emails", "email,backup_email\na@example.com,b@example.com\n", "error: both look like emails; say which to use with --email"},
		{"hashes of what", "id,hash\n1," + aHash + "\n", "error: say which with --email-hash or --phone-hash"},
		{"nothing", "id,name\n1,x\n", `error: its columns are "id", "name"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _, err := new(Columns).resolve(inspect(t, "in.csv", c.text))
			if want, isError := strings.CutPrefix(c.want, "error: "); isError {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v, want %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, id := range p.Identifiers {
				got = append(got, p.Source.Layout.Columns[id.Column].Name+":"+id.Form.String())
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %q", got, c.want)
			}
		})
	}
}

// TestDetectText: a file of one identifier a line has nothing else to offer, whatever junk stands in it.
func TestDetectText(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{"a@example.com\nnobody\n-\nb@example.com\n" + aHash + "\n", "email"},
		{"+15550100000\n555 0100\n030 1234567\n", "phone"},
	} {
		p, _, err := new(Columns).resolve(inspect(t, "in.txt", c.text))
		if err != nil || len(p.Identifiers) != 1 || p.Identifiers[0].Form.String() != c.want {
			t.Errorf("%q: %+v, %v", c.text, p.Identifiers, err)
		}
	}
	if _, _, err := new(Columns).resolve(inspect(t, "in.csv", "id!email!name\n"+strings.Repeat("0!a@example.com!Ann\n", 30))); err == nil || !strings.Contains(err.Error(), "--delimiter") {
		t.Errorf("a delimiter that is not known: %v", err)
	}
	for _, line := range []string{"0!a@example.com!Ann", "a@example.com:secret", "<email>a@example.com</email>", "<1.abc@mail.example.com>"} {
		in := inspect(t, "in.txt", strings.Repeat(line+"\n", 30))
		_, _, err := new(Columns).resolve(in)
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--delimiter") || strings.Contains(err.Error(), "example.com") {
			t.Errorf("%q: %v", line, err)
		}
		if _, _, err := (&Columns{Email: []string{in.Layout.Columns[0].Name}}).resolve(in); err != nil {
			t.Errorf("%q, named: %v", line, err)
		}
	}
	if _, _, err := new(Columns).resolve(inspect(t, "in.txt", aHash+"\n"+aHash+"\n")); err == nil || !strings.Contains(err.Error(), "--email-hash or --phone-hash") {
		t.Errorf("hashes alone: %v", err)
	}
}

func TestNamedColumns(t *testing.T) {
	in := inspect(t, "in.csv", "ID,Email,backup\n1,a@example.com,b@example.com\n")
	c := Columns{ID: "id", Email: []string{"email"}, EmailHash: []string{"backup"}}
	p, _, err := c.resolve(in)
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != 0 || len(p.Identifiers) != 2 || p.Identifiers[1].Column != 2 || p.Identifiers[1].Form != normalize.FormEmailHash {
		t.Errorf("got %+v", p)
	}
	for _, bad := range []Columns{{Email: []string{"mail"}}, {ID: "nosuch"}, {Keep: []string{"nosuch"}}, {ID: "backup"}, {Keep: []string{"email"}}, {Email: []string{"email"}}} {
		bad.Email = append(bad.Email, "email")
		if _, _, err := bad.resolve(in); err == nil {
			t.Errorf("%+v: no error", bad)
		} else if strings.Contains(err.Error(), "a@example.com") {
			t.Errorf("the error holds a value: %v", err)
		}
	}
	raw := Columns{Email: []string{"email"}, ID: "backup", AllowRaw: true}
	if _, _, err := raw.resolve(in); err != nil {
		t.Errorf("--allow-raw: %v", err)
	}
}

// TestPhoneRegionColumn: it is found where it is named, and is of no use without phones.
func TestPhoneRegionColumn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		columns    Columns
		want       int // column, or -1
		err        string
	}{
		{"named", "id,Country,mobile\n1,DE,030 123456\n", Columns{PhoneRegionColumn: "country"}, 1, ""},
		{"kept too", "id,country,mobile\n1,DE,030 123456\n", Columns{PhoneRegionColumn: "country", Keep: []string{"country"}}, 1, ""},
		{"not named", "id,country,mobile\n1,DE,030 123456\n", Columns{}, -1, ""},
		{"missing", "id,mobile\n1,030 123456\n", Columns{PhoneRegionColumn: "country"}, -1, `no column "country"; its columns are "id", "mobile"`},
		{"no phones", "email,country\na@example.com,DE\n", Columns{PhoneRegionColumn: "country"}, -1, "no column holds phones"},
		{"hashed phones", "h,country\n" + aHash + ",DE\n", Columns{PhoneRegionColumn: "country", PhoneHash: []string{"h"}}, -1, "no column holds phones"},
		{"a header and no row", "id,country,name\n", Columns{PhoneRegionColumn: "country"}, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _, err := c.columns.resolve(inspect(t, "in.csv", c.text))
			var usage *UsageError
			if c.err != "" {
				if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "a@example.com") {
					t.Fatalf("got %v, want a usage error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := -1
			if p.PhoneRegion != nil {
				got = *p.PhoneRegion
			}
			if got != c.want {
				t.Errorf("column %d, want %d", got, c.want)
			}
		})
	}
}

// TestLookAtBinary: a digest in a binary column counts as a hash, and text in one as what it says.
func TestLookAtBinary(t *testing.T) {
	digest := sha256.Sum256([]byte("a@example.com"))
	fixed := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: len(digest)})
	binary := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	fixed.Append(digest[:])
	fixed.AppendNull()
	for _, value := range []string{string(digest[:]), aHash, "a@example.com"} {
		binary.Append([]byte(value))
	}
	n := normalize.New(normalize.Options{})
	if l := lookAtColumn(n, fixed.NewArray()); l != (look{filled: 1, hashes: 1}) {
		t.Errorf("digests of fixed size: %+v", l)
	}
	if l := lookAtColumn(n, binary.NewArray()); l != (look{filled: 3, hashes: 2, emails: 1}) {
		t.Errorf("binary: %+v", l)
	}
}
