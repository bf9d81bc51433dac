package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mapper/client"
	"mapper/client/uid2"
	"mapper/jobs"
)

func (a *app) doctor() *cobra.Command {
	var service string
	var o doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with credentials, clock, endpoint, role or storage, and what to do",
		Long: "doctor looks at the credentials, the way to the service, the local clock, and whether the service answers as\n" +
			"documented, for which it asks UID2 and EUID for four identities that are documented for tests, and ID5 for nobody.\n" +
			"With --out it looks whether a table can be written there: it creates a small object below _runs/ and deletes it. It\n" +
			"writes a line for each check, and answers within 20 seconds: ok, warn, fail, or skip for what an earlier failure\n" +
			"hides. The first failure decides the exit code.\n\n" +
			"Credentials come from where mapper map has them: UID2_API_KEY and UID2_SECRET_KEY (EUID_... for EUID), ID5_PARTNER and\n" +
			"ID5_TOKEN, or files named by the same variables with _FILE at their end. They are never shown.",
		Example: "  mapper doctor\n" +
			"  mapper doctor --service euid --base-url https://integ.euid.eu\n" +
			"  mapper doctor --service id5\n" +
			"  mapper doctor --out s3://ids/uid2 --json",
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && o.out == "" {
				return usagef("--out is empty; leave the flag out to have no storage examined")
			}
			if o.out == "-" {
				return usagef("--out - is no place for a table; name a folder or a URL")
			}
			examine, err := a.doctorOf(service, o)
			if err != nil {
				return err
			}
			diagnosis := examine(c.Context())
			return errors.Join(diagnosis.Err(), a.print(diagnosis))
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&service, "service", "uid2", "which network: uid2, euid or id5")
	flags.StringVar(&o.baseURL, "base-url", "", "service (default $UID2_BASE_URL, $EUID_BASE_URL or $ID5_BASE_URL, else production)")
	flags.StringVar(&o.environment, "environment", "", "name of the environment that the table has to be of (default: from the host)")
	flags.StringVar(&o.out, "out", "", "folder or URL of a table to examine too, or of where one is to be")
	return c
}

// doctorOptions are the flags that every doctor has.
type doctorOptions struct{ baseURL, environment, out string }

// doctorOf returns how to examine a service with what the environment says of it.
func (a *app) doctorOf(service string, o doctorOptions) (examine func(context.Context) *jobs.Diagnosis, err error) {
	e := envReader{app: a, prefix: strings.ToUpper(service)}
	if o.baseURL == "" {
		o.baseURL = e.read("_BASE_URL")
	}
	if service == "id5" {
		d := jobs.ID5Doctor{BaseURL: o.baseURL, Environment: o.environment, Out: o.out, Version: version}
		d.Partner, d.Token = e.read("_PARTNER"), client.NewSecret(e.read("_TOKEN"))
		d.Unread = e.unread
		return d.Examine, nil
	}
	d := jobs.Doctor{BaseURL: o.baseURL, Environment: o.environment, Out: o.out, Version: version}
	if d.Service, err = uid2.ParseService(service); err != nil {
		return nil, usagef("--service %q is none of uid2, euid and id5", service)
	}
	d.APIKey, d.ClientSecret = client.NewSecret(e.read("_API_KEY")), client.NewSecret(e.read("_SECRET_KEY"))
	d.Unread = e.unread
	return d.Examine, nil
}

// envReader reads the variables of one service. What cannot be read or is missing is for the doctor to tell.
type envReader struct {
	app    *app
	prefix string
	unread error // why a variable could not be read, the first if there are several
}

func (e *envReader) read(name string) string {
	value, err := e.app.optional(e.prefix + name)
	if e.unread == nil {
		e.unread = err
	}
	return value
}
