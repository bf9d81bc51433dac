package jobs

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client/uid2"
	"mapper/sinks"
	"mapper/sources"
)

// The functions here read settings as people write them, in flags and in job files. Their errors begin with the
// value, so that the caller puts the name of the setting in front: --format "xls" is none of ...

// ParseService reads "uid2" or "euid".
func ParseService(text string) (uid2.Service, error) {
	service, err := uid2.ParseService(text)
	if err != nil {
		return service, usagef("%q is neither uid2 nor euid", text)
	}
	return service, nil
}

// ServiceName is the name of a service as tables have it: uid2, euid or id5. The empty one is any.
type ServiceName string

// ParseServiceName reads the name of a service.
func ParseServiceName(text string) (ServiceName, error) {
	if text != "uid2" && text != "euid" && text != serviceID5 {
		return "", usagef("%q is none of uid2, euid, id5", text)
	}
	return ServiceName(text), nil
}

// uid2 returns UID2 or EUID, which is UID2 if nothing else is said.
func (s ServiceName) uid2() uid2.Service {
	if s == "euid" {
		return uid2.EUID
	}
	return uid2.UID2
}

// ParseFormat reads the name of a format. "auto" is the zero Format, which is found out.
func ParseFormat(text string) (sources.Format, error) {
	if text == "auto" {
		return "", nil
	}
	format := sources.Format(text)
	if !slices.Contains([]sources.Format{sources.CSV, sources.TSV, sources.NDJSON, sources.Text, sources.Parquet, sources.Arrow}, format) {
		return "", usagef("%q is none of auto, csv, tsv, ndjson, parquet, arrow, text", text)
	}
	return format, nil
}

// ParseHygiene reads "on" or "off".
func ParseHygiene(text string) (Hygiene, error) {
	switch text {
	case "on":
		return HygieneOn, nil
	case "off":
		return HygieneOff, nil
	}
	return HygieneOn, usagef("%q is neither on nor off", text)
}

// ParseCompression reads "none", "snappy" or "zstd".
func ParseCompression(text string) (sinks.Compression, error) {
	compression, err := sinks.ParseCompression(text)
	if err != nil {
		return compression, usagef("%q is none of none, snappy, zstd", text)
	}
	return compression, nil
}

// ParseSize reads a number of bytes, such as 192MB or 1GiB.
func ParseSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return 0, usagef("%q is no size; write a number with KB, MB or GB", text)
	}
	return int64(n), nil
}

// ParseTime reads a time as RFC 3339 has it, or a day, which begins at midnight UTC.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("%q is no time; write 2026-11-22T06:00:00Z, or 2026-11-22 for the beginning of that day in UTC", text)
}

// CheckGiven refuses a value that was written down and that is the zero of its setting: zero means the default,
// and who wants the default writes nothing. name is the setting's, as a flag or as a key.
func CheckGiven(name, text string) error {
	switch strings.ReplaceAll(name, "-", "_") {
	case "delimiter":
		if text == "" {
			return usagef("is empty; leave it out to have it found")
		}
	case "quote":
		if text == "" {
			return usagef("is empty; give none if nothing is quoted")
		}
	case "max_batch", "max_in_flight", "part_rows", "give_up_after", "part_interval", "max_rps", "optout_recheck", "max_rows", "refresh_after":
		if strings.Trim(text, "0s.") == "" {
			return usagef("0: leave it out to have its default")
		}
	}
	return nil
}

// noPoison is the MaxPoison of who allows none: 0 is the default there.
const noPoison = -1

// PoisonLimit returns the MaxPoison of a job for which n was given.
func PoisonLimit(n int) int {
	if n == 0 {
		return noPoison
	}
	return n
}
