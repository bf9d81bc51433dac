package jobs_test

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sinks"
)

// signalUser is a user of the input of TestSignals and what has to become of him.
type signalUser struct {
	cell, country string // as they stand in the input
	known         string
	refused       string // raw_reason, if he cannot be asked
	hash          [32]byte
	sent          string // his country
	culprit       bool   // whom the service refuses
}

// newSignal makes up the i-th user: emails and their hashes in any form, repeated emails, emails in several countries, bad
// hashes, bad countries, and some with known uids.
func newSignal(t *testing.T, i int) (u signalUser) {
	person := i
	if i%13 == 0 {
		person = i / 2 // somebody else's too
	}
	u.hash = idOfID5(t, fmt.Sprintf("Person.%d@example.com", person)).Hash
	u.cell = fmt.Sprintf(" Person.%d@Example.com", person)
	switch {
	case i%7 == 0:
		u.cell = strings.ToUpper(hex.EncodeToString(u.hash[:]))
	case i%17 == 0:
		u.cell = base64.StdEncoding.EncodeToString(u.hash[:])
	case i%97 == 0:
		u.cell, u.refused = "nobody", "email: no @"
	case i%101 == 0:
		u.cell, u.refused = hex.EncodeToString(u.hash[:20]), "email: no @" // what is no SHA-256 is no email either
	}
	u.sent = []string{"DE", "", "US", "FR"}[i%4]
	u.country = []string{"de", "", " US ", "FR"}[i%4]
	if i%89 == 0 {
		u.country = "Germany"
		if u.refused == "" {
			u.refused = "country: not two letters"
		}
	}
	if i%31 == 0 {
		u.known = fmt.Sprintf("ID5*a%d ID5*b%d", i, i)
	}
	u.culprit = u.hash[0] == 7 && u.hash[1] < 16
	return u
}

func idOfID5(t *testing.T, email string) normalize.ID {
	t.Helper()
	id, _, reason := normalize.New(normalize.Options{Profile: normalize.ID5}).Identity(normalize.FormEmail, normalize.RawString(email))
	if reason != normalize.ReasonNone {
		t.Fatal(reason)
	}
	return id
}

// signalsJob returns a job for the endpoint of a sandbox.
func signalsJob(s *sandbox.Sandbox, url, input, out string) jobs.Signals {
	return jobs.Signals{
		Map: jobs.Map{BaseURL: url, Inputs: []string{input}, Out: out, Version: "test",
			Columns: jobs.Columns{ID: "id", Email: []string{"email"}, Country: "cc", KnownUIDs: "uids"}},
		ID5: jobs.ID5{Partner: s.ID5Partner(), Token: client.NewSecret(s.ID5Token())},
	}
}

// writeSignals writes users as CSV, and returns those whom the service will refuse.
func writeSignals(t *testing.T, rows int) (path string, culprits map[[32]byte]string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "id,email,cc,uids")
	culprits = map[[32]byte]string{}
	for i := range rows {
		u := newSignal(t, i)
		fmt.Fprintf(w, "%d,%s,%s,%s\n", i, u.cell, u.country, u.known)
		if u.culprit {
			culprits[u.hash] = "signal_not_allowed"
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path, culprits
}

// TestSignals asks for many users, in every way in which the service may answer: each row is accounted for, and every uid
// stands on its own row.
func TestSignals(t *testing.T) {
	rows := 6_000
	if n, err := strconv.Atoi(os.Getenv("MAPPER_TEST_ROWS")); err == nil {
		rows = n
	}
	input, culprits := writeSignals(t, rows)
	throttled := []sandbox.Fault{
		{Do: sandbox.Fail, Status: 429, Skip: 2, First: 1},
		{Do: sandbox.Fail, Status: 502, Body: "<html>bad gateway</html>", Share: 0.05},
		{Do: sandbox.Truncate, Share: 0.05},
		{Do: sandbox.Reset, Share: 0.03},
	}
	for name, faults := range map[string]sandbox.Faults{
		"none":           {},
		"shuffled":       {ID5: sandbox.ID5Faults{Shuffle: true}},
		"omitted":        {ID5: sandbox.ID5Faults{Omit: 2}},
		"duplicated":     {ID5: sandbox.ID5Faults{Duplicate: 2}},
		"no numbers":     {ID5: sandbox.ID5Faults{NoNumbers: true, Shuffle: true}},
		"refused":        {ID5: sandbox.ID5Faults{Reject: culprits}},
		"refused by 200": {ID5: sandbox.ID5Faults{Reject: culprits, Status200: true, NoNumbers: true}},
		"partial":        {ID5: sandbox.ID5Faults{Reject: culprits, Partial: true}},
		"throttled":      {Seed: 1, Rules: throttled},
		"all at once":    {Seed: 2, Rules: throttled, ID5: sandbox.ID5Faults{Shuffle: true, Omit: 3, Duplicate: 2, Reject: culprits, Status200: true, Changing: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s, url := operator(t, sandbox.Options{Trace: rows < 100_000})
			s.SetFaults(faults)
			j := signalsJob(s, url, input, filepath.Join(t.TempDir(), "ids"))
			j.PartRows, j.RefreshAfter = int64(rows/3), 24*time.Hour
			summary, err := j.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c := summary.Counts; c.Lines != int64(rows) || c.Identifiers != int64(rows) || summary.Service != "id5" || summary.Kind != "signals" {
				t.Errorf("%v", summary)
			}
			checkSignals(t, s, j.Out, rows, faults.ID5)
			if v, err := jobs.Verify(t.Context(), new(objects.Store), j.Out); err != nil {
				t.Errorf("%v\n%v", err, v)
			}
		})
	}
}

// checkSignals compares the output with what has to become of each user.
func checkSignals(t *testing.T, s *sandbox.Sandbox, out string, rows int, faults sandbox.ID5Faults) {
	t.Helper()
	seen, lacking := make([]bool, rows), 0
	for _, dataset := range []string{sinks.DatasetMapped, sinks.DatasetUnmapped} {
		for o := range outputs(t, out, dataset) {
			i, err := strconv.Atoi(o.id)
			if err != nil || i >= rows || seen[i] || o.row != int64(i)+1 || o.column != "email" || o.kind != "email" {
				t.Fatalf("%+v: no such row, or seen before", o)
			}
			seen[i] = true
			u := newSignal(t, i)
			want := output{hash: hex.EncodeToString(u.hash[:]), country: u.sent, uid: s.ID5UID(u.hash, u.sent), refresh: o.at + 24*60*60*1000}
			switch {
			case u.refused != "":
				want = output{reason: "INVALID_IDENTIFIER", raw: u.refused, by: "mapper"}
			case u.culprit && len(faults.Reject) > 0:
				want.uid, want.refresh, want.reason, want.raw, want.by = "", 0, "INVALID_IDENTIFIER", "signal_not_allowed", "service"
			case faults.Changing && strings.HasPrefix(o.uid, want.uid):
				want.uid = o.uid
			case faults.Omit > 0 && o.reason == "UNKNOWN": // left out of two answers, one after the other
				lacking++
				want.uid, want.refresh, want.reason, want.raw, want.by = "", 0, "UNKNOWN", "no answer", "service"
			}
			got := output{hash: o.hash, country: o.country, uid: o.uid, refresh: o.refresh, reason: o.reason, raw: o.raw, by: o.by}
			if got != want {
				t.Fatalf("user %d (%q in %q):\n%+v, want\n%+v", i, u.cell, u.country, got, want)
			}
			if u.known != "" && u.refused == "" && rows < 100_000 && len(s.ID5Known(u.hash, u.sent)) < 2 {
				t.Fatalf("user %d: known uids did not arrive: %v", i, s.ID5Known(u.hash, u.sent))
			}
		}
	}
	if lacking > rows/500 {
		t.Errorf("%d users have no answer", lacking)
	}
	for i, was := range seen {
		if !was {
			t.Fatalf("user %d is lost", i)
		}
	}
}

// TestSignalsRefuses what Partner Signals does not take, before anything is sent.
func TestSignalsRefuses(t *testing.T) {
	s, url := operator(t, sandbox.Options{})
	input := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(input, []byte("id,mobile,cc\n1,+12125550123,US\n2,+12125550124,US\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*jobs.Signals)
		says   string
	}{
		"phones found":  {func(j *jobs.Signals) { j.Columns.Email = nil }, `column "mobile" holds phones, and ID5 Partner Signals takes emails only`},
		"phones named":  {func(j *jobs.Signals) { j.Columns.Phone = []string{"mobile"} }, "--phone [\"mobile\"]: ID5 Partner Signals takes emails only"},
		"phone hashes":  {func(j *jobs.Signals) { j.Columns.PhoneHash = []string{"mobile"} }, "--phone-hash"},
		"incremental":   {func(j *jobs.Signals) { j.Incremental = true }, "--incremental"},
		"large batches": {func(j *jobs.Signals) { j.MaxBatch = 1001 }, "takes 1 to 1000 users"},
		"no country":    {func(j *jobs.Signals) { j.Columns.Email, j.Columns.Country = []string{"id"}, "land" }, `no column "land"`},
		"no known uids": {func(j *jobs.Signals) { j.Columns.Email, j.Columns.KnownUIDs = []string{"id"}, "uid" }, `no column "uid"`},
		"negative age":  {func(j *jobs.Signals) { j.RefreshAfter = -1 }, "--refresh-after"},
		"kept country": {func(j *jobs.Signals) {
			j.Columns.Email, j.Columns.Keep, j.Columns.KnownUIDs = []string{"id"}, []string{"country"}, ""
		}, "country"},
		"wrong base URL": {func(j *jobs.Signals) { j.BaseURL = "ftp://x" }, "--base-url"},
	} {
		t.Run(name, func(t *testing.T) {
			j := signalsJob(s, url, input, filepath.Join(t.TempDir(), "ids"))
			j.Columns.KnownUIDs = ""
			test.change(&j)
			if _, err := j.Run(t.Context()); err == nil || !isUsage(err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want a usage error with %q", err, test.says)
			}
		})
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestSignalsSendsNoRawIdentifier: a column of known uids that holds an email or a phone stops the run, before that row is
// sent.
func TestSignalsSendsNoRawIdentifier(t *testing.T) {
	for _, cell := range []string{"b@example.com", "+14155550100"} {
		s, url := operator(t, sandbox.Options{Trace: true})
		input := filepath.Join(t.TempDir(), "people.csv")
		if err := os.WriteFile(input, []byte("id,email,cc,uids\n1,a@example.com,US,ID5*a\n2,c@example.com,US,"+cell+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		j := signalsJob(s, url, input, filepath.Join(t.TempDir(), "ids"))
		if _, err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `row 2: column "uids" holds`) || strings.Contains(err.Error(), cell) {
			t.Errorf("%v", err)
		}
		if known := s.ID5Known(idOfID5(t, "c@example.com").Hash, "US"); len(known) > 0 {
			t.Errorf("%q was sent", known)
		}
		j.Columns.KnownUIDs = "email"
		if _, err := j.Run(t.Context()); !isUsage(err) {
			t.Errorf("%v", err)
		}
	}
}
