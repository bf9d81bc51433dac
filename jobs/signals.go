package jobs

import (
	"context"
	"maps"

	"mapper/client/transport"
	"mapper/jobs/table"
	"mapper/normalize"
)

// Signals is a job that reads emails and asks ID5 Partner Signals for their ids, and writes a run into the table at Out. It
// is a [Map] with another service: identities are emails with a country ([Columns.Country]), and there is nothing that says
// when an answer is due but RefreshAfter.
//
// An ID5 uid is encrypted and changes from answer to answer, also for the same person: two of them say nothing about
// whether two people are one, none is worth to be joined on, and an answer that differs from the one before is no change.
//
// Columns.KnownUIDs names a column with uids that are known for the row's person. ID5 joins them with the email into one
// person, which probably nobody can undo; without it nothing of the kind is sent.
//
// Of the Map's fields those about phones, Service, APIKey, ClientSecret, Incremental and FullBase mean nothing here.
type Signals struct {
	Map
	ID5
}

// Run runs the job, as [Map.Run] does.
func (s Signals) Run(ctx context.Context) (*Summary, error) {
	j, err := s.job()
	if err != nil {
		return nil, err
	}
	if err := j.checkOut(); err != nil {
		return nil, err
	}
	summary, err := j.run(ctx)
	return summary, j.advised(err)
}

// Plan says what the job would do. It needs no credentials and no table.
func (s Signals) Plan(ctx context.Context) (*Estimate, error) {
	j, err := s.job()
	if err != nil {
		return nil, err
	}
	return j.estimate(ctx, j.lookInto(ctx))
}

// job returns the job, whose options have their defaults.
func (s *Signals) job() (*job, error) {
	m, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	k := &signalling{mapping: mapping{Map: &m}, ID5: &s.ID5}
	return &job{Map: &m, kind: k, service: serviceID5, environment: m.Environment}, nil
}

func (s *Signals) withDefaults() (Map, error) {
	m, err := s.forID5(&s.ID5)
	if err == nil {
		m, err = m.shared()
	}
	if err == nil {
		err = m.checkReading()
	}
	c := &m.Columns
	switch {
	case err != nil:
	case len(c.Phone) > 0:
		err = settingf("phone", "%q: ID5 Partner Signals takes emails only; leave it out", c.Phone)
	case len(c.PhoneHash) > 0:
		err = settingf("phone_hash", "%q: ID5 Partner Signals takes emails only; leave it out", c.PhoneHash)
	case c.PhoneRegionColumn != "":
		err = settingf("phone_region_column", "%q: ID5 Partner Signals takes emails only; leave it out", c.PhoneRegionColumn)
	case m.Incremental:
		err = settingf("incremental", "true: ID5 uids change from answer to answer, so that a run compares with none; leave it out, and keep the table fresh with --refresh-after and mapper remap")
	}
	m.Columns.emailsOnly = true
	return m, err
}

// signalling is what is particular to Signals.
type signalling struct {
	mapping
	*ID5
}

func (*signalling) name() string { return table.KindSignals }

func (s *signalling) ready(ctx context.Context) (err error) {
	s.suppressed, err = s.suppression(ctx, normalize.ID5)
	return err
}

func (s *signalling) asker(o transport.Options) (asker, error) { return s.askID5(s.ID5, o) }

func (s *signalling) settings() map[string]string {
	settings := s.mapping.settings()
	maps.DeleteFunc(settings, func(key, _ string) bool {
		switch key {
		case "phone", "phone_hash", "phone_region", "phone_region_column", "incremental", "optout_recheck", "full_base":
			return true
		}
		return false
	})
	settings["kind"], settings["service"] = table.KindSignals, serviceID5
	settings["country"], settings["known_uids"] = s.Columns.Country, s.Columns.KnownUIDs
	settings["refresh_after"] = s.RefreshAfter.String()
	return settings
}
