package sinks

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The limit on the size of files is the process's, and holds for test logs too, so that the test that fills
// the disk is a process of its own.
const faultEnv = "SINKS_TEST_FULL_DISK"

// TestFullDisk runs testFullDisk in a process of its own.
func TestFullDisk(t *testing.T) {
	if os.Getenv(faultEnv) != "" {
		testFullDisk(t)
		return
	}
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), faultEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk") {
		t.Errorf("%v\n%s", err, out)
	}
}

// testFullDisk writes a part again and again, and lets no file grow beyond a limit that rises until nothing
// fails any more: so every write fails once, at its first byte and midway.
func testFullDisk(t *testing.T) {
	signal.Ignore(unix.SIGXFSZ) // the write then fails with EFBIG
	var unlimited unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &unlimited); err != nil {
		t.Fatal(err)
	}
	limitTo := func(limit uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: unlimited.Max}); err != nil {
			t.Fatal(err)
		}
	}
	f := newFolder(t)
	w := newWriter(t, f, Options{RowGroupRows: 700, RefreshGroupRows: 500, Compression: CompressionNone})
	rows := benchRows(2000)
	const step = streamBuffer / 4
	for limit := uint64(0); ; limit += step {
		limitTo(limit)
		failed := writeUntilError(w, rows)
		limitTo(unlimited.Cur)
		if failed == nil {
			t.Logf("no write fails with %d bytes", limit)
			if limit < 10*step || len(f.files(t)) != 3 {
				t.Errorf("nothing fails with %d bytes, and there are %v", limit, f.files(t))
			}
			return
		}
		if !errors.Is(failed, unix.EFBIG) || !strings.Contains(failed.Error(), "/run=r1/part-0-0-") {
			t.Fatalf("%d bytes: got error %v, want one of the file size that names the part", limit, failed)
		}
		if got := w.Mapped(rows[0:][:1]); got == nil {
			t.Fatalf("%d bytes: Mapped returned no error after %v", limit, failed)
		}
		if files, got := w.Seal(); got == nil || len(files) > 0 {
			t.Fatalf("%d bytes: Seal returned %v, %v after %v", limit, files, got, failed)
		}
		if err := w.Abort(); err != nil {
			t.Fatalf("%d bytes: Abort: %v", limit, err)
		}
		if left := f.files(t); len(left) > 0 {
			t.Fatalf("%d bytes: left are %v", limit, left)
		}
	}
}

func writeUntilError(w *Writer, rows []Row) error {
	if err := w.Begin(context.Background(), 0, 0); err != nil {
		return err
	}
	for i := range rows {
		if err := w.Mapped(rows[i:][:1]); err != nil {
			return err
		}
		if err := w.Unmapped(rows[i:][:1]); err != nil {
			return err
		}
	}
	_, err := w.Seal()
	return err
}
