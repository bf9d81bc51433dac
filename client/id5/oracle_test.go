package id5

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"mapper/client/jsonscan"
)

// oracleUser and oracleError are what encoding/json makes of the parts of a reply.
type (
	oracleUser struct {
		UID, Hash, Country, Number string
		Error                      oracleError
	}
	oracleError struct {
		Is         bool
		Code, Type string
	}
	oracleReply struct {
		Users    []oracleUser
		HasUsers bool
		Error    oracleError
	}
)

// object is a JSON object or null. Unlike a struct, a map takes keys by their exact spelling.
type object = map[string]json.RawMessage

// read decodes a value that may be missing.
func read(o object, key string, into any) error {
	if o[key] == nil {
		return nil
	}
	return json.Unmarshal(o[key], into)
}

func (e *oracleError) read(from object) error {
	var o object
	if err := read(from, "error", &o); err != nil || o == nil {
		return err
	}
	e.Is = true
	if err := read(o, "code", &e.Code); err != nil {
		return err
	}
	return read(o, "type", &e.Type)
}

// oracle decodes a reply by encoding/json alone.
func oracle(body []byte) (r oracleReply, err error) {
	var top object
	if err := json.Unmarshal(body, &top); err != nil {
		return r, err
	}
	var users []object
	if err := read(top, "users", &users); err != nil {
		return r, err
	}
	if r.HasUsers = users != nil; len(users) > maxReplyUsers {
		return r, errNotJSON
	}
	for _, o := range users {
		var u oracleUser
		for key, into := range map[string]*string{"uid": &u.UID, "email_sha256": &u.Hash, "country_alpha2": &u.Country, "partner_user_id": &u.Number} {
			if err := read(o, key, into); err != nil {
				return r, err
			}
		}
		if err := u.Error.read(o); err != nil {
			return r, err
		}
		r.Users = append(r.Users, u)
	}
	if err := r.Error.read(top); err != nil {
		return r, err
	}
	if !r.HasUsers && !r.Error.Is {
		return r, errNothing
	}
	return r, nil
}

// plain returns a reply in the form of the oracle's.
func (r *reply) plain() (p oracleReply) {
	of := func(e serviceError) oracleError { return oracleError{e.Is, string(e.Code), string(e.Type)} }
	p.HasUsers, p.Error = r.HasUsers, of(r.Error)
	for _, u := range r.Users {
		p.Users = append(p.Users, oracleUser{string(u.UID), string(u.Hash), string(u.Country), string(u.Number), of(u.Error)})
	}
	return p
}

// mayRefuse says whether valid JSON has what only this package refuses: a key that comes twice, or very deep nesting.
func mayRefuse(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	var walk func(depth int) bool
	walk = func(depth int) bool {
		token, err := d.Token()
		if err != nil || depth > jsonscan.MaxDepth {
			return true
		}
		keys := map[string]bool{}
		for open, _ := token.(json.Delim); open != 0 && d.More(); {
			if open == '{' {
				key, err := d.Token()
				if name, _ := key.(string); err != nil || keys[name] {
					return true
				} else {
					keys[name] = true
				}
			}
			if walk(depth + 1) {
				return true
			}
		}
		if _, opened := token.(json.Delim); opened {
			_, err = d.Token()
		}
		return err != nil && err != io.EOF
	}
	return walk(0)
}

// compare reads a body in both ways.
func compare(t *testing.T, body []byte) {
	t.Helper()
	said := reply{Users: []replyUser{{UID: []byte("of before")}}, Error: serviceError{Is: true}}
	err := said.parse(body)
	want, wantErr := oracle(body)
	switch {
	case err == nil && wantErr != nil:
		t.Errorf("taken, which encoding/json refuses with %v: %q", wantErr, body)
	case err != nil && wantErr == nil && !mayRefuse(body):
		t.Errorf("refused, which encoding/json takes: %q", body)
	case err != nil && (len(said.Users) > 0 || said.HasUsers || said.Error.Is):
		t.Errorf("refused, and yet something is left: %+v", said.plain())
	case err == nil && !mayRefuse(body) && !reflect.DeepEqual(said.plain(), want):
		t.Errorf("%q\nis  %+v\nnot %+v", body, said.plain(), want)
	}
}

// replies are bodies that are odd in one way each, those that a service may send first.
var replies = []string{
	`{"users":[{"uid":"ID5*x","email_sha256":"ab","country_alpha2":"FR","partner_user_id":"0"},{"partner_user_id":"1"}]}`,
	`{"users":[{"uid":"a","error":{"code":"new_code","message":"no","type":"new_type"}}],"error":{"code":null,"message":"m"}}`,
	`{"users":[{"uid":null,"error":null,"country_alpha2":""}],"error":null}`, `{"users":[{"error":{}}]}`, `{"error":{}}`, `{"users":[]}`, `{"users":[null,{}]}`,
	" {\t\"users\" :\r\n[ { } , { \"uid\" : \"a\" } ] , \"more\" : [ 1 , -0.5e+3 , true , false , null , { \"a\" : [ ] } ] } ",
	`{"users":[{"uid":"\u00e9\ud83d\ude00\ud800\"\\\/\b\f\n\r\t","p\u0061rtner_user_id":"7"}]}`,
	"{\"users\":[{\"uid\":\"caf\xc3\xa9\"}],\"error\":{\"message\":\"cut \xc3\",\"code\":\"\xff\"}}",
	`{"users":[{"uid":"0123456789012345678901234567\n"}],"trace":{"id":[[[[{"uid":1}]]]]},"Users":5,"UID":{}}`,

	``, ` `, `null`, `{}`, `[]`, `"users"`, `7`, `{"users":null}`, `{"users":{}}`, `{"users":"x"}`, `{"users":[[]]}`, `{"users":["a"]}`, `{"users":[{"uid":7}]}`,
	`{"users":[{"uid":{}}]}`, `{"users":[{"error":"x"}]}`, `{"users":[{"error":[]}]}`, `{"error":7}`, `{"error":{"code":7}}`, `{"error":{"type":[]}}`,
	`{"users":[]}x`, `{"users":[]} {}`, `{"users":[,{}]}`, `{"users":[{"uid":"\u12g4"}]}`, `{"users":[],"n":01}`, "{\"users\":[]}\x00", "\ufeff{\"users\":[]}",
	`{"users":[],"users":[{}]}`, `{"users":[{"uid":"a","uid":"b"}]}`, `{"users":[],"other":1,"other":2}`, `{"error":{"code":"a","code":null}}`,
}

func TestReplyAsEncodingJSON(t *testing.T) {
	for _, body := range replies {
		compare(t, []byte(body))
	}
	taken := 0
	for _, body := range replies[:11] {
		if new(reply).parse([]byte(body)) == nil {
			taken++
		}
	}
	if taken != 11 {
		t.Errorf("only %d of the replies that the service may send are taken", taken)
	}
}

// TestReplyRefuses has what is valid JSON and refused all the same.
func TestReplyRefuses(t *testing.T) {
	deep := func(n int) string {
		return `{"users":[],"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	many := func(n int) string { return `{"users":[` + strings.Repeat("{},", n-1) + `{}]}` }
	for name, c := range map[string]struct {
		body  string
		taken bool
	}{
		"users twice":                {`{"users":[],"users":null}`, false},
		"uid twice":                  {`{"users":[{"uid":"a","uid":"a"}]}`, false},
		"uid twice, once in escapes": {`{"users":[{"uid":"a","\u0075id":"a"}]}`, false},
		"code twice":                 {`{"error":{"code":"a","code":"b"}}`, false},
		"an unknown key twice":       {`{"users":[],"x":1,"x":2}`, true},
		"deep":                       {deep(jsonscan.MaxDepth), true},
		"too deep":                   {deep(jsonscan.MaxDepth + 2), false},
		"many":                       {many(maxReplyUsers), true},
		"too many":                   {many(maxReplyUsers + 1), false},
	} {
		if err := new(reply).parse([]byte(c.body)); (err == nil) != c.taken {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestReplyCutAnywhere cuts a reply at each of its bytes, and changes each of them.
func TestReplyCutAnywhere(t *testing.T) {
	for _, whole := range replies[:11] {
		for i := range len(whole) {
			compare(t, []byte(whole[:i]))
			for _, c := range []byte{0, ' ', '"', '\\', '{', '}', '[', ',', ':', 'n', '0', 0xff} {
				body := []byte(whole)
				body[i] = c
				compare(t, body)
			}
		}
	}
}

// FuzzReplyAsEncodingJSON reads any reply in both ways.
func FuzzReplyAsEncodingJSON(f *testing.F) {
	for _, body := range replies {
		f.Add([]byte(body))
	}
	f.Fuzz(compare)
}
