package jobs

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"mapper/client"
	"mapper/client/uid2"
	"mapper/normalize"
	"mapper/sinks"
	"mapper/sources"
)

// File is a job file: every flag of a command as a key, with _ for -. A key that is not there leaves its field
// zero, which is the default, as it is for [Map]. job.schema.json says the same for editors.
//
// A value may contain ${VAR} and ${file:/path}, which stand for the value of an environment variable and for the
// text of a file without the blanks around it; $${ is a literal ${. A list of one may be written as its only item.
// Relative paths are relative to the current directory, as they are in flags.
type File struct {
	Kind        string        `yaml:"kind"` // map
	Service     uid2.Service  `yaml:"service"`
	BaseURL     string        `yaml:"base_url"`
	Environment string        `yaml:"environment"`
	APIKey      client.Secret `yaml:"api_key"` // without it and the secret, the environment's are taken, as for map
	SecretKey   client.Secret `yaml:"secret_key"`

	Input        []string          `yaml:"input"`
	Columns      FileColumns       `yaml:"columns"`
	AllowRaw     bool              `yaml:"allow_raw"`
	PhoneRegion  normalize.Region  `yaml:"phone_region"`
	Format       sources.Format    `yaml:"format"`
	Encoding     sources.Encoding  `yaml:"encoding"`
	Delimiter    string            `yaml:"delimiter"`
	Quote        string            `yaml:"quote"`
	NoHeader     bool              `yaml:"no_header"`
	Hygiene      Hygiene           `yaml:"hygiene"`
	MaxInvalid   *float64          `yaml:"max_invalid"`
	AllowEmpty   bool              `yaml:"allow_empty"`
	Limit        int64             `yaml:"limit"`
	MaxBatch     int               `yaml:"max_batch"`
	MaxInFlight  int               `yaml:"max_in_flight"`
	MaxRPS       float64           `yaml:"max_rps"`
	GiveUpAfter  time.Duration     `yaml:"give_up_after"`
	MaxPoison    *int              `yaml:"max_poison"`
	Out          string            `yaml:"out"`
	Compression  sinks.Compression `yaml:"compression"`
	PartRows     int64             `yaml:"part_rows"`
	PartBytes    Size              `yaml:"part_bytes"`
	PartInterval time.Duration     `yaml:"part_interval"`
	Memory       Size              `yaml:"memory"`
	RunID        string            `yaml:"run_id"`
	Fresh        bool              `yaml:"fresh"`
	Shard        Shard             `yaml:"shard"`

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

// check finds what no single value shows: what is missing, and what Map itself refuses.
func (d *decoder) check() error {
	switch {
	case d.file.Kind == "":
		return usagef("%s: no kind; write kind: map", d.path)
	case len(d.file.Input) == 0:
		return usagef("%s: no input; name files, folders, globs or URLs, or - for standard input", d.path)
	case d.file.Out == "":
		return usagef("%s: no out; name the folder or URL of the table to write into", d.path)
	}
	_, err := d.file.Map().withDefaults()
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

// Map returns the job that the file describes.
func (f *File) Map() Map {
	m := Map{
		Service: f.Service, BaseURL: f.BaseURL, Environment: f.Environment, APIKey: f.APIKey, ClientSecret: f.SecretKey,
		Inputs: f.Input, Format: f.Format, Encoding: f.Encoding, Delimiter: f.Delimiter, Quote: f.Quote, NoHeader: f.NoHeader,
		Columns: Columns{
			ID: f.Columns.ID, Email: f.Columns.Email, Phone: f.Columns.Phone, EmailHash: f.Columns.EmailHash, PhoneHash: f.Columns.PhoneHash,
			PhoneRegionColumn: f.Columns.PhoneRegionColumn, Keep: f.Columns.Keep, AllowRaw: f.AllowRaw,
		},
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

// parseKind reads the kind of job that a file is of.
func parseKind(text string) error {
	switch text {
	case "map":
		return nil
	case "remap", "signals":
		return usagef("%s is not there yet; the kind that is there is map", text)
	}
	return usagef("%q is none of map, remap, signals", text)
}
