package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) runCommand() *cobra.Command {
	var sets []string
	c := &cobra.Command{
		Use:   "run JOB.yaml [--set key=value]...",
		Short: "Run a job that is written in a file",
		Long: "run does what map does, with its settings from a file: every flag is a key with _ for -, inputs are input, and the\n" +
			"flags that name columns stand under columns:\n\n" +
			"  kind: map\n" +
			"  input: [s3://crm/export/*.csv.gz]\n" +
			"  columns: {id: customer_id, email: [email, alt_email], phone: mobile}\n" +
			"  phone_region: US\n" +
			"  out: gs://ids/uid2\n" +
			"  api_key: ${UID2_API_KEY}\n" +
			"  secret_key: ${file:/run/secrets/uid2}\n\n" +
			"${VAR} is an environment variable and ${file:/path} the text of a file; $${ is a literal ${. Without api_key and\n" +
			"secret_key, credentials come from the environment, as for map. --set goes before what the file says; credentials\n" +
			"cannot be set there. Relative paths are relative to the current directory.",
		Example: "  mapper run nightly.yaml\n" +
			"  mapper run backfill.yaml --set out=ids/backfill --set columns.email=email,alt_email",
		Args: one("JOB.yaml"),
		RunE: a.measured(func(c *cobra.Command, args []string) error {
			job, err := a.readJob(args[0], sets)
			if err != nil {
				return err
			}
			if err := a.credentials(&job); err != nil {
				return err
			}
			return jobs.InKeys(a.runMap(c.Context(), job))
		}),
	}
	c.Flags().StringArrayVar(&sets, "set", nil, "`key=value` that goes before what the file says; a list is a,b")
	return c
}

// readJob reads the job of a file.
func (a *app) readJob(path string, sets []string) (jobs.Map, error) {
	file, err := jobs.ReadFile(path, jobs.FileOptions{Set: sets, Env: a.env, Log: a.log})
	if err != nil {
		return jobs.Map{}, err
	}
	job := file.Map()
	a.surround(&job)
	return job, nil
}
