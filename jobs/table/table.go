package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sync"
	"time"

	"mapper/client/objects"
)

// Version is the version of every object under _runs/. A reader refuses a later one.
const Version = 1

var (
	// ErrOtherTable means that the table belongs to another service or environment.
	ErrOtherTable = errors.New("the table belongs to another service or environment")
	// ErrFenced means that another process has sealed a part in this one's place.
	ErrFenced = errors.New("another process has taken over this run; this one stops")
	// ErrHeld means that a live process is working on the run.
	ErrHeld = errors.New("another process is working on this run; wait for it, or stop it first")
	// ErrDamaged means that the storage has lost or changed a part of the state.
	ErrDamaged = errors.New("is damaged")
	// ErrCommitted means that a run that was to be aborted has been committed.
	ErrCommitted = errors.New("the run has been committed, so it cannot be aborted")
	// ErrBusy means that a run cannot be planned while another is unfinished.
	ErrBusy = errors.New("another run is unfinished")
	// ErrYielded means that a run was aborted because it cannot be next to another one.
	ErrYielded = errors.New("the run has given way to another one and is aborted")
	// ErrAborted means that the run was aborted; its id is used up.
	ErrAborted = errors.New("the run was aborted; choose another --run-id")
)

// Table is a folder of runs. It is safe for concurrent use, by any number of processes.
type Table struct {
	Store  *objects.Store // as it was opened with
	Bucket *objects.Bucket
	Writer string // the id that this process signs with
	// OnWait is told who holds a lease that is waited for, and for how much longer if it shows no sign of life; 0 means
	// that it is alive. It may be nil.
	OnWait func(holder string, patience time.Duration)

	in        storage  // the bucket
	manifests sync.Map // by run: those that have been read
}

// storage is what a table needs of a bucket. The other implementation is that of the simulator in the tests.
type storage interface {
	URI(key string) string
	ReadAll(ctx context.Context, key string) ([]byte, error)
	CreateIfAbsent(ctx context.Context, key string, data []byte) error
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) ([]string, error)
	Entries(ctx context.Context, prefix string) ([]objects.Entry, error)
	Folders(ctx context.Context, folder string) ([]string, error)
	Unfinished(ctx context.Context, prefix string) ([]objects.Unfinished, error)
	Drop(ctx context.Context, u objects.Unfinished) error
	DropLocks(ctx context.Context, prefix string) error
	Sweep(folder string) error
}

// About says what a table is. UIDs of different services or environments must never mix.
type About struct {
	Version     int    `json:"version"`
	Writer      string `json:"writer"`
	Service     string `json:"service"`
	Environment string `json:"environment"`
}

// Open names a table; nothing is read or written yet.
func Open(ctx context.Context, store *objects.Store, uri string) (*Table, error) {
	b, err := store.Bucket(ctx, uri)
	if err != nil {
		return nil, err
	}
	return &Table{Store: store, Bucket: b, Writer: rand.Text(), in: b}, nil
}

// Claim makes the table one of the service and environment, or fails with [ErrOtherTable] when it is one of
// another. It also sees to it that the storage honours create-if-absent, on which everything rests.
func (t *Table) Claim(ctx context.Context, service, environment string) error {
	const key = "_runs/table.json"
	want := About{Version: Version, Writer: t.Writer, Service: service, Environment: environment}
	if _, err := t.create(ctx, key, &want); err != nil {
		return err
	}
	if err := t.Check(ctx, service, environment); err != nil {
		return err
	}
	// A storage that honours nothing replaces the object with itself.
	same, err := t.in.ReadAll(ctx, key)
	if err != nil {
		return err
	}
	if err := t.in.CreateIfAbsent(ctx, key, same); !errors.Is(err, fs.ErrExist) {
		if err == nil {
			return fmt.Errorf("%s: the storage replaced an object that it was asked not to replace; it cannot hold a table", t.in.URI(key))
		}
		return err
	}
	return nil
}

// Check fails with [ErrOtherTable] when the table is one of another service or environment. A table that is not
// there yet is nobody's.
func (t *Table) Check(ctx context.Context, service, environment string) error {
	have, err := t.About(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && (have.Service != service || have.Environment != environment) {
		err = fmt.Errorf("%s holds UIDs of %s, environment %s, and this job is for %s, environment %s: %w; give another --out",
			t.in.URI(""), have.Service, have.Environment, service, environment, ErrOtherTable)
	}
	return err
}

// About returns what the table is. It fails with [fs.ErrNotExist] when there is no table.
func (t *Table) About(ctx context.Context) (About, error) {
	var a About
	return a, t.read(ctx, "_runs/table.json", &a)
}

var runID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ValidRunID says whether id can name a run.
func ValidRunID(id string) bool { return runID.MatchString(id) }
