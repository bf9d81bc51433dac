package sources_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mapper/sources"
	"mapper/sources/sourcestest"
)

// TestPageWithoutCells reads a file of pyarrow (pages of version 2, zstd) of which one byte was changed, so that a page
// holds none of the levels it promises.
func TestPageWithoutCells(t *testing.T) {
	failed := make(chan error, 1)
	go func() {
		_, err := sources.Inspect(context.Background(), sourcestest.Find(t, "testdata/endless.parquet"), sources.Options{})
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil || !strings.Contains(err.Error(), "a page has fewer cells than it says") {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it is read without end")
	}
}
