//go:build amd64 || arm64

package jobs_test

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// canTrace says that the system calls of a process can be seen.
const canTrace = true

// syscallStop is how PTRACE_O_TRACESYSGOOD marks a stop before or after a system call.
const syscallStop = syscall.SIGTRAP | 0x80

// traced runs a process until it has ended. Each system call that changes a file or a folder, or makes sure that it is
// on disk, is a step before it is made and another one after it.
func traced(cmd *exec.Cmd, s *steps) (syscall.WaitStatus, error) {
	runtime.LockOSThread() // only the thread that has started a process is its tracer
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	if _, err := wait(pid, &status); err != nil {
		return 0, err
	}
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACESYSGOOD
	if err := syscall.PtraceSetOptions(pid, options); err != nil {
		return 0, fmt.Errorf("ptrace options: %w", err)
	}
	s.add(cmd.Process)
	return status, watchCalls(pid, &status, s)
}

// watchCalls lets the threads of a process run from one system call to the next, until the process has ended.
func watchCalls(pid int, status *syscall.WaitStatus, s *steps) error {
	known := map[int]bool{pid: true}
	thread, pass := pid, 0
	for {
		// A thread that is killed in its stop cannot be resumed; its end is reported.
		if err := syscall.PtraceSyscall(thread, pass); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ptrace: %w", err)
		}
		for {
			var err error
			if thread, err = wait(-1, status); err != nil {
				return fmt.Errorf("wait: %w", err)
			}
			if status.Stopped() {
				break
			}
			if thread == pid {
				return nil
			}
		}
		pass = 0
		switch signal := status.StopSignal(); {
		case signal == syscallStop:
			if err := seeCall(thread, s); err != nil {
				return err
			}
		case signal == syscall.SIGTRAP: // a thread was made
		case signal == syscall.SIGSTOP && !known[thread]: // it begins
			known[thread] = true
		default:
			pass = int(signal)
		}
	}
}

// wait waits for children of this thread alone, so that others can run processes of their own.
func wait(pid int, status *syscall.WaitStatus) (changed int, err error) {
	for {
		changed, err = syscall.Wait4(pid, status, unix.WALL|unix.WNOTHREAD, nil)
		if !errors.Is(err, syscall.EINTR) {
			return changed, err
		}
	}
}

// changing are the system calls that are steps.
var changing = map[uint64]string{
	unix.SYS_LINKAT: "linkat", unix.SYS_UNLINKAT: "unlinkat", unix.SYS_MKDIRAT: "mkdirat", unix.SYS_RENAMEAT: "renameat",
	unix.SYS_RENAMEAT2: "renameat2", unix.SYS_OPENAT: "openat", unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync",
	unix.SYS_FTRUNCATE: "ftruncate",
}

// seeCall looks at the call that a thread is about to make or has made.
func seeCall(thread int, s *steps) error {
	c, err := callOf(thread)
	if errors.Is(err, syscall.ESRCH) {
		return nil // killed meanwhile
	}
	if err != nil {
		return fmt.Errorf("ptrace registers: %w", err)
	}
	name, ok := changing[c.number]
	if !ok || c.number == unix.SYS_OPENAT && c.flags&syscall.O_CREAT == 0 {
		return nil
	}
	when := "before "
	if c.returned {
		when = "after "
	}
	s.step(when + name)
	return nil
}

// call is a system call.
type call struct {
	number   uint64
	flags    uint64 // the third argument, which is that of openat
	returned bool
}
