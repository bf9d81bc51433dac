package pipeline

import (
	"fmt"
	"maps"
)

// Counts says what became of every line of an input. Counts of parts add up to those of a run.
type Counts struct {
	Lines       int64 `json:"lines"`       // data rows and lines that could not be read
	Malformed   int64 `json:"malformed"`   // lines that could not be read; each is one unmapped INVALID_ROW
	Rows        int64 `json:"rows"`        // lines - malformed
	EmptyRows   int64 `json:"empty_rows"`  // rows without any identifier
	Identifiers int64 `json:"identifiers"` // cells that hold one
	Mapped      int64 `json:"mapped"`
	Withheld    int64 `json:"withheld"` // identifiers that a merge found to need no row
	// Unmapped counts identifiers, malformed lines, and pairs that have left the base, by reason.
	Unmapped map[string]int64 `json:"unmapped"`
}

// Add adds other to c.
func (c *Counts) Add(other *Counts) {
	c.Lines += other.Lines
	c.Malformed += other.Malformed
	c.Rows += other.Rows
	c.EmptyRows += other.EmptyRows
	c.Identifiers += other.Identifiers
	c.Mapped += other.Mapped
	c.Withheld += other.Withheld
	c.Unmapped = addTo(c.Unmapped, other.Unmapped)
}

// UnmappedTotal is the number of unmapped output rows.
func (c *Counts) UnmappedTotal() int64 {
	var n int64
	for _, v := range c.Unmapped {
		n += v
	}
	return n
}

// Invalid is the number of invalid identifiers and malformed lines.
func (c *Counts) Invalid() int64 { return c.Unmapped["INVALID_IDENTIFIER"] + c.Unmapped["INVALID_ROW"] }

// Check says whether the counts add up: every line and every identifier is accounted for.
func (c *Counts) Check() error {
	invalidRows := c.Unmapped["INVALID_ROW"]
	unmapped := c.UnmappedTotal() - invalidRows - c.Unmapped["REMOVED"]
	switch {
	case c.Lines != c.Rows+c.Malformed:
		return fmt.Errorf("%d lines are not %d rows and %d malformed", c.Lines, c.Rows, c.Malformed)
	case c.Malformed != invalidRows:
		return fmt.Errorf("%d malformed lines, but %d unmapped INVALID_ROW", c.Malformed, invalidRows)
	case c.EmptyRows > c.Rows:
		return fmt.Errorf("%d rows without an identifier of %d rows", c.EmptyRows, c.Rows)
	case c.Identifiers < c.Rows-c.EmptyRows:
		return fmt.Errorf("%d identifiers in %d rows that hold one", c.Identifiers, c.Rows-c.EmptyRows)
	case c.Identifiers != c.Mapped+unmapped+c.Withheld:
		return fmt.Errorf("%d identifiers are not %d mapped, %d unmapped and %d withheld", c.Identifiers, c.Mapped, unmapped, c.Withheld)
	}
	return nil
}

// Totals is what a run counts beside the fate of its lines. Totals of parts add up to those of a run.
type Totals struct {
	Asked     int64            `json:"asked"`                 // identities sent to the service and answered
	Requests  int64            `json:"requests"`              // HTTP requests, repeated ones included
	Retries   int64            `json:"retries"`               // requests repeated after a failure
	Throttled int64            `json:"throttled"`             // replies 429
	Live      int64            `json:"live,omitempty"`        // tasks of a merge whose pair was live before
	Notes     map[string]int64 `json:"notes,omitempty"`       // identifiers that were cleaned, hashed already, ...
	Reasons   map[string]int64 `json:"raw_reasons,omitempty"` // unmapped rows by raw_reason
	Calendar  map[string]int64 `json:"calendar,omitempty"`    // UTC day -> identities with that refresh_from

	Columns  map[string]ColumnCounts `json:"columns,omitempty"`  // by name; columns of one name in several inputs are one
	Repeated []Repeated              `json:"repeated,omitempty"` // what stands in very many rows, the most frequent first
}

// NoteUnnormalized is the note under which Totals counts hashes that were made of the email beside them without
// normalizing it.
const NoteUnnormalized = "hash_not_normalized"

// Add adds other to t.
func (t *Totals) Add(other *Totals) {
	t.Asked += other.Asked
	t.Requests += other.Requests
	t.Retries += other.Retries
	t.Throttled += other.Throttled
	t.Live += other.Live
	t.Notes = addTo(t.Notes, other.Notes)
	t.Reasons = addTo(t.Reasons, other.Reasons)
	t.Calendar = addTo(t.Calendar, other.Calendar)
	t.Columns = addColumns(t.Columns, other.Columns)
	t.Repeated = addRepeated(t.Repeated, other.Repeated)
}

// addTo adds more to sum, which may be nil and is made anew then: counts of parts are never shared.
func addTo(sum, more map[string]int64) map[string]int64 {
	if sum == nil {
		return maps.Clone(more)
	}
	for k, v := range more {
		sum[k] += v
	}
	return sum
}
