package jobs_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/pipeline"
)

// mapText maps a CSV file through a sandbox and returns the summary.
func mapText(t *testing.T, text string, columns jobs.Columns, region string) (*jobs.Summary, error) {
	t.Helper()
	s, url := operator(t, sandbox.Options{Seed: "advice"})
	input := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j := job(s, url, input, filepath.Join(t.TempDir(), "out"))
	j.Columns = columns
	j.PhoneRegion, _ = normalize.ParseRegion(region)
	return j.Run(t.Context())
}

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestAdvice: each mistake in the data is counted and explained, and nothing else is.
func TestAdvice(t *testing.T) {
	md5Sum, sha1Sum, sha512Sum := md5.Sum([]byte("a@example.com")), sha1.Sum([]byte("a@example.com")), sha512.Sum512([]byte("a@example.com"))
	hexText := base64.StdEncoding.EncodeToString([]byte(sha("a@example.com")))
	good := sha("1@example.com") + "\n" + sha("2@example.com") + "\n" + sha("3@example.com") + "\n" + sha("4@example.com") + "\n"
	hashed := func(rows ...string) string { return "hem\n" + good + strings.Join(rows, "\n") + "\n" }
	both := jobs.Columns{Email: []string{"email"}, EmailHash: []string{"hem"}}
	for _, c := range []struct {
		name, text string
		columns    jobs.Columns
		region     string
		want       string // code:count
		says       []string
	}{
		{name: "nothing wrong", text: "email,phone\na@example.com,+15550100000\n"},
		{name: "a few invalid values", text: "email\na@example.com\nb@example.com\nnobody\n"},
		{name: "base64 of hex", text: hashed(hexText, hexText), want: "hash_of_hex_text:2", says: []string{"2 values in a hash column look like base64 of hex text"}},
		{name: "MD5", text: hashed(hex.EncodeToString(md5Sum[:])), want: "md5:1", says: []string{"1 value in a hash column look", "only SHA-256 is taken"}},
		{name: "SHA-1", text: hashed(hex.EncodeToString(sha1Sum[:])), want: "sha1:1"},
		{name: "SHA-512", text: hashed(hex.EncodeToString(sha512Sum[:])), want: "sha512:1"},
		{name: "hashes of nothing", text: hashed(sha(""), sha(""), sha("")), want: "empty_hash:3", says: []string{"3 values are the SHA-256 of an empty text"}},
		{
			name: "hashed as written", columns: both, want: "hash_not_normalized:2", says: []string{"2 hashes of emails were made of the email in the same row without normalizing it"},
			text: "email,hem\nA@Example.com," + sha("A@Example.com") + "\nb@example.com," + sha("B@EXAMPLE.COM") + "\nC@example.com," + sha("c@example.com") + "\nd@example.com," + sha("e@example.com") + "\n",
		},
		{name: "upper-case hashes alone cannot be known", text: hashed(sha("B@EXAMPLE.COM"))},
		{
			name: "national numbers", text: "email,phone\na@example.com,030 123456\nb@example.com,030 123457\nc@example.com,+15550100000\n",
			want: "no_phone_region:2", says: []string{`column "phone": 2 of 3 values`, "--phone-region"},
		},
		{
			name: "emails with something around", text: "email,name\n'a@example.com',A\nmailto:b@example.com,B\nc@example.com,C\nD <d@example.com>,D\n",
			want: "implausible_email:2", says: []string{"2 emails look like something else", "check the delimiter and the column"},
		},
		{
			name: "phones from floats", text: "mobile\n15112345670.0\n15112345671.0\n+15550100000\n",
			want: "phone_decimals:2", says: []string{"2 values in a phone column went through a column of floats", "as text"},
		},
		{
			name: "country codes without +", text: "mobile\n491712345678\n491712345679\n0171 2345670\n", region: "DE",
			want: "phone_ambiguous:2", says: []string{"write a + before numbers that have their country code"},
		},
		{
			name: "a column of the wrong form", text: "mail,contact\nnobody,a@example.com\n-,b@example.com\nc@example.com,x\nsomebody,y\n", columns: jobs.Columns{Email: []string{"mail"}},
			want: "column_invalid:3", says: []string{`column "mail": 3 of 4 values are invalid, most often "email: no @" (3)`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			summary, err := mapText(t, c.text, c.columns, c.region)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range summary.Advice {
				got = append(got, fmt.Sprintf("%s:%d", a.Code, a.Count))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %+v, want %q", summary.Advice, c.want)
			}
			lines := strings.Split(summary.String(), "\n")
			if len(lines) != 1+len(summary.Advice) {
				t.Errorf("want one line and one for each advice:\n%s", summary)
			}
			for _, say := range c.says {
				if !strings.Contains(strings.Join(lines[1:], "\n"), say) {
					t.Errorf("%q is not said:\n%s", say, summary)
				}
			}
			if strings.Contains(summary.String(), "example.com") {
				t.Errorf("the summary shows an email:\n%s", summary)
			}
		})
	}
}

// TestRawCopiedLate: a phone of a country is not copied either when the sample has shown none.
func TestRawCopiedLate(t *testing.T) {
	for _, c := range []struct{ column, value, what string }{
		{"phone", "(415) 555-0199", "a phone"}, {"notes", "mail b@example.com or c@example.com", "an email"}, {"contact_no", "tel:+14155550199", "a phone"},
		{"customer", "4155550199", ""}, {"phone_id", "4155550199", ""}, {"phone_type", "home", ""},
	} {
		text := "email," + c.column + "\n" + strings.Repeat("a@example.com,\n", 1500) + "b@example.com," + c.value + "\n"
		_, err := mapText(t, text, jobs.Columns{Email: []string{"email"}, Keep: []string{c.column}}, "")
		var copied *pipeline.CopiedError
		if c.what == "" && err != nil || c.what != "" && (!errors.As(err, &copied) || copied.What != c.what || copied.Row != 1501) {
			t.Errorf("%s: got %v, want %q", c.column, err, c.what)
		}
	}
}

// TestAdviceOfAFailedRun: when nothing is valid there is no run, but the summary says why all the same.
func TestAdviceOfAFailedRun(t *testing.T) {
	sum := md5.Sum([]byte("a@example.com"))
	summary, err := mapText(t, "email_hash\n"+hex.EncodeToString(sum[:])+"\n", jobs.Columns{}, "")
	if err == nil || summary == nil {
		t.Fatalf("got %v, %v", summary, err)
	}
	if len(summary.Advice) != 1 || summary.Advice[0].Code != jobs.AdviceMD5 {
		t.Errorf("got %+v", summary.Advice)
	}
}

// placeholders is a list of customers of which one in so many has the placeholder; the others come in threes.
func placeholders(rows, oneIn int) string {
	var b strings.Builder
	b.WriteString("id,email\n")
	for i := range rows {
		if i%oneIn == 7 {
			fmt.Fprintf(&b, "%d,NoEmail@example.com\n", i+1)
		} else {
			fmt.Fprintf(&b, "%d,person%d@example.com\n", i+1, i-i%3)
		}
	}
	return b.String()
}

// TestRepeatedIdentity: a placeholder in 2.5 % of the rows is found over parts and resumes, by its place alone.
func TestRepeatedIdentity(t *testing.T) {
	const rows = 12_000
	s, url := operator(t, sandbox.Options{Seed: "advice"})
	input := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(input, []byte(placeholders(rows, 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	j := job(s, url, input, filepath.Join(t.TempDir(), "out"))
	j.MaxBatch, j.PartRows, j.RunID = 500, 2_500, "r"

	// The service fails in the middle of the run; what is sealed by then is counted once.
	s.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 401, Skip: 8}}})
	if _, err := j.Run(t.Context()); err == nil {
		t.Fatal("the run did not fail")
	}
	s.SetFaults(sandbox.Faults{})
	summary, err := j.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if summary.PartsResumed == 0 {
		t.Error("nothing was resumed")
	}
	again, err := j.Run(t.Context())
	if err != nil || again.Status != jobs.StatusAlreadyCommitted {
		t.Fatalf("got %v, %v", again, err)
	}
	for _, sum := range []*jobs.Summary{summary, again} {
		if len(sum.Advice) != 1 || sum.Advice[0].Code != jobs.AdviceRepeatedIdentity {
			t.Fatalf("got %+v", sum.Advice)
		}
		a := sum.Advice[0]
		if want := int64(rows / 40); a.Count < want*8/10 || a.Count > want {
			t.Errorf("counted %d, want about %d", a.Count, want)
		}
		var row int
		if _, err := fmt.Sscanf(a.Message[strings.Index(a.Message, "in.csv, row "):], "in.csv, row %d:", &row); err != nil || (row-1)%40 != 7 {
			t.Errorf("row %d does not hold it (%v): %s", row, err, a.Message)
		}
		digest := sha256.Sum256([]byte("noemail@example.com"))
		for _, secret := range []string{"noemail", "NoEmail", hex.EncodeToString(digest[:4]), base64.StdEncoding.EncodeToString(digest[:])[:8]} {
			if strings.Contains(a.Message, secret) {
				t.Errorf("the advice shows %q: %s", secret, a.Message)
			}
		}
	}
	data, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"advice":[{"code":"repeated_identity","count":`) {
		t.Errorf("got %s", data)
	}
}

// TestFewRepetitions: below ten thousand identifiers, and below a hundredth of them, nobody is bothered.
func TestFewRepetitions(t *testing.T) {
	for name, text := range map[string]string{
		"few identifiers": placeholders(9_000, 40),
		"a rare one":      placeholders(10_500, 200),
	} {
		t.Run(name, func(t *testing.T) {
			summary, err := mapText(t, text, jobs.Columns{}, "")
			if err != nil {
				t.Fatal(err)
			}
			if len(summary.Advice) != 0 {
				t.Errorf("got %+v", summary.Advice)
			}
		})
	}
}
