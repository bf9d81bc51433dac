package jobs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/jobs/table"
)

// Status is how a run stands.
type Status string

// How a run can stand.
const (
	StatusCommitted        Status = "committed"
	StatusAlreadyCommitted Status = "already_committed" // by an earlier command, or by another process at the same moment
	StatusShardDone        Status = "shard_done"        // this shard is done, others are not yet; the last one commits
	StatusNothingToDo      Status = "nothing_to_do"     // the table has been compacted already
	StatusInterrupted      Status = "interrupted"       // the same command continues it
	StatusFailed           Status = "failed"            // unfinished; what is sealed is kept
)

// Summary is what a job has done. Counts are of the whole run, those of earlier processes included, as far as
// parts are sealed.
type Summary struct {
	Type            string               `json:"type"` // "summary"
	Status          Status               `json:"status"`
	RunID           string               `json:"run_id"`
	Shard           string               `json:"shard"` // K/N: what this process worked on
	Out             string               `json:"out"`
	Kind            string               `json:"kind"`
	Service         string               `json:"service"`
	Environment     string               `json:"environment"`
	Counts          table.ManifestCounts `json:"counts"`
	RefreshCalendar map[string]int64     `json:"refresh_calendar"` // UTC day -> identities due
	Parts           int                  `json:"parts"`            // files of sealed parts
	PartsResumed    int                  `json:"parts_resumed"`    // of them those of earlier processes
	Seconds         float64              `json:"seconds"`          // of this process
	RowsPerSecond   float64              `json:"rows_per_second"`  // of this process
	Advice          []Advice             `json:"advice"`           // likely mistakes in the data; empty when none shows
}

func summarize(t *table.Table, m *table.Manifest, status Status) *Summary {
	return &Summary{
		Type: "summary", Status: status, RunID: m.RunID, Out: t.Bucket.URI(""), Kind: m.Kind,
		Service: m.Service, Environment: m.Environment, Counts: m.Counts, RefreshCalendar: m.Calendar, Parts: len(m.Parts),
		Advice: advise(m),
	}
}

// summary says what this process has done. Before the commit its counts are those of the shard.
func (r *run) summary(began time.Time) *Summary {
	manifest := r.result
	if manifest == nil {
		m := r.manifest(r.chain)
		manifest = &m
	}
	s := summarize(r.table, manifest, r.status)
	s.Shard = Shard{r.shard, len(r.plan.Shards)}.String()
	s.Seconds = time.Since(began).Seconds()
	for _, l := range r.chain.Links[:r.resumed] {
		s.PartsResumed += len(l.Files)
	}
	var own table.ManifestCounts // what this process has sealed
	for _, l := range r.chain.Links[r.resumed:] {
		sum := l.Sum()
		own.Counts.Add(&sum)
		own.Totals.Add(&l.Totals)
	}
	if r.status != StatusAlreadyCommitted { // then others have counted what is there
		asked := r.usage() // also for what is not sealed
		s.Counts.Requests += asked.Requests - own.Requests
		s.Counts.Retries += asked.Retries - own.Retries
		s.Counts.Throttled += asked.Throttled - own.Throttled
	}
	s.RowsPerSecond = float64(own.Lines) / s.Seconds
	return s
}

// String returns the summary for people: one line, and one for each advice.
func (s *Summary) String() string {
	c := &s.Counts
	if s.Status == StatusAlreadyCommitted {
		return fmt.Sprintf("run %s was committed before: %s mapped, %s unmapped; nothing to do",
			s.RunID, humanize.Comma(c.Mapped), humanize.Comma(c.UnmappedTotal())) + adviceText(s.Advice)
	}
	if s.Status == StatusNothingToDo && s.RunID == "" {
		return "the table has no committed run; nothing to do"
	}
	if s.Status == StatusNothingToDo {
		return fmt.Sprintf("run %s is all that the table has, and is sorted: %s; nothing to do", s.RunID, counted(c.Identifiers-c.Withheld, "live pair", "live pairs"))
	}
	if s.Status == StatusShardDone {
		return fmt.Sprintf("run %s, shard %s done: %s lines, %s mapped, %s unmapped; the last shard commits the run",
			s.RunID, s.Shard, humanize.Comma(c.Lines), humanize.Comma(c.Mapped), humanize.Comma(c.UnmappedTotal()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "run %s %s: %s = %s mapped", s.RunID, s.Status, s.read(), humanize.Comma(c.Mapped))
	for _, reason := range sortedKeys(c.Unmapped) {
		if reason != "INVALID_ROW" && reason != "REMOVED" {
			fmt.Fprintf(&b, " + %s %s", humanize.Comma(c.Unmapped[reason]), reason)
		}
	}
	if c.Withheld > 0 {
		word := "withheld"
		if s.Kind == table.KindForget {
			word = "forgotten"
		}
		fmt.Fprintf(&b, " + %s %s", humanize.Comma(c.Withheld), word)
	}
	if removed := c.Unmapped["REMOVED"]; removed > 0 {
		word := "removed"
		if s.Status != StatusCommitted {
			word = "to be removed"
		}
		fmt.Fprintf(&b, ", and %s %s", humanize.Comma(removed), word)
	}
	fmt.Fprintf(&b, "; %s, %s retried, %s throttled; %s in %s (%s rows/s)",
		counted(c.Requests, "request", "requests"), humanize.Comma(c.Retries), humanize.Comma(c.Throttled), counted(int64(s.Parts), "part", "parts"),
		time.Duration(s.Seconds*float64(time.Second)).Round(10*time.Millisecond), humanize.Comma(int64(s.RowsPerSecond)))
	return b.String() + adviceText(s.Advice)
}

// read says what the run has gone through, by its kind.
func (s *Summary) read() string {
	c := &s.Counts
	switch s.Kind {
	case table.KindRemap:
		return counted(c.Identifiers, "pair", "pairs") + " taken up"
	case table.KindCompact, table.KindForget:
		return counted(c.Identifiers, "live pair", "live pairs")
	}
	return fmt.Sprintf("%s lines = %s rows + %s malformed; %s identifiers (%s rows without)",
		humanize.Comma(c.Lines), humanize.Comma(c.Rows), humanize.Comma(c.Malformed), humanize.Comma(c.Identifiers), humanize.Comma(c.EmptyRows))
}

// reasons writes counts by reason, the most frequent first, ten at most.
func reasons(counts map[string]int64) string {
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var list strings.Builder
	for _, w := range words[:min(10, len(words))] {
		fmt.Fprintf(&list, ", %s %q", humanize.Comma(counts[w]), w)
	}
	return list.String()
}

func sortedKeys(counts map[string]int64) []string { return slices.Sorted(maps.Keys(counts)) }
