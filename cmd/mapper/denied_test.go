package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mapper/client/sandbox"
)

// TestDenied maps as a user who may not read the input, or not write the output.
func TestDenied(t *testing.T) {
	_, env := inProcess(t, sandbox.Options{})
	place := openFolder(t)
	input := filepath.Join(place, "people.csv")
	if err := os.WriteFile(input, []byte("email\na@example.com\n"), 0o644); err != nil { //nolint:gosec // somebody else reads it
		t.Fatal(err)
	}
	secret := filepath.Join(place, "secret.csv")
	write(t, secret, "email\na@example.com\n")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(place, "closed")
	if err := os.Mkdir(closed, 0o555); err != nil { //nolint:gosec // somebody else looks into it
		t.Fatal(err)
	}
	const mayWrite, mayRead = "; let this user read and write there, or give another --out\n", "; let this user read it\n"
	for _, c := range []struct {
		name, input, out string
		says             string
	}{
		{"output", input, filepath.Join(closed, "ids"), "mapper: " + closed + "/ids: permission denied" + mayWrite},
		{"output below a folder that is not there", input, filepath.Join(closed, "new", "ids"), "mapper: " + closed + "/new: permission denied" + mayWrite},
		{"input", secret, filepath.Join(place, "ids"), "mapper: " + secret + ": permission denied" + mayRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, env, "map", c.input, "--out", c.out)
			asNobody(t, cmd, place)
			if code, output := runToEnd(t, cmd); code != exitRefused || !strings.Contains(output, c.says) {
				t.Errorf("exit code %d\n%s\nwant %s", code, output, c.says)
			}
		})
	}
}

// openFolder returns a folder that everybody can look into.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "mapper-denied-") // t.TempDir lies in a folder of this user alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777); err != nil { //nolint:gosec // that is what it is for
		t.Fatal(err)
	}
	return folder
}

// asNobody makes a command run as a user without rights, if it would be run as root, for whom nothing is forbidden.
func asNobody(t *testing.T, c *exec.Cmd, place string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	program := filepath.Join(place, "mapper")
	if _, err := os.Stat(program); err != nil {
		copyProgram(t, c.Path, program)
	}
	c.Path = program
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// copyProgram puts the program where everybody can run it.
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()                           // it is only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755) //nolint:gosec // it is to be run
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
