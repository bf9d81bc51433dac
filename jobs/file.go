package jobs

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"mapper/client"
	"mapper/jobs/table"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// File is a job file: every flag of a command as a key, with _ for -. A key that is not there leaves its field
// zero, which is the default, as it is for [Map] and [Remap]. job.schema.json says the same for editors.
//
// A value may contain ${VAR} and ${file:/path}, which stand for the value of an environment variable and for the
// text of a file without the blanks around it; $${ is a literal ${. A list of one may be written as its only item.
// Relative paths are relative to the current directory, as they are in flags.
type File struct {
	Kind        string        `yaml:"kind"` // map, remap or signals
	Service     ServiceName   `yaml:"service"`
	BaseURL     string        `yaml:"base_url"`
	Environment string        `yaml:"environment"`
	APIKey      client.Secret `yaml:"api_key"` // without it and the secret, the environment's are taken, as for map
	SecretKey   client.Secret `yaml:"secret_key"`
	Partner     string        `yaml:"partner"` // of ID5; without it and the token, the environment's are taken
	Token       client.Secret `yaml:"token"`

	Input         []string          `yaml:"input"`
	Columns       FileColumns       `yaml:"columns"`
	AllowRaw      bool              `yaml:"allow_raw"`
	PhoneRegion   normalize.Region  `yaml:"phone_region"`
	Format        sources.Format    `yaml:"format"`
	Encoding      sources.Encoding  `yaml:"encoding"`
	Delimiter     string            `yaml:"delimiter"`
	Quote         string            `yaml:"quote"`
	NoHeader      bool              `yaml:"no_header"`
	Hygiene       Hygiene           `yaml:"hygiene"`
	MaxInvalid    *float64          `yaml:"max_invalid"`
	AllowEmpty    bool              `yaml:"allow_empty"`
	Limit         int64             `yaml:"limit"`
	MaxBatch      int               `yaml:"max_batch"`
	MaxInFlight   int               `yaml:"max_in_flight"`
	MaxRPS        float64           `yaml:"max_rps"`
	GiveUpAfter   time.Duration     `yaml:"give_up_after"`
	MaxPoison     *int              `yaml:"max_poison"`
	Suppress      string            `yaml:"suppress"`
	Incremental   bool              `yaml:"incremental"`
	OptoutRecheck time.Duration     `yaml:"optout_recheck"`
	FullBase      bool              `yaml:"full_base"`
	MaxRemoved    *float64          `yaml:"max_removed"`
	Out           string            `yaml:"out"`
	From          string            `yaml:"from"`          // of remap: the table
	RefreshAfter  time.Duration     `yaml:"refresh_after"` // of signals and remap
	AsOf          time.Time         `yaml:"as_of"`         // of remap
	MaxRows       int64             `yaml:"max_rows"`      // of remap
	Compression   sinks.Compression `yaml:"compression"`
	PartRows      int64             `yaml:"part_rows"`
	PartBytes     Size              `yaml:"part_bytes"`
	PartInterval  time.Duration     `yaml:"part_interval"`
	Memory        Size              `yaml:"memory"`
	RunID         string            `yaml:"run_id"`
	Fresh         bool              `yaml:"fresh"`
	Shard         Shard             `yaml:"shard"`

	APIKeyName, SecretKeyName string `yaml:"-"` // the credentials' file, line and key, if they are given
}

// FileColumns are the settings of a job file that name columns, as in [Columns].
type FileColumns struct {
	ID                string   `yaml:"id"`
	Email             []string `yaml:"email"`
	Phone             []string `yaml:"phone"`
	EmailHash         []string `yaml:"email_hash"`
	PhoneHash         []string `yaml:"phone_hash"`
	PhoneRegionColumn string   `yaml:"phone_region_column"`
	Country           string   `yaml:"country"`    // of signals
	KnownUIDs         string   `yaml:"known_uids"` // of signals
	Keep              []string `yaml:"keep"`
}

// Size is a number of bytes, in job files written as 192MB or 1GiB.
type Size int64

// FileOptions is what a job file is read with, beside its text.
type FileOptions struct {
	Set []string                                  // key=value, which go before what the file says; a list is a,b
	Env func(name string) (value string, ok bool) // environment variables; default: the process's
	Log *slog.Logger                              // told of credentials that stand in the file as they are; default: none
}

func (o FileOptions) withDefaults() FileOptions {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ReadFile reads and checks a job file. What is wrong with it is a [UsageError] that names file, line and key, and
// never shows the value of a credential, of a variable or of a file.
func ReadFile(path string, o FileOptions) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("job file: %v", err)
	}
	d := newDecoder(path, o.withDefaults())
	if err := d.decode(text); err != nil {
		return nil, err
	}
	for _, set := range o.Set {
		if err := d.override(set); err != nil {
			return nil, err
		}
	}
	d.file.APIKeyName, d.file.SecretKeyName = d.named("api_key"), d.named("secret_key")
	return &d.file, d.check()
}

// named returns what messages call a setting that is given: file, line and key.
func (d *decoder) named(key string) string {
	if g, ok := d.given[key]; ok {
		return g.where + ": " + key
	}
	return ""
}

// kindsOf are the kinds of jobs that a key is for, where it is not for all.
var kindsOf = func() map[string][]string {
	const mapping, signals, remap = table.KindMap, table.KindSignals, table.KindRemap
	kinds := map[string][]string{}
	for _, of := range []struct {
		keys  string
		kinds []string
	}{
		{"input columns columns.id columns.email columns.email_hash columns.keep allow_raw format encoding delimiter quote no_header " +
			"hygiene max_invalid allow_empty limit out shard", []string{mapping, signals}},
		{"columns.phone columns.phone_hash columns.phone_region_column phone_region incremental full_base max_removed", []string{mapping}},
		{"api_key secret_key optout_recheck", []string{mapping, remap}},
		{"columns.country columns.known_uids", []string{signals}},
		{"partner token refresh_after", []string{signals, remap}},
		{"from as_of max_rows", []string{remap}},
	} {
		for key := range strings.FieldsSeq(of.keys) {
			kinds[key] = of.kinds
		}
	}
	return kinds
}()

// check finds what no single value shows: what is missing or of another kind, and what the job itself refuses.
func (d *decoder) check() error {
	if d.file.Kind == "" {
		return usagef("%s: no kind; write kind: map", d.path)
	}
	for _, key := range slices.Sorted(maps.Keys(d.given)) {
		if kinds, some := kindsOf[key]; some && !slices.Contains(kinds, d.file.Kind) {
			return usagef("%s: key %q is for jobs of kind %s, and this one is of kind %s", d.given[key].where, key, strings.Join(kinds, " and "), d.file.Kind)
		}
	}
	var err error
	switch {
	case d.file.Service != "" && d.file.Kind != table.KindRemap && (d.file.Service == serviceID5) != (d.file.Kind == table.KindSignals):
		return usagef("%s: service %q is not for jobs of kind %s: ID5 is asked by kind: signals, UID2 and EUID by kind: map", d.given["service"].where, d.file.Service, d.file.Kind)
	case d.file.Kind == table.KindRemap && d.file.From == "":
		return usagef("%s: no from; name the folder or URL of the table to map again", d.path)
	case d.file.Kind == table.KindRemap:
		r := d.file.Remap()
		if err = r.check(); err == nil {
			_, err = r.shared()
		}
	case len(d.file.Input) == 0:
		return usagef("%s: no input; name files, folders, globs or URLs, or - for standard input", d.path)
	case d.file.Out == "":
		return usagef("%s: no out; name the folder or URL of the table to write into", d.path)
	case d.file.Kind == table.KindSignals:
		s := d.file.Signals()
		_, err = s.withDefaults()
	default:
		_, err = d.file.Map().withDefaults()
	}
	var wrong *UsageError
	if !errors.As(err, &wrong) {
		return err
	}
	given := d.given[wrong.setting] // none when it is a default that does not go with what is given
	if given.where == "" {
		given.where = d.path
	}
	return usagef("%s: %s", given.where, given.hide(wrong.setting, inKeys(wrong.message)))
}

// Map returns the job that a file of kind map describes.
func (f *File) Map() Map {
	m := Map{
		Service: f.Service.uid2(), BaseURL: f.BaseURL, Environment: f.Environment, APIKey: f.APIKey, ClientSecret: f.SecretKey,
		Inputs: f.Input, Format: f.Format, Encoding: f.Encoding, Delimiter: f.Delimiter, Quote: f.Quote, NoHeader: f.NoHeader,
		Columns: Columns{
			ID: f.Columns.ID, Email: f.Columns.Email, Phone: f.Columns.Phone, EmailHash: f.Columns.EmailHash, PhoneHash: f.Columns.PhoneHash,
			PhoneRegionColumn: f.Columns.PhoneRegionColumn, Keep: f.Columns.Keep, AllowRaw: f.AllowRaw,
			Country: f.Columns.Country, KnownUIDs: f.Columns.KnownUIDs,
		},
		Suppress: f.Suppress, Incremental: f.Incremental, OptoutRecheck: f.OptoutRecheck, FullBase: f.FullBase, MaxRemoved: f.MaxRemoved,
		PhoneRegion: f.PhoneRegion, Hygiene: f.Hygiene,
		Out: f.Out, Compression: f.Compression, PartRows: f.PartRows, PartBytes: int64(f.PartBytes), PartInterval: f.PartInterval,
		MaxBatch: f.MaxBatch, MaxInFlight: f.MaxInFlight, MaxRPS: f.MaxRPS, GiveUpAfter: f.GiveUpAfter,
		Memory: int64(f.Memory), MaxInvalid: f.MaxInvalid, AllowEmpty: f.AllowEmpty, Limit: f.Limit, RunID: f.RunID, Fresh: f.Fresh, Shard: f.Shard,
		APIKeyName: f.APIKeyName, ClientSecretName: f.SecretKeyName,
	}
	if f.MaxPoison != nil {
		m.MaxPoison = PoisonLimit(*f.MaxPoison)
	}
	return m
}

// Remap returns the job that a file of kind remap describes.
func (f *File) Remap() Remap {
	r := Remap{Map: f.Map(), ID5: f.id5(), Of: f.Service, AsOf: f.AsOf, MaxRows: f.MaxRows}
	r.Out = f.From
	return r
}

// Signals returns the job that a file of kind signals describes.
func (f *File) Signals() Signals { return Signals{Map: f.Map(), ID5: f.id5()} }

func (f *File) id5() ID5 {
	return ID5{Partner: f.Partner, Token: f.Token, RefreshAfter: f.RefreshAfter}
}

// parseKind reads the kind of job that a file is of.
func parseKind(text string) error {
	switch text {
	case table.KindMap, table.KindRemap, table.KindSignals:
		return nil
	}
	return usagef("%q is none of map, remap, signals", text)
}
