package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mapper/client/sandbox"
)

// TestScripts runs the program as people do: each script under testdata/script is a session in a shell, beside
// an operator that the environment points to.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setUpOperator,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func setUpOperator(env *testscript.Env) error {
	s, err := sandbox.New(sandbox.Options{Seed: "scripts"})
	if err != nil {
		return err
	}
	url, stop, err := s.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { _ = stop(context.Background()) })
	inputs, err := filepath.Abs("../../testdata")
	if err != nil {
		return err
	}
	env.Setenv("TESTDATA", inputs)
	env.Setenv("UID2_BASE_URL", url)
	env.Setenv("UID2_API_KEY", s.APIKey())
	env.Setenv("UID2_SECRET_KEY", s.ClientSecret())
	env.Setenv("ID5_BASE_URL", url)
	env.Setenv("ID5_PARTNER", s.ID5Partner())
	env.Setenv("ID5_TOKEN", s.ID5Token())
	return nil
}

// exits runs a program and wants one exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
