package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"mapper/client/objects"

	"golang.org/x/sync/errgroup"
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

	in storage // the bucket
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

// Run is one run of a table. Exactly one of its states holds: unfinished (no manifest), committed, aborted, or
// damaged (a manifest that cannot be read).
type Run struct {
	ID       string
	Manifest *Manifest // nil while the run is unfinished, and when Err is set
	Err      error     // why the manifest, or whether there is one, cannot be read
}

// Committed says whether a reader sees the run.
func (r Run) Committed() bool { return r.Manifest != nil && !r.Manifest.Aborted }

// Runs returns all runs of the table that have a plan or a manifest, in the order of their ids. It fails when
// one of them is damaged: without its manifest nobody knows which runs are live.
func (t *Table) Runs(ctx context.Context) ([]Run, error) {
	runs, err := t.Survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if r.Err != nil {
			return nil, fmt.Errorf("run %s: %w", r.ID, r.Err)
		}
	}
	return runs, nil
}

// Survey is Runs for those who look for damage: it returns damaged runs too.
func (t *Table) Survey(ctx context.Context) ([]Run, error) {
	ids, err := t.in.Folders(ctx, "_runs")
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !ValidRunID(id) }) // that of a lease is no run
	runs := make([]Run, len(ids))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, id := range ids {
		group.Go(func() error {
			runs[i] = t.run(ctx, id)
			return nil
		})
	}
	_ = group.Wait() // each run has its own error
	return slices.DeleteFunc(runs, func(r Run) bool { return errors.Is(r.Err, fs.ErrNotExist) }), nil
}

// atOnce is how many runs are looked at side by side: a storage far away takes its time for each.
const atOnce = 16

// run reads the state of a run. Without a manifest and without a plan it does not exist: a process was killed before it
// had planned anything.
func (t *Table) run(ctx context.Context, id string) Run {
	m, err := t.Manifest(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		m = nil
		// What the plan says is for those who need it.
		_, err = t.in.ReadAll(ctx, planKey(id))
	}
	if errors.Is(err, fs.ErrNotExist) { // or an abort has deleted it, after its manifest had come
		m, err = t.Manifest(ctx, id)
	}
	if err != nil {
		return Run{ID: id, Err: err}
	}
	return Run{ID: id, Manifest: m}
}

// Replaced says which runs a committed run replaces. Their files stay for a while, for readers that know them.
func Replaced(runs []Run) map[string]bool {
	replaced := map[string]bool{}
	for _, r := range runs {
		if r.Committed() {
			for _, id := range r.Manifest.Replaces {
				replaced[id] = true
			}
		}
	}
	return replaced
}

// Live returns the committed runs that no other committed run replaces.
func Live(runs []Run) []Run {
	replaced := Replaced(runs)
	var live []Run
	for _, r := range runs {
		if r.Committed() && !replaced[r.ID] {
			live = append(live, r)
		}
	}
	return live
}
