package jobs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mapper/client/objects"
)

// inTheMiddle is a step in the middle of the first shard in a cloud, of about 420.
const inTheMiddle = 250

// TestShardInterrupted sends SIGTERM to a shard in the middle of a run on S3. It stops in good order, so that the same
// command asks nothing again.
func TestShardInterrupted(t *testing.T) {
	c := newCrashInput(t).table(t, "s3")
	c.steps.begin(inTheMiddle, syscall.SIGTERM)
	cmd := c.shard(0).command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.steps.add(cmd.Process)
	began := time.Now()
	_ = cmd.Wait() // the exit code says it
	n, _, _ := c.steps.end()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || n < inTheMiddle || time.Since(began) > 20*time.Second {
		t.Fatalf("exit code %d after %d steps and %s", code, n, time.Since(began))
	}
	if sealed := c.sealed(t)[0]; sealed == 0 || sealed == crashRows {
		t.Fatalf("%d of %d rows are sealed", sealed, crashRows)
	}
	c.run(t, inTurn, 0)
	c.check(t)
	if again := c.askedAgain(t); again != [crashShards]int{} {
		t.Errorf("%v identities were asked again", again)
	}
}

// TestNewMachine kills a shard of a run on Google Cloud Storage. The run goes on where nothing is left of the first
// machine but the bucket: in other folders, and in an environment with the way to the storage alone.
func TestNewMachine(t *testing.T) {
	in := newCrashInput(t)
	c := in.table(t, "gs")
	c.job.Input = strings.TrimSuffix(c.job.Out, "/table") + "/in"
	upload(t, in.folder, c.job.Input)
	c.steps.begin(inTheMiddle, os.Kill)
	machine := newMachine(t)
	if err := c.child(machine.at(c.shard(0).command(t))); err != nil {
		t.Fatal(err)
	}
	machine.checkEmpty(t)
	if n, killed, _ := c.steps.end(); !killed {
		t.Fatalf("the shard was done after %d steps", n)
	}
	sealed := c.sealed(t)[0]
	if sealed == 0 || sealed == crashRows {
		t.Fatalf("%d of %d rows were sealed", sealed, crashRows)
	}
	for k := range crashShards {
		machine := newMachine(t)
		if err := c.child(machine.at(c.shard(k).command(t))); err != nil {
			t.Fatal(err)
		}
		machine.checkEmpty(t)
	}
	if again := c.askedAgain(t); again[0] > crashAgain || again[1] > 0 {
		t.Errorf("%v identities were asked again", again)
	}
	whole := *c
	whole.job.Out += "-whole"
	whole.again(t, 0)
	c.in.rows = sorted(t, whole.job.Out) // they name another input than those of a local one
	c.check(t)
}

// upload puts the files of a folder into a bucket.
func upload(t *testing.T, folder, uri string) {
	t.Helper()
	store := new(objects.Store)
	defer store.Close()
	bucket, err := store.Bucket(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err == nil {
			err = bucket.CreateIfAbsent(t.Context(), f.Name(), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// machine has two folders, in which nothing is, and nothing may be left.
type machine struct{ work, temp string }

func newMachine(t *testing.T) machine { return machine{t.TempDir(), t.TempDir()} }

// at makes a command one of the machine. It keeps of its environment what it has been told, and where the storage is.
func (m machine) at(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = m.work
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool {
		return !strings.HasPrefix(v, childEnv+"=") && !strings.HasPrefix(v, "STORAGE_EMULATOR_HOST=")
	})
	cmd.Env = append(cmd.Env, "TMPDIR="+m.temp)
	return cmd
}

func (m machine) checkEmpty(t *testing.T) {
	t.Helper()
	for _, folder := range []string{m.work, m.temp} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left on the machine: %v, %v", left, err)
		}
	}
}
