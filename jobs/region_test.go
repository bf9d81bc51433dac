package jobs_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sinks"
)

// TestPhoneRegionResumed: a run that another process has planned reads phones in the countries of the same
// column, and with another region it is another job.
func TestPhoneRegionResumed(t *testing.T) {
	s, url := operator(t, sandbox.Options{Seed: "regions"})
	dir := t.TempDir()
	input, out := filepath.Join(dir, "phones.csv"), filepath.Join(dir, "out")
	if err := os.WriteFile(input, []byte("cc,mobile\nDE,0301 23456\nFR,0123456789\n,0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	italy, _ := normalize.ParseRegion("IT")
	m := job(s, url, input, out)
	m.RunID, m.PhoneRegion, m.Columns.PhoneRegionColumn = "r", italy, "cc"

	m.APIKey = client.NewSecret("nobody's") // the run is planned and gets no further
	if _, err := m.Run(t.Context()); err == nil {
		t.Fatal("the operator let nobody in")
	}
	m.APIKey = client.NewSecret(s.APIKey())

	other := m
	other.PhoneRegion = normalize.Region{}
	var usage *jobs.UsageError
	if _, err := other.Run(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), `phone_region was IT and is none`) {
		t.Errorf("without the region: %v", err)
	}
	other = m
	other.Columns.PhoneRegionColumn = ""
	if _, err := other.Run(t.Context()); !errors.As(err, &usage) || !strings.Contains(err.Error(), `phone_region_column was cc and is none`) {
		t.Errorf("without the column: %v", err)
	}

	if _, err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for row := range outputs(t, out, sinks.DatasetMapped) {
		got = append(got, row.hash)
	}
	for _, e164 := range []string{"+4930123456", "+33123456789", "+390123456789"} {
		id := identity(normalize.KindPhone, e164)
		want = append(want, base64.StdEncoding.EncodeToString(id.Hash[:]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("hashes are %v, want %v", got, want)
	}
}
