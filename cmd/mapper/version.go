package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "version prints the version of the program, of Go, and the platform it was built for.",
		Example: "  mapper version --json",
		RunE: func(*cobra.Command, []string) error {
			return a.print(versionOf())
		},
	}
}

func versionOf() versions {
	return versions{"version", version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
}

type versions struct {
	Type     string `json:"type"`
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (v versions) String() string {
	return "mapper " + v.Version + " (" + v.Go + ", " + v.Platform + ")"
}
