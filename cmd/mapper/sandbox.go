package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
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
	var faults, signals []string
	var limit float64
	c := &cobra.Command{
		Use:   "sandbox --listen ADDR",
		Short: "Serve the built-in operator, for your own tests",
		Long: "sandbox serves POST /v3/identity/map as the UID2 or EUID operator does, and ID5 Partner Signals beside it, over plain\n" +
			"HTTP, until it is stopped. When it listens, it prints one JSON line with base_url, api_key, secret_key, id5_partner\n" +
			"and id5_token. It takes them from UID2_API_KEY and UID2_SECRET_KEY (EUID_...), ID5_PARTNER and ID5_TOKEN, and makes\n" +
			"them up when they are unset. The same --salts give the same raw UIDs again; ID5 uids differ each time unless --id5 seed\n" +
			"says what they follow from. Its people and UIDs are not real: never use them outside tests.\n\n" +
			"--fault WHAT=SHARE spoils a share of the requests, of identity/map and of ID5 alike. WHAT is an HTTP status (429, 413,\n" +
			"500, 502, 503, ...) or one of " + strings.Join(faultNames(), ", ") + ".\n" +
			"retry-after is a 429 that asks for a second's patience, html a 502 with a page in it, and slow-body sends the second\n" +
			"half of a reply a second late.\n\n" +
			"--id5 WHAT changes the answers of ID5:\n" +
			"  shuffle      the users of an answer come in any order\n" +
			"  no-numbers   no reply has partner_user_id\n" +
			"  status-200   users are refused under status 200, not 400\n" +
			"  nameless     a refusal does not name the users that it is because of\n" +
			"  changing     another uid each time a user is asked for\n" +
			"  omit=N       one user is missing from each N-th answer\n" +
			"  duplicate=N  one user is in each N-th answer twice\n" +
			"  max-users=N  up to N users are taken in a request (default 1000)\n" +
			"  seed=TEXT    the same text gives the same uids again",
		Example: "  mapper sandbox --listen 127.0.0.1:8080\n" +
			"  mapper sandbox --listen 127.0.0.1:8080 --latency 100ms --fault 429=0.1 --fault reset=0.01 --opt-out-share 0.1\n" +
			"  mapper sandbox --listen 127.0.0.1:8080 --id5 shuffle --id5 no-numbers --id5 omit=10 --fault retry-after=0.05",
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := uid2.ParseService(service)
			if err != nil {
				return usagef("--service %q is neither uid2 nor euid", service)
			}
			f, err := parseFaults(faults)
			if err != nil {
				return err
			}
			if opts.ID5, f.ID5, err = parseID5(signals); err != nil {
				return err
			}
			f.Limit.PerSecond, f.Limit.Burst = limit, int(limit/10)
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
	flags.Float64Var(&limit, "rate", 0, "requests a second that are let through, up to a tenth of them at once; the rest gets 429 (default: all)")
	flags.StringArrayVar(&faults, "fault", nil, "WHAT=SHARE: spoil a share of the requests, 0 to 1; may be repeated")
	flags.StringArrayVar(&signals, "id5", nil, "WHAT or WHAT=VALUE: how ID5 answers; may be repeated")
	return c
}

// spoiling is the faults that have a name. Others are known by their status.
var spoiling = map[string]sandbox.Fault{
	"reset": {Do: sandbox.Reset}, "reset-midway": {Do: sandbox.ResetMidway}, "truncate": {Do: sandbox.Truncate}, "nonce": {Do: sandbox.WrongNonce},
	"short": {Do: sandbox.ShortArrays}, "long": {Do: sandbox.LongArrays}, "garble": {Do: sandbox.Garble},
	"slow-body":   {Do: sandbox.SlowBody, Delay: time.Second},
	"retry-after": {Do: sandbox.Fail, Status: http.StatusTooManyRequests, RetryAfter: time.Second},
	"html":        {Do: sandbox.Fail, Status: http.StatusBadGateway, Body: "<html><body><h1>502 Bad Gateway</h1></body></html>\n"},
}

func faultNames() []string { return slices.Sorted(maps.Keys(spoiling)) }

func parseFaults(specs []string) (f sandbox.Faults, err error) {
	for _, spec := range specs {
		what, value, _ := strings.Cut(spec, "=")
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || share <= 0 || share > 1 {
			return f, usagef("--fault %q: write WHAT=SHARE with a share above 0 and up to 1", spec)
		}
		rule, known := spoiling[what]
		if rule.Share = share; !known {
			rule.Do = sandbox.Fail
			if rule.Status, err = strconv.Atoi(what); err != nil || rule.Status < 400 || rule.Status > 599 {
				return f, usagef("--fault %q: WHAT is an HTTP status from 400 to 599, or one of %s", spec, strings.Join(faultNames(), ", "))
			}
		}
		f.Rules = append(f.Rules, rule)
	}
	return f, nil
}

// parseID5 reads the switches of --id5.
func parseID5(specs []string) (o sandbox.ID5Options, f sandbox.ID5Faults, err error) {
	switches := map[string]*bool{"shuffle": &f.Shuffle, "no-numbers": &f.NoNumbers, "status-200": &f.Status200, "nameless": &f.Nameless, "changing": &f.Changing}
	numbers := map[string]*int{"omit": &f.Omit, "duplicate": &f.Duplicate, "max-users": &o.MaxUsers}
	for _, spec := range specs {
		what, value, valued := strings.Cut(spec, "=")
		switch on, number := switches[what], numbers[what]; {
		case on != nil && !valued:
			*on = true
		case what == "seed" && value != "":
			o.Seed = value
		case number != nil:
			if *number, err = strconv.Atoi(value); err != nil || *number < 1 {
				return o, f, usagef("--id5 %q: write %s=N with a whole number of at least 1", spec, what)
			}
		default:
			return o, f, usagef("--id5 %q: WHAT is one of %s, %s=N, seed=TEXT", spec, strings.Join(slices.Sorted(maps.Keys(switches)), ", "),
				strings.Join(slices.Sorted(maps.Keys(numbers)), "=N, "))
		}
	}
	return o, f, nil
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
