package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mapper/client/sandbox"
)

// TestFileAndFlagsAreTheSameJob: what makes the identity of a job does not tell a file from flags, so that the one
// continues what the other began.
func TestFileAndFlagsAreTheSameJob(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(context.Background()) }()
	env := map[string]string{"UID2_BASE_URL": url, "UID2_API_KEY": s.APIKey(), "UID2_SECRET_KEY": s.ClientSecret()}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"in.csv": "key,mail,mobile,land\n1,jane@example.com,(212) 555-0123,US\n",
		"job.yaml": "kind: map\ninput: in.csv\nout: ids\nrun_id: file\ncolumns: {id: key, email: mail, phone: [mobile], keep: land}\n" +
			"phone_region: us\nformat: csv\ndelimiter: comma\nhygiene: off\nmax_in_flight: 3\nlimit: 9\n",
		"least.yaml": "kind: map\ninput: in.csv\nout: ids\nrun_id: least-file\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mapper := func(args string) {
		t.Helper()
		var stderr bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &stderr, stderr: &stderr, env: func(name string) (string, bool) { value, ok := env[name]; return value, ok }}
		if code := a.run(t.Context(), strings.Fields(args)); code != exitDone {
			t.Fatalf("mapper %s: exit code %d\n%s", args, code, stderr.String())
		}
	}
	fingerprint := func(run string) (f struct{ Fingerprint string }) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("ids", "_runs", run, "plan.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &f); err != nil || f.Fingerprint == "" {
			t.Fatalf("no fingerprint in %s: %v", text, err)
		}
		return f
	}
	mapper("run job.yaml")
	mapper("run least.yaml")
	mapper("run least.yaml --set run_id=set --set columns.id=key --set columns.email=mail --set columns.phone=mobile --set columns.keep=land " +
		"--set phone_region=US --set format=csv --set delimiter=, --set hygiene=off --set limit=9")
	mapper("map in.csv --out ids --run-id flags --id key --email mail --phone mobile --keep land --phone-region US --format csv --delimiter , --hygiene off --limit 9")
	mapper("map in.csv --out ids --run-id least-flags")
	if file, set, flags := fingerprint("file"), fingerprint("set"), fingerprint("flags"); file != flags || set != flags {
		t.Errorf("fingerprints %v of the file, %v of --set, %v of the flags", file, set, flags)
	}
	if file, flags := fingerprint("least-file"), fingerprint("least-flags"); file != flags || file == fingerprint("file") {
		t.Errorf("with defaults alone: fingerprints %v of the file, %v of the flags", file, flags)
	}
}

// TestEveryFlagIsAKey: whatever map, remap and signals can be told, a job file can.
func TestEveryFlagIsAKey(t *testing.T) {
	text, err := os.ReadFile("../../jobs/job.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct{ Properties map[string]json.RawMessage }
	var file, columns object
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file.Properties["columns"], &columns); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for key := range file.Properties {
		keys[key] = true
	}
	for key := range columns.Properties {
		keys[key] = true
	}
	unseen := maps.Clone(keys)
	for _, command := range []*cobra.Command{new(app).mapCommand(), new(app).remap(), new(app).signalsCommand()} {
		command.Flags().VisitAll(func(f *pflag.Flag) {
			key := strings.ReplaceAll(f.Name, "-", "_")
			if !keys[key] {
				t.Errorf("--%s is no key of job files", f.Name)
			}
			delete(unseen, key)
		})
	}
	for _, key := range []string{"kind", "input", "columns", "api_key", "secret_key", "partner", "token"} {
		delete(unseen, key) // which are no flags
	}
	if len(unseen) > 0 {
		t.Errorf("keys that are no flags: %v", unseen)
	}
}
