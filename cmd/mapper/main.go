// Command mapper turns emails and phones into UID2 and EUID raw UIDs, in bulk.
//
// Every command has its own file here; `mapper help` lists them. Results go to standard output, everything
// else to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mapper/client/objects"
	"mapper/jobs"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

func main() {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv}
	os.Exit(a.run(context.Background(), os.Args[1:]))
}

// app is the program with its surroundings.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(name string) (string, bool)
	store          objects.Store // how to reach storages, but for jobs, which have their own patience

	logLevel, logFormat, progress string
	metricsListen                 string
	json                          bool
	log                           *slog.Logger
	records                       atomic.Pointer[slog.Logger] // the log, if it is to be all that standard error holds
	monitor                       jobs.Monitor                // of the job that the command runs
}

// run runs one command and returns its exit code.
func (a *app) run(ctx context.Context, args []string) int {
	ctx, stop := a.signals(ctx)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	switch {
	case code == exitInterrupted:
		a.say(slog.LevelWarn, interruptionOf(err).Error(), "exit_code", code)
	case err != nil:
		a.say(slog.LevelError, err.Error(), "exit_code", code)
	}
	return code
}

// say writes a line to standard error that is no record of the log: unless nothing else may stand there.
func (a *app) say(level slog.Level, message string, args ...any) {
	if log := a.records.Load(); log != nil {
		log.Log(context.Background(), level, message, args...)
		return
	}
	fmt.Fprintln(a.stderr, "mapper:", message)
}

// stopWithin is how long stopping in good order may take. Schedulers kill after 30 seconds.
const stopWithin = 24 * time.Second

// signals returns a context that the first SIGINT or SIGTERM cancels: the command stops in good order. The
// second ends the process at once, which is safe at any time.
func (a *app) signals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-got; !ok {
			return
		}
		a.say(slog.LevelWarn, "stopping in good order (once more to stop at once)")
		cancel()
		select {
		case _, ok := <-got:
			if !ok {
				return // it has stopped
			}
		case <-time.After(stopWithin): // whatever it is that does not end
		}
		os.Exit(exitInterrupted)
	}()
	return ctx, func() {
		signal.Stop(got)
		close(got)
		cancel()
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mapper",
		Short: "Turn emails and phones into UID2 and EUID raw UIDs and ID5 ids, in bulk",
		Long: "mapper reads emails and phones from files, normalizes and hashes them, asks UID2 or EUID for their raw\n" +
			"UIDs, or ID5 for its ids, and writes what it learned to Parquet. A raw email or phone never leaves memory.",
		Example: "  mapper demo\n" +
			"  mapper map customers.csv --id customer_id --out ids/uid2",
		Version:       versionOf().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.logLevel, "log-level", "info", "what to log: debug, info, warn or error")
	flags.StringVar(&a.logFormat, "log-format", "text", "how to log: text or json")
	flags.StringVar(&a.progress, "progress", "auto", "how to show progress: auto (json with --log-format json), plain, json or off")
	flags.StringVar(&a.metricsListen, "metrics-listen", "", "`address` to serve Prometheus metrics on while a job runs, as in 127.0.0.1:9090: http, /metrics; for map, remap, signals, run, compact, forget and demo (default: none)")
	flags.BoolVar(&a.json, "json", false, "write the result as one JSON object")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpCommand(help())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.demo(), a.mapCommand(), a.remap(), a.signalsCommand(), a.runCommand(), a.plan(), a.verify(), a.inspect(), a.export(), a.diff(), a.compact(), a.forget(), a.clean(), a.hash(), a.doctor(), a.sandbox(), a.version())
	for _, c := range root.Commands() {
		c.Long += "\n\n" + exitCodesHelp
		if c.Args == nil {
			c.Args = noArgs
		}
		c.Args = a.logged(c.Args)
	}
	return root
}

// help shows the help of a command. Cobra's own takes a command that is not there for a success.
func help() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show what a command does, with all its flags",
		Example: "  mapper help map",
		RunE: func(c *cobra.Command, args []string) error {
			about, _, err := c.Root().Find(args)
			if err != nil {
				return usagef("%w; mapper help lists the commands", err)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// flagError says of a value that is none of its flag's what would be one, where the parser quotes the Go library.
func flagError(err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return usageError{err}
	}
	what := map[string]string{
		"bool": "is neither true nor false", "int": "is no whole number that fits", "int64": "is no whole number that fits", "float64": "is no number",
		"duration": "is no duration; write a number with s, m or h, such as 60s or 720h",
	}[wrong.GetFlag().Value.Type()]
	if what == "" {
		return usageError{err}
	}
	return usagef("--%s %q %s", wrong.GetFlag().Name, wrong.GetValue(), what)
}

// logged sets up the log before arguments are looked at: what is wrong with them is the first that it may have to say.
func (a *app) logged(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := a.setUpLog(); err != nil {
			return err
		}
		return check(c, args)
	}
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("mapper %s takes no argument %q", c.Name(), args[0])
	}
	return nil
}

func (a *app) setUpLog() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level %q is none of debug, info, warn, error", a.logLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.stderr, opts))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.stderr, opts))
		a.records.Store(a.log)
	default:
		return usagef("--log-format %q is neither text nor json", a.logFormat)
	}
	if !strings.Contains(" auto plain json off ", " "+a.progress+" ") {
		return usagef("--progress %q is none of auto, plain, json, off", a.progress)
	}
	return nil
}
