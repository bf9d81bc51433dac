package view

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// dueScan reads a table twice: first to find who may be due, then all that is known of them.
type dueScan struct {
	view       *View
	due        Due
	parts      []*duePart
	candidates *candidates
}

// duePart is a file of a run, of refresh_from or unmapped.
type duePart struct {
	runPart
	run *run
	in  *sources.Input // once it has been opened

	found atomic.Int64 // how many of its rows were candidates
}

// dueParts returns the files to read. An index by refresh_from stands where its mapped file does in the order of rows.
func dueParts(runs []*run, from []table.Run) (parts []*duePart, err error) {
	index := map[string]sinks.File{} // by its path
	for _, r := range from {
		for _, p := range r.Manifest.Parts {
			if p.Dataset == sinks.DatasetRefreshFrom {
				index[p.Path] = p
			}
		}
	}
	for _, r := range runs {
		for _, p := range r.parts {
			if p.Dataset == sinks.DatasetMapped {
				name, err := sinks.ParsePartName(p.Path)
				if err != nil {
					return nil, fmt.Errorf("run %s: %w", r.id, err)
				}
				name.Dataset = sinks.DatasetRefreshFrom
				f, ok := index[name.String()]
				if !ok || f.Rows != p.Rows {
					return nil, fmt.Errorf("run %s: its manifest has no %s with the %d rows of %s; see with mapper verify what else is damaged",
						r.id, name, p.Rows, p.Path)
				}
				p.File = f
			}
			parts = append(parts, &duePart{runPart: p, run: r})
		}
	}
	return parts, nil
}

// dueReaders is how many parts are read at once: the sorter, which they share, keeps up with no more.
const dueReaders = 2

func (s *dueScan) scan(ctx context.Context) error {
	if err := s.each(ctx, s.find); err != nil {
		return err
	}
	var add sync.Mutex
	return s.each(ctx, func(ctx context.Context, p *duePart) error { return s.take(ctx, p, &add) })
}

// each does something with all parts, and says which one an error is about.
func (s *dueScan) each(ctx context.Context, f func(context.Context, *duePart) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(dueReaders)
	for _, p := range s.parts {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := f(groupCtx, p); err != nil {
				return fmt.Errorf("run %s: %s: %w", p.run.id, s.view.table.Bucket.URI(p.Path), err)
			}
			return nil
		})
	}
	err := group.Wait()
	if err == nil && ctx.Err() != nil { // nobody may have looked
		err = context.Cause(ctx)
	}
	return err
}

// read reads columns of a part. Of those that a dataset does not have it reads none.
func (s *dueScan) read(ctx context.Context, p *duePart, names []string, take func(*batch) error) (read int64, err error) {
	store := s.view.table.Store
	if p.in == nil {
		in, _, err := inspect(ctx, store, s.view.table.Bucket.URI(p.Path), s.view.network.Network, p.Dataset)
		if err != nil {
			return 0, err
		}
		p.in = sources.Reopen(in.Object, in.Layout, sources.Options{Store: store}) // without the sample
	}
	var columns []int
	for _, name := range names {
		if sinks.Schema(s.view.network.Network, p.Dataset, nil).HasField(name) {
			i, err := p.in.Layout.Index(name)
			if err != nil {
				return 0, err
			}
			columns = append(columns, i)
		}
	}
	return readBatches(ctx, p.in, columns, func(from *sources.Batch) error {
		b, err := newBatch(from, p.run, p.runPart, len(columns))
		if err != nil {
			return err
		}
		return take(b)
	})
}

// errEnough means that what follows in a part is of no interest.
var errEnough = errors.New("enough")

// find looks for candidates in a part.
func (s *dueScan) find(ctx context.Context, p *duePart) error {
	var err error
	switch {
	case p.Dataset == sinks.DatasetRefreshFrom && p.MinRefreshFrom != nil && *p.MinRefreshFrom <= s.due.asOf():
		_, err = s.read(ctx, p, []string{"identity_hash", "refresh_from"}, func(b *batch) error {
			return s.findMapped(p, b)
		})
	case p.Dataset == sinks.DatasetUnmapped && s.due.Recheck > 0:
		_, err = s.read(ctx, p, []string{"identity_hash", "reason", "rejected_by", "mapped_at"}, func(b *batch) error {
			return s.findUnmapped(p, b)
		})
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// findMapped puts in the rows that were to be refreshed by now. They come first.
func (s *dueScan) findMapped(p *duePart, b *batch) error {
	for i := range b.rows {
		if b.refreshFrom.IsNull(i) || int64(b.refreshFrom.Value(i)) > s.due.asOf() {
			return errEnough
		}
		if err := s.candidates.add(b.hash.at(i)); err != nil {
			return err
		}
		p.found.Add(1)
	}
	return nil
}

// findUnmapped puts in opt-outs and the like that are old enough.
func (s *dueScan) findUnmapped(p *duePart, b *batch) error {
	for i := range b.rows {
		if b.hash.IsNull(i) || int64(b.mappedAt.Value(i)) > s.due.answeredBefore() {
			continue
		}
		said, err := b.said(i)
		if err == nil && said.tier == tierAnswer {
			err = s.candidates.add(b.hash.at(i))
			p.found.Add(1)
		}
		if err != nil {
			return b.errorAt(i, err)
		}
	}
	return nil
}

// knownColumns are those of which a row of the view is made.
func knownColumns() []string {
	return []string{"id", "identity_type", "identity_hash", "country", "current_uid", "refresh_from", "reason", "raw_reason", "rejected_by", "mapped_at"}
}

// take takes what a part knows of the candidates to the sorter.
func (s *dueScan) take(ctx context.Context, p *duePart, add *sync.Mutex) error {
	records := newRecorder(s.view.words, func(key, value []byte) error {
		add.Lock()
		defer add.Unlock()
		return s.view.sorted.add(key, value)
	})
	prefix := s.prefixOnly(p)
	if prefix && p.found.Load() == 0 {
		return nil
	}
	read, err := s.read(ctx, p, knownColumns(), func(b *batch) error {
		for i := range b.rows {
			if prefix && (b.refreshFrom.IsNull(i) || int64(b.refreshFrom.Value(i)) > s.due.asOf()) {
				return errEnough
			}
			wanted, err := s.wanted(b, i)
			if wanted && err == nil {
				err = records.row(b, i)
			}
			if err != nil {
				return b.errorAt(i, err)
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err == nil && read != p.Rows:
		return fmt.Errorf("%d rows can be read, and its run wrote %d", read, p.Rows)
	}
	return err
}

// wanted says whether a row is of a candidate, or one that is taken up anyway.
func (s *dueScan) wanted(b *batch, i int) (bool, error) {
	if b.hash.IsNull(i) {
		return false, nil
	}
	is, err := s.candidates.has(b.hash.at(i))
	if is || err != nil || s.due.Also == nil {
		return is, err
	}
	var id normalize.ID
	if id.Kind, err = b.kindOf(i); err != nil {
		return false, err
	}
	id.Country = b.countryAt(i)
	if err := s.view.network.decodeHash(&id, b.hash.at(i)); err != nil {
		return false, err
	}
	return s.due.Also(&id), nil
}

// prefixOnly says whether the rows of an index that are not due yet can be left out. A sorted run has one answer for all
// pairs of an identity, so one refresh_from: those rows are of identities of which the run itself has no row that is
// due. If no other run has a candidate either, they are of no candidate.
func (s *dueScan) prefixOnly(p *duePart) bool {
	if !p.run.sorted || p.Dataset != sinks.DatasetRefreshFrom || s.due.Also != nil {
		return false
	}
	for _, other := range s.parts {
		if other.run != p.run && other.found.Load() > 0 {
			return false
		}
	}
	return true
}
