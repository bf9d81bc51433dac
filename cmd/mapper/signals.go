package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) signalsCommand() *cobra.Command {
	var job jobs.Signals
	var f mapFlags
	c := &cobra.Command{
		Use:   "signals INPUT... --out URI",
		Short: "Ask ID5 Partner Signals for the ids of emails",
		Long: "signals reads emails, or hashes of them, from the inputs as map does, asks ID5 Partner Signals for their ids, in\n" +
			"requests of at most 1,000 users, and writes a run into the table at --out: the same three datasets, and the column\n" +
			"country. A user is an email with a country, from a column or the same for all (--country). Phones are not taken.\n\n" +
			"An ID5 uid is encrypted and changes from answer to answer, also for the same person: do not join on it. The service\n" +
			"says nothing of how long one is good for; --refresh-after sets an age, which then drives mapper remap.\n\n" +
			"--known-uids names a column with ID5 uids that are known for the row's person, separated by commas or blanks. ID5 joins\n" +
			"them with the email into one person, which probably nobody can undo. Without the flag nothing of the kind is sent.\n\n" +
			"Credentials come from the environment: ID5_PARTNER and ID5_TOKEN, or files named by ID5_PARTNER_FILE and\n" +
			"ID5_TOKEN_FILE.",
		Example: "  mapper signals customers.csv --id customer_id --country country --out ids/id5\n" +
			"  mapper signals 's3://crm/export/*.parquet' --email-hash email_sha256 --country DE --refresh-after 24h --out gs://ids/id5",
		Args: someInput,
		RunE: a.measured(func(c *cobra.Command, inputs []string) error {
			job.Inputs = inputs
			f.service = "uid2" // which a Map has, and means nothing here
			if err := a.completeMap(c, &job.Map, &f); err != nil {
				return err
			}
			if err := a.id5Credentials(&job.Map, &job.ID5); err != nil {
				return err
			}
			return a.runJob(c.Context(), &job.Map, &job)
		}),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&job.Out, "out", "", "folder or URL of the table to write into (required)")
	flags.StringVar(&job.BaseURL, "base-url", "", "endpoint (default $ID5_BASE_URL, else production)")
	flags.StringVar(&job.Environment, "environment", "", "name of the environment, which the table is stamped with (default: the host)")
	flags.StringVar(&job.Columns.ID, "id", "", "column with your row key, copied to every output row")
	flags.StringSliceVar(&job.Columns.Email, "email", nil, "columns with emails (default: found from header and content)")
	flags.StringSliceVar(&job.Columns.EmailHash, "email-hash", nil, "columns with SHA-256 hashes of emails, base64 or hex")
	flags.StringSliceVar(&job.Columns.Phone, "phone", nil, "refused: ID5 takes emails only")
	flags.StringSliceVar(&job.Columns.PhoneHash, "phone-hash", nil, "refused: ID5 takes emails only")
	for _, name := range []string{"phone", "phone-hash"} {
		_ = flags.MarkHidden(name) // they are there
	}
	flags.StringVar(&job.Columns.Country, "country", "", "`column` with the country of each row, or two letters as in DE, the country of all (default: none is sent)")
	flags.StringVar(&job.Columns.KnownUIDs, "known-uids", "", "`column` with known ID5 uids, which ID5 joins with the email into one person")
	flags.StringSliceVar(&job.Columns.Keep, "keep", nil, "columns copied through unchanged")
	flags.BoolVar(&job.Columns.AllowRaw, "allow-raw", false, "let --id or --keep name a column that holds emails or phones")
	flags.StringVar(&f.format, "format", "auto", "how to read: auto, csv, tsv, ndjson, parquet, arrow or text (one identifier a line)")
	addReadFlags(c, &job.Encoding, &job.Delimiter, &job.Quote, &job.NoHeader)
	flags.StringVar(&f.hygiene, "hygiene", "on", "strip junk around identifiers before they are normalized: on or off")
	flags.StringVar(&job.Suppress, "suppress", "", "`file` or URL with identifiers never to ask, raw or hashed, one a line")
	flags.DurationVar(&job.RefreshAfter, "refresh-after", 0, "the age from which on a uid is due to be asked again (default: never)")
	addAskFlags(c, &job.Map)
	addPartFlags(c, &job.Map, &f)
	addInputFlags(c, &job.Map, &f)
	return c
}

// id5Credentials reads what the job lacks of base URL, partner number and token of ID5 from the environment.
func (a *app) id5Credentials(options *jobs.Map, as *jobs.ID5) (err error) {
	if err := a.baseURL(options, "id5"); err != nil {
		return err
	}
	if as.Partner == "" {
		if as.Partner, err = a.secret("ID5_PARTNER"); err != nil {
			return err
		}
	}
	return a.credential(&as.Token, "ID5_TOKEN")
}
