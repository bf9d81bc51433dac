package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"mapper/client/objects"
	"mapper/sinks"
)

// outFolder is a folder of plain Parquet, which an [Export] or a [Diff] has for itself.
type outFolder struct {
	uri    string
	bucket *objects.Bucket
}

// openOutFolder returns the folder of a table's export, if there is nothing in it and it is none of the table.
func openOutFolder(ctx context.Context, store *objects.Store, out, from string) (*outFolder, error) {
	to, err := store.Bucket(ctx, out)
	if err != nil {
		return nil, outError(err)
	}
	if to.Inside(from) {
		return nil, usagef("--out %s lies inside the table %s, whose readers would take it for a part of it; choose another folder", out, from)
	}
	there, err := to.List(ctx, "")
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		return nil, usagef("--out %s has something in it, %s for example; an export needs a folder of its own", out, there[0])
	}
	return &outFolder{out, to}, nil
}

// publish makes the files of an export visible, and then _SUCCESS. It is not interrupted: it takes no time, and half of
// it is worth nothing.
func (f *outFolder) publish(ctx context.Context, w *sinks.Export) ([]sinks.File, error) {
	ctx = context.WithoutCancel(ctx)
	files, err := w.Publish(ctx)
	if err == nil {
		err = f.bucket.CreateIfAbsent(ctx, "_SUCCESS", nil)
	}
	switch aborted := w.Abort(); {
	case errors.Is(err, fs.ErrExist):
		return nil, errors.Join(fmt.Errorf("--out %s: another export has written there meanwhile; choose another folder", f.uri), aborted)
	case err != nil && len(files) > 0:
		return nil, errors.Join(fmt.Errorf("%w; %s is there, perhaps with others, but no _SUCCESS: remove what is in %s, or choose another --out",
			err, f.bucket.URI(files[0].Path), f.uri), aborted)
	case err != nil:
		return nil, errors.Join(err, aborted)
	}
	return files, f.sweep(ctx)
}

// sweep drops what exports that were killed have left in the folder, where the storage shows it.
func (f *outFolder) sweep(ctx context.Context) error {
	left, err := f.bucket.Unfinished(ctx, "")
	if errors.Is(err, fs.ErrPermission) {
		return nil // it is the storage's to remove
	}
	for _, u := range left {
		err = errors.Join(err, f.bucket.Drop(ctx, u))
	}
	return err
}
