package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mapper/client"
	"mapper/client/objects"
	"mapper/client/uid2"
)

// Doctor finds out why a job for UID2 or EUID would fail, before it does. Its zero value but for the credentials examines
// UID2's production. [ID5Doctor] is its like for ID5.
type Doctor struct {
	Service      uid2.Service
	BaseURL      string // default: the service's production
	Environment  string // that the table has to be of; default: from BaseURL
	APIKey       client.Secret
	ClientSecret client.Secret
	Unread       error // why the credentials could not be read, if so; it then stands in their place

	Out     string         // a table, or where one is to be; default: storage is not examined
	Store   *objects.Store // how to reach storages; default: one that gives up within seconds
	Version string         // of the program, for the service
}

// State is what came of a check.
type State string

// The states.
const (
	StateOK   State = "ok"
	StateWarn State = "warn" // a job will probably work
	StateFail State = "fail" // a job will fail
	StateSkip State = "skip" // nothing is known, because an earlier check failed
)

// Check is one thing that a Doctor looked at.
type Check struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`           // what was found, or why nothing was
	Remedy string `json:"remedy,omitempty"` // what to do, or nothing

	err error // StateFail: the cause
}

// Diagnosis is what a Doctor found: always the same checks in the same order, those of the storage only when there is one.
type Diagnosis struct {
	Type        string  `json:"type"` // "diagnosis"
	Service     string  `json:"service"`
	Environment string  `json:"environment"`
	Checks      []Check `json:"checks"`

	interrupted error
}

// Examine looks at everything, within 20 seconds whatever is broken. It sends the service one request for the identities
// that are documented for tests, and at Out creates a small object and deletes it. It shows no secret.
func (d Doctor) Examine(ctx context.Context) *Diagnosis {
	if d.BaseURL == "" {
		d.BaseURL = d.Service.Production()
	}
	if d.Environment == "" {
		d.Environment = uid2.Environment(d.Service, d.BaseURL)
	}
	s := subject{service: d.Service.String(), environment: d.Environment, out: d.Out, store: d.Store}
	return s.examine(ctx, d.checks)
}

// subject is what is examined beside the service itself: the table, which has to be of that service.
type subject struct {
	service     string
	environment string
	out         string         // where the table is, or nothing
	store       *objects.Store // or nil for one of our own
}

// examine does the checks of the service and of the storage side by side.
func (s subject) examine(ctx context.Context, checks func(context.Context) []Check) *Diagnosis {
	var service, storage []Check
	var both sync.WaitGroup
	both.Go(func() { service = checks(ctx) })
	if s.out != "" {
		both.Go(func() { storage = s.storage(ctx) })
	}
	both.Wait()
	return &Diagnosis{
		Type: "diagnosis", Service: s.service, Environment: s.environment,
		Checks: append(service, storage...), interrupted: context.Cause(ctx),
	}
}

// Err returns nothing when no check failed, and otherwise wraps the cause of the first that did: a [client.Error], an
// [objects.Error], a [UsageError], [table.ErrOtherTable] or an error of the file system. It wraps the cause of Examine's
// context if that had ended.
func (d *Diagnosis) Err() error {
	if d.interrupted != nil {
		return d.interrupted
	}
	failed := slices.DeleteFunc(slices.Clone(d.Checks), func(c Check) bool { return c.State != StateFail })
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d checks failed; the first is %q: %w", len(failed), len(d.Checks), failed[0].Name, failed[0].err)
}

// String writes a line for each check.
func (d *Diagnosis) String() string {
	lines := make([]string, len(d.Checks))
	for i, c := range d.Checks {
		lines[i] = fmt.Sprintf("%-4s  %-16s  %s", c.State, c.Name, c.Detail)
		if c.Remedy != "" {
			lines[i] += "; " + c.Remedy
		}
	}
	return strings.Join(lines, "\n")
}

// rounds are checks, one after the other.
type rounds struct{ done []Check }

// check looks at one thing, unless one of the checks that it needs has failed or was skipped itself.
func (r *rounds) check(name string, look func() Check, needs ...string) {
	c := Check{State: StateSkip}
	lacking := slices.IndexFunc(r.done, func(c Check) bool {
		return slices.Contains(needs, c.Name) && (c.State == StateFail || c.State == StateSkip)
	})
	switch {
	case lacking < 0:
		c = look()
	case r.done[lacking].State == StateSkip:
		c.Detail = r.done[lacking].Detail
	default:
		c.Detail = fmt.Sprintf("not examined, because %q failed", r.done[lacking].Name)
	}
	c.Name = name
	r.done = append(r.done, c)
}

func fine(format string, args ...any) Check {
	return Check{State: StateOK, Detail: fmt.Sprintf(format, args...)}
}

func doubtful(remedy, format string, args ...any) Check {
	return Check{State: StateWarn, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// failed takes an error apart into what happened and what to do.
func failed(err error) Check {
	c := Check{State: StateFail, err: err}
	var e *client.Error
	if errors.As(err, &e) {
		c.Detail, c.Remedy = e.Message, e.Remedy
		if e.Err != nil {
			c.Detail += ": " + e.Err.Error()
		}
	} else {
		c.Detail, c.Remedy, _ = strings.Cut(err.Error(), "; ")
	}
	c.Detail, c.Remedy = strings.Join(strings.Fields(c.Detail), " "), strings.Join(strings.Fields(c.Remedy), " ")
	return c
}
