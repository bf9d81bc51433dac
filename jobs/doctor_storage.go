package jobs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mapper/client/objects"
	"mapper/jobs/table"
)

// How long the Doctor waits for the storage.
const (
	storageWithin = 13 * time.Second // for everything
	cleanWithin   = 3 * time.Second  // to delete what it has written, on top
	silentAfter   = 18 * time.Second // a storage that does not even heed the end of its context
	giveUpStorage = 4 * time.Second  // for one operation
)

// place is a storage that is examined, and what is known of it so far.
type place struct {
	subject
	table *table.Table
	about *table.About // nil when there is no table yet
	key   string       // of the object that is created
	made  []string     // local folders that there were not before, the innermost first
}

// storage examines the storage. A file system or an SDK that hangs is left hanging: its goroutine ends when it answers.
func (s subject) storage(ctx context.Context) []Check {
	done := make(chan []Check, 1)
	go func() {
		p := &place{subject: s, key: "_runs/.doctor-" + rand.Text()}
		if p.store == nil {
			p.store = &objects.Store{GiveUpAfter: giveUpStorage}
			defer p.store.Close() // which only lets go of idle connections
		}
		done <- p.examine(ctx)
	}()
	select {
	case checks := <-done:
		return checks
	case <-time.After(silentAfter):
		return new(place).checks(ctx, func() Check { return failed(s.tooLong()) })
	}
}

func (s subject) tooLong() error {
	return &objects.Error{URI: s.out, Kind: objects.ErrUnavailable, Err: errors.New("no answer in time")}
}

func (p *place) examine(ctx context.Context) []Check {
	limited, cancel := context.WithTimeoutCause(ctx, storageWithin, p.tooLong())
	defer cancel()
	p.made = missingFolders(p.out)
	defer p.removeFolders()
	return p.checks(limited, func() Check { return p.look(limited) })
}

// missingFolders returns the local folders that have to be made for an object of a table, the innermost first.
func missingFolders(out string) (missing []string) {
	if strings.Contains(out, "://") {
		return nil
	}
	folder, err := filepath.Abs(filepath.Join(out, "_runs"))
	for err == nil {
		if _, there := os.Lstat(folder); !errors.Is(there, fs.ErrNotExist) {
			break
		}
		missing = append(missing, folder)
		folder = filepath.Dir(folder)
	}
	return missing
}

// removeFolders removes the folders that were made, if nothing is in them: somebody may use them already.
func (p *place) removeFolders() {
	for _, folder := range p.made {
		if os.Remove(folder) != nil {
			return
		}
	}
}

func (p *place) checks(ctx context.Context, look func() Check) []Check {
	var r rounds
	r.check("storage", look)
	r.check("table", p.owner, "storage")
	r.check("write", func() Check { return p.write(ctx) }, "table")
	r.check("create-if-absent", func() Check { return p.writeAgain(ctx) }, "write")
	r.check("delete", func() Check { return p.remove(ctx) }, "write")
	return r.done
}

// look reads what the table says about itself, which needs a storage that answers.
func (p *place) look(ctx context.Context) Check {
	t, err := table.Open(ctx, p.store, p.out)
	var cloud *objects.Error
	switch {
	case errors.As(err, &cloud):
		return failed(err)
	case err != nil:
		return failed(usagef("--out: %v", err))
	}
	p.table = t
	about, err := t.About(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fine("%s answers, and holds no table yet", p.out)
	case err != nil:
		return p.denied(err)
	}
	p.about = &about
	return fine("%s answers, and holds a table", p.out)
}

// denied is what failed says, but for local files: the system says less of them than a storage in the cloud.
func (p *place) denied(err error) Check {
	var cloud *objects.Error
	if errors.As(err, &cloud) || !isDenied(err) {
		return failed(err)
	}
	c := failed(&objects.Error{URI: p.out, Kind: fs.ErrPermission, Err: err})
	c.Detail, c.Remedy = err.Error(), letWrite
	return c
}

// owner looks whether the table is of the service and environment that the credentials are for.
func (p *place) owner() Check {
	switch {
	case p.about == nil:
		return fine("the first run makes it one of %s, environment %s", p.service, p.environment)
	case p.about.Service != p.service || p.about.Environment != p.environment:
		return failed(fmt.Errorf("%w: it holds UIDs of %s, environment %s, and this is %s, environment %s; give another --out",
			table.ErrOtherTable, p.about.Service, p.about.Environment, p.service, p.environment))
	}
	return fine("it is one of %s, environment %s", p.service, p.environment)
}

// write creates a small object where nobody looks for one, and reads it back.
func (p *place) write(ctx context.Context) Check {
	first := p.content("first")
	if err := p.table.Bucket.CreateIfAbsent(ctx, p.key, first); err != nil {
		return p.undo(ctx, p.denied(err))
	}
	switch got, err := p.table.Bucket.ReadAll(ctx, p.key); {
	case err != nil:
		return p.undo(ctx, p.denied(err))
	case !bytes.Equal(got, first):
		return p.undo(ctx, failed(errors.New("an object is not what has been written to it; the storage cannot hold a table: give another --out")))
	}
	return fine("an object was created and read back")
}

// undo deletes what a write that failed may have left.
func (p *place) undo(ctx context.Context, c Check) Check {
	if errors.Is(c.err, fs.ErrPermission) {
		return c
	}
	if removed := p.remove(ctx); removed.State != StateOK {
		c.Detail += " (if it is there, " + removed.Detail + ")"
	}
	return c
}

func (p *place) content(which string) []byte {
	return []byte("written by mapper doctor to see whether it can be; may be deleted\n" + which + "\n")
}

// writeAgain creates the object once more, which must fail and change nothing: this is all that keeps two runs apart.
func (p *place) writeAgain(ctx context.Context) Check {
	broken := errors.New("the storage replaced an object that it was asked not to replace; it cannot hold a table: give another --out")
	err := p.table.Bucket.CreateIfAbsent(ctx, p.key, p.content("second"))
	switch {
	case err == nil:
		return failed(broken)
	case !errors.Is(err, fs.ErrExist):
		return p.denied(err)
	}
	switch got, err := p.table.Bucket.ReadAll(ctx, p.key); {
	case err != nil:
		return p.denied(err)
	case !bytes.Equal(got, p.content("first")):
		return failed(broken)
	}
	return fine("a second object of the same name was refused")
}

// remove deletes the object, also when there is no time left for anything else. map needs no right to delete.
func (p *place) remove(ctx context.Context) Check {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanWithin)
	defer cancel()
	if err := p.table.Bucket.Delete(limited, p.key); err != nil {
		return doubtful("map needs no right to delete, but delete this object by hand", "%s stays: %s", p.table.Bucket.URI(p.key), strings.Join(strings.Fields(err.Error()), " "))
	}
	return fine("the object is gone again")
}
