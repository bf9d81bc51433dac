package jobs

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mapper/client/objects"
	"mapper/sources"
)

// csvOf returns a CSV of columns, each a name and its values, which are of the same number.
func csvOf(t *testing.T, columns ...[]string) *sources.Input {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	for row := range columns[0] {
		line := make([]string, 0, len(columns))
		for _, c := range columns {
			line = append(line, c[row])
		}
		if err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return inspect(t, "in.csv", b.String())
}

// column returns a column with values in turn, 20 rows long.
func column(name string, values ...string) []string {
	c := []string{name}
	for i := range 20 {
		c = append(c, values[i%len(values)])
	}
	return c
}

// read returns which columns are read as what.
func read(in *sources.Input) (string, error) {
	found, err := detect(in, lookAt(in))
	var list []string
	for _, f := range found {
		if f.Read {
			list = append(list, f.Name+":"+f.Form)
		}
	}
	return strings.Join(list, " "), err
}

var (
	md5Text  = hexOf(md5.Sum([]byte("a@example.com")))
	sha1Text = func() string { s := sha1.Sum([]byte("a@example.com")); return hex.EncodeToString(s[:]) }()
	sha5Text = func() string { s := sha512.Sum512([]byte("a@example.com")); return hex.EncodeToString(s[:]) }()
	hexText  = base64.StdEncoding.EncodeToString([]byte(aHash))
)

func hexOf(sum [16]byte) string { return hex.EncodeToString(sum[:]) }

// TestContent: name and content together, for one column beside others that hold nothing.
func TestContent(t *testing.T) {
	for _, c := range []struct {
		name, header string
		values       []string
		want         string
		confidence   float64
	}{
		{"clear name, all emails", "email", []string{"a@example.com"}, "email:email", 1},
		{"clear name, half", "email", []string{"a@example.com", "nobody"}, "email:email", 0.75},
		{"clear name, none", "email", []string{"nobody"}, "", 0},
		{"clear name, systems", "mobile", []string{"iOS", "Android"}, "", 0},
		{"clear name, models", "phone", []string{"iPhone 12", "Pixel 7"}, "", 0},
		{"clear name, hosts", "phone", []string{"192.168.100.1", "10.100.100.20"}, "", 0},
		{"clear name, how often", "email", []string{"weekly", "never"}, "", 0},
		{"clear name, postal codes", "posta", []string{"10115"}, "", 0},
		{"about, dates", "tel_call_date", []string{"20240131", "19991231"}, "", 0},
		{"clear name, dates", "tel", []string{"2024-01-31", "31.12.1999", "12/31/1999", "31/12/99", "2024-01-31 10:20"}, "", 0},
		{"international with separators", "telefon", []string{"+49 151 12340000", "+1 (415) 555-0199"}, "telefon:phone", 1},
		{"national with no-break spaces", "tel", []string{"06\u00a012\u00a034\u00a056\u00a078"}, "tel:phone", 1},
		{"national from floats", "tel", []string{"4155550199.0"}, "tel:phone", 1},
		{"long keys", "tel", []string{"123456789012345678"}, "", 0},
		{"numbers like dates", "tel", []string{"20 12 34 56", "20994321"}, "tel:phone", 1},
		{"fax alone", "fax", []string{"+15550100000"}, "fax:phone", 0.5},
		{"clear name, yes and no", "mail", []string{"yes", "no"}, "", 0},
		{"clear name, zero and one", "mobile", []string{"0", "1"}, "", 0},
		{"clear name, mostly missing", "mobile", []string{"0", "0", "0", "+15550100000"}, "mobile:phone", 0.625},
		{"vague name, half", "tel_aviv", []string{"+15550100000", "none"}, "tel_aviv:phone", 0.5},
		{"vague name, a fifth", "tel_aviv", []string{"+15550100000", "a", "b", "c", "d"}, "", 0.35},
		{"no name, all emails", "contact", []string{"a@example.com"}, "contact:email", 0.5},
		{"no name, nine in ten", "contact", []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com", "f@example.com", "g@example.com", "h@example.com", "i@example.com", "j"}, "contact:email", 0.45},
		{"no name, half", "notes", []string{"a@example.com", "called"}, "", 0.25},
		{"no name, phones", "col7", []string{"+15550100000"}, "col7:phone", 0.5},
		{"no name, national numbers may be anything", "col7", []string{"5550100000"}, "", 0},
		{"whole lines", "rest", []string{"0;a@example.com;Ann", "1;b@example.com;Bob"}, "", 0},
		{"address and password", "combo", []string{"a@example.com:secret"}, "", 0},
		{"URLs", "homepage", []string{"https://medium.example/@user1", "postgres://user:pw@host.example/db"}, "", 0},
		{"repositories", "origin", []string{"git@github.example:a/b.git"}, "", 0},
		{"ids of messages", "message_id", []string{"<1.abc@mail.example.com>"}, "", 0},
		{"prices", "offer", []string{"5 @ 3.99"}, "", 0},
		{"mailto", "link", []string{"mailto:a@example.com"}, "", 0},
		{"quoted twice", "contact", []string{"'a@example.com'"}, "", 0},
		{"in brackets under a clear name", "email", []string{"<a@example.com>"}, "email:email", 1},
		{"names and addresses", "contact", []string{"Ann O'Neill <ann.o'neill@example.com>"}, "contact:email", 0.5},
		{"national numbers", "phone", []string{"030 1234567"}, "phone:phone", 1},
		{"short numbers are no phones", "tel_x", []string{"12345"}, "", 0},
		{"about, flags", "email_verified", []string{"true", "false"}, "", 0},
		{"about, junk", "phone_type", []string{"home", "work"}, "", 0},
		{"about, but emails all the same", "verified_email", []string{"a@example.com"}, "verified_email:email", 0.5},
		{"name of the other kind", "mobile", []string{"a@example.com"}, "mobile:email", 0.5},
		{"hashes", "email_sha256", []string{aHash}, "email_sha256:email_hash", 1},
		{"hashes under a plain name", "email", []string{aHash}, "email:email_hash", 1},
		{"phone hashes", "phone", []string{aHash}, "phone:phone_hash", 1},
		{"hashes and emails", "email", []string{aHash, "a@example.com"}, "email:email", 1},
		{"emails under a hashed name", "email_sha256", []string{"a@example.com"}, "email_sha256:email", 1},
		{"base64 of hex under a hashed name", "email_sha256", []string{hexText}, "email_sha256:email_hash", 0.5},
		{"MD5 under a plain name", "email", []string{md5Text}, "email:email_hash", 0.5},
		{"MD5 that says so", "email_md5", []string{md5Text}, "", 0},
		{"SHA-1", "hem", []string{sha1Text}, "hem:email_hash", 0.5},
		{"SHA-512", "phone_hash", []string{sha5Text}, "phone_hash:phone_hash", 0.5},
		{"blank", "email", []string{""}, "email:email", 0.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := csvOf(t, column("row", "r1", "r2"), column(c.header, c.values...))
			found, _ := detect(in, lookAt(in)) // nothing found is an error, which other tests look at
			got, confidence := "", 0.0
			for _, f := range found {
				confidence = f.Confidence
				if f.Read {
					got = f.Name + ":" + f.Form
				}
			}
			if got != c.want || confidence < c.confidence-1e-9 || confidence > c.confidence+1e-9 {
				t.Errorf("got %q with %.3f, want %q with %.3f: %v", got, confidence, c.want, c.confidence, found)
			}
		})
	}
}

// TestSeveral: which of several columns of a kind are read, and the exact question when nobody can know.
func TestSeveral(t *testing.T) {
	emails, phones, hashes, junk := []string{"a@example.com"}, []string{"+15550100000"}, []string{aHash}, []string{"nobody"}
	type col struct {
		name   string
		values []string
	}
	for _, c := range []struct {
		name    string
		columns []col
		want    string
		err     string
	}{
		{"one of each", []col{{"email", emails}, {"mobile", phones}}, "email:email mobile:phone", ""},
		{"the other is empty", []col{{"email", emails}, {"alt_email", []string{""}}}, "email:email", ""},
		{"the other does not parse", []col{{"email", junk}, {"alt_email", emails}}, "alt_email:email", ""},
		{"raw before hashed", []col{{"email_sha256", hashes}, {"email", emails}}, "email:email", ""},
		{"raw before hashed, of each kind", []col{{"email", emails}, {"email_sha256", hashes}, {"phone_hash", hashes}}, "email:email phone_hash:phone_hash", ""},
		{"the raw one is empty", []col{{"email_sha256", hashes}, {"email", []string{""}}}, "email_sha256:email_hash", ""},
		{"a hash of who knows what beside", []col{{"email", emails}, {"hash", hashes}}, "email:email", ""},
		{"a fax beside", []col{{"fax", phones}, {"phone", phones}, {"Telefax-Nr.", phones}}, "phone:phone", ""},
		{"two", []col{{"email", emails}, {"alt_email", emails}}, "",
			`in.csv: columns "email" and "alt_email" both look like emails; say which to use with --email ("email", confidence 1.00: its name says email; of 20 sampled values: 20 emails; "alt_email", confidence 1.00: its name says email; of 20 sampled values: 20 emails); to take both: --email email,alt_email`},
		{"two, and phones", []col{{"email", emails}, {"E-Mail, privat", emails}, {"Tel.", phones}}, "",
			`in.csv: columns "email" and "E-Mail, privat" both look like emails; say which to use with --email ("email", confidence 1.00: its name says email; of 20 sampled values: 20 emails; "E-Mail, privat", confidence 1.00: its name says email; of 20 sampled values: 20 emails); to take both: --email 'email,"E-Mail, privat"' --phone Tel.`},
		{"three, one of them by content", []col{{"mobile", phones}, {"contact", phones}, {"tel", []string{"030 123456", "x"}}}, "",
			`in.csv: columns "mobile", "contact" and "tel" all look like phones; say which to use with --phone ("mobile", confidence 1.00: its name says phone; of 20 sampled values: 20 phones; "contact", confidence 0.50: its name says nothing; of 20 sampled values: 20 phones; "tel", confidence 0.75: its name says phone; of 20 sampled values: 10 national numbers, 10 flags); to take all: --phone mobile,contact,tel`},
		{"two of hashes", []col{{"hem", hashes}, {"email_sha256", hashes}}, "",
			`in.csv: columns "hem" and "email_sha256" both look like hashes of emails; say which to use with --email-hash ("hem", confidence 1.00: its name says email; of 20 sampled values: 20 SHA-256 hashes; "email_sha256", confidence 1.00: its name says email; of 20 sampled values: 20 SHA-256 hashes); to take both: --email-hash hem,email_sha256`},
		{"hashes of who knows what", []col{{"hash", hashes}, {"digest", hashes}}, "",
			`in.csv: columns "hash" and "digest" hold hashes, of emails or of phones: say which with --email-hash or --phone-hash`},
		{"nothing, but nearly", []col{{"email_md5", []string{md5Text}}}, "",
			`in.csv: no column looks like emails or phones; its columns are "email_md5"; name one with --email, --phone, --email-hash or --phone-hash (column "email_md5" is not read, confidence 0.00: its name is about an identifier ("md5"); of 20 sampled values: 20 other digests; too little)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var columns [][]string
			for _, col := range c.columns {
				columns = append(columns, column(col.name, col.values...))
			}
			in := csvOf(t, columns...)
			got, err := read(in)
			if got != c.want {
				t.Errorf("got %q, want %q (%v)", got, c.want, err)
			}
			message := ""
			if err != nil {
				message = strings.TrimPrefix(err.Error(), strings.TrimSuffix(in.Object.URI, "in.csv"))
			}
			if message != c.err {
				t.Errorf("got  %s\nwant %s", message, c.err)
			}
		})
	}
}

// TestOrderOfColumns: what is read, and whether the user is asked, does not depend on the order of the columns.
func TestOrderOfColumns(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	headers := []string{"email", "alt_email", "contact", "mobile", "tel_x", "email_sha256", "hash", "phone_type", "phone_hash", "mail", "id"}
	contents := [][]string{{"a@example.com"}, {"+15550100000"}, {"030 1234567"}, {aHash}, {"yes", "no"}, {"nobody"}, {""}, {"a@example.com", "x"}, {md5Text}}
	for range 120 {
		var columns [][]string
		for _, i := range random.Perm(len(headers))[:2+random.IntN(5)] {
			columns = append(columns, column(headers[i], contents[random.IntN(len(contents))]...))
		}
		in := csvOf(t, columns...)
		want, wantErr := sorted(in)
		random.Shuffle(len(columns), func(i, k int) { columns[i], columns[k] = columns[k], columns[i] })
		got, gotErr := sorted(csvOf(t, columns...))
		if !slices.Equal(got, want) || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("got %q (%v), want %q (%v)", got, gotErr, want, wantErr)
		}
		var usage *UsageError
		if errors.As(gotErr, &usage) != errors.As(wantErr, &usage) {
			t.Fatalf("got %v, want %v", gotErr, wantErr)
		}
	}
}

// sorted returns all that is said of the columns of an input, in order.
func sorted(in *sources.Input) ([]string, error) {
	found, err := detect(in, lookAt(in))
	var lines []string
	for _, f := range found {
		line := f.String()
		if flags := strings.Index(line, "; to read both: "); flags >= 0 {
			line = line[:flags] // it names columns in their order
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, err
}

// TestReasons: what is chosen and what nearly was is explained, in the log as in inspect, and no value is shown.
func TestReasons(t *testing.T) {
	in := csvOf(t, column("id", "1"), column("email", "a@example.com"), column("email_sha256", aHash), column("phone_type", "home"), column("city", "Bonn"))
	_, why, err := new(Columns).resolve(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`column "email" is read as email, confidence 1.00: its name says email; of 20 sampled values: 20 emails`,
		`column "email_sha256" is not read, confidence 1.00: its name says email; of 20 sampled values: 20 SHA-256 hashes; another column holds the emails themselves; to read both: --email email --email-hash email_sha256`,
		`column "phone_type" is not read, confidence 0.00: its name is about an identifier ("type"); of 20 sampled values: 20 something else; too little`,
	}
	for i := range want {
		want[i] = in.Object.URI + ": " + want[i]
	}
	if !slices.Equal(why, want) {
		t.Errorf("got %q\nwant %q", why, want)
	}

	file, err := InspectFile(t.Context(), in.Object.URI, sources.Options{Store: new(objects.Store)})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range want {
		if text := strings.TrimPrefix(line, in.Object.URI+": "); !strings.Contains(file.String(), "\n"+text) {
			t.Errorf("inspect does not say %q:\n%s", text, file)
		}
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ColumnsFound []map[string]any `json:"columns_found"`
		Question     string
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.ColumnsFound) != 3 || got.ColumnsFound[0]["name"] != "email" || got.ColumnsFound[0]["form"] != "email" ||
		got.ColumnsFound[0]["read"] != true || got.ColumnsFound[0]["confidence"] != 1.0 || got.ColumnsFound[0]["why"] == "" || got.Question != "" {
		t.Errorf("got %s", data)
	}
	for _, value := range []string{"a@example.com", aHash, "Bonn", "home"} {
		if bytes.Contains(data, []byte(value)) {
			t.Errorf("inspect shows the value %q", value)
		}
	}
}

// TestInspectAmbiguous: inspect explains also what a job would ask about.
func TestInspectAmbiguous(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte("email,alt_email\na@example.com,b@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := InspectFile(t.Context(), path, sources.Options{Store: new(objects.Store)})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(file.Question, "to take both: --email email,alt_email") || !strings.Contains(file.String(), "map would ask: ") {
		t.Errorf("got %q\n%s", file.Question, file)
	}
	for _, f := range file.ColumnsFound {
		if f.Read || !strings.HasSuffix(f.Why, "; undecided") {
			t.Errorf("got %+v", f)
		}
	}
}
