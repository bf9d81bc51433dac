package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"mapper/client/objects"
	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
)

// tally is what the parts of a run hold, counted again.
type tally struct {
	network     sinks.Network
	refreshRows int64
	byFile      map[string]*pipeline.Counts // Mapped and Unmapped alone, by source_file
}

// parts reads all parts of a run, and compares what they hold together with the manifest if all could be read. It says
// how many are gone that nobody needs any more.
func (v *Verification) parts(ctx context.Context, t *table.Table, r table.Run) (removed int64, err error) {
	sum := tally{network: networkOf(r.Manifest.Service), byFile: map[string]*pipeline.Counts{}}
	named, whole := map[string]bool{}, true
	for _, part := range r.Manifest.Parts {
		if named[part.Path] {
			v.damage("run %s: the manifest names %s twice", r.ID, part.Path)
			continue
		}
		named[part.Path] = true
		if name, err := sinks.ParsePartName(part.Path); err != nil || name.Run != r.ID || name.Dataset != part.Dataset {
			v.damage("run %s: the manifest names %q, which is no part of it in %s", r.ID, part.Path, part.Dataset)
			whole = false
			continue
		}
		err := v.part(ctx, t, &part, &sum)
		if ctx.Err() != nil {
			return removed, ctx.Err() // what could not be read then is not damaged
		}
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist) && v.replaced[r.ID]:
			whole, removed = false, removed+1
		default:
			v.damage("%v", err)
			whole = false
		}
	}
	if whole {
		v.counts(r, &sum)
	}
	return removed, nil
}

// part checks one file and adds its rows to the tally. It fails when the file cannot be read or is another one.
func (v *Verification) part(ctx context.Context, t *table.Table, part *sinks.File, sum *tally) error {
	uri := t.Bucket.URI(part.Path)
	f, err := t.Bucket.Open(ctx, part.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	defer f.Close()
	r := stoppable{ctx, f}
	hash := sha256.New()
	size, err := io.Copy(hash, r)
	if err != nil {
		return fmt.Errorf("%s: %w", uri, err)
	}
	v.Parts++
	if size != part.Bytes || hex.EncodeToString(hash.Sum(nil)) != part.SHA256 {
		return fmt.Errorf("%s: its content is not what was written (%d bytes of %d)", uri, size, part.Bytes)
	}
	got, err := sinks.Recount(uri, r, size, sum.network, part.Dataset)
	if err != nil {
		return err
	}
	v.Rows += got.Rows
	if got.Rows != part.Rows {
		v.damage("%s: it holds %d rows, the manifest says %d", uri, got.Rows, part.Rows)
	}
	if part.Dataset == sinks.DatasetRefreshFrom && !got.Sorted {
		v.damage("%s: it is not sorted by refresh_from", uri)
	}
	if !same(got.MinRefreshFrom, part.MinRefreshFrom) || !same(got.MaxRefreshFrom, part.MaxRefreshFrom) || got.MinHash != part.MinHash || got.MaxHash != part.MaxHash {
		v.damage("%s: the span of refresh_from or of the hashes is not that of the manifest", uri)
	}
	sum.add(part.Dataset, &got)
	return nil
}

// stoppable is a file whose reads fail once ctx has ended: a large part takes long.
type stoppable struct {
	ctx  context.Context
	file objects.File
}

// Read reads from the file, as long as ctx lasts.
func (s stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.file.Read(p)
}

// ReadAt reads from the file, as long as ctx lasts.
func (s stoppable) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.file.ReadAt(p, off)
}

func same(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

func (t *tally) add(dataset string, got *sinks.Counts) {
	if dataset == sinks.DatasetRefreshFrom {
		t.refreshRows += got.Rows
		return
	}
	for name, n := range got.Files {
		c := t.byFile[name]
		if c == nil {
			c = &pipeline.Counts{Unmapped: map[string]int64{}}
			t.byFile[name] = c
		}
		c.Mapped += n.Mapped
		for reason, rows := range n.Unmapped {
			if rows > 0 {
				c.Unmapped[sinks.Reason(reason).String()] += rows
			}
		}
	}
}

// counts compares what the parts hold with what the manifest says, for each input.
func (v *Verification) counts(r table.Run, sum *tally) {
	var mapped int64
	sourceOf := func(file string) string { return file }
	if len(r.Manifest.Replaces) > 0 {
		sourceOf = func(string) string { return "" } // its rows come from the table, and say where that had them from
	}
	bySource := map[string]*pipeline.Counts{}
	for file, n := range sum.byFile {
		c := bySource[sourceOf(file)]
		if c == nil {
			c = &pipeline.Counts{}
			bySource[sourceOf(file)] = c
		}
		c.Add(n)
	}
	for _, in := range r.Manifest.Inputs {
		source := in.URI
		if in.Table {
			source = "" // rows that were read from no file
		}
		got := bySource[source]
		if got == nil {
			got = &pipeline.Counts{}
		}
		mapped += got.Mapped
		if got.Mapped != in.Mapped || !maps.Equal(got.Unmapped, in.Unmapped) {
			v.damage("run %s: of %s the parts hold %d mapped and %v unmapped, the manifest says %d and %v",
				r.ID, in.URI, got.Mapped, got.Unmapped, in.Mapped, in.Unmapped)
		}
		delete(bySource, source)
	}
	for _, name := range slices.Sorted(maps.Keys(bySource)) {
		v.damage("run %s: the parts hold rows of %q, which is no input of the run", r.ID, name)
	}
	if sum.refreshRows != mapped {
		v.damage("run %s: refresh_from holds %d rows for %d mapped ones", r.ID, sum.refreshRows, mapped)
	}
}
