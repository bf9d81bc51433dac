package sinks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"mapper/normalize"
)

// Counts is what a part's file turns out to hold when it is read back.
type Counts struct {
	Rows    int64
	Reasons ByReason              // of unmapped rows
	Files   map[string]FileCounts // by source_file, "" for rows without one; empty for refresh_from

	// As in [File].
	MinRefreshFrom, MaxRefreshFrom *int64
	MinHash, MaxHash               string

	// Sorted says that rows do not fall by refresh_from, those without one last. Only refresh_from has to be.
	Sorted bool
}

// FileCounts counts the rows that come from one input file.
type FileCounts struct {
	Mapped   int64
	Unmapped ByReason
}

// Recount reads a file of a part back through the second Parquet implementation, which had no hand in writing
// it, a few thousand rows at a time. name is for errors.
//
// It fails when the file cannot be read to its end or breaks a promise of the dataset:
//
//   - magic bytes at both ends; all chunks inside the file; row counts of footer, row groups and columns agree
//   - the columns of the contract come first, in order, with their types, nullable only where they may be
//   - null counts in the footer, and min and max of refresh_from, agree with the values
//   - identity_type is email or phone; identity_hash is 32 bytes in base64, of ID5 in hexadecimal digits;
//     current_uid is not empty; country, which is of ID5 only, is empty or two capitals
//   - change, reason and rejected_by hold words of the contract; current_uid and source_file are UTF-8
//
// Compare the file's checksum first: the library takes the sizes in page headers at their word, and a damaged
// one may ask for more memory than there is.
//
// Everything else in Counts is for the caller to compare. Columns that none of this is about (id, the other
// UIDs, raw_reason, source_column, source_row, mapped_at and the kept ones) are not read.
func Recount(name string, r io.ReaderAt, size int64, network Network, dataset string) (counts Counts, err error) {
	switch {
	case network >= networks:
		return counts, fmt.Errorf("%s: %d is no network", name, network)
	case datasetOf(dataset) == 0:
		return counts, fmt.Errorf("%s: %q is no dataset", name, dataset)
	}
	// The library panics on much that a damaged file may contain.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: cannot be read: %v", name, p)
		}
	}()
	part, err := openPart(r, size, network, datasetOf(dataset))
	if err != nil {
		return counts, fmt.Errorf("%s: %w", name, err)
	}
	c := recounter{Counts: Counts{Files: make(map[string]FileCounts), Sorted: true}, network: network, in: datasetOf(dataset)}
	if err := part.each(c.batch); err != nil {
		return counts, fmt.Errorf("%s: %w", name, err)
	}
	c.MinRefreshFrom, c.MaxRefreshFrom = c.bounds.refreshFrom()
	c.MinHash, c.MaxHash = c.bounds.hashes()
	return c.Counts, nil
}

// recounter checks rows and counts them.
type recounter struct {
	Counts
	network Network
	in      datasets
	bounds  bounds

	lastAt int64 // refresh_from of the row before, 0 for null
}

func (c *recounter) batch(b *batch) error {
	for i := range b.rows {
		if err := c.row(b, i); err != nil {
			return fmt.Errorf("row %d: %w", c.Rows+1, err)
		}
		c.Rows++
	}
	return nil
}

func (c *recounter) row(b *batch, i int) error {
	if err := c.identity(b, i); err != nil {
		return err
	}
	if uid, ok := b.uid.text(i); ok && (uid == "" || !utf8.ValidString(uid)) {
		return errors.New("current_uid is empty or not UTF-8")
	}
	if change, ok := b.change.text(i); ok {
		if _, err := ParseChange(change); err != nil {
			return fmt.Errorf("change: %w", err)
		}
	}
	return c.file(b, i)
}

// identity looks at the columns identity_type, identity_hash, country and refresh_from.
func (c *recounter) identity(b *batch, i int) error {
	if kind, ok := b.kind.text(i); ok && kind != normalize.KindEmail.String() && kind != normalize.KindPhone.String() {
		return fmt.Errorf("identity_type: %q is no kind of identity", kind)
	}
	if text, ok := b.hash.text(i); ok {
		hash, err := c.network.parseHash(text)
		if err != nil {
			return err
		}
		c.bounds.hash(binary.BigEndian.Uint32(hash[:]))
	}
	if country, ok := b.country.text(i); ok {
		if err := checkCountry(country); err != nil {
			return err
		}
	}
	at, ok := b.refreshFrom.number(i)
	if ok {
		c.bounds.refresh(at)
	}
	if c.Rows > 0 && compareTimes(c.lastAt, at) > 0 {
		c.Sorted = false
	}
	c.lastAt = at
	return nil
}

// file looks at the columns reason, rejected_by and source_file, and counts the row.
func (c *recounter) file(b *batch, i int) error {
	if c.in == refresh {
		return nil
	}
	name, _ := b.sourceFile.text(i)
	if !utf8.ValidString(name) {
		return errors.New("source_file is not UTF-8")
	}
	counts := c.Files[name]
	if c.in == mapped {
		counts.Mapped++
	} else {
		word, _ := b.reason.text(i)
		reason, err := ParseReason(word)
		if err != nil {
			return fmt.Errorf("reason: %w", err)
		}
		word, _ = b.rejectedBy.text(i)
		if _, err := ParseRejectedBy(word); err != nil {
			return fmt.Errorf("rejected_by: %w", err)
		}
		counts.Unmapped[reason]++
		c.Reasons[reason]++
	}
	c.Files[name] = counts
	return nil
}
