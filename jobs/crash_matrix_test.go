package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/sandbox"
	"mapper/jobs"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
)

// The job of the matrix: each of its shards reads one file, whose rows are all different people.
const (
	crashShards   = 2
	crashRows     = 2050 // of each shard
	crashPartRows = 200  // so there are 11 parts of each shard
	crashBatch    = 20
	crashInFlight = 2 // of each shard

	// What a kill makes a shard ask again, at most: an open part, or one that is whole and not sealed; and behind it
	// the requests that are in flight or wait for their turn, one that is about to join these, and one of which
	// the writer has only begun.
	crashAgain = crashPartRows + (crashInFlight+2)*crashBatch
)

// crashOrder says how the shards of a run are started.
type crashOrder string

const (
	inTurn crashOrder = "in turn"
	atOnce crashOrder = "at once"
)

// crashInput is what the job reads and what comes of it when nobody kills it.
type crashInput struct {
	folder string
	ids    [crashShards][]normalize.ID // by the shard that asks them
	rows   []string
	day    time.Time // in UTC, on which the rows are what they are: salts are those of a day
}

func newCrashInput(t *testing.T) *crashInput {
	t.Helper()
	in := &crashInput{folder: t.TempDir()}
	for shard := range in.ids {
		var text strings.Builder
		text.WriteString("id,email\n")
		for i := range crashRows {
			email := fmt.Sprintf("crash%d-%04d@example.com", shard, i)
			in.ids[shard] = append(in.ids[shard], identity(normalize.KindEmail, email))
			fmt.Fprintf(&text, "%d-%04d,%s\n", shard, i, email)
		}
		if err := os.WriteFile(filepath.Join(in.folder, fmt.Sprintf("%d.csv", shard)), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.today(t)
	return in
}

const day = 24 * time.Hour

// today sees to it that the rows are those of today, and that today lasts long enough for a run.
func (in *crashInput) today(t *testing.T) {
	t.Helper()
	const enough = 30 * time.Second
	if left := time.Until(time.Now().Truncate(day).Add(day)); left < enough {
		time.Sleep(left)
	}
	if today := time.Now().UTC().Truncate(day); in.day != today {
		whole := in.table(t, "files")
		whole.again(t, 0)
		in.rows, in.day = sorted(t, whole.job.Out), today
	}
}

// crashTable is a table with its storage and its service, both of which are watched.
type crashTable struct {
	in     *crashInput
	s      *sandbox.Sandbox
	steps  *steps
	job    childJob
	traced bool // whether its steps are system calls, and not requests
}

func (in *crashInput) table(t *testing.T, storage string) *crashTable {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Seed: "crash", OptOutShare: 0.1, RotationDays: 270, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &crashTable{in: in, s: s, steps: newSteps(), traced: storage == "files"}
	service := httptest.NewServer(c.steps.front(s))
	t.Cleanup(service.Close)
	target := storages[storage](t)
	if target.Proxy != nil {
		target.Proxy.Around(c.steps.front)
	}
	c.job = childJob{
		URL: service.URL, Key: s.APIKey(), Secret: s.ClientSecret(), Input: in.folder, Out: target.URI + "/table",
		MaxBatch: crashBatch, MaxInFlight: crashShards * crashInFlight, PartRows: crashPartRows,
	}
	return c
}

// shard is the job of a shard.
func (c *crashTable) shard(k int) childJob {
	job := c.job
	job.Shard = jobs.Shard{K: k, N: crashShards}
	return job
}

// run runs the shards, each in a process, and kills all there are at a step; 0 is never. It returns how many steps there
// were, and whether it came to that.
func (c *crashTable) run(t *testing.T, order crashOrder, at int) (n int, killed bool, last string) {
	t.Helper()
	c.steps.begin(at, os.Kill)
	switch order {
	case inTurn:
		for k := range crashShards {
			if err := c.child(c.shard(k).command(t)); err != nil {
				t.Errorf("shard %d: %v", k, err)
			}
			if c.steps.isDead() {
				break
			}
		}
	case atOnce:
		var all sync.WaitGroup
		for k := range crashShards {
			cmd := c.shard(k).command(t)
			all.Go(func() {
				if err := c.child(cmd); err != nil {
					t.Errorf("shard %d: %v", k, err)
				}
			})
		}
		all.Wait()
	}
	return c.steps.end()
}

// child runs a process to its end, which is to be a good one, or SIGKILL once all are killed.
func (c *crashTable) child(cmd *exec.Cmd) error {
	var status syscall.WaitStatus
	if c.traced {
		var err error
		if status, err = traced(cmd, c.steps); err != nil {
			return err
		}
	} else {
		if err := cmd.Start(); err != nil {
			return err
		}
		c.steps.add(cmd.Process)
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			return err
		}
		status = cmd.ProcessState.Sys().(syscall.WaitStatus)
	}
	if c.steps.isDead() && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return nil
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return fmt.Errorf("it ended with code %d, signal %v", status.ExitStatus(), status.Signal())
	}
	return nil
}

// again runs all shards once more, beginning with one of them, and expects that the last one leaves the run committed.
func (c *crashTable) again(t *testing.T, first int) {
	t.Helper()
	for i := range crashShards {
		k := (first + i) % crashShards
		got, err := c.shard(k).job().Run(t.Context())
		if err != nil {
			t.Fatalf("shard %d, again: %v", k, err)
		}
		committed := got.Status == jobs.StatusCommitted || got.Status == jobs.StatusAlreadyCommitted
		if i == crashShards-1 && !committed {
			t.Fatalf("after all shards the run is %s", got.Status)
		}
	}
}

// check compares what there is with what a run that nobody killed leaves, and expects nothing beside it.
func (c *crashTable) check(t *testing.T) {
	t.Helper()
	if got := sorted(t, c.job.Out); !slices.Equal(got, c.in.rows) {
		t.Errorf("%d rows are not the %d of a run that nobody killed", len(got), len(c.in.rows))
	}
	store := new(objects.Store)
	defer store.Close()
	if v, err := jobs.Verify(t.Context(), store, c.job.Out); err != nil || v.Runs != 1 || v.Parts < 20*len(sinks.Datasets()) || len(v.Remarks) > 0 {
		t.Errorf("%v\n%s", err, v)
	}
	tb, err := table.Open(t.Context(), store, c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := tb.Waste(t.Context(), table.WasteOptions{}); err != nil || len(w.Abandoned)+len(w.Files)+len(w.Uploads) > 0 {
		t.Errorf("left behind: %+v, %v", w, err)
	}
	if c.traced {
		c.checkTemporary(t)
	}
}

// checkTemporary looks for temporary files, wherever they are.
func (c *crashTable) checkTemporary(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(c.job.Out, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".tmp-") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// askedAgain is how many identities of each shard were asked more often than once. Each has to be asked.
func (c *crashTable) askedAgain(t *testing.T) (again [crashShards]int) {
	t.Helper()
	for shard, ids := range c.in.ids {
		for i, id := range ids {
			n := c.s.Asked(id)
			if n == 0 {
				t.Fatalf("row %d of shard %d was never asked", i+1, shard)
			}
			again[shard] += n - 1
		}
	}
	return again
}

// crashPoint is when to kill.
type crashPoint struct {
	order crashOrder
	step  int
}

// TestCrashMatrix kills the shards of a run with SIGKILL at one step after the other that others can see: when a request
// has come to the service or the storage, when it was handled and the reply is not sent yet, and on a local disk before
// and after each system call that changes something. Then the same commands have to leave what they would have left
// without that, and ask no more again than they have to. By default a few of the steps have their turn;
// with MAPPER_CRASH=all each of them, and with MAPPER_CRASH=n every n-th.
func TestCrashMatrix(t *testing.T) {
	in := newCrashInput(t)
	for _, storage := range []string{"files", "gs", "s3"} {
		t.Run(storage, func(t *testing.T) {
			if storage == "files" && !canTrace {
				if os.Getenv("MAPPER_REQUIRE_ENGINES") != "" {
					t.Fatal("the system calls of a process can be seen on Linux alone, on amd64 and arm64")
				}
				t.Skip("the system calls of a process can be seen on Linux alone, on amd64 and arm64")
			}
			points := in.points(t, storage)
			began, killed := time.Now(), 0
			for i, p := range points {
				t.Run(fmt.Sprintf("%s/%d", p.order, p.step), func(t *testing.T) {
					if in.crash(t, storage, p, i%crashShards) {
						killed++
					}
				})
			}
			if killed != len(points) {
				t.Errorf("killed at %d of %d steps", killed, len(points))
			}
			t.Logf("killed at %d steps in %s", killed, time.Since(began).Round(time.Second))
		})
	}
}

// points runs the job without killing it and says at which of its steps to kill it.
func (in *crashInput) points(t *testing.T, storage string) (points []crashPoint) {
	t.Helper()
	for _, order := range []crashOrder{inTurn, atOnce} {
		if order == atOnce && storage != "files" && os.Getenv("MAPPER_CRASH") == "" {
			continue // the default suite has little time
		}
		in.today(t)
		c := in.table(t, storage)
		n, _, _ := c.run(t, order, 0)
		c.check(t)
		if again := c.askedAgain(t); again != [crashShards]int{} {
			t.Fatalf("without a kill %v identities were asked again", again)
		}
		if t.Failed() {
			t.FailNow()
		}
		t.Logf("%d steps %s", n, order)
		if order == atOnce {
			n -= n / 5 // who is first has more to do: no two such runs take the same steps, and the last ones are alike in turn
		}
		steps := spread(t, n, order)
		if storage != "files" && os.Getenv("MAPPER_CRASH") == "" {
			steps = steps[1:] // the first one is alike everywhere
		}
		for _, step := range steps {
			points = append(points, crashPoint{order, step})
		}
	}
	return points
}

// spread chooses steps, the first and the last of which are among them.
func spread(t *testing.T, n int, order crashOrder) (chosen []int) {
	t.Helper()
	each := map[crashOrder]int{inTurn: (n-1)/2 + 1, atOnce: n}[order] // 3 of them and 2
	switch all := os.Getenv("MAPPER_CRASH"); {
	case all != "":
		each = 1
		if every, err := strconv.Atoi(all); err == nil && every > 0 {
			each = every
		} else if all != "all" {
			t.Fatalf("MAPPER_CRASH is %q; it is all, or a number n for every n-th", all)
		}
		if order == atOnce {
			each *= 5
		}
	}
	for step := 1; step < n; step += each {
		chosen = append(chosen, step)
	}
	return append(chosen, n)
}

// crash kills the job at a point, runs it again and checks what came of it.
func (in *crashInput) crash(t *testing.T, storage string, p crashPoint, first int) (killed bool) {
	in.today(t)
	c := in.table(t, storage)
	n, killed, last := c.run(t, p.order, p.step)
	if !killed {
		t.Errorf("the run was over after %d steps", n)
		return false
	}
	sealed := c.sealed(t)
	c.again(t, first)
	c.check(t)
	for shard, again := range c.askedAgain(t) {
		most := crashAgain
		if sealed[shard] == crashRows || p.order == inTurn && shard == 1 && sealed[0] < crashRows {
			most = 0 // it was done, or not begun
		}
		if again > most {
			t.Errorf("of shard %d, of which %d rows were sealed, %d were asked again, %d at most expected", shard, sealed[shard], again, most)
		}
	}
	if t.Failed() {
		t.Logf("killed %s", last)
	}
	return true
}

// sealed is how many rows of each shard are sealed.
func (c *crashTable) sealed(t *testing.T) (rows [crashShards]int64) {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	tb, err := table.Open(context.Background(), store, c.job.Out)
	if err != nil {
		t.Fatal(err)
	}
	for shard := range rows {
		chain, err := tb.Chain(context.Background(), "r", shard)
		if err != nil {
			t.Fatal(err)
		}
		rows[shard] = chain.Last().Cursor.Lines
	}
	return rows
}
