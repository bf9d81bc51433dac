package main

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mapper/client/sandbox"
	"mapper/client/uid2"
)

func (a *app) sandbox() *cobra.Command {
	var listen, service, salts string
	var opts sandbox.Options
	var faults []string
	var limit float64
	c := &cobra.Command{
		Use:   "sandbox --listen ADDR",
		Short: "Serve the built-in operator, for your own tests",
		Long: "sandbox serves POST /v3/identity/map as the UID2 or EUID operator does, and ID5 Partner Signals beside it, over plain\n" +
			"HTTP, until it is stopped. When it listens, it prints one JSON line with base_url, api_key, secret_key, id5_partner\n" +
			"and id5_token. It takes them from UID2_API_KEY and UID2_SECRET_KEY (EUID_...), ID5_PARTNER and ID5_TOKEN, and makes\n" +
			"them up when they are unset. The same --salts give the same raw UIDs again; ID5 uids differ each time. Its people and\n" +
			"UIDs are not real: never use them outside tests.\n\n" +
			"--fault WHAT=SHARE makes a share of the requests fail: WHAT is an HTTP status (429, 413, 500, 502, 503, ...) or one\n" +
			"of " + strings.Join(faultNames(), ", ") + ".",
		Example: "  mapper sandbox --listen 127.0.0.1:8080\n" +
			"  mapper sandbox --listen 127.0.0.1:8080 --latency 100ms --fault 429=0.1 --fault reset=0.01 --opt-out-share 0.1",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := uid2.ParseService(service)
			if err != nil {
				return usagef("--service %q is neither uid2 nor euid", service)
			}
			f, err := parseFaults(faults)
			if err != nil {
				return err
			}
			f.Limit.PerSecond = limit
			opts.EUID, opts.Seed = s == uid2.EUID, salts
			return a.serve(c.Context(), listen, s, opts, f)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&listen, "listen", "", "address to listen on, e.g. 127.0.0.1:8080; port 0 takes a free one (required)")
	flags.StringVar(&service, "service", "uid2", "which network: uid2 or euid")
	flags.StringVar(&salts, "salts", "sandbox", "any text: what the salts are derived from")
	flags.IntVar(&opts.RawUIDVersion, "raw-uid-version", 3, "version of the raw UIDs: 2, 3 or 4")
	flags.IntVar(&opts.RotationDays, "rotation-days", 365, "mean days between two rotations of a salt")
	flags.Float64Var(&opts.OptOutShare, "opt-out-share", 0, "share of the identities that have opted out, 0 to 1")
	flags.DurationVar(&opts.Latency, "latency", 0, "before each reply")
	flags.DurationVar(&opts.Jitter, "jitter", 0, "added to the latency: nothing up to this")
	flags.Float64Var(&limit, "rate", 0, "requests a second that are let through; the rest gets 429 (default: all)")
	flags.StringArrayVar(&faults, "fault", nil, "WHAT=SHARE: spoil a share of the requests, 0 to 1; may be repeated")
	return c
}

var spoiling = map[string]sandbox.Action{
	"reset": sandbox.Reset, "reset-midway": sandbox.ResetMidway, "truncate": sandbox.Truncate, "nonce": sandbox.WrongNonce,
	"short": sandbox.ShortArrays, "long": sandbox.LongArrays, "garble": sandbox.Garble,
}

func faultNames() []string {
	names := make([]string, 0, len(spoiling))
	for name := range spoiling {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func parseFaults(specs []string) (f sandbox.Faults, err error) {
	for _, spec := range specs {
		what, value, _ := strings.Cut(spec, "=")
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || share <= 0 || share > 1 {
			return f, usagef("--fault %q: write WHAT=SHARE with a share above 0 and up to 1", spec)
		}
		rule := sandbox.Fault{Share: share}
		action, known := spoiling[what]
		if rule.Do = action; !known {
			rule.Do = sandbox.Fail
			if rule.Status, err = strconv.Atoi(what); err != nil || rule.Status < 400 || rule.Status > 599 {
				return f, usagef("--fault %q: WHAT is an HTTP status from 400 to 599, or one of %s", spec, strings.Join(faultNames(), ", "))
			}
		}
		f.Rules = append(f.Rules, rule)
	}
	return f, nil
}

// serve runs an operator until ctx ends.
func (a *app) serve(ctx context.Context, listen string, service uid2.Service, opts sandbox.Options, faults sandbox.Faults) (err error) {
	if listen == "" {
		return usagef("no address; name one with --listen, e.g. --listen 127.0.0.1:8080")
	}
	prefix := strings.ToUpper(service.String())
	for name, value := range map[string]*string{
		prefix + "_API_KEY": &opts.APIKey, prefix + "_SECRET_KEY": &opts.ClientSecret,
		"ID5_PARTNER": &opts.ID5.Partner, "ID5_TOKEN": &opts.ID5.Token,
	} {
		if *value, err = a.optional(name); err != nil {
			return err
		}
	}
	s, err := sandbox.New(opts)
	if err != nil {
		return usageError{err}
	}
	s.SetFaults(faults)
	url, stop, err := s.Start(listen)
	if err != nil {
		return listenError("--listen", listen, err)
	}
	err = json.NewEncoder(a.stdout).Encode(map[string]string{
		"type": "sandbox", "service": service.String(), "base_url": url, "api_key": s.APIKey(), "secret_key": s.ClientSecret(),
		"id5_partner": s.ID5Partner(), "id5_token": s.ID5Token()})
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if stopped := stop(ending); err == nil {
		err = stopped
	}
	stats := s.Stats()
	a.log.Info("sandbox stopped", "requests", stats.Requests, "identities", stats.Identities, "max_in_flight", stats.MaxInFlight)
	return err
}
