package main

import (
	"github.com/spf13/cobra"

	"mapper/jobs"
)

func (a *app) verify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FOLDER",
		Short: "Check every committed run of a table",
		Long: "verify reads every part of every committed run: its checksum has to be that of the manifest, and its rows, counted\n" +
			"again with another Parquet implementation than the one that wrote them, have to add up to the manifest's counts, in\n" +
			"all and for each input.",
		Example: "  mapper verify ids/uid2",
		Args:    one("FOLDER"),
		RunE: func(c *cobra.Command, args []string) error {
			found, err := jobs.Verify(c.Context(), &a.store, args[0])
			if found != nil {
				if printed := a.print(found); err == nil {
					err = printed
				}
			}
			return err
		},
	}
}
