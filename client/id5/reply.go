package id5

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// reply is a decoded reply of the service, whatever its status.
type reply struct {
	Users []replyUser   `json:"users"`
	Error *serviceError `json:"error"`
}

type replyUser struct {
	UID     string        `json:"uid"`
	Hash    string        `json:"email_sha256"`
	Country string        `json:"country_alpha2"`
	Number  string        `json:"partner_user_id"`
	Error   *serviceError `json:"error"`
}

// isUnsettled says that there is nothing about the user but that he is mentioned.
func (u replyUser) isUnsettled() bool { return u.UID == "" && u.Error == nil }

// hash returns the echoed hash, if it is one.
func (u *replyUser) hash() (hash [32]byte, ok bool) {
	if len(u.Hash) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(u.Hash))
	return hash, err == nil
}

// serviceError is why the service refuses a request or a user. It also has a message, which quotes values.
type serviceError struct {
	Code string `json:"code"`
	Type string `json:"type"`
}

var (
	errNotJSON = errors.New("the reply is not JSON of the documented form")
	errNothing = errors.New("the reply has neither users nor an error")
	errTooMany = errors.New("the service says that there are too many requests")
)

// parse decodes a reply. Its error quotes nothing of it.
func parse(body []byte) (reply, error) {
	var r reply
	if json.Unmarshal(body, &r) != nil {
		return reply{}, errNotJSON
	}
	if r.Users == nil && r.Error == nil {
		return reply{}, errNothing
	}
	return r, nil
}

// believe decodes a reply of status 2xx. Its error says that the reply is of somebody in between, or passes.
func believe(body []byte) (reply, error) {
	r, err := parse(body)
	if err == nil && r.Error != nil && r.Error.Type == typeTooMany {
		return reply{}, errTooMany
	}
	return r, err
}

// names says whether the reply is about some of the users of a request, and not about the request itself.
func (r *reply) names() bool {
	for i := range r.Users {
		if r.Users[i].Error != nil {
			return true
		}
	}
	return false
}

// timeOf is when a reply was made, Unix milliseconds: by the service's clock if it says so.
func timeOf(h http.Header) int64 {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = time.Now()
	}
	return date.UnixMilli()
}
