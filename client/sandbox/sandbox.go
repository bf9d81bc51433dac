package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mapper/normalize"
)

// RoleMapper is the role that identity/map wants of an API key.
const RoleMapper = "MAPPER"

// Options describes an operator. The zero value is a UID2 operator with made-up credentials.
type Options struct {
	EUID bool // the EUID network; default UID2

	APIKey       string   // default: made up
	ClientSecret string   // base64 of 32 bytes; default: made up
	Roles        []string // of the API key; default RoleMapper alone

	Seed          string           // the salts follow from it: the same seed gives the same raw UIDs
	RawUIDVersion int              // 2, 3 or 4; default 3
	RotationDays  int              // mean days between two rotations of a salt, at least 30; default 365. With 270 a third of the identities have a previous raw UID.
	SaltsLateDays int              // how many days the rotation of salts is behind; default 0
	OptOutShare   float64          // of the identities, 0 to 1, chosen by hash; default none but the test identities and those of OptOut
	Now           func() time.Time // the operator's clock; default time.Now. Called from many goroutines.

	Latency time.Duration // before each reply of identity/map and signals, after its work is done
	Jitter  time.Duration // added to Latency: 0 to Jitter

	ID5 ID5Options // Partner Signals, which is served beside the operator

	Trace bool // count how often each identity is answered, for Asked and Stats.Distinct; costs memory
}

// Sandbox is an operator. It is an http.Handler and safe for use by many goroutines.
type Sandbox struct {
	opts  Options
	aead  cipher.AEAD
	salts salts

	id5Changes atomic.Int64 // uids made under ID5Faults.Changing

	plan      atomic.Pointer[plan] // the faults in force
	exchanges sync.Pool            // of *exchange
	stats     *stats

	mu      sync.RWMutex
	optOuts map[normalize.ID]bool // what OptOut and OptIn said; they win over OptOutShare
}

// New returns an operator without faults.
func New(opts Options) (*Sandbox, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	aead, err := newAEAD(opts.ClientSecret)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s := &Sandbox{
		opts:    opts,
		aead:    aead,
		salts:   newSalts(opts.Seed, opts.RotationDays),
		optOuts: map[normalize.ID]bool{},
		stats:   newStats(),
	}
	s.exchanges.New = func() any { return new(exchange) }
	s.SetFaults(Faults{})
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.APIKey == "" {
		o.APIKey = "UID2-C-T-" + rand.Text()
		if o.EUID {
			o.APIKey = "EUID-C-T-" + rand.Text()
		}
	}
	if o.ClientSecret == "" {
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // documented never to fail
		o.ClientSecret = base64.StdEncoding.EncodeToString(secret[:])
	}
	if o.Roles == nil {
		o.Roles = []string{RoleMapper}
	}
	if o.RawUIDVersion == 0 {
		o.RawUIDVersion = 3
	}
	if o.RotationDays == 0 {
		o.RotationDays = 365
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.ID5 = o.ID5.withDefaults()
	return o
}

func (o *Options) check() error {
	switch {
	case !slices.Contains([]int{2, 3, 4}, o.RawUIDVersion):
		return fmt.Errorf("raw UID version %d: there are 2, 3 and 4", o.RawUIDVersion)
	case o.RotationDays < dueEvery:
		return fmt.Errorf("rotation every %d days: a salt lives at least %d", o.RotationDays, dueEvery)
	case o.SaltsLateDays < 0:
		return fmt.Errorf("salts %d days late: they cannot be early", o.SaltsLateDays)
	case math.IsNaN(o.OptOutShare) || o.OptOutShare < 0 || o.OptOutShare > 1:
		return fmt.Errorf("opt-out share %v: want 0 to 1", o.OptOutShare)
	case o.Latency < 0 || o.Jitter < 0:
		return fmt.Errorf("latency %v, jitter %v: want no negative time", o.Latency, o.Jitter)
	}
	return o.ID5.check()
}

func newAEAD(clientSecret string) (cipher.AEAD, error) {
	key, err := base64.StdEncoding.DecodeString(clientSecret)
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the client secret is not 32 bytes in base64; leave it empty to have one made up")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// APIKey returns the key that callers have to show.
func (s *Sandbox) APIKey() string { return s.opts.APIKey }

// ClientSecret returns the secret that belongs to the API key, in base64.
func (s *Sandbox) ClientSecret() string { return s.opts.ClientSecret }

// ID5Partner returns the partner number that Partner Signals knows.
func (s *Sandbox) ID5Partner() string { return s.opts.ID5.Partner }

// ID5Token returns the token that belongs to it.
func (s *Sandbox) ID5Token() string { return s.opts.ID5.Token }

// OptOut opts a person out. The documented test identities keep their answers, whatever is said of them here.
func (s *Sandbox) OptOut(id normalize.ID) { s.setOptOut(id, true) }

// OptIn takes an opt-out back, one of Options.OptOutShare too.
func (s *Sandbox) OptIn(id normalize.ID) { s.setOptOut(id, false) }

func (s *Sandbox) setOptOut(id normalize.ID, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.optOuts[id] = out
}

// Expectation is what the operator has to answer for one identity.
type Expectation struct {
	OptedOut    bool      // then the rest is empty
	RawUID      string    // 44 characters
	Previous    string    // the raw UID before the last rotation, if that was less than 90 days ago
	RefreshFrom time.Time // UTC
}

// Expect computes what the operator has to answer for an identity at this moment of its clock (of which
// Faults.Skew is part), by the rules alone: no other fault changes it, also none that concerns the identity.
func (s *Sandbox) Expect(id normalize.ID) Expectation {
	who := identity{kind: id.Kind}
	who.set(id.Hash)
	s.mu.RLock()
	m := s.lookup(&who, instantOf(s.now()))
	s.mu.RUnlock()
	if m.optedOut {
		return Expectation{OptedOut: true}
	}
	e := Expectation{
		RawUID:      string(s.appendUID(nil, id.Kind, &m.firstLevel, m.salt)),
		RefreshFrom: time.Unix(m.refreshFrom, 0).UTC(),
	}
	if m.hasPrevious {
		e.Previous = string(s.appendUID(nil, id.Kind, &m.firstLevel, m.predecessor()))
	}
	return e
}

// now returns the time by the operator's clock.
func (s *Sandbox) now() time.Time { return s.opts.Now().Add(s.plan.Load().Skew) }

// Of these identities the documentation promises that they are always, or never, opted out.
var (
	alwaysOutEmail = normalize.ID{Hash: sha256.Sum256([]byte("optout@example.com")), Kind: normalize.KindEmail}
	alwaysOutPhone = normalize.ID{Hash: sha256.Sum256([]byte("+00000000000")), Kind: normalize.KindPhone}
	neverOutEmail  = normalize.ID{Hash: sha256.Sum256([]byte("validate@example.com")), Kind: normalize.KindEmail}
	neverOutPhone  = normalize.ID{Hash: sha256.Sum256([]byte("+12345678901")), Kind: normalize.KindPhone}
)
