package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mapper/normalize"
)

func email([]byte) normalize.Form { return normalize.FormEmail }

// TestHashInterrupted: hash stops although its input goes on, and what was read in whole lines is answered.
func TestHashInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stdin, typing := io.Pipe()
		defer func() { _ = typing.Close() }() // nothing is kept back
		var out bytes.Buffer
		a := &app{stdin: stdin, stdout: &out}
		ended := make(chan error)
		go func() { ended <- a.hashLines(ctx, normalize.New(normalize.Options{}), email) }()
		if _, err := io.WriteString(typing, "user@example.com\nother@exam"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		if got := out.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\tuser@example.com\n") {
			t.Errorf("it wrote %q", got)
		}
	})
}

// TestHashInterruptedExitCode: the program ends with the code for that.
func TestHashInterruptedExitCode(t *testing.T) {
	c := command(t, nil, "hash")
	typing, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = typing.Close() }() // nothing is kept back
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said safeBuffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	// More than the program keeps back, so that the first output shows that it is at work.
	if _, err := io.WriteString(typing, strings.Repeat("user@example.com\n", 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(out); err != nil || !bytes.HasSuffix(rest, []byte("\n")) {
		t.Errorf("the rest is %q, %v", rest, err)
	}
	_ = c.Wait() // the exit code says it
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if want := "mapper: interrupted; run the command again\n"; !strings.HasSuffix(said.String(), want) {
		t.Errorf("it says %q, want %q", said.String(), want)
	}
}

// TestHashLineTooLong: the lines before it are answered.
func TestHashLineTooLong(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdin: strings.NewReader("user@example.com\n" + strings.Repeat("x", 2*longestLine) + "\n"), stdout: &out}
	err := a.hashLines(t.Context(), normalize.New(normalize.Options{}), email)
	if err == nil || !strings.Contains(err.Error(), "standard input:2: the line is longer than") {
		t.Errorf("it ended with %v", err)
	}
	if !strings.HasSuffix(out.String(), "\tuser@example.com\n") {
		t.Errorf("it wrote %q", out.String())
	}
}
