package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// Chain reads the chain of a shard.
func (t *Table) Chain(ctx context.Context, run string, shard int) (*Chain, error) {
	c := &Chain{Shard: shard, table: t, run: run}
	for {
		var l Link
		err := t.read(ctx, c.key(len(c.Links)+1), &l)
		if errors.Is(err, fs.ErrNotExist) {
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		c.Links = append(c.Links, l)
	}
}

// Chains reads the chains of all shards of a run, in their order.
func (t *Table) Chains(ctx context.Context, p *Plan) ([]*Chain, error) {
	chains := make([]*Chain, len(p.Shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for shard := range chains {
		group.Go(func() (err error) {
			chains[shard], err = t.Chain(ctx, p.RunID, shard)
			return err
		})
	}
	return chains, group.Wait()
}

func (c *Chain) key(n int) string {
	return fmt.Sprintf("_runs/%s/progress/%d-%d.json", c.run, c.Shard, n)
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
