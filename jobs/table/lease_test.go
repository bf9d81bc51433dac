package table

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mapper/client/objects"
	"mapper/client/objects/objectstest"
)

// TestLease: one process at a time works on a shard, locally and on object storage.
func TestLease(t *testing.T) {
	for name, where := range map[string]func(t *testing.T) string{
		"local": func(t *testing.T) string { return t.TempDir() },
		"cloud": func(t *testing.T) string { return objectstest.GCS(t).URI },
	} {
		t.Run(name, func(t *testing.T) { testLease(t, where(t)) })
	}
}

func openLeased(t *testing.T, uri string) *Table {
	t.Helper()
	store := new(objects.Store)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	tb, err := Open(t.Context(), store, uri)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func testLease(t *testing.T, uri string) {
	a, b := openLeased(t, uri), openLeased(t, uri)
	held, err := a.Lease(t.Context(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lease(t.Context(), "r", 0); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "run r") {
		t.Errorf("a second holder: %v", err)
	}
	working, stop := held.Context(t.Context())
	if err := working.Err(); err != nil {
		t.Errorf("the work of the holder ends: %v", err)
	}
	stop()
	other, err := b.Lease(t.Context(), "r", 1)
	if err != nil {
		t.Fatalf("another shard: %v", err)
	}
	if err := errors.Join(held.Release(), other.Release()); err != nil {
		t.Fatal(err)
	}
	next, err := b.Lease(t.Context(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(next.Release(), b.DropLeases(t.Context(), "r")); err != nil {
		t.Fatal(err)
	}
	if left, err := a.Bucket.List(t.Context(), "_runs/r/"); err != nil || left != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestLeaseLost: a process whose lease another has taken over stops.
func TestLeaseLost(t *testing.T) {
	lost := make(chan struct{})
	l := &Lease{fenced: fmt.Errorf("run r: %w", ErrFenced), lost: lost}
	working, stop := l.Context(t.Context())
	defer stop()
	close(lost)
	<-working.Done()
	asked := false
	l.sure = func(context.Context) { asked = true }
	if err := l.Check(t.Context()); !asked || !errors.Is(err, context.Cause(working)) {
		t.Errorf("asked %v, got %v", asked, err)
	}
	if err := context.Cause(working); !errors.Is(err, ErrFenced) || !strings.Contains(err.Error(), "run r") {
		t.Errorf("got %v", err)
	}
}

// TestPlanningLease: one waits for the other, and is told so.
func TestPlanningLease(t *testing.T) {
	root := t.TempDir()
	a, b := open(t, root), open(t, root)
	first, err := a.PlanningLease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var letGo error
	b.OnWait = func(string, time.Duration) { letGo = first() }
	second, err := b.PlanningLease(t.Context())
	if err != nil || letGo != nil {
		t.Fatal(err, letGo)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	a.OnWait = func(string, time.Duration) { cancel(errors.New("enough")) }
	if _, err := a.PlanningLease(ctx); err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
}
