package id5

import (
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"mapper/client/jsonscan"
)

// reply is a decoded reply of the service, whatever its status:
//
//	{"users":[{"uid":…,"email_sha256":…,"country_alpha2":…,"partner_user_id":…,"error":{…}},…],"error":{"code":…,"type":…}}
//
// Keys may come in any order and be missing, and unknown ones mean nothing; null is as good as nothing. A key that comes twice
// or a value of the wrong type makes the whole reply unbelievable. The zero value says nothing; its memory can be used for one
// reply after the other. Its texts are slices of the body.
type reply struct {
	Users    []replyUser
	HasUsers bool // there is a list, of nobody perhaps
	Error    serviceError
}

type replyUser struct {
	UID, Hash, Country, Number []byte
	Error                      serviceError
}

// serviceError is why the service refuses a request or a user. It also has a message, which quotes values.
type serviceError struct {
	Is         bool // there is an error; it may say nothing of itself
	Code, Type []byte
}

// isUnsettled says that there is nothing about the user but that he is mentioned.
func (u replyUser) isUnsettled() bool { return len(u.UID) == 0 && !u.Error.Is }

// hash returns the echoed hash, if it is one.
func (u *replyUser) hash() (hash [32]byte, ok bool) {
	if len(u.Hash) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], u.Hash)
	return hash, err == nil
}

var (
	errNotJSON = errors.New("the reply is not JSON of the documented form")
	errNothing = errors.New("the reply has neither users nor an error")
	errTooMany = errors.New("the service says that there are too many requests")
)

// parse decodes a reply. Its error quotes nothing of it, and leaves nothing in it.
func (r *reply) parse(body []byte) error {
	r.reset()
	d := decoder{jsonscan.Scanner{Data: body, Mend: true}}
	if !d.Null() {
		d.reply(r)
	}
	if d.End(); d.Err() != nil {
		r.reset()
		return errNotJSON
	}
	if !r.HasUsers && !r.Error.Is {
		return errNothing
	}
	return nil
}

func (r *reply) reset() { *r = reply{Users: r.Users[:0]} }

// believe decodes a reply of status 2xx. Its error says that the reply is of somebody in between, or passes.
func (r *reply) believe(body []byte) error {
	err := r.parse(body)
	if err == nil && string(r.Error.Type) == typeTooMany {
		r.reset()
		return errTooMany
	}
	return err
}

// names says whether the reply is about some of the users of a request, and not about the request itself.
func (r *reply) names() bool {
	for i := range r.Users {
		if r.Users[i].Error.Is {
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
