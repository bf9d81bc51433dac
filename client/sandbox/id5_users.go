package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
)

// id5Answer answers users: all of them, or if some are invalid these alone.
func (s *Sandbox) id5Answer(asked []id5User, plan *plan) id5Reply {
	var all, culprits []id5User
	for _, u := range asked {
		u.UID, u.Known, u.Error = "", nil, plan.ID5.judge(&u)
		if u.Country == "" {
			u.Country = worldwide
		}
		if u.Error != nil {
			culprits = append(culprits, u)
		} else {
			u = s.id5Identify(u, plan)
		}
		all = append(all, u)
	}
	switch {
	case len(culprits) == 0, plan.ID5.Partial:
		return id5Reply{Users: all}
	case plan.ID5.Nameless:
		culprits = nil
	}
	return id5Reply{Users: culprits, Error: &id5Error{codeUsersInvalid, "Some of the users are invalid", errValidation}}
}

// judge returns what is wrong with a user, or nothing. The service looks at lengths alone.
func (f *ID5Faults) judge(u *id5User) *id5Error {
	if hash, ok := id5Hash(u.Hash); ok {
		if code, rejected := f.Reject[hash]; rejected {
			return &id5Error{code, "The value " + u.Hash + " is not valid", errValidation}
		}
	}
	switch {
	case len(u.Hash) != 64:
		return &id5Error{"sha256_length_invalid", "The hash " + u.Hash + " has not 64 characters", errValidation}
	case u.Country != "" && len(u.Country) != 2:
		return &id5Error{"country_alpha2_invalid", "The country " + u.Country + " has not 2 characters", errValidation}
	}
	return nil
}

func (s *Sandbox) id5Identify(u id5User, plan *plan) id5User {
	if hash, ok := id5Hash(u.Hash); ok && plan.ID5.NoID[hash] {
		return u
	}
	u.UID = s.id5UID(u.Hash, u.Country)
	if plan.ID5.Changing {
		u.UID += "-" + strconv.FormatInt(s.id5Changes.Add(1), 36)
	}
	return u
}

func id5Hash(text string) (hash [32]byte, ok bool) {
	if len(text) != 64 {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(text))
	return hash, err == nil
}

// id5UID makes the uid of a user. With a seed that is made up it changes between runs, as it does over time at the service.
func (s *Sandbox) id5UID(hash, country string) string {
	sum := sha256.Sum256([]byte(s.opts.ID5.Seed + " " + hash + " " + country))
	return "ID5-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// ID5UID returns the uid that the endpoint has for an email hash and a country, "" for none. Sandboxes of another seed have
// others, and with ID5Faults.Changing it is only what the uids of this user begin with.
func (s *Sandbox) ID5UID(hash [32]byte, country string) string {
	if country == "" {
		country = worldwide
	}
	return s.id5UID(hex.EncodeToString(hash[:]), country)
}
