package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/transport"
	"mapper/client/uid2"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// Map is a job that reads inputs, asks UID2 or EUID, and writes a run into the table at Out. Fields without a
// default are required.
type Map struct {
	Service      uid2.Service
	BaseURL      string // default: the service's production
	Environment  string // stamps the table; default: from BaseURL
	APIKey       client.Secret
	ClientSecret client.Secret

	Inputs    []string // paths, globs, folders, or "-"
	Format    sources.Format
	Encoding  sources.Encoding // this and the next three as in sources.Options
	Delimiter string
	Quote     string
	NoHeader  bool
	Stdin     io.Reader // what the input "-" reads
	Columns   Columns
	Suppress  string // a file or URL with identifiers never to ask, raw or hashed, one a line; none when empty
	// PhoneRegion is the country of national phones whose row names none; without one they are unmapped.
	PhoneRegion normalize.Region
	Hygiene     Hygiene

	Out          string
	Store        *objects.Store // how to reach storages; default: a new one
	Compression  sinks.Compression
	PartRows     int64         // default 1,000,000
	PartBytes    int64         // default a quarter of Memory
	PartInterval time.Duration // default 60 s

	MaxBatch    int           // default 5,000
	MaxInFlight int           // default 20
	MaxRPS      float64       // default: adapted to the service
	GiveUpAfter time.Duration // default 15 min
	MaxPoison   int           // default 20; negative is none

	Memory     int64    // byte budget; default 192 MB
	MaxInvalid *float64 // share at which to give up; nil is never
	AllowEmpty bool     // no input, or only empty ones, is no error
	Limit      int64    // rows to read at most; 0 is all
	RunID      string   // default: UTC time and 4 random characters
	Fresh      bool     // do not continue an unfinished run of the same job
	// Incremental asks only for what the table does not know or what is due, and writes only what is new.
	Incremental   bool
	OptoutRecheck time.Duration // after which opted-out and service-invalid identities are due; default 30 days
	FullBase      bool          // with Incremental: the inputs are the whole base, and what is missing is removed
	MaxRemoved    *float64      // share of the live pairs that may be removed; default 0.2
	Shard         Shard         // which slice of the input this process works on; MaxInFlight and MaxRPS are of all slices together

	Version string           // of the program, for the service and the files
	Log     *slog.Logger     // default: none
	Monitor *Monitor         // told what the run is doing; may be nil
	Now     func() time.Time // the clock, which should be the service's within a minute; default time.Now

	APIKeyName, ClientSecretName string // what messages call these two; default: the variables that the command reads
}

// Hygiene says whether junk around identifiers is stripped before they are normalized.
type Hygiene bool

// Whether to strip junk.
const (
	HygieneOn  Hygiene = false // strip it; the zero value
	HygieneOff Hygiene = true  // take values as they are
)

// stdin is the input that stands for standard input.
const stdin = "-"

// DefaultMemory is the byte budget of a process.
const DefaultMemory = 192_000_000

// DefaultOptoutRecheck is after which time people who have opted out, and what the service calls invalid, are asked again.
const DefaultOptoutRecheck = 720 * time.Hour

// minMemory is the least that a chunk of every request in flight and one open part can live on.
const minMemory = 32_000_000

// withDefaults fills in what is left out, and refuses what cannot be meant.
func (m Map) withDefaults() (Map, error) {
	m, err := m.forUID2()
	if err == nil {
		m, err = m.shared()
	}
	if err == nil {
		err = m.checkReading()
	}
	if c := &m.Columns; err == nil && c.Country+c.KnownUIDs != "" {
		err = settingf("country", "and --known-uids are for ID5 Partner Signals")
	}
	return m, err
}

// shared is withDefaults for what a Map has in common with other jobs.
func (m Map) shared() (Map, error) {
	if m.Memory == 0 {
		m.Memory = DefaultMemory
	}
	if err := checkMemory(m.Memory); err != nil {
		return m, err
	}
	if m.PartBytes == 0 {
		m.PartBytes = m.Memory / 4
	}
	read, err := m.reading().Resolve()
	if err != nil {
		return m, &UsageError{setting: m.misread(), message: err.Error()}
	}
	m.Encoding, m.Delimiter, m.Quote = read.Encoding, read.Delimiter, read.Quote
	if m.OptoutRecheck == 0 {
		m.OptoutRecheck = DefaultOptoutRecheck
	}
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Log == nil {
		m.Log = slog.New(slog.DiscardHandler)
	}
	if m.Monitor == nil {
		m.Monitor = new(Monitor)
	}
	return m, m.check()
}

// reading is how the job says its inputs are to be read.
func (m *Map) reading() sources.Options {
	return sources.Options{Store: m.Store, Format: m.Format, Stdin: m.Stdin, Encoding: m.Encoding, Delimiter: m.Delimiter, Quote: m.Quote, NoHeader: m.NoHeader}
}

// misread says which setting it is that keeps the inputs from being read as the job says.
func (m *Map) misread() string {
	for _, of := range []struct {
		setting string
		alone   sources.Options
	}{
		{"encoding", sources.Options{Format: m.Format, Encoding: m.Encoding}},
		{"delimiter", sources.Options{Format: m.Format, Delimiter: m.Delimiter}},
		{"quote", sources.Options{Format: m.Format, Quote: m.Quote}},
		{"no_header", sources.Options{Format: m.Format, NoHeader: m.NoHeader}},
	} {
		if _, err := of.alone.Resolve(); err != nil {
			return of.setting
		}
	}
	return "delimiter" // each is right alone
}

func (m *Map) check() error {
	switch {
	case m.RunID != "" && !table.ValidRunID(m.RunID):
		return settingf("run_id", "%q is no run id; it is letters, digits, '.', '_' and '-', up to 63, and begins with a letter or digit", m.RunID)
	case m.MaxInFlight < 0:
		return settingf("max_in_flight", "%d: at least 1", m.MaxInFlight)
	case m.MaxInvalid != nil && !(*m.MaxInvalid >= 0 && *m.MaxInvalid <= 1):
		return settingf("max_invalid", "%g is a share, from 0 to 1", *m.MaxInvalid)
	case m.Limit < 0:
		return settingf("limit", "%d: it cannot be negative", m.Limit)
	case m.PartRows < 0:
		return settingf("part_rows", "%d: it cannot be negative", m.PartRows)
	case m.PartBytes < 0:
		return settingf("part_bytes", "%d: it cannot be negative", m.PartBytes)
	case m.PartInterval < 0:
		return settingf("part_interval", "%s: it cannot be negative", m.PartInterval)
	case m.GiveUpAfter < 0:
		return settingf("give_up_after", "%s: it cannot be negative", m.GiveUpAfter)
	case !(m.MaxRPS >= 0):
		return settingf("max_rps", "%g: it cannot be negative", m.MaxRPS)
	case m.PartBytes > m.Memory/2:
		return settingf("part_bytes", "%s: an open part may have half of the memory, %s, at most", humanize.Bytes(uint64(m.PartBytes)), humanize.Bytes(uint64(m.Memory)))
	case m.OptoutRecheck < 0:
		return settingf("optout_recheck", "%s: it cannot be negative", m.OptoutRecheck)
	}
	return nil
}

// checkReading looks at what is said of inputs.
func (m *Map) checkReading() error {
	switch {
	case len(m.Inputs) == 0:
		return usagef("no input; name a file, a folder, a glob, or - for standard input")
	case len(m.Inputs) > 1 && slices.Contains(m.Inputs, stdin):
		return usagef("standard input (-) is read alone, without other inputs")
	case m.FullBase && !m.Incremental:
		return settingf("full_base", "true: only an incremental run compares with the table; add --incremental")
	case m.FullBase && m.Limit > 0:
		return settingf("limit", "%d: with --full-base, what is not read would be removed; leave out one of them", m.Limit)
	case m.MaxRemoved != nil && !m.FullBase:
		return settingf("max_removed", "%g: nothing is removed without --full-base", *m.MaxRemoved)
	case m.MaxRemoved != nil && !(*m.MaxRemoved >= 0 && *m.MaxRemoved <= 1):
		return settingf("max_removed", "%g is a share, from 0 to 1", *m.MaxRemoved)
	}
	return m.checkShard()
}

// maxRemoved is the share of live pairs that may be removed.
func (m *Map) maxRemoved() float64 {
	if m.MaxRemoved == nil {
		return 0.2
	}
	return *m.MaxRemoved
}

// checkOut refuses what cannot be a table.
func (m *Map) checkOut() error {
	switch m.Out {
	case "":
		return usagef("no output; name a folder with --out")
	case stdin:
		return usagef("--out - is no place for a table; name a folder or a URL")
	}
	return nil
}

// Run runs the job: it continues an unfinished run of the same job or plans a new one, works it off, and
// commits it. On an error the summary says how far it got, if it got anywhere.
func (m Map) Run(ctx context.Context) (*Summary, error) {
	m, err := m.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := m.checkOut(); err != nil {
		return nil, err
	}
	j := &job{Map: &m, kind: &mapping{Map: &m}, service: m.Service.String(), environment: m.Environment}
	summary, err := j.run(ctx)
	return summary, m.advised(err)
}

// mapping is what is particular to a Map.
type mapping struct {
	*Map
	suppressed *identitySet // nil: none
}

func (*mapping) name() string { return table.KindMap }

func (m *mapping) asker(o transport.Options) (asker, error) { return m.askUID2(o) }

func (m *mapping) ready(ctx context.Context) (err error) {
	m.suppressed, err = m.suppression(ctx, normalize.UID2)
	return err
}

// suppression reads the identifiers that are never to be asked; nil when there are none.
func (m *Map) suppression(ctx context.Context, profile normalize.Profile) (*identitySet, error) {
	if m.Suppress == "" {
		return nil, nil
	}
	if m.Suppress == stdin {
		return nil, settingf("suppress", "- is no list that can be read again; name a file or a URL")
	}
	list, err := readIdentifiers(ctx, m.Suppress, identifierReading{Store: m.Store, Profile: profile, Memory: m.Memory / 4})
	if err != nil {
		return nil, fmt.Errorf("--suppress: %w", err)
	}
	return list, nil
}

func (m *mapping) neverAsk() func(*normalize.ID) bool { return memberOf(m.suppressed) }

// merge compares what is read with the table, if the run is incremental.
func (m *mapping) merge(ctx context.Context, r *run) (merge, error) {
	if !m.Incremental {
		return nil, nil
	}
	return m.shuffle(ctx, r)
}

// settings are the settings that change rows. They make up the identity of a job, with its inputs.
func (m *mapping) settings() map[string]string {
	return map[string]string{
		"kind":                table.KindMap,
		"service":             m.Service.String(),
		"environment":         m.Environment,
		"format":              string(m.Format),
		"encoding":            string(m.Encoding),
		"delimiter":           m.Delimiter,
		"quote":               m.Quote,
		"no_header":           fmt.Sprint(m.NoHeader),
		"id":                  m.Columns.ID,
		"email":               fmt.Sprintf("%q", m.Columns.Email),
		"phone":               fmt.Sprintf("%q", m.Columns.Phone),
		"email_hash":          fmt.Sprintf("%q", m.Columns.EmailHash),
		"phone_hash":          fmt.Sprintf("%q", m.Columns.PhoneHash),
		"keep":                fmt.Sprintf("%q", m.Columns.Keep),
		"allow_raw":           fmt.Sprint(m.Columns.AllowRaw),
		"phone_region":        m.PhoneRegion.String(),
		"phone_region_column": m.Columns.PhoneRegionColumn,
		"hygiene":             map[Hygiene]string{HygieneOn: "on", HygieneOff: "off"}[m.Hygiene],
		"limit":               fmt.Sprint(m.Limit),
		"shards":              fmt.Sprint(m.Shard.count()),
		"suppress":            digestOf(m.suppressed),
		"incremental":         fmt.Sprint(m.Incremental),
		"optout_recheck":      m.OptoutRecheck.String(),
		"full_base":           fmt.Sprint(m.FullBase),
	}
}

// list returns the inputs that the job names.
func (m *Map) list(ctx context.Context) ([]objects.Object, error) {
	found, err := sources.List(ctx, m.Store, m.Inputs)
	if m.AllowEmpty && !m.FullBase && isMissing(err) { // what is missing of a whole base would be removed
		return m.findThose(ctx)
	}
	return found, err
}

// find returns the inputs that the job names, if none of them has to do with its output.
func (m *mapping) find(ctx context.Context, t *table.Table) ([]objects.Object, error) {
	found, err := m.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, pattern := range m.Inputs {
		if t.Bucket.Inside(pattern) {
			return nil, usagef("--out %s lies inside the input %s, so the next run would read what this one writes; choose another folder", m.Out, pattern)
		}
	}
	for _, o := range found {
		if t.Bucket.Contains(o) {
			return nil, usagef("the input %s lies inside the table at --out %s; choose another folder", o.URI, m.Out)
		}
	}
	return found, nil
}

// isMissing says that an input names nothing.
func isMissing(err error) bool {
	return errors.Is(err, sources.ErrNoFiles) || errors.Is(err, fs.ErrNotExist)
}

// findThose returns the inputs that are there, when some are not.
func (m *Map) findThose(ctx context.Context) ([]objects.Object, error) {
	var there []string
	for _, pattern := range m.Inputs {
		_, err := sources.List(ctx, m.Store, []string{pattern})
		switch {
		case isMissing(err):
			m.Log.Warn("there is no such input", "input", pattern)
		case err != nil:
			return nil, err
		default:
			there = append(there, pattern)
		}
	}
	if len(there) == 0 {
		return nil, nil
	}
	return sources.List(ctx, m.Store, there)
}
