package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mapper/jobs"
	"mapper/sinks"
	"mapper/sources"
)

func (a *app) inspect() *cobra.Command {
	var dataset, memory string
	var read sources.Options
	c := &cobra.Command{
		Use:   "inspect FOLDER|FILE",
		Short: "Show what a table or a file holds",
		Long: "inspect shows the runs of a table, how many live rows it has and how many of them have a raw UID, why the others have\n" +
			"none, how many identities are due to be asked again on each of the next 45 days (UTC), and what a remap tomorrow would\n" +
			"take. Opted-out and invalid identities, which remap asks again after --optout-recheck, are not in the calendar. Of a\n" +
			"file it shows how it would be read. With --files it lists the parts of a dataset that a reader should open, one a line.\n\n" +
			"To know what the runs say together, all their rows are sorted on local disk (TMPDIR), about 200 bytes for each: a\n" +
			"hundred million take some minutes. A table that mapper compact has folded into one run is known at once.",
		Example: "  mapper inspect ids/uid2\n" +
			"  mapper inspect gs://ids/uid2 --json --memory 1GB\n" +
			"  mapper inspect ids/uid2 --files mapped\n" +
			"  mapper inspect customers.csv --encoding windows-1252 --json",
		Args: one("FOLDER or FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if dataset != "" {
				return a.listFiles(c.Context(), args[0], dataset)
			}
			if err := checkGiven(c); err != nil {
				return err
			}
			read.Store = &a.store
			file, err := jobs.InspectFile(c.Context(), args[0], read)
			if err == nil {
				return a.print(file)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			budget, err := jobs.ParseSize(memory)
			if err != nil {
				return usagef("--memory %w", err)
			}
			limitMemory(budget)
			table, err := jobs.Inspect(c.Context(), args[0], jobs.InspectOptions{Store: &a.store, Memory: budget, Log: a.log})
			if err != nil {
				return err
			}
			return a.print(table)
		},
	}
	c.Flags().StringVar(&dataset, "files", "", "list the live parts of a dataset: mapped, unmapped or refresh_from")
	c.Flags().StringVar(&memory, "memory", "192MB", "byte budget of the process, for a table")
	addReadFlags(c, &read.Encoding, &read.Delimiter, &read.Quote, &read.NoHeader)
	return c
}

func (a *app) listFiles(ctx context.Context, uri, dataset string) error {
	if !slices.Contains(sinks.Datasets(), dataset) {
		return usagef("--files %q is none of %s", dataset, strings.Join(sinks.Datasets(), ", "))
	}
	files, err := jobs.LiveFiles(ctx, &a.store, uri, dataset)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"type": "files", "dataset": dataset, "files": append([]string{}, files...)})
	}
	for _, f := range files {
		if _, err := fmt.Fprintln(a.stdout, f); err != nil {
			return err
		}
	}
	return nil
}

// one wants exactly one argument.
func one(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("mapper %s takes one %s, got %d", c.Name(), what, len(args))
		}
		return nil
	}
}
