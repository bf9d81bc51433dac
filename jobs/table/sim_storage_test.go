package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"mapper/client/objects"
)

// simObject is what the simulated storage has under a key.
type simObject struct {
	data     []byte
	creator  string // the attempt that created it, by which the real bucket knows its own object again
	modified time.Time
}

// simOperation is one operation of a process, which waits until the scheduler lets it happen.
type simOperation struct {
	by      *simProcess
	ctx     context.Context
	what    string
	key     string
	changes bool         // the storage
	effect  func() error // at one moment; may happen again, or later
	reply   chan error
}

func (o *simOperation) String() string { return fmt.Sprintf("%s %s %s", o.by, o.what, o.key) }

// simBucket is the storage as one process sees it.
type simBucket struct {
	world *world
	by    *simProcess
}

// do waits for the scheduler to carry an operation out. A dead process does nothing any more: it only returns.
func (b *simBucket) do(ctx context.Context, what, key string, changes bool, effect func() error) error {
	o := &simOperation{by: b.by, ctx: ctx, what: what, key: key, changes: changes, effect: effect, reply: make(chan error, 1)}
	if !b.world.submit(o) {
		return errKilled
	}
	return <-o.reply
}

func (b *simBucket) URI(key string) string { return "sim://" + key }

func (b *simBucket) ReadAll(ctx context.Context, key string) (data []byte, err error) {
	err = b.do(ctx, "read", key, false, func() error {
		o, ok := b.world.objects[key]
		if !ok {
			return fmt.Errorf("sim://%s: %w", key, fs.ErrNotExist)
		}
		data = o.data
		b.world.saw(key, data)
		return nil
	})
	if b.world.sabotage == existsIsAVerdict {
		data = []byte(strings.ReplaceAll(string(data), `"writer": "`+b.by.table.Writer+`"`, `"writer": "somebody else"`))
	}
	return data, err
}

func (b *simBucket) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	creator := b.by.next("attempt")
	return b.do(ctx, "create", key, true, func() error { return b.world.create(key, creator, data) })
}

func (b *simBucket) Delete(ctx context.Context, key string) error {
	return b.do(ctx, "delete", key, true, func() error {
		b.world.remove(key)
		return nil
	})
}

func (b *simBucket) Entries(ctx context.Context, prefix string) (entries []objects.Entry, err error) {
	err = b.do(ctx, "list", prefix, false, func() error {
		for key, o := range b.world.objects {
			if strings.HasPrefix(key, prefix) {
				entries = append(entries, objects.Entry{Key: key, Size: int64(len(o.data)), Modified: o.modified})
			}
		}
		return nil
	})
	slices.SortFunc(entries, func(a, b objects.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, err
}

func (b *simBucket) List(ctx context.Context, prefix string) (keys []string, err error) {
	entries, err := b.Entries(ctx, prefix)
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys, err
}

func (b *simBucket) Folders(ctx context.Context, folder string) (names []string, err error) {
	if b.world.life != nil {
		return b.pages(ctx, folder)
	}
	keys, err := b.List(ctx, folder+"/")
	for _, key := range keys {
		if name, _, below := strings.Cut(strings.TrimPrefix(key, folder+"/"), "/"); below {
			names = append(names, name)
		}
	}
	return slices.Compact(names), err
}

// What follows is of uploads that are cut off, of which the simulated storage keeps nothing.

func (b *simBucket) Unfinished(context.Context, string) ([]objects.Unfinished, error) {
	return nil, nil
}
func (b *simBucket) Drop(context.Context, objects.Unfinished) error { return nil }
func (b *simBucket) Sweep(string) error                             { return nil }
func (b *simBucket) DropLocks(context.Context, string) error        { return nil }

// create is the one primitive of the storage.
func (w *world) create(key, creator string, data []byte) error {
	there, ok := w.objects[key]
	switch {
	case ok && there.creator == creator:
		return nil
	case ok && (w.sabotage != nothingIsHonoured || key == "_runs/table.json"): // of which Claim would notice
		return fmt.Errorf("sim://%s: %w", key, fs.ErrExist)
	}
	w.objects[key] = simObject{data: data, creator: creator, modified: time.Now()}
	w.created(key, creator, data)
	return nil
}

func (w *world) remove(key string) {
	if _, ok := w.objects[key]; ok {
		delete(w.objects, key)
		w.removed(key)
	}
}

var (
	errKilled     = errors.New("this process has been killed")
	errOutOfReach = fmt.Errorf("simulated: %w", objects.ErrUnavailable)
)

// fault is what goes wrong with an operation.
type fault string

const (
	noFault      fault = "operation happens"
	fails        fault = "operation fails, nothing happens"
	repliesLost  fault = "operation happens, its reply is lost"
	happensLater fault = "operation is given up and happens later"
	happensAgain fault = "operation happens, and once more later"
	killedBefore fault = "killed before an operation"
	killedAfter  fault = "killed after an operation"
	pausedBefore fault = "paused before an operation"
)

// faults are those that can befall an operation.
func faults(changes bool) []fault {
	if changes {
		return []fault{fails, repliesLost, happensLater, happensAgain, killedBefore, killedAfter, pausedBefore}
	}
	return []fault{fails, killedBefore, pausedBefore}
}

// perform lets an operation happen, with a fault or without.
func (w *world) perform(o *simOperation, f fault) {
	w.total(string(f))
	w.trace("%s: %s", o, f)
	switch f {
	case noFault:
		o.reply <- o.effect()
	case fails:
		o.reply <- errOutOfReach
	case repliesLost:
		o.reply <- w.resolve(o, o.effect())
	case happensLater:
		w.late = append(w.late, o)
		o.reply <- errOutOfReach
	case happensAgain:
		w.late = append(w.late, o)
		o.reply <- o.effect()
	case killedBefore:
		o.reply <- errKilled
		w.kill(o.by)
	case killedAfter:
		_ = o.effect() // nobody is there to see how it went
		o.reply <- errKilled
		w.kill(o.by)
	}
}

// resolve is what a bucket makes of a lost reply: mostly it looks, and knows its own creation again; sometimes it cannot
// look; and to who writes to the storage without a bucket of ours, a repeated creation finds an object in its way.
func (w *world) resolve(o *simOperation, err error) error {
	if o.what != "create" || err != nil {
		return errOutOfReach
	}
	switch n := w.rng.IntN(3); {
	case (n == 0 || w.sabotage == existsIsAVerdict) && strings.HasSuffix(o.key, ".json"):
		return fmt.Errorf("sim://%s: %w", o.key, fs.ErrExist)
	case n == 1:
		return errOutOfReach
	}
	return nil
}
