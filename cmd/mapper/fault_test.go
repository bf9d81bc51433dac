package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
)

// inProcess starts an operator that the test can look into, and returns the environment to reach it.
func inProcess(t *testing.T, opts sandbox.Options) (*sandbox.Sandbox, []string) {
	t.Helper()
	s, err := sandbox.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop(context.Background()) })
	o := operator{BaseURL: url, APIKey: s.APIKey(), SecretKey: s.ClientSecret()}
	return s, o.env()
}

func runToEnd(t *testing.T, c *exec.Cmd) (code int, output string) {
	t.Helper()
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNothingLeaks sends marked people and credentials down every path that fails and looks for the marks in
// everything that comes out: both outputs at the most talkative level, metrics, the table, and temporary files.
func TestNothingLeaks(t *testing.T) {
	const email, invalid, phone, national = "marker7f3a@example.com", "marker7f3a-is-no-email", "+15558675309", "555-867-5309"
	const key, secret = "marker-key-7f3a", "bWFya2VyLXNlY3JldC03ZjNhLTAxMjM0NTY3ODlhYmM="
	marks := []string{"marker7f3a", "8675309", "867-5309", key, secret, "marker-secret-7f3a"}
	input := filepath.Join(t.TempDir(), "people.csv")
	write(t, input, "id,email,phone\n1,"+email+","+phone+"\n2,"+invalid+","+national+"\n3,"+email+",x,"+phone+"\n4,\""+email+"\n")
	fail := func(status int) sandbox.Faults {
		return sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: status}}}
	}
	do := func(a sandbox.Action) sandbox.Faults { return sandbox.Faults{Rules: []sandbox.Fault{{Do: a}}} }
	for _, c := range []struct {
		name   string
		faults sandbox.Faults
		env    []string
		args   []string
		code   int
	}{
		{name: "nothing fails", code: exitDone},
		{name: "400", faults: fail(400), code: exitFailed},
		{name: "401", faults: fail(401), code: exitRefused},
		{name: "404", faults: fail(404), code: exitRefused},
		{name: "413", faults: fail(413), code: exitFailed},
		{name: "302", faults: sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 302, Location: "http://127.0.0.1:1/?" + key}}}, code: exitRefused},
		{name: "429", faults: fail(429), code: exitUnreachable},
		{name: "500", faults: fail(500), code: exitUnreachable},
		{name: "503", faults: fail(503), code: exitUnreachable},
		{name: "echo", faults: sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: 400,
			Body: `{"status":"client_error","message":"` + email + `"}`}}}, code: exitFailed},
		{name: "reset", faults: do(sandbox.Reset), code: exitUnreachable},
		{name: "truncated", faults: do(sandbox.Truncate), code: exitUnreachable},
		{name: "wrong nonce", faults: do(sandbox.WrongNonce), code: -1},
		{name: "short arrays", faults: do(sandbox.ShortArrays), code: -1},
		{name: "garbled", faults: do(sandbox.Garble), code: -1},
		{name: "clock", faults: sandbox.Faults{Skew: time.Hour}, code: exitRefused},
		{name: "other secret", env: []string{"UID2_SECRET_KEY=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="}, code: exitRefused},
		{name: "malformed secret", env: []string{"UID2_SECRET_KEY=marker-secret-7f3a"}, code: exitRefused},
		{name: "nobody listens", env: []string{"UID2_BASE_URL=http://127.0.0.1:1"}, code: exitUnreachable},
		{name: "http", env: []string{"UID2_BASE_URL=http://operator.example.com/" + key}, code: exitUsage},
		{name: "too many invalid", args: []string{"--max-invalid", "0.1"}, code: exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, env := inProcess(t, sandbox.Options{APIKey: key, ClientSecret: secret, Latency: 50 * time.Millisecond})
			s.SetFaults(c.faults)
			place := t.TempDir()
			args := append([]string{"map", input, "--id", "id", "--out", filepath.Join(place, "out"), "--give-up-after", "1s",
				"--log-level", "debug", "--progress", "json", "--compression", "none", "--metrics-listen", "127.0.0.1:0"}, c.args...)
			cmd := command(t, append(append(env, "TMPDIR="+place), c.env...), args...)
			code, output, metrics := runScraped(t, cmd)
			if c.code >= 0 && code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, output)
			}
			if c.code < 0 && code == exitDone {
				t.Errorf("it ended well\n%s", output)
			}
			look := func(where string, data []byte) {
				for _, mark := range marks {
					if bytes.Contains(data, []byte(mark)) {
						t.Errorf("%q leaked into %s\n%s", mark, where, output)
					}
				}
			}
			if c.name != "http" { // there the user has put the mark into the URL
				look("the output", []byte(output))
			}
			look("metrics", metrics)
			if c.faults.Rules != nil && !bytes.Contains(metrics, []byte("mapper_requests_total")) {
				t.Errorf("no metrics were seen\n%s", output)
			}
			err := filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				look(path, data)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFullDisk maps onto a disk that fills up: one clear message, nothing half-written is visible, and with
// room on the disk the same command goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		const left = "left out: what happens on a full disk, because this user cannot mount one: %v"
		if os.Getenv("MAPPER_REQUIRE_ENGINES") != "" {
			t.Fatalf(left, err)
		}
		t.Skipf(left, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	_, env := inProcess(t, sandbox.Options{})
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 30_000)
	args := []string{"map", input, "--out", filepath.Join(disk, "out"), "--run-id", "r", "--part-rows", "3000", "--max-batch", "1000"}
	code, output := runToEnd(t, command(t, env, args...))
	if code != exitFailed || !strings.Contains(output, "mapper: "+disk+"/out/") || strings.Contains(output, "/.tmp-") ||
		!strings.Contains(output, ": no space left on device; make room, then run the same command again\n") {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	if files, err := jobs.LiveFiles(context.Background(), new(objects.Store), filepath.Join(disk, "out"), "mapped"); err != nil || len(files) != 0 {
		t.Fatalf("visible: %v, %v", files, err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if code, output := runToEnd(t, command(t, env, args...)); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	v, err := jobs.Verify(t.Context(), new(objects.Store), filepath.Join(disk, "out"))
	if err != nil || len(v.Remarks) > 0 {
		t.Fatalf("%v\n%s", err, v)
	}
}

// TestReadOnly maps into a file system that can only be read, and into one that becomes so in the middle.
func TestReadOnly(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		const left = "left out: what happens on a file system that can only be read, because this user cannot mount one: %v"
		if os.Getenv("MAPPER_REQUIRE_ENGINES") != "" {
			t.Fatalf(left, err)
		}
		t.Skipf(left, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, "size=64m"); err != nil {
			t.Fatal(err)
		}
	}
	s, env := inProcess(t, sandbox.Options{})
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 5000)
	args := []string{"map", input, "--out", filepath.Join(disk, "out"), "--run-id", "r", "--part-rows", "1000", "--max-batch", "500"}
	remount(syscall.MS_RDONLY)
	code, output := runToEnd(t, command(t, env, args...))
	if code != exitRefused || !strings.Contains(output, "mapper: "+disk+"/out: read-only file system; let this user read and write there, or give another --out\n") || s.Stats().Requests > 0 {
		t.Fatalf("exit code %d, %d requests\n%s", code, s.Stats().Requests, output)
	}
	remount(0)
	if code, output := runToEnd(t, command(t, env, args...)); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	remount(syscall.MS_RDONLY)
	for _, look := range []string{"verify", "inspect"} {
		if code, output := runToEnd(t, command(t, env, look, filepath.Join(disk, "out"))); code != exitDone {
			t.Errorf("%s: exit code %d\n%s", look, code, output)
		}
	}
}

// TestTwoAtOnce starts the same command many times at once: one works, the others say why they do not, and the
// table holds every row once.
func TestTwoAtOnce(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{Latency: 20 * time.Millisecond})
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 5000)
	out := filepath.Join(t.TempDir(), "out")
	var all sync.WaitGroup
	codes := make([]int, 6)
	outputs := make([]string, len(codes))
	for i := range codes {
		cmd := command(t, env, "map", input, "--out", out, "--run-id", "r", "--max-batch", "100", "--max-in-flight", "2")
		all.Go(func() { codes[i], outputs[i] = runToEnd(t, cmd) })
	}
	all.Wait()
	worked := 0
	for i, code := range codes {
		switch {
		case code == exitDone && !strings.Contains(outputs[i], "nothing to do"):
			worked++
		case code == exitDone:
		case code != exitFailed || !strings.Contains(outputs[i], "another process is working on this run"):
			t.Errorf("exit code %d\n%s", code, outputs[i])
		}
	}
	if worked != 1 {
		t.Errorf("%d of %d processes did the work", worked, len(codes))
	}
	v, err := jobs.Verify(t.Context(), new(objects.Store), out)
	if err != nil || v.Runs != 1 || v.Rows != 2*5000 {
		t.Errorf("%v\n%s", err, v)
	}
}

// TestInterruptedWhileWaiting sends SIGTERM while standard input has nothing to say.
func TestInterruptedWhileWaiting(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{})
	c := command(t, env, "map", "-", "--out", filepath.Join(t.TempDir(), "out"), "--email", "email")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("email\na@example.com\n")); err != nil {
		t.Fatal(err)
	}
	said := interrupt(t, c, func(output string) bool { return strings.Contains(output, "standard input") })
	if !strings.Contains(said, "interrupted; standard input cannot be read again, so start over") || strings.Contains(said, "the same command") {
		t.Errorf("it does not say what is next:\n%s", said)
	}
}

// TestInterruptedInput interrupts a run of standard input in its middle: it says how to be rid of the rest, and that
// command works.
func TestInterruptedInput(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{Latency: 10 * time.Millisecond})
	out := filepath.Join(t.TempDir(), "out")
	emails := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, emails, 60_000) // more than it looks at before it begins
	text, err := os.ReadFile(emails)
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, env, "map", "-", "--out", out, "--run-id", "r", "--part-rows", "5000", "--log-format", "json", "--json")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = in.Write(text) }() // and does not end
	said := interrupt(t, c, func(string) bool {
		found, err := filepath.Glob(filepath.Join(out, "_runs", "r", "progress", "*.json"))
		return err == nil && len(found) > 0
	})
	if want := "so start over; mapper clean " + out + " --run r --yes removes what is left of this run"; !strings.Contains(said, want) {
		t.Fatalf("it does not say %q\n%s", want, said)
	}
	for line := range strings.Lines(said) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if code, output := runToEnd(t, command(t, env, "clean", out, "--run", "r", "--yes")); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, output)
	}
}

// interrupt starts a command, sends it SIGTERM when it is ready, and wants exit code 3 within 20 seconds. It
// returns the output.
func interrupt(t *testing.T, c *exec.Cmd, ready func(output string) bool) string {
	t.Helper()
	var text safeBuffer
	c.Stdout, c.Stderr = &text, &text
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !ready(text.String()) && time.Since(began) < 30*time.Second; {
		time.Sleep(5 * time.Millisecond) // polls another process
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted || time.Since(stopped) > 20*time.Second {
		t.Fatalf("exit code %d after %v\n%s", code, time.Since(stopped), text.String())
	}
	return text.String()
}

// safeBuffer can be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestInterrupted sends SIGTERM in the middle: exit code 3 within seconds, and the same command finishes.
func TestInterrupted(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{Latency: 30 * time.Millisecond})
	input := filepath.Join(t.TempDir(), "emails.csv")
	writeEmails(t, input, 20_000)
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"map", input, "--out", out, "--max-batch", "100", "--max-in-flight", "2", "--part-rows", "1000"}
	said := interrupt(t, command(t, env, args...), func(string) bool {
		found, err := filepath.Glob(filepath.Join(out, "_runs", "*", "progress", "*.json"))
		return err == nil && len(found) >= 2
	})
	if !strings.Contains(said, "interrupted; the same command continues an unfinished run") {
		t.Errorf("the output does not say so:\n%s", said)
	}
	code, output := runToEnd(t, command(t, env, args...))
	if code != exitDone || !strings.Contains(output, "continuing") || !strings.Contains(output, "20,000 rows") {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	if v, err := jobs.Verify(t.Context(), new(objects.Store), out); err != nil || v.Runs != 1 {
		t.Fatal(fmt.Sprint(v), err)
	}
}
