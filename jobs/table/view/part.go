package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"mapper/client/objects"
	"mapper/sinks"
	"mapper/sources"
)

// partReader turns the rows of parts into records.
type partReader struct {
	bucket *objects.Bucket
	folder string
	store  objects.Store // of the folder
	words  *wordCache
	put    func(key, value []byte) error // takes a record, of which it keeps nothing

	buf        []byte // to copy through
	key, value []byte
}

func (p *partReader) readRun(ctx context.Context, r *run) error {
	for _, part := range r.parts {
		if err := p.readPart(ctx, r, part); err != nil {
			return err
		}
	}
	return nil
}

// readPart reads a part of a run.
func (p *partReader) readPart(ctx context.Context, r *run, part runPart) (err error) {
	local, err := p.fetch(ctx, part.File)
	if err != nil {
		return err
	}
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
	in, schema, err := inspect(ctx, &p.store, local, part.Dataset)
	if err != nil {
		return err
	}
	if r.life {
		if err := r.keep(part.Path, keptOf(schema, part.Dataset)); err != nil {
			return err
		}
	}
	columns := neededColumns(schema, part.Dataset, r.life)
	return p.readBatches(ctx, r, part, in.Batches(ctx, columns, sources.Position{}))
}

// inspect reads the footer of a part.
func inspect(ctx context.Context, store *objects.Store, uri, dataset string) (*sources.Input, *arrow.Schema, error) {
	object, err := store.Stat(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	in, err := sources.Inspect(ctx, object, sources.Options{Store: store, Format: sources.Parquet})
	if err != nil {
		return nil, nil, err
	}
	schema := schemaOf(in)
	return in, schema, checkSchema(schema, dataset)
}

func schemaOf(in *sources.Input) *arrow.Schema {
	fields := make([]arrow.Field, len(in.Layout.Columns))
	for i, c := range in.Layout.Columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

func (p *partReader) readBatches(ctx context.Context, r *run, part runPart, batches iter.Seq2[*sources.Batch, error]) error {
	var read int64
	row := part.first
	for from, err := range batches {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		b, err := newBatch(from.Record, r, part.Dataset)
		if err != nil {
			return err
		}
		for i := range b.rows {
			if err := p.row(b, r, i, row); err != nil {
				return fmt.Errorf("row %d: %w", read+int64(i)+1, err)
			}
			row++
		}
		read += int64(b.rows)
	}
	if read != part.Rows {
		return fmt.Errorf("%d rows can be read, and its run wrote %d", read, part.Rows)
	}
	return nil
}

// checkSchema sees to it that a part has the columns of its dataset, with their types.
func checkSchema(have *arrow.Schema, dataset string) error {
	want := sinks.Schema(dataset, nil)
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
func keptOf(s *arrow.Schema, dataset string) []arrow.Field {
	kept := s.Fields()[sinks.Schema(dataset, nil).NumFields():]
	for i := range kept {
		kept[i].Metadata = arrow.Metadata{} // which has numbers of columns
	}
	return kept
}

// neededColumns returns the numbers of the columns to read.
func neededColumns(s *arrow.Schema, dataset string, life bool) []int {
	skip := []string{"former_uid", "change"}
	fields := s.Fields()
	if !life {
		skip = append(skip, "source_file", "source_column", "source_row")
		if dataset == sinks.DatasetMapped { // the unmapped rows may end the life of a pair
			skip = append(skip, "id")
		}
		fields = fields[:sinks.Schema(dataset, nil).NumFields()]
	}
	var needed []int
	for i, f := range fields {
		if !slices.Contains(skip, f.Name) {
			needed = append(needed, i)
		}
	}
	return needed
}
