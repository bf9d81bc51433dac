package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mapper/jobs"
)

func (a *app) plan() *cobra.Command {
	var job jobs.Map
	var f mapFlags
	var sets []string
	c := &cobra.Command{
		Use:   "plan INPUT... | JOB.yaml",
		Short: "Say what map would do: columns, counts, requests, time",
		Long: "plan reads the inputs as map does, normalizes and counts all of them, and says which columns it would take and why,\n" +
			"how many identities it would ask, in how many requests, and how long these take. It asks nobody and writes nothing,\n" +
			"and needs no credentials. It takes the flags of map, or a job file and --set; what is about writing makes no\n" +
			"difference. With --limit it looks at the first rows alone. Of an incremental run, and of a remap in a job file, it\n" +
			"reads the table too, and says what would be asked of it.",
		Example: "  mapper plan customers.csv --id customer_id\n" +
			"  mapper plan 's3://crm/export/*.csv.gz' --email email --limit 1000000 --json\n" +
			"  mapper plan nightly.yaml --set limit=1000000",
		Args: someInput,
		RunE: func(c *cobra.Command, inputs []string) error {
			job.Inputs = inputs
			planned := &fileJob{job: &job, options: &job, baseURL: func(context.Context) error { return a.baseURL(&job, job.Service.String()) }}
			err := a.completeMap(c, &job, &f)
			if isJobFile(inputs) {
				planned, err = a.ofFile(c, inputs[0], sets)
			}
			if err != nil {
				return err
			}
			if err := planned.baseURL(c.Context()); err != nil {
				return err
			}
			stop := a.begin(planned.options)
			estimate, err := planned.job.Plan(c.Context())
			stop()
			if isJobFile(inputs) {
				err = jobs.InKeys(err)
			}
			if err != nil {
				return err
			}
			return a.print(estimate)
		},
	}
	addMapFlags(c, &job, &f)
	c.Flags().Lookup("out").Usage = "folder or URL of the table, which --incremental compares with"
	c.Flags().StringArrayVar(&sets, "set", nil, "`key=value` that goes before what the job file says")
	return c
}

// isJobFile says whether what is to be planned is a job file: no input is YAML.
func isJobFile(inputs []string) bool {
	return len(inputs) == 1 && (strings.HasSuffix(inputs[0], ".yaml") || strings.HasSuffix(inputs[0], ".yml"))
}

// ofFile reads the job of a file, with which no flag of map goes.
func (a *app) ofFile(c *cobra.Command, path string, sets []string) (*fileJob, error) {
	var other string
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "set" && c.InheritedFlags().Lookup(f.Name) == nil {
			other = f.Name
		}
	})
	if other != "" {
		return nil, usagef("--%s does not go with a job file; write it there, or as --set %s=...", other, strings.ReplaceAll(other, "-", "_"))
	}
	return a.readJob(path, sets)
}
