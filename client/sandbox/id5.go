package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ID5Options describes the Partner Signals endpoint. The zero value has a token that is made up.
type ID5Options struct {
	Partner  string // number of the partner, digits only; default: 173, which is for tests
	Token    string // default: made up
	MaxUsers int    // in a request; default 1000
	Seed     string // the uids follow from it: the same seed gives the same uids; default: made up
}

func (o ID5Options) withDefaults() ID5Options {
	if o.Partner == "" {
		o.Partner = "173" // which is for tests
	}
	if o.Token == "" {
		o.Token = "ID5-T-" + rand.Text()
	}
	if o.MaxUsers == 0 {
		o.MaxUsers = 1000
	}
	if o.Seed == "" {
		o.Seed = rand.Text()
	}
	return o
}

func (o *ID5Options) check() error {
	switch {
	case strings.Trim(o.Partner, "0123456789") != "":
		return errors.New("the ID5 partner number holds something other than digits")
	case o.MaxUsers < 0:
		return fmt.Errorf("%d ID5 users in a request: want at least 1", o.MaxUsers)
	}
	return nil
}

// ID5Faults is how the Partner Signals endpoint behaves where its documentation leaves it open, or worse. The zero value
// follows the examples of the documentation.
type ID5Faults struct {
	Status200 bool // refuse users under status 200, not 400
	NoNumbers bool // leave partner_user_id out of every reply
	Nameless  bool // do not say which users a request is refused for
	Shuffle   bool // the users of a reply come in an order of chance, which Faults.Seed repeats
	Changing  bool // another uid each time, which begins with that of ID5UID
	Omit      int  // leave one user out of each Omit-th answer since SetFaults; 0: of none
	Duplicate int  // answer one user of each Duplicate-th answer twice

	Reject  map[[32]byte]string // email hashes that a request is refused for, as if invalid, and the code
	Partial bool                // answer the other users of such a request
	NoID    map[[32]byte]bool   // email hashes that get neither uid nor error
	NoHash  map[[32]byte]bool   // email hashes that another hash is echoed for
}

const (
	id5Path        = "/partners/v1/"
	id5Method      = "/signals"
	worldwide      = "AA"
	errValidation  = "validation_error"
	errRequest     = "invalid_request_error"
	errCredentials = "authentication_error"
)

// id5Error is an error of a request or of one of its users.
type id5Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Type    string `json:"type"`
}

// id5User is a user of a request or of a reply, which have most fields in common. Known is of requests only.
type id5User struct {
	UID     string    `json:"uid,omitempty"`
	Hash    string    `json:"email_sha256"`
	Country string    `json:"country_alpha2"`
	Number  string    `json:"partner_user_id,omitempty"`
	Error   *id5Error `json:"error,omitempty"`
	Known   []knownID `json:"known_uids,omitempty"`
}

// knownID is an id that a request wants to be joined with the email.
type knownID struct {
	UID string `json:"uid"`
}

type id5Reply struct {
	Users []id5User `json:"users,omitzero"`
	Error *id5Error `json:"error,omitempty"`
}

func isID5(path string) bool {
	return strings.HasPrefix(path, id5Path) && strings.HasSuffix(path, id5Method)
}

// signals answers a call of Partner Signals, whose body is in x.body.
func (s *Sandbox) signals(x *exchange, r *http.Request, plan *plan, fate Action) reply {
	if status, refused := s.id5Refusal(r); refused != nil {
		return id5Plain(status, id5Reply{Error: refused})
	}
	var asked struct{ Users []id5User }
	if json.Unmarshal(x.body, &asked) != nil {
		return id5Plain(http.StatusBadRequest, id5Reply{Error: &id5Error{"request_format_invalid", "The request is not valid JSON", errRequest}})
	}
	if n := len(asked.Users); n < 1 || n > s.opts.ID5.MaxUsers {
		message := fmt.Sprintf("The number of users is %d, it must be between 1 and %d", n, s.opts.ID5.MaxUsers)
		return id5Plain(plan.ID5.refusal(), id5Reply{Error: &id5Error{codeUsersInvalid, message, errValidation}})
	}
	s.id5Notice(asked.Users)
	return s.id5Respond(x, s.id5Answer(asked.Users, plan), plan, fate)
}

// id5Respond spoils the answer to some users as the faults want it, and counts them.
func (s *Sandbox) id5Respond(x *exchange, out id5Reply, plan *plan, fate Action) reply {
	status, n := http.StatusOK, int64(0)
	if out.Error == nil {
		n = plan.signals.Add(1)
		out.Users = plan.ID5.omit(out.Users, n, fate)
	} else {
		status = plan.ID5.refusal()
	}
	counts := s.id5Count(x, out.Users)
	if out.Error == nil {
		out.Users = plan.ID5.duplicate(out.Users, n, fate)
	}
	plan.id5Disguise(out.Users, n)
	answer := id5Plain(status, out)
	answer.answered = counts
	if fate == Garble && status == http.StatusOK {
		answer.body[0] ^= 1
	}
	return answer
}

// id5Refusal looks at partner and token.
func (s *Sandbox) id5Refusal(r *http.Request) (status int, refused *id5Error) {
	partner := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, id5Path), id5Method)
	token := r.URL.Query().Get("token")
	switch {
	case token == "":
		return http.StatusUnauthorized, &id5Error{"api_token_invalid", "No token was supplied", errCredentials}
	case token != s.opts.ID5.Token: // which the message quotes, as messages of this service do
		return http.StatusUnauthorized, &id5Error{"api_token_invalid", "The token " + token + " is not valid", errCredentials}
	case partner != s.opts.ID5.Partner:
		return http.StatusBadRequest, &id5Error{"partner_id_invalid", "The partner " + partner + " is unknown", errRequest}
	}
	return 0, nil
}

const codeUsersInvalid = "user_objects_invalid"

// refusal is the status under which users are refused.
func (f *ID5Faults) refusal() int {
	if f.Status200 {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

func id5Plain(status int, r id5Reply) reply {
	body, err := json.Marshal(r)
	if err != nil {
		panic("sandbox: strings have no JSON: " + err.Error())
	}
	return reply{status: status, contentType: "application/json;charset=UTF-8", body: body}
}
