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
	"strings"

	"github.com/dustin/go-humanize"

	"mapper/jobs/table"
	"mapper/pipeline"
	"mapper/sinks"
)

// Verification is what Verify found in a table.
type Verification struct {
	Type    string   `json:"type"` // "verification"
	Table   string   `json:"table"`
	Runs    int      `json:"runs"`    // committed
	Parts   int      `json:"parts"`   // files read
	Rows    int64    `json:"rows"`    // rows recounted
	Damage  []string `json:"damage"`  // what is wrong; nothing when the table is whole
	Remarks []string `json:"remarks"` // what is odd and does no harm
}

// ErrDamaged means that a table is not what its manifests say.
var ErrDamaged = errors.New("the table is damaged; map the inputs of the runs named above again")

// Verify checks every committed run of a table: the manifest, the checksum of every part, and the counts, which
// are taken again from the parts with another Parquet implementation than the one that wrote them. Damage is
// reported in the result and by [ErrDamaged].
func Verify(ctx context.Context, uri string) (*Verification, error) {
	t, _, runs, err := openTable(uri)
	if err != nil {
		return nil, err
	}
	v := &Verification{Type: "verification", Table: uri, Damage: []string{}, Remarks: []string{}}
	for _, r := range runs {
		if !r.Committed() {
			v.remark("run %s is not committed, so nobody sees it", r.ID)
			continue
		}
		v.Runs++
		if err := v.run(ctx, t, r.Manifest); err != nil {
			return v, err
		}
	}
	if len(v.Damage) > 0 {
		return v, ErrDamaged
	}
	return v, nil
}

// openTable opens a table that has to be there.
func openTable(uri string) (t *table.Table, about table.About, runs []table.Run, err error) {
	if t, err = table.Open(uri); err != nil {
		return nil, about, nil, err
	}
	about, err = t.About()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is no table of this program: it has no _runs/table.json", uri)
	}
	if err != nil {
		return nil, about, nil, err
	}
	runs, err = t.Runs()
	return t, about, runs, err
}

func (v *Verification) damage(format string, args ...any) {
	v.Damage = append(v.Damage, fmt.Sprintf(format, args...))
}

func (v *Verification) remark(format string, args ...any) {
	v.Remarks = append(v.Remarks, fmt.Sprintf(format, args...))
}

// String writes what was found for people.
func (v *Verification) String() string {
	var b strings.Builder
	for _, line := range v.Damage {
		fmt.Fprintf(&b, "damage: %s\n", line)
	}
	for _, line := range v.Remarks {
		fmt.Fprintf(&b, "remark: %s\n", line)
	}
	fmt.Fprintf(&b, "%d runs, %d parts, %s rows recounted: %d damaged", v.Runs, v.Parts, humanize.Comma(v.Rows), len(v.Damage))
	return b.String()
}

// tally is what the parts of a run hold, counted again.
type tally struct {
	refreshRows int64
	byFile      map[string]*pipeline.Counts // Mapped and Unmapped alone, by source_file
}

func (v *Verification) run(ctx context.Context, t *table.Table, m *table.Manifest) error {
	sum := tally{byFile: map[string]*pipeline.Counts{}}
	named := map[string]bool{}
	for _, part := range m.Parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		named[part.Path] = true
		if !v.part(t, &part, &sum) {
			return nil // the counts cannot add up either
		}
	}
	v.counts(m, &sum)
	for _, dataset := range sinks.Datasets() {
		keys, err := t.Bucket.List(dataset + "/run=" + m.RunID + "/")
		if err != nil {
			return err
		}
		for _, key := range keys {
			if strings.HasSuffix(key, ".parquet") && !named[key] {
				v.remark("%s: no manifest names it; a process that was killed has left it", t.Bucket.URI(key))
			}
		}
	}
	return nil
}

// part checks one file and adds its rows to the tally. It says whether the file could be read.
func (v *Verification) part(t *table.Table, part *sinks.File, sum *tally) bool {
	uri := t.Bucket.URI(part.Path)
	f, err := t.Bucket.Open(part.Path)
	if err != nil {
		v.damage("%s: %v", uri, err)
		return false
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		v.damage("%s: %v", uri, err)
		return false
	}
	v.Parts++
	if size != part.Bytes || hex.EncodeToString(hash.Sum(nil)) != part.SHA256 {
		v.damage("%s: its content is not what was written (%d bytes of %d)", uri, size, part.Bytes)
		return false
	}
	got, err := sinks.Recount(uri, f, size, part.Dataset)
	if err != nil {
		v.damage("%v", err)
		return false
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
	return true
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

// counts compares what the parts hold with what the manifest says, in all and for each input.
func (v *Verification) counts(m *table.Manifest, sum *tally) {
	var total, all pipeline.Counts
	for _, in := range m.Inputs {
		if err := in.Check(); err != nil {
			v.damage("run %s: the manifest's counts of %s do not add up: %v", m.RunID, in.URI, err)
		}
		all.Add(&in.Counts)
		got := sum.byFile[in.URI]
		if got == nil {
			got = &pipeline.Counts{}
		}
		total.Add(got)
		if got.Mapped != in.Mapped || !maps.Equal(got.Unmapped, in.Unmapped) {
			v.damage("run %s: of %s the parts hold %d mapped and %v unmapped, the manifest says %d and %v",
				m.RunID, in.URI, got.Mapped, got.Unmapped, in.Mapped, in.Unmapped)
		}
		delete(sum.byFile, in.URI)
	}
	for name := range sum.byFile {
		v.damage("run %s: the parts hold rows of %q, which is no input of the run", m.RunID, name)
	}
	if c := &m.Counts.Counts; c.Lines != all.Lines || c.Mapped != all.Mapped || c.UnmappedTotal() != all.UnmappedTotal() || c.Identifiers != all.Identifiers {
		v.damage("run %s: the manifest's counts are not the sum of those of its inputs", m.RunID)
	}
	if sum.refreshRows != total.Mapped {
		v.damage("run %s: refresh_from holds %d rows for %d mapped ones", m.RunID, sum.refreshRows, total.Mapped)
	}
}
