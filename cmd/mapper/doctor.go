package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mapper/client"
	"mapper/client/uid2"
	"mapper/jobs"
)

func (a *app) doctor() *cobra.Command {
	var service string
	d := jobs.Doctor{Version: version}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with credentials, clock, endpoint, role or storage, and what to do",
		Long: "doctor looks at the credentials, the way to the service, the local clock, and whether the service answers as\n" +
			"documented, for which it asks for four identities that are documented for tests. With --out it looks whether a table\n" +
			"can be written there: it creates a small object below _runs/ and deletes it. It writes a line for each check, and\n" +
			"answers within 20 seconds: ok, warn, fail, or skip for what an earlier failure hides. The first failure decides the\n" +
			"exit code.\n\n" +
			"Credentials come from where mapper map has them: UID2_API_KEY and UID2_SECRET_KEY (EUID_... for EUID), or files named\n" +
			"by UID2_API_KEY_FILE and UID2_SECRET_KEY_FILE. They are never shown.",
		Example: "  mapper doctor\n" +
			"  mapper doctor --service euid --base-url https://integ.euid.eu\n" +
			"  mapper doctor --out s3://ids/uid2 --json",
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if d.Service, err = uid2.ParseService(service); err != nil {
				return usagef("--service %q is neither uid2 nor euid", service)
			}
			if c.Flags().Changed("out") && d.Out == "" {
				return usagef("--out is empty; leave the flag out to have no storage examined")
			}
			a.doctorSettings(&d)
			diagnosis := d.Examine(c.Context())
			return errors.Join(diagnosis.Err(), a.print(diagnosis))
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&service, "service", "uid2", "which network: uid2 or euid")
	flags.StringVar(&d.BaseURL, "base-url", "", "operator (default $UID2_BASE_URL or $EUID_BASE_URL, else production)")
	flags.StringVar(&d.Environment, "environment", "", "name of the environment that the table has to be of (default: from the host)")
	flags.StringVar(&d.Out, "out", "", "folder or URL of a table to examine too, or of where one is to be")
	return c
}

// doctorSettings reads what the environment says. What cannot be read or is missing is for the doctor to tell.
func (a *app) doctorSettings(d *jobs.Doctor) {
	read := func(name string) string {
		value, err := a.optional(strings.ToUpper(d.Service.String()) + name)
		if d.Unread == nil {
			d.Unread = err
		}
		return value
	}
	if d.BaseURL == "" {
		d.BaseURL = read("_BASE_URL")
	}
	d.APIKey, d.ClientSecret = client.NewSecret(read("_API_KEY")), client.NewSecret(read("_SECRET_KEY"))
}
