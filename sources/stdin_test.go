package sources_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"mapper/sources"
)

func TestInterruptible(t *testing.T) {
	r, letGo := sources.Interruptible(t.Context(), strings.NewReader("all of it"))
	defer letGo()
	if data, err := io.ReadAll(r); err != nil || string(data) != "all of it" {
		t.Errorf("read %q, %v", data, err)
	}
}

// TestInterruptibleWhileWaiting ends the context while a read waits for a writer that says nothing.
func TestInterruptibleWhileWaiting(t *testing.T) {
	silent, writer := io.Pipe()
	defer func() { _ = writer.Close() }() // lets the read in the background end
	ctx, cancel := context.WithCancel(t.Context())
	r, letGo := sources.Interruptible(ctx, silent)
	defer letGo()
	failed := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
