package objects

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// signature is what an object of a lease says: who holds the lock.
type signature struct {
	Holder string `json:"holder"`          // random, of one holder of one lock
	Free   bool   `json:"free,omitempty"`  // it has let go
	Name   string `json:"name,omitempty"`  // of the machine, for people
	Host   string `json:"host,omitempty"`  // where PID means a process: a boot of a kernel and a namespace; "" if unknown
	PID    int    `json:"pid"`             // there
	Start  string `json:"start,omitempty"` // when that process began, since the boot: ids of processes are used again
}

func newSignature() signature {
	s := signature{Holder: rand.Text(), PID: os.Getpid()}
	s.Name, _ = os.Hostname() // a machine may have no name
	boot, err1 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, err2 := os.Readlink("/proc/self/ns/pid")
	self, err3 := os.Readlink("/proc/self")
	state, err4 := stateOf(s.PID)
	// A /proc of another namespace knows this process by another id.
	if errors.Join(err1, err2, err3, err4) == nil && self == strconv.Itoa(s.PID) {
		s.Host, s.Start = strings.TrimSpace(string(boot))+" "+namespace, state.start
	}
	return s
}

// String names the holder for people, as far as it is known.
func (s signature) String() string {
	switch {
	case s.Holder == "":
		return "another process"
	case s.Name == "":
		return fmt.Sprintf("process %d", s.PID)
	}
	return fmt.Sprintf("process %d on %s", s.PID, s.Name)
}

// isDead says whether the holder is a process of this machine that is known to have ended.
func (s signature) isDead(own signature) bool {
	if s.Host == "" || s.Host != own.Host {
		return false
	}
	// A /proc that hides the processes of others looks as if there were none, so the kernel is asked.
	p, err := os.FindProcess(s.PID)
	if err == nil {
		err = errors.Join(p.Signal(syscall.Signal(0)), p.Release())
	}
	if errors.Is(err, os.ErrProcessDone) {
		return true
	}
	state, err := stateOf(s.PID)
	return err == nil && (state.start != s.Start || state.ended)
}

// processState is what Linux says of a process.
type processState struct {
	start string // in ticks since the boot
	ended bool   // its parent has not looked yet
}

// stateOf reads the state of a process: see proc_pid_stat(5).
func stateOf(pid int) (processState, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processState{}, err
	}
	// The second field is a name in parentheses, which may itself hold both spaces and parentheses.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const state, start = 0, 19 // the third and the 22nd field
	if len(fields) <= start {
		return processState{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return processState{start: fields[start], ended: fields[state] == "Z" || fields[state] == "X"}, nil
}
