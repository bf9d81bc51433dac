package pipeline

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"mapper/client"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// Mapper is the part of a service's client that the pipeline needs.
type Mapper interface {
	// Map fills answers with one answer for each identity, in the order given, or returns an error and then
	// answers mean nothing. It makes at most one request at a time, and keeps nothing of asks.
	Map(ctx context.Context, asks *Asks, answers *client.Answers) error
}

// Asks is the identities that one request asks for.
type Asks struct {
	IDs []normalize.ID

	text  []byte // of what is known of them
	known []span // where in text; empty unless the inputs have a column for it
}

type span struct{ from, to int }

// KnownUIDs returns the uids that the input names as known for IDs[i], as they stand in its column; mostly nothing.
func (a *Asks) KnownUIDs(i int) []byte {
	if i >= len(a.known) {
		return nil
	}
	return a.text[a.known[i].from:a.known[i].to]
}

// add adds an identity. Those before it have nothing that is known, unless it was said with them.
func (a *Asks) add(id *normalize.ID, knownUIDs []byte) {
	a.IDs = append(a.IDs, *id)
	if len(knownUIDs) == 0 && len(a.known) == 0 {
		return
	}
	for len(a.known) < len(a.IDs) {
		a.known = append(a.known, span{len(a.text), len(a.text)})
	}
	a.text = append(a.text, knownUIDs...)
	a.known[len(a.IDs)-1].to = len(a.text)
}

func (a *Asks) reset() { a.IDs, a.text, a.known = a.IDs[:0], a.text[:0], a.known[:0] }

// Input is one input and what its columns hold. Columns are indexes into the layout of the source.
type Input struct {
	Source      *sources.Input
	ID          int          // the caller's row key, or NoColumn
	AllowRaw    bool         // ID and Keep may hold emails and phones; else Run fails at the first
	NamedPhone  []int        // columns whose names say that they hold phones: if copied, national numbers are phones
	Identifiers []Identifier // in the order in which a row's identifiers are written
	PhoneRegion *int         // the country of the row's phones, see [normalize.ParseRegion]; nil is no such column
	Country     *int         // the country that is part of each identity; nil is no such column
	Everywhere  [2]byte      // the country of identities without such a column; zero is none
	KnownUIDs   *int         // uids of the same service that are known for the row's identities; nil is no such column
	Keep        []int        // copied through; of the same types in all inputs
}

// columns returns the columns to read: first those of which nothing outlives the normalizing, then the copied ones.
func (in *Input) columns() []int {
	columns := make([]int, 0, in.hashed()+1+len(in.Keep))
	for _, id := range in.Identifiers {
		columns = append(columns, id.Column)
	}
	for _, column := range []*int{in.PhoneRegion, in.Country, in.KnownUIDs} {
		if column != nil {
			columns = append(columns, *column)
		}
	}
	if in.ID != NoColumn {
		columns = append(columns, in.ID)
	}
	return append(columns, in.Keep...)
}

// hashed says how many columns stand before the copied ones.
func (in *Input) hashed() int {
	n := len(in.Identifiers)
	for _, column := range []*int{in.PhoneRegion, in.Country, in.KnownUIDs} {
		if column != nil {
			n++
		}
	}
	return n
}

// NoColumn stands for a column that there is not.
const NoColumn = -1

// Identifier is a column that holds identifiers.
type Identifier struct {
	Column int            `json:"column"`
	Form   normalize.Form `json:"form"`
}

// Cursor is a place between two rows of the inputs. With a merge it is one between two tasks: Input is 0, Row is how many
// tasks are done, and Lines how many lines they account for.
type Cursor struct {
	Input int              `json:"input"` // which input
	At    sources.Position `json:"at"`    // where in it reading can start
	Row   int64            `json:"row"`   // how many of its data rows are done; those after At are read again and passed over
	Lines int64            `json:"lines"` // how many data rows of all inputs are done
}

// Part is a sealed part: everything between the cursor of the part before it and its own.
type Part struct {
	N      int           `json:"n"` // from 1
	Cursor Cursor        `json:"cursor"`
	Done   bool          `json:"done"` // nothing comes after it
	Files  []sinks.File  `json:"files,omitempty"`
	Inputs []InputCounts `json:"inputs,omitempty"` // of this part alone
	Totals Totals        `json:"totals"`           // of this part alone
	Sketch []byte        `json:"sketch,omitempty"` // of all identities asked in this part and those before it
	Unique int64         `json:"unique_estimate"`  // how many of them differ, within about 1 %
	Took   time.Duration `json:"-"`                // how long finishing its files took
}

// Sum returns the counts of all inputs of the part together.
func (p *Part) Sum() Counts {
	var all Counts
	for i := range p.Inputs {
		all.Add(&p.Inputs[i].Counts)
	}
	return all
}

// InputCounts are the counts of one input.
type InputCounts struct {
	Input int `json:"input"`
	Counts
}

// Usage is what a client has done for a run so far.
type Usage struct {
	Requests, Retries, Throttled int64
}

// Options tunes Run. A zero field means its default.
type Options struct {
	Incomparable bool // raw UIDs change from answer to answer: with a Merge, they are not compared with those before
	Normalize    normalize.Options
	// Suppressed tells identities that are never to be asked; may be nil. With a Merge it is for that to tell.
	Suppressed   func(*normalize.ID) bool
	Merge        Merge         // what is between reading and asking; nil is nothing
	MaxBatch     int           // identities in a request; default 5,000, the API's maximum
	MaxInFlight  int           // requests at once; default 20
	Memory       int64         // bytes for rows that are read and not yet written, default 64 MiB
	Recent       int           // identities asked last that are not asked again, a power of two up to 2^20; default 65,536
	PartRows     int64         // output rows in a part; default 1,000,000
	PartBytes    int64         // bytes that an open part may hold in memory; default 48 MiB
	PartInterval time.Duration // age of an open part; default 60 s
	Shard        int           // number in the names of parts
	Limit        int64         // rows to read at most, those of earlier parts included; 0 is all
	MaxInvalid   *float64      // share of invalid identifiers and malformed lines at which to give up; nil is never
	Before       Counts        // what earlier parts have counted, for MaxInvalid
	Grace        time.Duration // how long requests in flight may take after a stop; default 15 s
	Usage        func() Usage  // what the client has done so far; may be nil
	// Malformed is told of each malformed line, by the reader, in source order; may be nil.
	Malformed func(uri string, line int64, reason string)
	Progress  *Progress // updated while Run runs; may be nil
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxBatch, 5000)
	setDefault(&o.MaxInFlight, 20)
	setDefault(&o.Memory, 64<<20)
	setDefault(&o.Recent, 1<<16)
	setDefault(&o.PartRows, 1_000_000)
	setDefault(&o.PartBytes, 48<<20)
	setDefault(&o.PartInterval, time.Minute)
	setDefault(&o.Grace, 15*time.Second)
	if o.Usage == nil {
		o.Usage = func() Usage { return Usage{} }
	}
	if o.Malformed == nil {
		o.Malformed = func(string, int64, string) {}
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run reads the inputs from a place on, asks mapper, and writes parts until everything is read. last is the
// last part sealed so far, or the zero Part. Each part is handed to sealed once its files are in place; only
// when sealed has returned nil does the part count, and when it fails Run fails with its error.
//
// With a merge, all inputs are read from their beginning whatever last is, and what it says is to be done is asked and
// written from a place on.
//
// When ctx is cancelled, or reading or a request fails, Run reads no further, gives the requests in flight
// Grace to finish, seals what is contiguous, and returns the cause. Run starts no goroutine that outlives it.
func Run(ctx context.Context, inputs []Input, last Part, mapper Mapper, w *sinks.Writer, sealed func(context.Context, Part) error, opts Options) error {
	opts = opts.withDefaults()
	reading, stopReading := context.WithCancelCause(ctx)
	defer stopReading(nil)
	// What is read may still be asked and written after reading has stopped, but not for ever.
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWork(nil)
	graceEnds := make(chan struct{})
	unhook := context.AfterFunc(reading, func() {
		timer := time.AfterFunc(opts.Grace, func() { stopWork(context.Cause(reading)) })
		<-graceEnds
		timer.Stop()
	})
	defer unhook()
	defer close(graceEnds)

	group, work := errgroup.WithContext(work)
	s := &stages{
		opts:    opts,
		budget:  semaphore.NewWeighted(opts.Memory),
		asks:    make(chan *chunk),
		ordered: make(chan *chunk, windowOver*opts.MaxInFlight),
		unsaved: semaphore.NewWeighted(unsaved(opts, inputs)),
		stop:    stopReading,
		usage:   opts.Usage(), // before anything is asked
	}
	group.Go(func() error {
		s.read(reading, work, inputs, last)
		return nil
	})
	for range opts.MaxInFlight {
		group.Go(func() error {
			s.ask(work, mapper)
			return nil
		})
	}
	group.Go(func() error {
		err := s.join(work, inputs, last, w, sealed)
		stopReading(err)
		return err
	})
	return group.Wait()
}

// stages is what the goroutines of one Run share.
type stages struct {
	opts    Options
	budget  *semaphore.Weighted // bytes of chunks between reading and writing
	spare   sync.Pool           // chunks that are done with
	asks    chan *chunk         // chunks to ask
	ordered chan *chunk         // the same chunks, in source order
	unsaved *semaphore.Weighted // identities asked whose answers are in no sealed part: those that a crash makes be asked again
	stop    context.CancelCauseFunc
	usage   Usage // of the client before this Run
	readErr error // why reading ended; set before ordered is closed
}

// windowOver is how many times as many chunks as requests at once may be between asking and writing, where the byte budget
// and the part have room for them. While a part is sealed nothing is written, and requests are to go on meanwhile.
const windowOver = 3

// unsaved is how many identities may be asked and not be in a sealed part yet, which is what a crash makes be asked again:
// those of a part, and of one chunk more than there are requests at once. With less than a part, a line and a chunk, a part
// that lacks one row could wait for it until it is old, and with less than a chunk, which may be a line with many
// identifiers, asking would wait for ever. The rest keeps all requests busy.
func unsaved(opts Options, inputs []Input) int64 {
	chunk := opts.MaxBatch
	for i := range inputs {
		chunk = max(chunk, len(inputs[i].Identifiers))
	}
	return min(max(opts.PartRows, 1), math.MaxInt64/2) + int64(opts.MaxInFlight+1)*int64(chunk)
}

// ask asks chunk after chunk. A failure belongs to its chunk: the rows before it are still good.
func (s *stages) ask(ctx context.Context, mapper Mapper) {
	for c := range s.asks {
		if c.err = mapper.Map(ctx, &c.asks, &c.answers); c.err != nil {
			s.stop(c.err)
		}
		close(c.done)
	}
}
