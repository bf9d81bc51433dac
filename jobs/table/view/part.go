package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/sinks"
	"mapper/sources"
)

// partReader reads the parts of runs.
type partReader struct {
	bucket      *objects.Bucket
	folder      string
	store       objects.Store // of the folder
	answersOnly bool
	take        func(*batch) error // takes some rows, which are its own

	buf []byte // to copy through
}

func (p *partReader) readRun(ctx context.Context, r *run) error {
	for _, part := range r.parts {
		local, err := p.fetch(ctx, part.File)
		if err != nil {
			return err
		}
		if err := p.readPart(ctx, r, part, local); err != nil {
			return err
		}
	}
	return nil
}

// readPart reads a part of a run from its copy, which it removes.
func (p *partReader) readPart(ctx context.Context, r *run, part runPart, local string) (err error) {
	defer func() { err = errors.Join(err, os.Remove(local)) }()
	if err := p.readRows(ctx, r, part, local); err != nil {
		return fmt.Errorf("%s: %w", p.bucket.URI(part.Path), err)
	}
	return nil
}

// fetch copies a part and sees whether it is what its run wrote.
func (p *partReader) fetch(ctx context.Context, part sinks.File) (local string, err error) {
	from, err := p.bucket.Open(ctx, part.Path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.CreateTemp(p.folder, "part-")
	if err != nil {
		return "", spillError(err)
	}
	local = to.Name()
	sum, n, err := p.copy(ctx, to, from)
	if closed := to.Close(); err == nil && closed != nil {
		err = spillError(closed)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(local))
	}
	if sum != part.SHA256 {
		return "", errors.Join(fmt.Errorf("%s: has %d bytes with the checksum %.16s, and its run wrote %d with %.16s; "+
			"restore it, or see with mapper verify what else is damaged", p.bucket.URI(part.Path), n, sum, part.Bytes, part.SHA256), os.Remove(local))
	}
	return local, nil
}

func (p *partReader) copy(ctx context.Context, to io.Writer, from io.Reader) (sum string, n int64, err error) {
	if p.buf == nil {
		p.buf = make([]byte, 256<<10)
	}
	digest := sha256.New()
	for {
		if ctx.Err() != nil {
			return "", n, context.Cause(ctx)
		}
		read, err := from.Read(p.buf)
		digest.Write(p.buf[:read])
		n += int64(read)
		if _, err := to.Write(p.buf[:read]); err != nil {
			return "", n, spillError(err)
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(digest.Sum(nil)), n, nil
		}
		if err != nil {
			return "", n, err
		}
	}
}

// readRows reads the rows of a part from its copy.
func (p *partReader) readRows(ctx context.Context, r *run, part runPart, local string) error {
	in, schema, err := inspect(ctx, &p.store, local, r.network.Network, part.Dataset)
	if err != nil {
		return err
	}
	if r.life {
		if err := r.keep(part.Path, keptOf(schema, r.network.Network, part.Dataset)); err != nil {
			return err
		}
	}
	columns, contract := neededColumns(schema, r, part.Dataset, p.answersOnly)
	read, err := readBatches(ctx, in, columns, func(from *sources.Batch) error {
		b, err := newBatch(from, r, part, contract)
		if err != nil {
			return err
		}
		return p.take(b)
	})
	if err == nil && read != part.Rows {
		err = fmt.Errorf("%d rows can be read, and its run wrote %d", read, part.Rows)
	}
	return err
}

// inspect reads the footer of a part.
func inspect(ctx context.Context, store *objects.Store, uri string, n sinks.Network, dataset string) (*sources.Input, *arrow.Schema, error) {
	object, err := store.Stat(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	in, err := sources.Inspect(ctx, object, sources.Options{Store: store, Format: sources.Parquet})
	if err != nil {
		return nil, nil, err
	}
	schema := schemaOf(in)
	return in, schema, checkSchema(schema, n, dataset)
}

func schemaOf(in *sources.Input) *arrow.Schema {
	fields := make([]arrow.Field, len(in.Layout.Columns))
	for i, c := range in.Layout.Columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// readBatches reads columns of a part batch by batch, and returns how many rows they had.
func readBatches(ctx context.Context, in *sources.Input, columns []int, take func(*sources.Batch) error) (read int64, err error) {
	for b, err := range in.Batches(ctx, columns, sources.Position{}) {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err == nil && len(b.Malformed) > 0 {
			err = fmt.Errorf("row %d: cannot be read; see with mapper verify what is damaged", b.Malformed[0].Line)
		}
		if err == nil {
			err = take(b)
		}
		if err != nil {
			return read, err
		}
		read += b.Record.NumRows()
	}
	return read, nil
}

// checkSchema sees to it that a part has the columns of its dataset, with their types.
func checkSchema(have *arrow.Schema, n sinks.Network, dataset string) error {
	want := sinks.Schema(n, dataset, nil)
	if want == nil {
		return fmt.Errorf("is of the dataset %q, which this version does not know; use a newer one", dataset)
	}
	for i, f := range want.Fields() {
		if i >= have.NumFields() || have.Field(i).Name != f.Name || !arrow.TypeEqual(have.Field(i).Type, f.Type) {
			return fmt.Errorf("has no column %s of type %s at place %d; another version of this program may have written it", f.Name, f.Type, i+1)
		}
	}
	return nil
}

// keptOf returns the kept columns of a part, which are behind those that all parts have.
func keptOf(s *arrow.Schema, n sinks.Network, dataset string) []arrow.Field {
	kept := s.Fields()[sinks.Schema(n, dataset, nil).NumFields():]
	for i := range kept {
		kept[i].Metadata = arrow.Metadata{} // which has numbers of columns
	}
	return kept
}

// neededColumns returns the numbers of the columns to read, those of the contract first, and how many of these there are.
func neededColumns(s *arrow.Schema, r *run, dataset string, answersOnly bool) (needed []int, contract int) {
	skip := []string{"former_uid", "change"}
	if !r.life || answersOnly {
		skip = append(skip, "source_file", "source_column", "source_row")
	}
	if !r.life && dataset == sinks.DatasetMapped { // the unmapped rows may end the life of a pair
		skip = append(skip, "id")
	}
	own := sinks.Schema(r.network.Network, dataset, nil).NumFields()
	needed = columnsBut(s.Fields()[:own], skip)
	contract = len(needed)
	for i := own; r.life && !answersOnly && i < s.NumFields(); i++ {
		needed = append(needed, i)
	}
	return needed, contract
}

// columnsBut returns the numbers of all columns but some.
func columnsBut(fields []arrow.Field, skip []string) (columns []int) {
	for i, f := range fields {
		if !slices.Contains(skip, f.Name) {
			columns = append(columns, i)
		}
	}
	return columns
}
