package objects

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// foreign makes a lease of a process look like one of a machine of its own.
func foreign(b *Bucket) *lease {
	l := newLease(b.in.(*remote), "l")
	l.sign.Host = "host of " + l.sign.Holder
	return l
}

func refuse(holder string) error { return fmt.Errorf("%w by %s", ErrLocked, holder) }

func wait(string) error { return nil }

// try is TryLock of a process on a machine of its own.
func (p *process) try(t *testing.T) (*Lock, error) {
	return foreign(p.bucket()).lock(t.Context(), LockOptions{}, refuse)
}

func (p *process) mustTry(t *testing.T) *Lock {
	t.Helper()
	l, err := p.try(t)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// die ends a process: nothing that it still does reaches anybody.
func (p *process) die(l *Lock) {
	p.set(func(p *process) { p.down = errors.New("dead") })
	_ = l.Release() // ends the goroutine
}

func mustRelease(t *testing.T, l *Lock) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func isLost(l *Lock) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

// inTime runs a test with two processes on two machines, in virtual time.
func inTime(t *testing.T, test func(t *testing.T, a, b *process)) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{objects: map[string]stored{}}
		a, b := newProcess(m, 1), newProcess(m, 2)
		a.delay, b.delay = 100*time.Millisecond, 100*time.Millisecond
		test(t, a, b)
	})
}

// since fails unless the time that has passed is from least to most.
func since(t *testing.T, began time.Time, least, most time.Duration) {
	t.Helper()
	if took := time.Since(began); took < least || took > most {
		t.Errorf("it took %s, expected %s to %s", took, least, most)
	}
}

func TestLeaseRefusedWhileAlive(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		for range 50 {
			time.Sleep(700 * time.Millisecond)
			began := time.Now()
			if _, err := b.try(t); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
				t.Fatalf("got %v", err)
			}
			since(t, began, 0, leaseBeat+leaseLook+2*time.Second)
		}
		if n := len(a.keys("l/")); n > 2 {
			t.Errorf("there are %d objects", n)
		}
		mustRelease(t, held)
	})
}

// TestLeaseHandedOver: a lock that is let go is taken by the one who waits, and numbers go on.
func TestLeaseHandedOver(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		var told []time.Duration
		got := make(chan *Lock)
		go func() {
			options := LockOptions{OnWait: func(_ string, patience time.Duration) { told = append(told, patience) }}
			l, err := b.bucket().Lock(t.Context(), "l", options)
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		time.Sleep(time.Minute)
		began := time.Now()
		mustRelease(t, held)
		next := <-got
		since(t, began, 0, leaseLook+2*time.Second)
		if !reflect.DeepEqual(told, []time.Duration{0}) {
			t.Errorf("told %v", told)
		}
		before := a.keys("l/")
		mustRelease(t, next)
		after := a.keys("l/")
		if len(after) != 1 || after[0] <= before[0] || leaseNumber(after[0]) < 20 {
			t.Errorf("left %v after %v", after, before)
		}
		if err := a.bucket().DropLocks(t.Context(), "l"); err != nil || a.keys("") != nil {
			t.Errorf("left %v, %v", a.keys(""), err)
		}
	})
}

// TestLeaseOfDeadHolder: it is waited for as long as a holder may be silent, and the user is told.
func TestLeaseOfDeadHolder(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		time.Sleep(10 * time.Second)
		a.die(held)
		time.Sleep(time.Hour) // nobody goes by any clock but his own
		began := time.Now()
		var told []string
		options := LockOptions{OnWait: func(holder string, patience time.Duration) {
			told = append(told, holder)
			if patience < leaseStale-leaseQuiet-leaseBeat || patience > leaseStale-leaseQuiet {
				t.Errorf("patience for %s", patience)
			}
		}}
		next, err := foreign(b.bucket()).lock(t.Context(), options, refuse)
		if err != nil {
			t.Fatal(err)
		}
		since(t, began, leaseStale, leaseStale+leaseBeat)
		if len(told) != 1 || !strings.Contains(told[0], "process") {
			t.Errorf("told %q", told)
		}
		mustRelease(t, next)
	})
}

// TestLeaseOfDeadProcessHere: whether a process of the same machine lives need not be waited for.
func TestLeaseOfDeadProcessHere(t *testing.T) {
	own := newSignature()
	if own.Host == "" {
		t.Skip("this machine does not say which it is")
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*signature)
		dead   bool
	}{
		"ended":                 {func(s *signature) { s.PID = child.Process.Pid }, true},
		"its id was used again": {func(s *signature) { s.Start = "1" }, true},
		"alive":                 {func(*signature) {}, false},
		"ended, elsewhere":      {func(s *signature) { s.Host = "elsewhere"; s.PID = child.Process.Pid }, false},
		"ended, nobody knows":   {func(s *signature) { s.Host = ""; s.PID = child.Process.Pid }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, a, b *process) {
				dying := newLease(a.bucket().in.(*remote), "l")
				c.change(&dying.sign)
				held, err := dying.lock(t.Context(), LockOptions{}, refuse)
				if err != nil {
					t.Fatal(err)
				}
				a.die(held)
				began := time.Now()
				next, err := b.bucket().TryLock(t.Context(), "l", LockOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if c.dead {
					since(t, began, 0, time.Second)
				} else {
					since(t, began, leaseStale, leaseStale+leaseBeat)
				}
				mustRelease(t, next)
			})
		})
	}
}

func startOf(t *testing.T, pid int) string {
	t.Helper()
	s, err := stateOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return s.start
}

// TestLeaseZombie: a process that has ended is dead, also while its parent has not looked.
func TestLeaseZombie(t *testing.T) {
	own := newSignature()
	if own.Host == "" {
		t.Skip("this machine does not say which it is")
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	s := own
	s.PID, s.Start = child.Process.Pid, startOf(t, child.Process.Pid)
	buf := make([]byte, 1<<10)
	for err == nil {
		_, err = out.Read(buf) // to its end, which is the child's
	}
	for deadline := time.Now().Add(10 * time.Second); !s.isDead(own); {
		if time.Now().After(deadline) {
			t.Fatal("a zombie lives")
		}
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if !s.isDead(own) {
		t.Error("a dead process lives")
	}
}

// TestLeaseStorageFails: as long as nobody takes the lock it is held; who takes it has it.
func TestLeaseStorageFails(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		fail := func(d time.Duration) {
			a.set(func(p *process) { p.down = errors.New("HTTP 503") })
			time.Sleep(d)
			a.set(func(p *process) { p.down = nil })
		}
		fail(time.Hour)
		time.Sleep(leaseBeat)
		if isLost(held) {
			t.Fatal("it is lost, and nobody has it")
		}
		go fail(leaseStale - leaseBeat - leaseRetry - time.Second)
		if _, err := b.try(t); !errors.Is(err, ErrLocked) {
			t.Errorf("a holder that was silent for less than 15 s: %v", err)
		}
		time.Sleep(time.Minute)
		go fail(time.Minute)
		next := b.mustTry(t)
		if isLost(held) {
			t.Error("it is known to be lost, though nothing is heard")
		}
		time.Sleep(time.Minute)
		if !isLost(held) || isLost(next) {
			t.Errorf("lost: %v and %v", isLost(held), isLost(next))
		}
		mustRelease(t, held)
		if _, err := a.try(t); !errors.Is(err, ErrLocked) {
			t.Errorf("a lock that another has taken over was let go: %v", err)
		}
		mustRelease(t, next)
	})
}

// TestLeasePaused: who sleeps too long has lost, and its next step does no harm.
func TestLeasePaused(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		a.set(func(p *process) { p.asleep = time.Now().Add(time.Minute) })
		next := b.mustTry(t)
		time.Sleep(time.Minute + time.Millisecond)
		held.Sure(t.Context()) // it has just woken up
		next.Sure(t.Context())
		if !isLost(held) || isLost(next) {
			t.Errorf("lost: %v and %v", isLost(held), isLost(next))
		}
		mustRelease(t, held)
		mustRelease(t, next)
	})
}

// TestLeaseEndsWhileWaiting: with the context.
func TestLeaseEndsWhileWaiting(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		held := a.mustTry(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("enough"))
		defer cancel()
		if _, err := b.bucket().Lock(ctx, "l", LockOptions{}); err == nil || err.Error() != "enough" {
			t.Errorf("got %v", err)
		}
		mustRelease(t, held)
		if _, err := b.bucket().Lock(ctx, "l", LockOptions{}); err == nil || err.Error() != "enough" {
			t.Errorf("got %v", err)
		}
	})
}

// TestLeaseLateBeat: a sign of life that was given up arrives while the lock is let go, in the place of the object
// that says so.
func TestLeaseLateBeat(t *testing.T) {
	inTime(t, func(t *testing.T, a, b *process) {
		l := foreign(a.bucket())
		if own, err := l.step(t.Context()); err != nil || !own {
			t.Fatal(own, err)
		}
		late := *l
		if own, err := late.step(t.Context()); err != nil || !own {
			t.Fatal(own, err)
		}
		if err := l.free(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		mustRelease(t, b.mustTry(t))
		since(t, began, 0, 2*time.Second)
	})
}

// TestLeaseOthersObjects: what is no part of a lease does not disturb it; what claims to be, and is not, is named.
func TestLeaseOthersObjects(t *testing.T) {
	inTime(t, func(t *testing.T, a, _ *process) {
		bucket := a.bucket()
		for _, key := range []string{"l/", "l/note", "l/-00000000001", "l/0000000000012", "l2/000000000009"} {
			if err := bucket.CreateIfAbsent(t.Context(), key, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		mustRelease(t, a.mustTry(t))
		if err := bucket.CreateIfAbsent(t.Context(), "l/000000000007", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.try(t); err == nil || !strings.Contains(err.Error(), "l/000000000007 is damaged") {
			t.Errorf("got %v", err)
		}
	})
}
