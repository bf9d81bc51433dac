package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) plan() *cobra.Command {
	var job jobs.Map
	var f mapFlags
	c := &cobra.Command{
		Use:   "plan INPUT...",
		Short: "Say what map would do: columns, counts, requests, time",
		Long: "plan reads the inputs as map does, normalizes and counts all of them, and says which columns it would take and why,\n" +
			"how many identities it would ask, in how many requests, and how long these take. It asks nobody and writes nothing,\n" +
			"and needs no credentials. It takes the flags of map; those about writing make no difference. With --limit it looks\n" +
			"at the first rows alone.",
		Example: "  mapper plan customers.csv --id customer_id\n" +
			"  mapper plan 's3://crm/export/*.csv.gz' --email email --limit 1000000 --json",
		Args: someInput,
		RunE: func(c *cobra.Command, inputs []string) error {
			job.Inputs = inputs
			if err := a.completeMap(c, &job, &f); err != nil {
				return err
			}
			limitMemory(job.Memory)
			job.Monitor = new(jobs.Monitor)
			stop := a.watch(job.Monitor)
			estimate, err := job.Plan(c.Context())
			stop()
			if err != nil {
				return err
			}
			return a.print(estimate)
		},
	}
	addMapFlags(c, &job, &f)
	return c
}
