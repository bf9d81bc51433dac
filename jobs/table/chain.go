package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mapper/pipeline"
)

// Link is one link of a shard's chain: part N is sealed, and everything before its cursor is safe.
type Link struct {
	Version  int       `json:"version"`
	Writer   string    `json:"writer"`
	RunID    string    `json:"run_id"`
	Shard    int       `json:"shard"`
	SealedAt time.Time `json:"sealed_at"`
	pipeline.Part
}

// Chain is what a shard of a run has sealed so far, in order.
type Chain struct {
	Shard int
	Links []Link
	table *Table
	run   string
}

// Chain reads the chain of a shard. A chain with a gap is an error: the storage has lost a link.
func (t *Table) Chain(ctx context.Context, run string, shard int) (*Chain, error) {
	lengths, err := t.lengths(ctx, run, fmt.Sprintf("%d-", shard))
	if err != nil {
		return nil, err
	}
	return t.chain(ctx, run, shard, lengths[shard])
}

// chain reads the links of a chain, of which there are n.
func (t *Table) chain(ctx context.Context, run string, shard, n int) (*Chain, error) {
	c := &Chain{Shard: shard, Links: make([]Link, n), table: t, run: run}
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range c.Links {
		group.Go(func() error { return t.read(limited, c.key(i+1), &c.Links[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, t.orAborted(ctx, run, err)
	}
	return c, nil
}

// lengths returns how many links the chains of a run have, by shard, of those whose names begin with prefix.
func (t *Table) lengths(ctx context.Context, run, prefix string) (map[int]int, error) {
	folder := "_runs/" + run + "/progress/"
	keys, err := t.in.List(ctx, folder+prefix)
	if err != nil {
		return nil, err
	}
	count, last := map[int]int{}, map[int]int{}
	for _, key := range keys {
		var shard, n int
		if _, err := fmt.Sscanf(key[len(folder):], "%d-%d.json", &shard, &n); err != nil {
			continue // nothing of ours
		}
		count[shard]++
		last[shard] = max(last[shard], n)
	}
	for shard, n := range last {
		if count[shard] == n {
			continue
		}
		err := fmt.Errorf("run %s: the chain of shard %d %w: %d of %d links are there", run, shard, ErrDamaged, count[shard], n)
		switch m, looked := t.Manifest(ctx, run); {
		case looked == nil && m.Aborted: // which removes one after the other
			err = fmt.Errorf("run %s: %w", run, ErrAborted)
		case looked == nil: // and so does what removes a run that is replaced
			err = fmt.Errorf("%w (%w)", err, fs.ErrNotExist)
		}
		return nil, err
	}
	return count, nil
}

// Chains reads the chains of all shards of a run, in their order.
func (t *Table) Chains(ctx context.Context, p *Plan) ([]*Chain, error) {
	lengths, err := t.lengths(ctx, p.RunID, "")
	if err != nil {
		return nil, err
	}
	chains := make([]*Chain, len(p.Shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for shard := range chains {
		group.Go(func() (err error) {
			chains[shard], err = t.chain(ctx, p.RunID, shard, lengths[shard])
			return err
		})
	}
	return chains, group.Wait()
}

// Progress is how far the shards of a run have got.
type Progress struct {
	Links   []int // of the chain of each shard
	Working int   // shards that have not read everything yet
}

// Progress looks how far the shards of a run have got. It reads no more than the end of each chain.
func (t *Table) Progress(ctx context.Context, p *Plan) (Progress, error) {
	lengths, err := t.lengths(ctx, p.RunID, "")
	if err != nil {
		return Progress{}, err
	}
	links := make([]int, len(p.Shards))
	var working atomic.Int64
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for shard := range p.Shards {
		group.Go(func() error {
			n := lengths[shard]
			links[shard] = n
			if n == 0 {
				working.Add(1)
				return nil
			}
			var l Link
			c := Chain{Shard: shard, run: p.RunID}
			if err := t.read(limited, c.key(n), &l); err != nil {
				return err
			}
			if !l.Done {
				working.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	return Progress{links, int(working.Load())}, t.orAborted(ctx, p.RunID, err)
}

func (c *Chain) key(n int) string {
	return fmt.Sprintf("_runs/%s/progress/%d-%d.json", c.run, c.Shard, n)
}

// Check says whether each link goes on where the one before it ends: what the parts hold has to be what was read.
func (c *Chain) Check() error {
	lines := int64(0)
	for i, l := range c.Links {
		lines += l.Sum().Lines
		if l.N != i+1 || l.RunID != c.run || l.Shard != c.Shard || l.Cursor.Lines != lines {
			return fmt.Errorf("run %s: the chain of shard %d %w: part %d ends behind line %d, and the parts up to it hold %d lines",
				c.run, c.Shard, ErrDamaged, l.N, l.Cursor.Lines, lines)
		}
	}
	return nil
}

// Last returns the last part, or the zero Part at the beginning.
func (c *Chain) Last() pipeline.Part {
	if len(c.Links) == 0 {
		return pipeline.Part{}
	}
	return c.Links[len(c.Links)-1].Part
}

// Append seals a part: it adds the link that names it. When another process has put a link in its place, this
// one is fenced: the part's files, which nobody names, are deleted, and the error is [ErrFenced]. After any
// other error it is not known whether the part is sealed; nothing is deleted.
func (c *Chain) Append(ctx context.Context, p pipeline.Part) error {
	l := Link{Version: Version, Writer: c.table.Writer, RunID: c.run, Shard: c.Shard, SealedAt: time.Now().UTC(), Part: p}
	own, err := c.table.create(ctx, c.key(p.N), &l)
	if err != nil {
		return c.table.orAborted(ctx, c.run, err)
	}
	if !own {
		err := fmt.Errorf("run %s: %w", c.run, ErrFenced)
		for _, f := range p.Files {
			err = errors.Join(err, c.table.in.Delete(ctx, f.Path))
		}
		return err
	}
	c.Links = append(c.Links, l)
	return nil
}
