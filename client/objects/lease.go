package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// lease is a lock in a cloud, as one process that wants or holds it has it: a heartbeat made of objects that are
// created if absent, <key>/000000000001 and so on. The one with the highest number says who holds the lock, or that it
// is free. Every step, taking the lock, a sign of life, letting go, is the same one: to create the next number, to list,
// to go by whose object is the highest, and only then to delete lower ones. So numbers never begin anew, and a process
// that slept through others' steps may create an object that was there before, but finds higher ones beside it.
//
// Whether a holder is alive is judged by the observer's monotonic clock: a number that stays the highest for too
// long is dead. No process compares its clock with another's.
type lease struct {
	in     *remote
	folder string // ends with a slash
	sign   signature
	n      int64    // the number of the last object that it has created, or has seen before it has created any
	lower  []string // keys to be deleted, since a higher one is there
}

const (
	leaseBeat  = 3 * time.Second        // between a holder's signs of life
	leaseLimit = 5 * time.Second        // for one sign of life: another attempt has to fit before others lose patience
	leaseRetry = time.Second            // after a sign of life that failed
	leaseStale = 15 * time.Second       // without a sign of life a holder counts as dead
	freeLimit  = 10 * time.Second       // for letting go: a process that is told to end has little time
	leaseQuiet = 5 * time.Second        // without a sign of life those who wait are told
	leaseLook  = 500 * time.Millisecond // between an observer's looks
)

func newLease(in *remote, key string) *lease {
	return &lease{in: in, folder: key + "/", sign: newSignature()}
}

// leaseDigits are enough for a beat a second over 30,000 years, and let names sort as numbers.
const leaseDigits = 12

func (l *lease) key(n int64) string { return fmt.Sprintf("%s%0*d", l.folder, leaseDigits, n) }

// leaseNumber returns the number of an object, or 0 for one that has no part in a lease.
func leaseNumber(key string) int64 {
	name := key[strings.LastIndexByte(key, '/')+1:]
	n, err := strconv.ParseInt(name, 10, 64)
	if err != nil || len(name) != leaseDigits || n < 0 {
		return 0
	}
	return n
}

// sight is what an observer has seen: the highest object, and since when it has been that.
type sight struct {
	n     int64
	of    signature
	since time.Time
	told  bool
}

// lock takes the lock, once it is free or its holder dead. Of each sign of a holder's life it tells met, and ends when
// that fails.
func (l *lease) lock(ctx context.Context, o LockOptions, met func(holder string) error) (*Lock, error) {
	var seen sight
	for {
		began := time.Now()
		now, err := l.look(ctx, seen)
		if err != nil {
			return nil, err
		}
		vacant := now.of.Free || now.of.isDead(l.sign)
		if moved := !seen.since.IsZero() && now.n != seen.n; moved && !vacant {
			if err := met(now.of.String()); err != nil {
				return nil, err
			}
		}
		seen = now
		silent := began.Sub(seen.since) // not counting how long the looking takes
		if vacant || silent >= leaseStale {
			held, err := l.claim(ctx, seen.n)
			if err != nil {
				return nil, err
			}
			if held {
				return l.hold(ctx), nil
			}
			continue // somebody was faster, who is seen now
		}
		if silent >= leaseQuiet && !seen.told {
			seen.told = true
			o.tell(seen.of.String(), leaseStale-silent)
		}
		if err := pause(ctx, leaseLook); err != nil {
			return nil, err
		}
	}
}

// look returns which object is the highest now. While that is the one seen before, it is not read again. Of one that is
// gone before it is read, only the number is known.
func (l *lease) look(ctx context.Context, seen sight) (sight, error) {
	n, err := l.list(ctx)
	if err != nil || n == seen.n && !seen.since.IsZero() {
		return seen, err
	}
	now := sight{n: n, of: signature{Free: true}}
	if n > 0 {
		if now.of, err = l.read(ctx, n); isGone(err) {
			err = nil
		}
	}
	now.since = time.Now()
	return now, err
}

// claim takes the place above n. If that fails, what is there now says what has come of it: whoever has created the
// object in the way may have deleted it before it could be read.
func (l *lease) claim(ctx context.Context, n int64) (held bool, err error) {
	l.n = n
	if held, err = l.step(ctx); err == nil || ctx.Err() != nil {
		return held, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	highest, looked := l.list(ctx)
	if looked != nil || highest <= n {
		return false, err
	}
	there, looked := l.read(ctx, n+1)
	if looked != nil && !isGone(looked) {
		return false, err
	}
	l.n = n + 1
	return highest == n+1 && there.Holder == l.sign.Holder, nil
}

// step creates the next object and says whether it is the highest, so that the lock is this process's own. After an
// error that is not known; then a step more is as good as this one again.
func (l *lease) step(ctx context.Context) (own bool, err error) {
	if own, err = l.advance(ctx); err != nil || !own {
		return false, err
	}
	highest, err := l.list(ctx)
	return err == nil && highest <= l.n, err
}

// advance creates the next object, and says whether that has this process's signature.
func (l *lease) advance(ctx context.Context) (own bool, err error) {
	data, err := json.Marshal(l.sign)
	if err != nil {
		return false, err
	}
	err = l.in.put(ctx, l.key(l.n+1), data)
	there := l.sign
	if errors.Is(err, fs.ErrExist) {
		there, err = l.read(ctx, l.n+1)
	}
	switch {
	case isGone(err) || err == nil && there.Holder != l.sign.Holder:
		return false, nil // somebody else's, or deleted already because somebody else has gone on
	case err != nil:
		return false, err
	}
	l.n++
	if there != l.sign {
		return l.advance(ctx) // a sign of life that was given up has arrived after all, and now the lock is let go
	}
	return true, nil
}

// list returns the highest number, or 0, and remembers what is below.
func (l *lease) list(ctx context.Context) (highest int64, err error) {
	l.lower = nil
	for e, err := range l.in.list(ctx, l.folder) {
		if err != nil {
			return 0, err
		}
		n := leaseNumber(e.key)
		if n == 0 {
			continue
		}
		if highest > 0 {
			l.lower = append(l.lower, l.key(highest))
		}
		highest = n
	}
	return highest, nil
}

// tidy deletes the objects below the highest. What it cannot delete is listed again by whoever makes the next step.
func (l *lease) tidy(ctx context.Context) {
	for _, key := range l.lower {
		if err := l.in.remove(ctx, key); err != nil {
			return
		}
	}
}

func (l *lease) read(ctx context.Context, n int64) (s signature, err error) {
	e, err := l.in.stat(ctx, l.key(n))
	if err != nil {
		return s, err
	}
	f, err := l.in.open(ctx, e)
	if err != nil {
		return s, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%s is damaged, delete it: %w", l.in.uri(l.key(n)), err)
	}
	return s, nil
}

// isGone says whether an object was deleted before it could be read: a higher one is there.
func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrChanged) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
