package uid2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"mapper/client"
	"mapper/client/jsonscan"
	"mapper/normalize"
)

const (
	testAt   = 1_760_000_000_123
	twoAsked = 2 // emails asked in the tables below, and one phone between them
)

// asked are two emails and a phone in between.
func asked() []normalize.ID {
	return []normalize.ID{{Hash: [32]byte{1}}, {Hash: [32]byte{2}, Kind: normalize.KindPhone}, {Hash: [32]byte{3}}}
}

// scan reads a reply for ids from its JSON.
func scan(text string, ids []normalize.ID) (*reply, *client.Answers, error) {
	ans := new(client.Answers)
	ans.Reset(len(ids))
	ans.Text = append(ans.Text, text...)
	r := &reply{Scanner: jsonscan.Scanner{Data: ans.Text}, part: part{ids: ids, ans: ans}, at: testAt}
	return r, ans, r.read()
}

func describe(ans *client.Answers) string {
	var lines []string
	for i, item := range ans.Items {
		lines = append(lines, fmt.Sprintf("%d u=%s p=%s e=%s r=%d at=%d", item.Status, ans.UID(i), ans.Previous(i), ans.Word(i), item.RefreshFrom, item.At))
	}
	return strings.Join(lines, "\n")
}

// whole puts the elements for two emails and a phone into a reply.
func whole(email1, phone, email2 string) string {
	return fmt.Sprintf(`{"body":{"email":[],"email_hash":[%s,%s],"phone":[],"phone_hash":[%s]},"status":"success"}`, email1, email2, phone)
}

func TestScanElements(t *testing.T) {
	other := `1 u=v p= e= r=5000 at=1760000000123`
	for _, c := range []struct{ name, element, want string }{
		{"mapped", `{"u":"uid","p":"old","r":1706659200}`, "1 u=uid p=old e= r=1706659200000"},
		{"no previous", `{"u":"uid","p":null,"r":1706659200}`, "1 u=uid p= e= r=1706659200000"},
		{"another order", `{"r":1706659200,"p":"old","u":"uid"}`, "1 u=uid p=old e= r=1706659200000"},
		{"only the uid", `{"u":"uid"}`, "1 u=uid p= e= r=0"},
		{"opted out", `{"e":"optout"}`, "2 u= p= e=optout r=0"},
		{"invalid", `{"e":"invalid identifier"}`, "3 u= p= e=invalid identifier r=0"},
		{"another word", `{"e":"gone fishing"}`, "0 u= p= e=gone fishing r=0"},
		{"a word in capitals", `{"e":"OPTOUT"}`, "0 u= p= e=OPTOUT r=0"},
		{"nothing", `{}`, "0 u= p= e= r=0"},
		{"an empty uid", `{"u":"","r":1}`, "0 u= p= e= r=0"},
		{"all null", `{"u":null,"p":null,"r":null,"e":null}`, "0 u= p= e= r=0"},
		{"nulls beside a word", `{"u":null,"p":null,"r":null,"e":"optout"}`, "2 u= p= e=optout r=0"},
		{"uid and word: the word wins", `{"u":"uid","r":1706659200,"e":"optout"}`, "2 u= p= e=optout r=0"},
		{"unknown fields", `{"x":{"u":["e",{}]},"u":"uid","y":[1.5e3,true,false,null,"\u0041"],"uu":"x","":0,"r":7}`, "1 u=uid p= e= r=7000"},
		{"white space", " {\n\t\"u\" : \"uid\" ,\r\"r\" : 7 } ", "1 u=uid p= e= r=7000"},
		{"escapes", `{"u":"a\/b\u003d\n","p":"\ud83d\ude0a","r":7}`, "1 u=a/b=\n p=😊 e= r=7000"},
		{"an escaped key", `{"\u0075":"uid","r":7}`, "1 u=uid p= e= r=7000"},
		{"beyond ASCII", `{"e":"gelöscht 😊"}`, "0 u= p= e=gelöscht 😊 r=0"},
		{"milliseconds", `{"u":"uid","r":1706659200000}`, "1 u=uid p= e= r=1706659200000"},
		{"a fraction", `{"u":"uid","r":1706659200.9}`, "1 u=uid p= e= r=1706659200000"},
		{"an exponent", `{"u":"uid","r":17e8}`, "1 u=uid p= e= r=1700000000000"},
		{"refresh 0", `{"u":"uid","r":0}`, "1 u=uid p= e= r=0 odd"},
		{"refresh negative", `{"u":"uid","r":-5}`, "1 u=uid p= e= r=0 odd"},
		{"refresh in the year 5000", `{"u":"uid","r":95617584000}`, "1 u=uid p= e= r=0 odd"},
		{"refresh in microseconds", `{"u":"uid","r":1706659200000000}`, "1 u=uid p= e= r=0 odd"},
		{"refresh endless", `{"u":"uid","r":123456789012345678901234567890}`, "1 u=uid p= e= r=0 odd"},
		{"refresh infinite", `{"u":"uid","r":1e999}`, "1 u=uid p= e= r=0 odd"},
		{"refresh minus infinite", `{"u":"uid","r":-1e999}`, "1 u=uid p= e= r=0 odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, ans, err := scan(whole(`{"u":"v","r":5}`, c.element, `{"u":"v","r":5}`), asked())
			if err != nil {
				t.Fatal(err)
			}
			want, odd := strings.CutSuffix(c.want, " odd")
			if got := describe(ans); got != other+"\n"+want+" at=1760000000123\n"+other {
				t.Errorf("got\n%s\nwant %s in the middle", got, want)
			}
			if (r.odd > 0) != odd {
				t.Errorf("%d odd times", r.odd)
			}
		})
	}
}

func TestScanReplies(t *testing.T) {
	const u = `{"u":"v","r":5}`
	good := whole(u, u, u)
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"good", good, true},
		{"status first", `{"status":"success","body":{"phone_hash":[` + u + `],"email_hash":[` + u + `,` + u + `]}}`, true},
		{"unasked arrays null", strings.Replace(good, `"email":[]`, `"email":null`, 1), true},
		{"unknown keys", `{"x":[[{}]],` + good[1:], true},
		{"white space around", " \n" + good + "\t\r\n ", true},
		{"one short", whole(u, u, u+`,`+u)[:0] + `{"body":{"email_hash":[` + u + `],"phone_hash":[` + u + `]},"status":"success"}`, false},
		{"one long", whole(u, u, u+`,`+u), false},
		{"one short and one long", `{"body":{"email_hash":[` + u + `],"phone_hash":[` + u + `,` + u + `]},"status":"success"}`, false},
		{"phones missing", `{"body":{"email_hash":[` + u + `,` + u + `]},"status":"success"}`, false},
		{"phones null", `{"body":{"email_hash":[` + u + `,` + u + `],"phone_hash":null},"status":"success"}`, false},
		{"an answer to a raw email", strings.Replace(good, `"email":[]`, `"email":[`+u+`]`, 1), false},
		{"an answer to a raw phone", strings.Replace(good, `"phone":[]`, `"phone":[null]`, 1), false},
		{"no body", `{"status":"success"}`, false},
		{"body null", `{"body":null,"status":"success"}`, false},
		{"body an array", `{"body":[],"status":"success"}`, false},
		{"body twice", good[:len(good)-1] + `,"body":null}`, false},
		{"status twice", `{"status":"success",` + good[1:], false},
		{"array twice", strings.Replace(good, `"phone":[]`, `"phone":[],"phone":[]`, 1), false},
		{"status missing", strings.Replace(good, `"status"`, `"statu"`, 1), false},
		{"status a number", strings.Replace(good, `"success"`, `1`, 1), false},
		{"cut off", good[:len(good)-1], false},
		{"something behind", good + `{}`, false},
		{"a zero byte behind", good + "\x00", false},
		{"element null", whole(u, `null`, u), false},
		{"element a string", whole(u, `"v"`, u), false},
		{"uid a number", whole(u, `{"u":1}`, u), false},
		{"uid an object", whole(u, `{"u":{}}`, u), false},
		{"previous a bool", whole(u, `{"u":"v","p":false}`, u), false},
		{"refresh a string", whole(u, `{"u":"v","r":"5"}`, u), false},
		{"word a number", whole(u, `{"e":0}`, u), false},
		{"uid twice", whole(u, `{"u":"v","u":"v"}`, u), false},
		{"previous twice", whole(u, `{"p":"v","p":null}`, u), false},
		{"refresh twice", whole(u, `{"r":5,"r":5}`, u), false},
		{"word twice", whole(u, `{"e":"optout","e":"optout"}`, u), false},
		{"uid twice, once escaped", whole(u, `{"u":"v","\u0075":"v"}`, u), false},
		{"not UTF-8", whole(u, "{\"u\":\"\xff\"}", u), false},
		{"deep", whole(u, `{"x":`+strings.Repeat("[", 1e6)+`}`, u), false},
		{"HTML", `<html>`, false},
		{"empty", ``, false},
		{"null", `null`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, err := scan(c.text, asked())
			if ok := err == nil && r.status == statusSuccess; ok != c.ok {
				t.Errorf("status %q, error %v; want ok %v", r.status, err, c.ok)
			}
		})
	}
}

// TestScanOtherStatus needs no body.
func TestScanOtherStatus(t *testing.T) {
	for _, text := range []string{`{"status":"optout"}`, `{"body":null,"status":"optout"}`, `{"status":"optout","body":{}}`} {
		if r, _, err := scan(text, asked()); err != nil || r.status != "optout" {
			t.Errorf("%s: status %q, %v", text, r.status, err)
		}
	}
}

// TestScanErrorsQuoteNothing: what cannot be read may be a person.
func TestScanErrorsQuoteNothing(t *testing.T) {
	for _, element := range []string{`"marker"`, `{"marker":marker}`, `{"u":"marker` + "\n", `{"u":marker}`, `{"r":"marker"}`} {
		if _, _, err := scan(whole(element, element, element), asked()); err == nil || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", element, err)
		}
	}
}

// FuzzScan compares the reader with encoding/json: both take a reply or both do not, and then they read the same.
func FuzzScan(f *testing.F) {
	const u = `{"u":"AN1OfZN7IlaQxBDb1hBc9e0Yy2zs2Rm+v1jbbbQrnXpy","p":null,"r":1706659200}`
	f.Add(whole(u, u, u))
	f.Add(whole(`{"e":"optout"}`, `{"r":17066.5e5,"u":"\u00e9\ud83d\ude0a","p":"é"}`, `{"x":[1,{"y":"\\"}],"e":"?"}`))
	f.Add(`{"status":"optout"}`)
	f.Add(`{"status":"success","body":{"email_hash":[{},{}],"phone_hash":[{}],"phone":null}}`)
	f.Add(strings.Replace(whole(u, u, u), "u", `\u0075`, 3))
	f.Fuzz(func(t *testing.T, text string) {
		r, ans, err := scan(text, asked())
		if !utf8.ValidString(text) {
			return // encoding/json mends it, we do not
		}
		status, want, oracleErr := oracle(text)
		if nested := strings.Count(text, "[") + strings.Count(text, "{"); nested > jsonscan.MaxDepth && err != nil {
			return
		}
		if (err == nil) != (oracleErr == nil) {
			t.Fatalf("we say %v, encoding/json says %v", err, oracleErr)
		}
		if err != nil {
			return
		}
		if r.status != status {
			t.Fatalf("status %q; want %q", r.status, status)
		}
		if got := describe(ans); status == statusSuccess && got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

var errOracle = errors.New("not a reply")

// fields reads an object into its known keys. A known key that comes twice is an error.
func fields(raw json.RawMessage, known string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errOracle
	}
	found := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, errOracle
		}
		key := token.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errOracle
		}
		if !strings.Contains(known, " "+key+" ") || strings.Contains(key, " ") || key == "" {
			continue
		}
		if _, twice := found[key]; twice {
			return nil, errOracle
		}
		found[key] = value
	}
	return found, nil
}

// oracle reads a reply for asked() with encoding/json.
func oracle(text string) (status, description string, err error) {
	if !json.Valid([]byte(text)) {
		return "", "", errOracle
	}
	top, err := fields(json.RawMessage(text), " status body ")
	if err != nil {
		return "", "", err
	}
	if raw, ok := top["status"]; ok {
		if raw[0] != '"' || json.Unmarshal(raw, &status) != nil {
			return "", "", errOracle
		}
	}
	arrays := map[string][]json.RawMessage{}
	hasBody := len(top["body"]) > 0 && string(top["body"]) != "null"
	if hasBody {
		body, err := fields(top["body"], " email email_hash phone phone_hash ")
		if err != nil {
			return "", "", err
		}
		for key, raw := range body {
			var array []json.RawMessage
			if json.Unmarshal(raw, &array) != nil {
				return "", "", errOracle
			}
			arrays[key] = array
		}
	}
	emails, phones := arrays["email_hash"], arrays["phone_hash"]
	if len(arrays["email"])+len(arrays["phone"]) > 0 || len(emails) > twoAsked || len(phones) > 1 {
		return "", "", errOracle
	}
	var lines []string
	for _, raw := range append(append([]json.RawMessage{}, emails...), phones...) {
		line, err := oracleElement(raw)
		if err != nil {
			return "", "", err
		}
		lines = append(lines, line)
	}
	if status != statusSuccess {
		return status, "", nil
	}
	if !hasBody || len(emails) != twoAsked || len(phones) != 1 {
		return "", "", errOracle
	}
	return status, lines[0] + "\n" + lines[2] + "\n" + lines[1], nil
}

func oracleElement(raw json.RawMessage) (string, error) {
	f, err := fields(raw, " u p r e ")
	if err != nil {
		return "", err
	}
	var u, p, e string
	for key, to := range map[string]*string{"u": &u, "p": &p, "e": &e} {
		if value, ok := f[key]; ok && json.Unmarshal(value, to) != nil {
			return "", errOracle
		}
	}
	var number json.Number
	if value, ok := f["r"]; ok && (value[0] == '"' || json.Unmarshal(value, &number) != nil) {
		return "", errOracle
	}
	seconds, _ := strconv.ParseFloat(string(number), 64)
	milli := math.Trunc(seconds)
	if milli <= 1e11 {
		milli *= 1000
	}
	if milli <= 0 || milli > 1e13 {
		milli = 0
	}
	switch {
	case e == "optout":
		return fmt.Sprintf("2 u= p= e=optout r=0 at=%d", int64(testAt)), nil
	case e == "invalid identifier":
		return fmt.Sprintf("3 u= p= e=%s r=0 at=%d", e, int64(testAt)), nil
	case e != "":
		return fmt.Sprintf("0 u= p= e=%s r=0 at=%d", e, int64(testAt)), nil
	case u == "":
		return fmt.Sprintf("0 u= p= e= r=0 at=%d", int64(testAt)), nil
	}
	return fmt.Sprintf("1 u=%s p=%s e= r=%d at=%d", u, p, int64(milli), int64(testAt)), nil
}
