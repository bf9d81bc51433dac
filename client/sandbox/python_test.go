package sandbox

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"mapper/normalize"
)

// pythonJob and pythonAnswer are what testdata/python_sdk.py reads and writes.
type pythonJob struct {
	BaseURL      string   `json:"base_url"`
	APIKey       string   `json:"api_key"`
	ClientSecret string   `json:"client_secret"`
	Emails       []string `json:"emails"`
	Phones       []string `json:"phones"`
	EmailHashes  []string `json:"email_hashes"`
	PhoneHashes  []string `json:"phone_hashes"`
}

type pythonAnswer struct {
	HTTPStatus int `json:"http_status"`
	Mapped     map[string][3]any
	Unmapped   map[string][2]string
}

// python returns the interpreter that has the official SDK, or skips the test. With MAPPER_REQUIRE_ENGINES=1
// it fails instead.
func python(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("MAPPER_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	output, err := exec.Command(interpreter, "-c", "import uid2_client").CombinedOutput()
	if err == nil {
		return interpreter
	}
	leave := t.Skipf
	if os.Getenv("MAPPER_REQUIRE_ENGINES") == "1" {
		leave = t.Fatalf
	}
	leave("the sandbox is not checked against the official Python SDK: %s cannot import uid2_client (%v: %s); "+
		"pip install uid2-client, or set MAPPER_PYTHON to an interpreter that has it", interpreter, err, output)
	return ""
}

func (job pythonJob) run(t *testing.T, interpreter string) pythonAnswer {
	t.Helper()
	input, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), interpreter, "testdata/python_sdk.py")
	command.Stdin, command.Stderr = bytes.NewReader(input), &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("python: %v\n%s", err, stderr.Bytes())
	}
	var answer pythonAnswer
	if err := json.Unmarshal(output, &answer); err != nil {
		t.Fatalf("python wrote %s: %v", output, err)
	}
	return answer
}

// TestPythonSDK lets the official client talk to both networks.
func TestPythonSDK(t *testing.T) {
	interpreter := python(t)
	for name, euid := range map[string]bool{"UID2": false, "EUID": true} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, Options{EUID: euid, RotationDays: 90}) // so that all have a previous raw UID
			hashedEmail, hashedPhone := hash64("hashed@example.com"), hash64("+12025550177")
			p.op.OptOut(phoneID("+12025550166"))
			job := pythonJob{
				BaseURL: p.url, APIKey: p.op.APIKey(), ClientSecret: p.op.ClientSecret(),
				Emails:      []string{"user@example.com", " Jane.Saoirse+news@gmail.com ", "optout@example.com"},
				Phones:      []string{"+12025550155", "+12025550166"},
				EmailHashes: []string{hashedEmail, "not a hash"},
				PhoneHashes: []string{hashedPhone},
			}
			answer := job.run(t, interpreter)
			want := map[string]normalize.ID{
				"user@example.com":              emailID("user@example.com"),
				" Jane.Saoirse+news@gmail.com ": emailID("janesaoirse@gmail.com"),
				"+12025550155":                  phoneID("+12025550155"),
				hashedEmail:                     emailID("hashed@example.com"),
				hashedPhone:                     phoneID("+12025550177"),
			}
			for dii, id := range want {
				e, got := p.op.Expect(id), answer.Mapped[dii]
				if got[0] != e.RawUID || got[1] != e.Previous || got[2] != float64(e.RefreshFrom.Unix()) {
					t.Errorf("%s: %v, want %+v", dii, got, e)
				}
			}
			for dii, reason := range map[string][2]string{
				"optout@example.com": {"OPTOUT", "optout"},
				"+12025550166":       {"OPTOUT", "optout"},
				"not a hash":         {"INVALID_IDENTIFIER", "invalid identifier"},
			} {
				if answer.Unmapped[dii] != reason {
					t.Errorf("%s: %v, want %v", dii, answer.Unmapped[dii], reason)
				}
			}
			if len(answer.Mapped) != len(want) || len(answer.Unmapped) != 3 {
				t.Errorf("%d mapped and %d unmapped, want %d and 3", len(answer.Mapped), len(answer.Unmapped), len(want))
			}

			job.ClientSecret = mustNew(t, Options{}).ClientSecret()
			if got := job.run(t, interpreter).HTTPStatus; got != 400 {
				t.Errorf("status %d with another's secret, want 400", got)
			}
		})
	}
}
