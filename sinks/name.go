package sinks

import (
	"fmt"
	"regexp"
	"strconv"
)

// The datasets of a run.
const (
	DatasetMapped      = "mapped"       // one row per input row and identifier column that has a raw UID
	DatasetUnmapped    = "unmapped"     // the same without one, and why
	DatasetRefreshFrom = "refresh_from" // the mapped rows again, as an index sorted by refresh_from

	datasetExport = "export" // no dataset of a run, see [NewExport]
	datasetDiff   = "diff"   // nor this, see [NewDiff]
)

// Datasets returns the names of all datasets, in the order in which [Writer.Seal] returns a part's files.
func Datasets() []string { return []string{DatasetMapped, DatasetUnmapped, DatasetRefreshFrom} }

// PartName is what the key of a part's file says.
type PartName struct {
	Dataset string // one of [Datasets]
	Run     string // the run's id
	Shard   int    // the shard of the run, from 0
	Part    int    // the part of the shard
	Random  string // lower-case letters and digits; tells apart the attempts of several processes at the same part
}

// String returns the key: <dataset>/run=<run>/part-<shard>-<part>-<random>.parquet.
func (p PartName) String() string {
	return fmt.Sprintf("%s/run=%s/part-%d-%d-%s.parquet", p.Dataset, p.Run, p.Shard, p.Part, p.Random)
}

// A run id becomes a folder, so nothing may pass that leads out of it.
const runPattern = `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`

// ParsePartName is the inverse of [PartName.String]. It fails on every text that String does not return.
func ParsePartName(key string) (PartName, error) {
	pattern := regexp.MustCompile(
		`^(mapped|unmapped|refresh_from)/run=(` + runPattern + `)/part-(\d{1,9})-(\d{1,9})-([a-z0-9]+)\.parquet$`)
	if m := pattern.FindStringSubmatch(key); m != nil {
		shard, shardErr := strconv.Atoi(m[3])
		part, partErr := strconv.Atoi(m[4])
		p := PartName{Dataset: m[1], Run: m[2], Shard: shard, Part: part, Random: m[5]}
		if shardErr == nil && partErr == nil && p.String() == key { // "007" is not how a 7 is written
			return p, nil
		}
	}
	return PartName{}, fmt.Errorf("%s: is not the name of a part", key)
}

// File is a published file of a part.
type File struct {
	Path    string `json:"path"`    // its key in the bucket, see [PartName]
	Dataset string `json:"dataset"` // one of [Datasets]
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // of the whole file, 64 lower-case hexadecimal digits

	// The smallest and largest refresh_from of the file, Unix milliseconds. Nil when no row has one.
	MinRefreshFrom *int64 `json:"min_refresh_from,omitempty"`
	MaxRefreshFrom *int64 `json:"max_refresh_from,omitempty"`

	// The smallest and largest of the first 4 bytes of the rows' hashes, as 8 lower-case hexadecimal digits.
	// Empty when no row has a hash.
	MinHash string `json:"min_hash,omitempty"`
	MaxHash string `json:"max_hash,omitempty"`
}
