package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/uid2"
	"mapper/jobs"
)

func (a *app) demo() *cobra.Command {
	var service, out string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Map a sample through the built-in sandbox",
		Long: "demo starts the built-in operator on this machine, writes a sample of made-up customers, maps it over real TCP with\n" +
			"throttling and failures switched on, and leaves input and output in a folder. It needs no account and no network.",
		Example: "  mapper demo\n  mapper demo --service id5 --out /tmp/demo",
		RunE: a.measured(func(c *cobra.Command, _ []string) error {
			if service != "uid2" && service != "euid" && service != "id5" {
				return usagef("--service %q is none of uid2, euid and id5", service)
			}
			if out == "" {
				var err error
				if out, err = os.MkdirTemp("", "mapper-demo-"); err != nil {
					return err
				}
			}
			return a.runDemo(c.Context(), service, out)
		}),
	}
	c.Flags().StringVar(&service, "service", "uid2", "which network: uid2, euid or id5")
	c.Flags().StringVar(&out, "out", "", "folder for input and output (default: a new one for temporary files)")
	return c
}

func (a *app) runDemo(ctx context.Context, service, out string) error {
	input := filepath.Join(out, "customers.csv")
	if err := writeSample(input); err != nil {
		return err
	}
	operator, err := sandbox.New(sandbox.Options{EUID: service == "euid", Seed: "demo", OptOutShare: 0.05, RotationDays: 270})
	if err != nil {
		return err
	}
	operator.SetFaults(sandbox.Faults{Seed: 1, Rules: []sandbox.Fault{
		{Do: sandbox.Fail, Status: 429, Every: 5},
		{Do: sandbox.Truncate, Every: 7},
	}})
	url, stop, err := operator.Start("127.0.0.1:0")
	if err != nil {
		return err
	}
	options, job := demoJob(operator, service, url)
	options.Inputs, options.Out, options.Version, options.Log = []string{input}, filepath.Join(out, "ids"), version, a.log
	_, err = a.perform(ctx, options, job) // interrupted or not, the next demo begins with another sample
	err = errors.Join(err, stop(context.WithoutCancel(ctx)))
	if err != nil || a.json {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "\ninput   %s\nParquet %s\n\ntry:\n  mapper inspect %[2]s\n  mapper verify %[2]s\n"+
		"  duckdb -c \"select * from '%[2]s/mapped/*/*.parquet' limit 5\"\n", input, options.Out)
	return err
}

// demoJob returns a job that asks the operator, and its options.
func demoJob(operator *sandbox.Sandbox, service, url string) (*jobs.Map, runner) {
	m := jobs.Map{BaseURL: url, Environment: "sandbox", Columns: jobs.Columns{ID: "customer_id"}, MaxBatch: 1000}
	if service == "id5" {
		m.Columns.Country = "country"
		job := &jobs.Signals{Map: m, ID5: jobs.ID5{Partner: operator.ID5Partner(), Token: client.NewSecret(operator.ID5Token()), RefreshAfter: 24 * time.Hour}}
		return &job.Map, job
	}
	if service == "euid" {
		m.Service = uid2.EUID
	}
	m.APIKey, m.ClientSecret = client.NewSecret(operator.APIKey()), client.NewSecret(operator.ClientSecret())
	m.Columns.Keep = []string{"country"}
	return &m, &m
}

// sampleRows is how many people the sample has: enough for several requests and parts of a second.
const sampleRows = 10_000

// writeSample writes a messy list of people who do not exist.
func writeSample(path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "customer_id,email,phone,country") // errors stick to w and come out of Flush
	countries := []string{"US", "GB", "CA", "AU", "JP"}
	for i := range sampleRows {
		fmt.Fprintf(w, "c%05d,%s,%s,%s\n", i, sampleEmail(i), samplePhone(i), countries[i%len(countries)])
	}
	return w.Flush()
}

func sampleEmail(i int) string {
	switch {
	case i%97 == 0:
		return "not-an-email"
	case i%41 == 0:
		return ""
	case i%13 == 0:
		return fmt.Sprintf("\" Person.%d+news@gmail.com\"", i)
	case i%11 == 0:
		return fmt.Sprintf("person%d@example.com", i/2) // somebody else's too
	}
	return fmt.Sprintf("Person%d@Example.com", i)
}

func samplePhone(i int) string {
	switch {
	case i%3 != 0:
		return ""
	case i%51 == 0:
		return fmt.Sprintf("(555) 010-%04d", i%10_000) // national: no country, never guessed
	}
	return fmt.Sprintf("+1555%07d", i)
}
