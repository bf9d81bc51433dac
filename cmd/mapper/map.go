package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mapper/client"
	"mapper/jobs"
	"mapper/normalize"
	"mapper/sources"
)

// mapFlags are the flags of map that are not fields of the job as they stand.
type mapFlags struct {
	service, format, hygiene, compression, memory, partBytes, shard string
	maxInvalid, maxRemoved                                          float64
}

func (a *app) mapCommand() *cobra.Command {
	var job jobs.Map
	var f mapFlags
	c := &cobra.Command{
		Use:   "map INPUT... --out URI",
		Short: "Map emails and phones to UID2 or EUID raw UIDs",
		Long: "map reads emails and phones from the inputs (files, globs, folders, gs://, s3:// and azblob:// URLs, or - for\n" +
			"standard input; CSV, TSV, NDJSON, Parquet, Arrow or one identifier a line; gzip, zstd and bzip2), asks UID2 or EUID\n" +
			"for their raw UIDs, and writes a run into the table at --out: Parquet under mapped/, unmapped/ and refresh_from/.\n" +
			"A run is visible when it is complete. The same command continues an interrupted run.\n\n" +
			"Credentials come from the environment: UID2_API_KEY and UID2_SECRET_KEY (EUID_... for EUID), or files named by\n" +
			"UID2_API_KEY_FILE and UID2_SECRET_KEY_FILE.",
		Example: "  mapper map customers.csv --id customer_id --out ids/uid2\n" +
			"  mapper map 's3://crm/export/*.csv.gz' --email email --phone mobile --keep country --out gs://ids/uid2\n" +
			"  zcat emails.txt.gz | mapper map - --format text --service euid --out ids/euid",
		Args: someInput,
		RunE: a.measured(func(c *cobra.Command, inputs []string) error {
			job.Inputs = inputs
			if err := a.completeMap(c, &job, &f); err != nil {
				return err
			}
			if err := a.credentials(&job); err != nil {
				return err
			}
			return a.runJob(c.Context(), &job, &job)
		}),
	}
	addMapFlags(c, &job, &f)
	return c
}

// someInput wants an input at least.
func someInput(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no input; name a file, a folder, a glob, a URL, or - for standard input")
	}
	return nil
}

func addMapFlags(c *cobra.Command, job *jobs.Map, f *mapFlags) {
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&job.Out, "out", "", "folder or URL of the table to write into (required)")
	addServiceFlags(c, job, f)
	flags.StringVar(&job.Columns.ID, "id", "", "column with your row key, copied to every output row")
	flags.StringSliceVar(&job.Columns.Email, "email", nil, "columns with emails (default: found from header and content)")
	flags.StringSliceVar(&job.Columns.Phone, "phone", nil, "columns with phones")
	flags.StringSliceVar(&job.Columns.EmailHash, "email-hash", nil, "columns with SHA-256 hashes of emails, base64 or hex")
	flags.StringSliceVar(&job.Columns.PhoneHash, "phone-hash", nil, "columns with SHA-256 hashes of phones, base64 or hex")
	flags.StringSliceVar(&job.Columns.Keep, "keep", nil, "columns copied through unchanged")
	flags.BoolVar(&job.Columns.AllowRaw, "allow-raw", false, "let --id or --keep name a column that holds emails or phones")
	flags.TextVar(&job.PhoneRegion, "phone-region", normalize.Region{}, "country `CC` of national phones, two letters as in DE (default: none, they are unmapped)")
	flags.StringVar(&job.Columns.PhoneRegionColumn, "phone-region-column", "", "column with the country of a row's phones; where it is blank, --phone-region counts")
	flags.StringVar(&f.format, "format", "auto", "how to read: auto, csv, tsv, ndjson, parquet, arrow or text (one identifier a line)")
	addReadFlags(c, &job.Encoding, &job.Delimiter, &job.Quote, &job.NoHeader)
	flags.StringVar(&f.hygiene, "hygiene", "on", "strip junk around identifiers before they are normalized: on or off")
	flags.BoolVar(&job.Incremental, "incremental", false, "ask only for what the table does not know or what is due, and write only what is new")
	addKnownFlags(c, job)
	flags.BoolVar(&job.FullBase, "full-base", false, "with --incremental: the inputs are the whole base, and pairs of id and identity that are missing are removed")
	flags.Float64Var(&f.maxRemoved, "max-removed", 0.2, "with --full-base: refuse when a larger share of the live pairs would be removed")
	addAskFlags(c, job)
	addPartFlags(c, job, f)
	addInputFlags(c, job, f)
}

// addInputFlags adds the flags that say what is to become of the inputs as a whole, and of which run they are.
func addInputFlags(c *cobra.Command, job *jobs.Map, f *mapFlags) {
	flags := c.Flags()
	flags.Float64Var(&f.maxInvalid, "max-invalid", 1, "give up when the share of invalid identifiers and malformed lines passes this (looked at from 10,000 on, and at the end)")
	flags.BoolVar(&job.AllowEmpty, "allow-empty", false, "no input file, or only empty ones, is not an error")
	flags.Int64Var(&job.Limit, "limit", 0, "read only the first rows, so many (default: all)")
	addRunFlags(c, job)
	flags.StringVar(&f.shard, "shard", "0/1", "slice `K/N` of the input for this process, K from 0; /N takes K from $JOB_COMPLETION_INDEX; needs --run-id")
}

// addServiceFlags adds the flags that say who is asked.
func addServiceFlags(c *cobra.Command, job *jobs.Map, f *mapFlags) {
	flags := c.Flags()
	flags.StringVar(&f.service, "service", "uid2", "which network: uid2 or euid")
	addOperatorFlags(c, job)
}

// addOperatorFlags adds the flags that say where the service is.
func addOperatorFlags(c *cobra.Command, job *jobs.Map) {
	flags := c.Flags()
	flags.StringVar(&job.BaseURL, "base-url", "", "operator (default $UID2_BASE_URL or $EUID_BASE_URL, else production)")
	flags.StringVar(&job.Environment, "environment", "", "name of the environment, which the table is stamped with (default: from the host)")
}

// addKnownFlags adds the flags that say what of the known is asked again, and what never.
func addKnownFlags(c *cobra.Command, job *jobs.Map) {
	flags := c.Flags()
	flags.StringVar(&job.Suppress, "suppress", "", "`file` or URL with identifiers never to ask, raw or hashed, one a line")
	flags.DurationVar(&job.OptoutRecheck, "optout-recheck", jobs.DefaultOptoutRecheck, "ask again for opted-out and service-invalid identities after")
}

// addAskFlags adds the flags that say how the service is asked.
func addAskFlags(c *cobra.Command, job *jobs.Map) {
	flags := c.Flags()
	flags.IntVar(&job.MaxBatch, "max-batch", 0, "identities in a request (default: the most that the service takes, 5000, of ID5 1000)")
	flags.IntVar(&job.MaxInFlight, "max-in-flight", 0, "requests at once (default 20, of ID5 4)")
	flags.Float64Var(&job.MaxRPS, "max-rps", 0, "requests a second (default: adapted to the service)")
	flags.DurationVar(&job.GiveUpAfter, "give-up-after", 0, "stop after so long without one success (default 15m)")
	flags.IntVar(&job.MaxPoison, "max-poison", 0, "values that alone make the service fail, before the run stops (default 20)")
}

// addPartFlags adds the flags that say how parts are written.
func addPartFlags(c *cobra.Command, job *jobs.Map, f *mapFlags) {
	flags := c.Flags()
	flags.StringVar(&f.compression, "compression", "snappy", "of the parts: none, snappy or zstd")
	flags.Int64Var(&job.PartRows, "part-rows", 1_000_000, "rows in a part")
	flags.StringVar(&f.partBytes, "part-bytes", "", "memory of an open part (default: a quarter of --memory)")
	flags.DurationVar(&job.PartInterval, "part-interval", 0, "seal a part at the latest after (default 60s)")
	flags.StringVar(&f.memory, "memory", "192MB", "byte budget of the process")
}

// addRunFlags adds the flags that say which run it is.
func addRunFlags(c *cobra.Command, job *jobs.Map) {
	flags := c.Flags()
	flags.StringVar(&job.RunID, "run-id", "", "name of the run (default: the time and 4 random characters)")
	flags.BoolVar(&job.Fresh, "fresh", false, "do not continue an unfinished run of the same job")
}

// addReadFlags adds the flags that say how text is to be read.
func addReadFlags(c *cobra.Command, encoding *sources.Encoding, delimiter, quote *string, noHeader *bool) {
	flags := c.Flags()
	flags.StringVar((*string)(encoding), "encoding", "auto", "of text: auto (UTF-8, or UTF-16 with a byte order mark), utf-8, utf-16, utf-16le, utf-16be, windows-1252 or iso-8859-1")
	flags.StringVar(delimiter, "delimiter", "", "between the cells of CSV: an ASCII character, or tab, comma, semicolon or pipe (default: found out)")
	flags.StringVar(quote, "quote", "", "around the cells of CSV and TSV: an ASCII character, or none (default \")")
	flags.BoolVar(noHeader, "no-header", false, "the first line of CSV and TSV is data, and columns are named 1, 2, 3 and so on (default: found out)")
}

// checkGiven refuses values that mean the default when nobody gives them.
func checkGiven(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if wrong := jobs.CheckGiven(f.Name, f.Value.String()); wrong != nil && err == nil {
			err = usagef("--%s %w", f.Name, wrong)
		}
	})
	return err
}

// completeMap fills the job from flags that need parsing.
func (a *app) completeMap(c *cobra.Command, job *jobs.Map, f *mapFlags) (err error) {
	if job.Format, err = jobs.ParseFormat(f.format); err != nil {
		return usagef("--format %w", err)
	}
	if job.Hygiene, err = jobs.ParseHygiene(f.hygiene); err != nil {
		return usagef("--hygiene %w", err)
	}
	if job.Shard, err = jobs.ParseShard(f.shard, a.env); err != nil {
		return usagef("--shard %w", err)
	}
	if c.Flags().Changed("max-invalid") {
		job.MaxInvalid = &f.maxInvalid
	}
	if c.Flags().Changed("max-removed") {
		job.MaxRemoved = &f.maxRemoved
	}
	return a.complete(c, job, f)
}

// complete fills what jobs share from flags that need parsing.
func (a *app) complete(c *cobra.Command, job *jobs.Map, f *mapFlags) (err error) {
	if err := checkGiven(c); err != nil {
		return err
	}
	if job.Service, err = jobs.ParseService(f.service); err != nil {
		return usagef("--service %w", err)
	}
	if job.Compression, err = jobs.ParseCompression(f.compression); err != nil {
		return usagef("--compression %w", err)
	}
	if job.Memory, err = jobs.ParseSize(f.memory); err != nil {
		return usagef("--memory %w", err)
	}
	if f.partBytes != "" {
		if job.PartBytes, err = jobs.ParseSize(f.partBytes); err != nil {
			return usagef("--part-bytes %w", err)
		}
	}
	if c.Flags().Changed("max-poison") {
		job.MaxPoison = jobs.PoisonLimit(job.MaxPoison)
	}
	a.surround(job)
	return nil
}

// surround gives a job what it needs of the program.
func (a *app) surround(job *jobs.Map) {
	job.Stdin, job.Version, job.Log = a.stdin, version, a.log
}

// credentials reads what the job lacks of base URL, API key and secret of its service from the environment.
func (a *app) credentials(job *jobs.Map) error {
	if err := a.baseURL(job, job.Service.String()); err != nil {
		return err
	}
	prefix := strings.ToUpper(job.Service.String())
	if err := a.credential(&job.APIKey, prefix+"_API_KEY"); err != nil {
		return err
	}
	return a.credential(&job.ClientSecret, prefix+"_SECRET_KEY")
}

// baseURL reads the base URL of a service from the environment, unless the job has one.
func (a *app) baseURL(job *jobs.Map, service string) (err error) {
	if job.BaseURL == "" {
		job.BaseURL, err = a.optional(strings.ToUpper(service) + "_BASE_URL")
	}
	return err
}

// credential reads a credential from the environment, unless there is one.
func (a *app) credential(credential *client.Secret, name string) error {
	if !credential.IsZero() {
		return nil
	}
	text, err := a.secret(name)
	*credential = client.NewSecret(text)
	return err
}

// optional returns the value of an environment variable, or of the file that NAME_FILE names, or nothing.
func (a *app) optional(name string) (string, error) {
	if value, ok := a.env(name); ok && value != "" {
		return value, nil
	}
	path, ok := a.env(name + "_FILE")
	if !ok || path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", &client.Error{Fault: client.Refused, Op: name + "_FILE", Message: "the file cannot be read", Err: err}
	}
	return strings.TrimSpace(string(data)), nil
}

func (a *app) secret(name string) (string, error) {
	value, err := a.optional(name)
	if err == nil && value == "" {
		err = &client.Error{Fault: client.Refused, Op: "credentials", Message: name + " is not set",
			Remedy: "set it in the environment, or set " + name + "_FILE to a file that holds it"}
	}
	return value, err
}

// limitMemory keeps the heap near the byte budget of a job, which covers what the job holds; this much comes on top
// for the program, its stacks and buffers of the network. Without it the garbage collector would let the heap grow to
// twice what is alive.
func limitMemory(budget int64) {
	debug.SetMemoryLimit(max(cmp.Or(budget, jobs.DefaultMemory), jobs.DefaultMemory/4) + 16_000_000)
}

// begin gives a job its memory and shows its progress until stop is called.
func (a *app) begin(job *jobs.Map) (stop func()) {
	limitMemory(job.Memory)
	job.Monitor = &a.monitor
	return a.watch(job.Monitor)
}

// runner is a job with a summary.
type runner interface {
	Run(ctx context.Context) (*jobs.Summary, error)
}

// runJob runs a job whose run can be continued. Its options are those of a Map, which it has with it.
func (a *app) runJob(ctx context.Context, options *jobs.Map, job runner) error {
	summary, err := a.perform(ctx, options, job)
	return interruptedJob(err, options, summary)
}

// perform runs a job with progress and prints its summary.
func (a *app) perform(ctx context.Context, options *jobs.Map, job runner) (*jobs.Summary, error) {
	stop := a.begin(options)
	summary, err := job.Run(ctx)
	stop()
	if summary != nil {
		if printed := a.print(summary); err == nil {
			err = printed
		}
	}
	return summary, err
}

// print writes a result for people, or as JSON.
func (a *app) print(result fmt.Stringer) error {
	if a.json {
		return a.printJSON(result)
	}
	_, err := fmt.Fprintln(a.stdout, result)
	return err
}

func (a *app) printJSON(result any) error { return json.NewEncoder(a.stdout).Encode(result) }
