package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asMapper makes the test binary be the program: tests start it as a child process, so that what they kill,
// measure or limit is a process of its own.
const asMapper = "MAPPER_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asMapper) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"mapper": main})
}

// command returns the program as a child process to be started.
func command(tb testing.TB, env []string, args ...string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(append(os.Environ(), asMapper+"=1"), env...)
	return c
}

// operator is a sandbox in a process of its own.
type operator struct {
	BaseURL   string `json:"base_url"`
	APIKey    string `json:"api_key"`
	SecretKey string `json:"secret_key"`

	ID5Partner string `json:"id5_partner"`
	ID5Token   string `json:"id5_token"`
}

// env returns the environment in which the program reaches the operator.
func (o *operator) env() []string {
	return []string{"UID2_BASE_URL=" + o.BaseURL, "UID2_API_KEY=" + o.APIKey, "UID2_SECRET_KEY=" + o.SecretKey,
		"ID5_BASE_URL=" + o.BaseURL, "ID5_PARTNER=" + o.ID5Partner, "ID5_TOKEN=" + o.ID5Token}
}

// startOperator starts `mapper sandbox` and stops it when the test ends.
func startOperator(tb testing.TB, args ...string) *operator {
	tb.Helper()
	c := command(tb, nil, append([]string{"sandbox", "--listen", "127.0.0.1:0"}, args...)...)
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
		if tb.Failed() {
			tb.Logf("the sandbox said:\n%s", said.Bytes())
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		tb.Fatalf("the sandbox said nothing: %v", err)
	}
	o := new(operator)
	if err := json.Unmarshal(line, o); err != nil {
		tb.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return o
}
