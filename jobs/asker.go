package jobs

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"mapper/client"
	"mapper/client/id5"
	"mapper/client/transport"
	"mapper/client/uid2"
	"mapper/normalize"
	"mapper/pipeline"
	"mapper/sinks"
)

// asker asks a service for a run.
type asker interface {
	pipeline.Mapper
	Stats() transport.Stats
}

// uid2Asker asks UID2 or EUID.
type uid2Asker struct{ client *uid2.Client }

// Map asks for identities.
func (a uid2Asker) Map(ctx context.Context, asks *pipeline.Asks, answers *client.Answers) error {
	return a.client.Map(ctx, asks.IDs, answers)
}

// Stats returns what was asked so far.
func (a uid2Asker) Stats() transport.Stats { return a.client.Stats().Stats }

// serviceID5 is the name of ID5 Partner Signals in tables.
const serviceID5 = "id5"

// networkOf returns of which network a table is.
func networkOf(service string) sinks.Network { return sinks.NetworkOf(service) }

// profileOf returns whose rule for emails applies.
func profileOf(service string) normalize.Profile {
	if service == serviceID5 {
		return normalize.ID5
	}
	return normalize.UID2
}

// ID5 is how a job asks ID5 Partner Signals.
type ID5 struct {
	Partner string // number that ID5 assigned
	Token   client.Secret
	// RefreshAfter is the age from which on an ID5 uid is due, which makes its refresh_from: the service says nothing of it.
	// Its documentation says that uids change over time, and not how fast. 0: they never are.
	RefreshAfter time.Duration
}

// id5Asker asks ID5 Partner Signals.
type id5Asker struct {
	client *id5.Client
	as     *ID5      // which does not change any more once something is asked
	users  sync.Pool // of *[]id5.User
}

// Map asks for identities, with their countries and with the uids that are known for them.
func (a *id5Asker) Map(ctx context.Context, asks *pipeline.Asks, answers *client.Answers) error {
	users, ok := a.users.Get().(*[]id5.User)
	if !ok {
		users = new([]id5.User)
	}
	defer a.users.Put(users)
	*users = (*users)[:0]
	for i := range asks.IDs {
		id := &asks.IDs[i]
		*users = append(*users, id5.User{Hash: id.Hash, Country: id.Country, KnownUIDs: knownUIDs(asks.KnownUIDs(i))})
	}
	if err := a.client.Map(ctx, *users, answers); err != nil {
		return err
	}
	if a.as.RefreshAfter == 0 {
		return nil
	}
	for i := range answers.Items {
		if item := &answers.Items[i]; item.Status == client.Mapped {
			item.RefreshFrom = item.At + a.as.RefreshAfter.Milliseconds()
		}
	}
	return nil
}

// Stats returns what was asked so far.
func (a *id5Asker) Stats() transport.Stats { return a.client.Stats().Stats }

// knownUIDs takes the cell of a column with uids apart: one or several, between which stand commas, semicolons, bars or
// white space.
func knownUIDs(cell []byte) []string {
	if len(bytes.TrimSpace(cell)) == 0 {
		return nil
	}
	return strings.FieldsFunc(string(cell), func(c rune) bool { return strings.ContainsRune(",;| \t\r\n", c) })
}

// askUID2 returns who asks UID2 or EUID.
func (m *Map) askUID2(o transport.Options) (asker, error) {
	c, err := uid2.New(uid2.Options{
		Service:          m.Service,
		BaseURL:          m.BaseURL,
		APIKey:           m.APIKey,
		ClientSecret:     m.ClientSecret,
		APIKeyName:       m.APIKeyName,
		ClientSecretName: m.ClientSecretName,
		MaxBatch:         m.MaxBatch,
		MaxPoison:        m.MaxPoison,
		Version:          m.Version,
		Now:              m.Now,
		Logger:           m.Log,
		Transport:        o,
	})
	if err != nil {
		return nil, err
	}
	return uid2Asker{c}, nil
}

// askID5 returns who asks ID5.
func (m *Map) askID5(as *ID5, o transport.Options) (asker, error) {
	c, err := id5.New(id5.Options{
		BaseURL: m.BaseURL, Partner: as.Partner, Token: as.Token, MaxBatch: m.MaxBatch, MaxPoison: m.MaxPoison,
		Version: m.Version, Logger: m.Log, Transport: o,
	})
	if err != nil {
		return nil, err
	}
	return &id5Asker{client: c, as: as}, nil
}

// forUID2 fills in what a job for UID2 or EUID leaves out about the service, and refuses what it does not take.
func (m Map) forUID2() (Map, error) {
	if m.BaseURL == "" {
		m.BaseURL = m.Service.Production()
	}
	if m.Environment == "" {
		m.Environment = uid2.Environment(m.Service, m.BaseURL)
	}
	if m.MaxBatch == 0 {
		m.MaxBatch = uid2.MaxItems
	}
	if m.MaxInFlight == 0 {
		m.MaxInFlight = DefaultInFlight
	}
	if m.MaxBatch < 1 || m.MaxBatch > uid2.MaxItems {
		return m, settingf("max_batch", "%d: a request takes 1 to %d identities", m.MaxBatch, uid2.MaxItems)
	}
	return m, checkBaseURL(m.Service, m.BaseURL)
}

// DefaultInFlight is how many requests to UID2 and EUID are under way at once, by default: the API's advice.
const DefaultInFlight = 20

// DefaultInFlightID5 is the same for ID5, which says nothing of it.
const DefaultInFlightID5 = 4

// forID5 is forUID2 for ID5.
func (m Map) forID5(as *ID5) (Map, error) {
	if m.BaseURL == "" {
		m.BaseURL = id5.Production
	}
	if m.Environment == "" {
		m.Environment = id5.Environment(m.BaseURL)
	}
	if m.MaxBatch == 0 {
		m.MaxBatch = id5.DefaultBatch
	}
	if m.MaxInFlight == 0 {
		m.MaxInFlight = DefaultInFlightID5
	}
	switch {
	case m.MaxBatch < 1 || m.MaxBatch > id5.DefaultBatch:
		return m, settingf("max_batch", "%d: a request to ID5 takes 1 to %d users", m.MaxBatch, id5.DefaultBatch)
	case as.RefreshAfter < 0:
		return m, settingf("refresh_after", "%s: it cannot be negative", as.RefreshAfter)
	}
	_, err := id5.New(id5.Options{BaseURL: m.BaseURL, Partner: "0", Token: client.NewSecret("nobody")})
	return m, baseURLError(serviceID5, err)
}
