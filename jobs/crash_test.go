package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// childJob is what a test tells the process that it is going to kill.
type childJob struct {
	Kind                         childKind
	URL, Key, Secret, Input, Out string
	Partner, Token               string // of ID5, if that is whose table it is
	Forget                       string // the identifiers
	Clock                        int64  // Unix milliseconds at which the job's clock stands; 0 is a clock that goes
	RunID                        string // of other jobs than maps; "" is a new one, so that a run is found again as that of a nightly job is
	GiveUpAfter                  time.Duration

	Shard                           jobs.Shard
	MaxBatch, MaxInFlight, PartRows int
}

// childKind is what a child does.
type childKind string

const (
	childMap      childKind = "" // in a run with a name
	childRemap    childKind = "remap"
	childFullBase childKind = "full base"
	childCompact  childKind = "compact"
	childForget   childKind = "forget"
	childSignals  childKind = "signals"
)

const childEnv = "MAPPER_TEST_JOB"

// TestMain makes the test binary be a process that runs one job.
func TestMain(m *testing.M) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		os.Exit(m.Run())
	}
	var c childJob
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		panic(err)
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	summary, err := c.run(ctx)
	if summary != nil && summary.Status == jobs.StatusInterrupted {
		os.Exit(exitInterrupted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// exitInterrupted is the exit code of a job that was told to stop, and stopped in good order.
const exitInterrupted = 3

func (c childJob) job() jobs.Map {
	return jobs.Map{
		BaseURL: c.URL, APIKey: client.NewSecret(c.Key), ClientSecret: client.NewSecret(c.Secret),
		Inputs: []string{c.Input}, Columns: jobs.Columns{ID: "id"}, Out: c.Out, RunID: "r",
		Shard: c.Shard, MaxBatch: c.MaxBatch, MaxInFlight: c.MaxInFlight, PartRows: int64(c.PartRows),
	}
}

// run does in this process what the child does.
func (c childJob) run(ctx context.Context) (*jobs.Summary, error) {
	m := c.job()
	if c.Kind == childMap {
		return m.Run(ctx)
	}
	store := &objects.Store{GiveUpAfter: c.GiveUpAfter}
	defer store.Close()
	m.RunID, m.Store, m.GiveUpAfter = c.RunID, store, c.GiveUpAfter
	if c.Clock != 0 {
		m.Now = func() time.Time { return time.UnixMilli(c.Clock) }
	}
	as := jobs.ID5{Partner: c.Partner, Token: client.NewSecret(c.Token)}
	fold := jobs.Compact{From: c.Out, Store: store, PartRows: m.PartRows, RunID: c.RunID}
	switch c.Kind {
	case childRemap:
		m.Inputs, m.Columns = nil, jobs.Columns{}
		return jobs.Remap{Map: m, ID5: as}.Run(ctx)
	case childSignals:
		m.Columns.Email, m.Columns.Country, m.Columns.KnownUIDs, m.Columns.Keep = []string{"email"}, "cc", "uids", []string{"plan"}
		as.RefreshAfter = keptAge
		return jobs.Signals{Map: m, ID5: as}.Run(ctx)
	case childFullBase:
		share := 0.5
		m.Columns.Keep, m.Incremental, m.FullBase, m.MaxRemoved = []string{"plan"}, true, true, &share
		return m.Run(ctx)
	case childCompact:
		done, err := fold.Run(ctx)
		if done == nil {
			return nil, err
		}
		return done.Summary, err
	case childForget:
		done, err := jobs.Forget{Compact: fold, Identifiers: strings.NewReader(c.Forget)}.Run(ctx)
		if done == nil {
			return nil, err
		}
		return done.Summary, err
	}
	return nil, fmt.Errorf("there is no job %q", c.Kind)
}

func (c childJob) command(t *testing.T) *exec.Cmd {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	return cmd
}

// rowsOf returns the rows of a dataset without the time they were mapped at, and without what depends on where
// part borders fall.
func rowsOf(t *testing.T, out, dataset string) []string {
	t.Helper()
	var rows []string
	for o := range outputs(t, out, dataset) {
		o.at = 0
		rows = append(rows, fmt.Sprintf("%+v", o))
	}
	if dataset == sinks.DatasetRefreshFrom {
		slices.Sort(rows) // sorted part by part
	}
	return rows
}

// TestKilled kills a run with SIGKILL, several times and at different moments, and expects that the last
// command, which is the same, leaves exactly the rows of a run that nobody killed, and that what was sealed has
// not been asked again.
func TestKilled(t *testing.T) {
	const rows = 9_000
	s, url := operator(t, sandbox.Options{Seed: "crash", OptOutShare: 0.1, RotationDays: 270, Latency: 5 * time.Millisecond, Trace: true})
	input := filepath.Join(t.TempDir(), "unique.csv")
	var text strings.Builder
	text.WriteString("id,email\n")
	ids := make([]normalize.ID, rows)
	for i := range rows {
		email := fmt.Sprintf("unique%d@example.com", i)
		ids[i] = identity(normalize.KindEmail, email)
		fmt.Fprintf(&text, "%d,%s\n", i, email)
	}
	if err := os.WriteFile(input, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := childJob{
		URL: url, Key: s.APIKey(), Secret: s.ClientSecret(), Input: input, Out: filepath.Join(t.TempDir(), "killed"),
		MaxBatch: 100, MaxInFlight: 4, PartRows: 500,
	}
	tb, err := table.Open(context.Background(), new(objects.Store), killed.Out)
	if err != nil {
		t.Fatal(err)
	}
	sealed := int64(0)
	for _, parts := range []int{3, 9, 15} {
		sealed = killAfter(t, killed, tb, parts)
	}
	before := s.Stats().Identities
	if err := killed.command(t).Run(); err != nil {
		t.Fatal(err)
	}
	if asked := int64(s.Stats().Identities - before); asked != rows-sealed {
		t.Errorf("the last process asked %d identities, want the %d that were not sealed", asked, rows-sealed)
	}
	again := 0
	for i, id := range ids {
		switch n := s.Asked(id); {
		case n == 0:
			t.Fatalf("row %d was never asked", i+1)
		case n > 1:
			again++
		}
	}
	// A kill loses the open part of 500 rows, what is in flight and what waits behind it.
	if most := 3 * (500 + 4*100*3); again > most {
		t.Errorf("%d identities were asked again, %d at most expected", again, most)
	}
	whole := killed
	whole.Out = filepath.Join(t.TempDir(), "whole")
	if _, err := whole.job().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, dataset := range sinks.Datasets() {
		got, want := rowsOf(t, killed.Out, dataset), rowsOf(t, whole.Out, dataset)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d rows after kills differ from %d rows of a whole run", dataset, len(got), len(want))
		}
	}
	if v, err := jobs.Verify(t.Context(), new(objects.Store), killed.Out); err != nil || len(v.Remarks) > 0 {
		t.Errorf("%v\n%s", err, v)
	}
}

// killAfter starts the job and kills it once its chain has a number of links. It returns how many rows are
// sealed then.
func killAfter(t *testing.T, job childJob, tb *table.Table, parts int) int64 {
	t.Helper()
	cmd := job.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		chain, err := tb.Chain(context.Background(), "r", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(chain.Links) >= parts {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d parts after a minute", len(chain.Links))
		}
		time.Sleep(time.Millisecond) // polls another process
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the job was not killed: %v", err)
	}
	if _, err := tb.Manifest(context.Background(), "r"); err == nil {
		t.Fatal("the run was over before it was killed")
	}
	chain, err := tb.Chain(context.Background(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	return chain.Last().Cursor.Lines
}
