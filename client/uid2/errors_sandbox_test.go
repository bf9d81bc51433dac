package uid2_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mapper/client"
	"mapper/client/sandbox"
	"mapper/client/uid2"
)

func clientError(message string) string {
	return fmt.Sprintf(`{"status":"client_error","message":%q}`, message)
}

// TestErrors goes through what an operator, or what stands in front of it, may answer in place of 200.
func TestErrors(t *testing.T) {
	const link = " For details see https://unifiedid.com/docs"
	for name, test := range map[string]struct {
		status int
		body   string // default: what usually comes with the status
		fault  client.Fault
		texts  []string
	}{
		"no body":             {400, clientError("Invalid body: Body is missing."), client.Broken, []string{"400", "report"}},
		"not base64":          {400, clientError("Invalid body: Body is not valid base64." + link), client.Broken, []string{"400", "report"}},
		"too short":           {400, clientError("Invalid body: Body too short. Check encryption method." + link), client.Broken, []string{"400"}},
		"version":             {400, clientError("Invalid body: Invalid request envelope format version: received 7, must be 1." + link), client.Broken, []string{"400"}},
		"secret":              {400, clientError("Invalid body: Check encryption key (ClientSecret)." + link), client.Refused, []string{"400", "secret", "key", "environment"}},
		"unencrypted":         {400, clientError("Invalid body: The request body is unencrypted JSON." + link), client.Broken, []string{"400"}},
		"clock":               {400, clientError("Invalid timestamp: Request too old or client time drift." + link), client.Refused, []string{"clock"}},
		"no JSON":             {400, clientError("Invalid payload in body: Data is not valid json string."), client.Broken, []string{"400", "report"}},
		"format":              {400, clientError("Incorrect request format"), client.Broken, []string{"400", "bug", "report"}},
		"parameter":           {400, clientError("Required Parameter Missing: one or more of [email, email_hash, phone, phone_hash] must be specified"), client.Broken, []string{"400"}},
		"somebody else's 400": {400, "<html>Bad Request</html>", client.Broken, []string{"400"}},
		"unauthorized":        {401, "", client.Refused, []string{"401", "key", "MAPPER", "environment"}},
		"link":                {401, `{"status":"unauthorized","message":"Invalid link_id"}`, client.Refused, []string{"401"}},
		"firewall":            {403, "<html>no</html>", client.Refused, []string{"403", "proxy"}},
		"no such path":        {404, "Not Found", client.Refused, []string{"404", "base URL"}},
		"no such method":      {405, "", client.Refused, []string{"405", "base URL"}},
		"redirect":            {302, "", client.Refused, []string{"302", "redirect"}},
	} {
		t.Run(name, func(t *testing.T) {
			op := newSandbox(t, sandbox.Options{})
			op.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{{Do: sandbox.Fail, Status: test.status, Body: test.body, Location: "https://elsewhere.example.com/"}}})
			var answers client.Answers
			err := newClient(t, overTCP(t, op)).Map(t.Context(), people(3), &answers)
			wantError(t, err, test.fault, test.texts...)
			if e := faultOf(err); e.Status != test.status || !strings.HasPrefix(err.Error(), "uid2 ") || strings.ContainsAny(err.Error(), "\r\n<") {
				t.Errorf("status %d in %q", e.Status, err)
			}
			want := 1
			if name == "clock" {
				want = 2
			}
			if n := op.Stats().Requests; n != want {
				t.Errorf("%d requests; want %d", n, want)
			}
		})
	}
}

// TestRefusals has the operator itself find out what is wrong with credentials.
func TestRefusals(t *testing.T) {
	other := client.NewSecret(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32)))
	for name, test := range map[string]struct {
		sandbox sandbox.Options
		change  func(*uid2.Options)
		texts   []string
	}{
		"other secret": {sandbox.Options{}, func(o *uid2.Options) { o.ClientSecret = other }, []string{"400", "secret"}},
		"other key":    {sandbox.Options{}, func(o *uid2.Options) { o.APIKey = client.NewSecret("UID2-C-I-other") }, []string{"401", "key"}},
		"other role":   {sandbox.Options{Roles: []string{"SHARER"}}, func(*uid2.Options) {}, []string{"401", "MAPPER"}},
		"other path":   {sandbox.Options{}, func(o *uid2.Options) { o.BaseURL += "/elsewhere" }, []string{"404", "base URL"}},
	} {
		for _, network := range []uid2.Service{uid2.UID2, uid2.EUID} {
			t.Run(name+"/"+network.String(), func(t *testing.T) {
				test.sandbox.EUID = network == uid2.EUID
				opts := overTCP(t, newSandbox(t, test.sandbox))
				opts.Service = network
				test.change(&opts)
				var answers client.Answers
				err := newClient(t, opts).Map(t.Context(), people(3), &answers)
				wantError(t, err, client.Refused, append(test.texts, network.String())...)
			})
		}
	}
}

func TestClock(t *testing.T) {
	for _, test := range []struct {
		skew time.Duration
		text string // of the error; empty if the operator accepts it
	}{
		{0, ""}, {55 * time.Second, ""}, {-55 * time.Second, ""},
		{305 * time.Second, "305 s behind"}, {-305 * time.Second, "305 s ahead"},
	} {
		t.Run(test.skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // time stands still, so the seconds are exact
				op := newSandbox(t, sandbox.Options{})
				op.SetFaults(sandbox.Faults{Skew: test.skew})
				var answers client.Answers
				err := newClient(t, inMemory(op)).Map(t.Context(), people(3), &answers)
				if test.text == "" {
					if err != nil {
						t.Fatal(err)
					}
					check(t, op, people(3), &answers)
					return
				}
				wantError(t, err, client.Refused, "clock", test.text)
				if n := op.Stats().Requests; n != 2 {
					t.Errorf("%d requests; want it tried twice", n)
				}
			})
		})
	}
}

// TestClockOnce has a request held up on the way once, which another one makes good.
func TestClockOnce(t *testing.T) {
	op := newSandbox(t, sandbox.Options{})
	op.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{{
		Do: sandbox.Fail, First: 1, Status: 400, Body: clientError("Invalid timestamp: Request too old or client time drift."),
	}}})
	ids := people(5)
	var answers client.Answers
	if err := newClient(t, overTCP(t, op)).Map(t.Context(), ids, &answers); err != nil {
		t.Fatal(err)
	}
	check(t, op, ids, &answers)
}

var spoiling = map[string]sandbox.Action{
	"wrong nonce": sandbox.WrongNonce, "short arrays": sandbox.ShortArrays, "long arrays": sandbox.LongArrays,
	"garbled": sandbox.Garble, "truncated": sandbox.Truncate, "reset midway": sandbox.ResetMidway,
}

func TestSpoiledReplies(t *testing.T) {
	for name, action := range spoiling {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := newSandbox(t, sandbox.Options{OptOutShare: 0.1})
				op.SetFaults(sandbox.Faults{Seed: 5, Rules: []sandbox.Fault{{Do: action, Share: 0.3}}})
				opts := inMemory(op)
				opts.MaxBatch = 30
				ids := people(3000)
				var answers client.Answers
				if err := newClient(t, opts).Map(t.Context(), ids, &answers); err != nil {
					t.Fatal(err)
				}
				check(t, op, ids, &answers)
				if n := op.Stats().Spoiled; n < 10 {
					t.Errorf("only %d replies were spoiled", n)
				}
			})
		})
	}
}

func TestNothingButSpoiledReplies(t *testing.T) {
	for name, action := range spoiling {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := newSandbox(t, sandbox.Options{})
				op.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{{Do: action}}})
				var answers client.Answers
				err := newClient(t, inMemory(op)).Map(t.Context(), people(30), &answers)
				if action == sandbox.Truncate || action == sandbox.ResetMidway { // the network may be better later
					wantError(t, err, client.Unreachable)
					return
				}
				wantError(t, err, client.Broken)
				if n := op.Stats().Requests; n < 2 || n > 20 {
					t.Errorf("%d requests; want a few and then an error", n)
				}
			})
		})
	}
}

// TestSecretsDoNotLeak sends marked credentials down every path that fails and searches all that is said.
func TestSecretsDoNotLeak(t *testing.T) {
	key := "UID2-C-I-marker-4711-key"
	secret := base64.StdEncoding.EncodeToString([]byte("marker-secret-of-32-bytes-4711!!"))
	var mu sync.Mutex
	said := &strings.Builder{}
	say := func(values ...any) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintln(said, values...)
	}
	echo := fmt.Sprintf("Invalid body: %s and %s", key, secret)
	faults := []sandbox.Fault{
		{Do: sandbox.Fail}, {Do: sandbox.Fail, Status: 302, Location: "https://x.example.com/?k=" + key}, {Do: sandbox.Fail, Status: 401},
		{Do: sandbox.Fail, Status: 404}, {Do: sandbox.Fail, Status: 413}, {Do: sandbox.Fail, Status: 503}, {Do: sandbox.Reset},
		{Do: sandbox.Fail, Status: 400, Body: clientError(echo)}, {Do: sandbox.Fail, Status: 400, Body: echo}, {Do: sandbox.Fail, Status: 200, Body: echo},
		{Do: sandbox.Fail, Status: 401, Body: clientError("Bearer " + key)},
	}
	for _, action := range spoiling {
		faults = append(faults, sandbox.Fault{Do: action})
	}
	synctest.Test(t, func(t *testing.T) {
		for _, fault := range faults {
			op := newSandbox(t, sandbox.Options{APIKey: key, ClientSecret: secret})
			op.SetFaults(sandbox.Faults{Rules: []sandbox.Fault{fault}})
			opts := inMemory(op)
			opts.Logger = slog.New(slog.NewTextHandler(said, nil))
			opts.Transport.OnRetry = nil
			c := newClient(t, opts)
			var answers client.Answers
			err := c.Map(t.Context(), people(2), &answers)
			if err == nil {
				t.Errorf("no error from %+v", fault)
			}
			say(err, fmt.Sprintf("%v %+v %#v", err, err, err), fmt.Sprintf("%v %+v %#v", opts, opts, opts), fmt.Sprintf("%v %+v %#v", c, c, c))
		}
	})
	for _, base := range []string{"https://" + key + ":" + key + "@host.example.com", "https://host.example.com/?k=" + key, "http://host.example.com/" + key, "https://%" + key} {
		_, err := uid2.New(uid2.Options{BaseURL: base, APIKey: client.NewSecret(key), ClientSecret: client.NewSecret(secret)})
		if err == nil {
			t.Errorf("New takes a base URL with a credential or in the clear")
		}
		say(err)
	}
	for _, pair := range [][2]string{{key + "\n", secret}, {key, secret + "x"}, {key, secret[1:]}} {
		_, err := uid2.New(uid2.Options{APIKey: client.NewSecret(pair[0]), ClientSecret: client.NewSecret(pair[1])})
		if err == nil {
			t.Error("New takes a key or secret that cannot be right")
		}
		say(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(secret)
	for _, marker := range []string{key, secret, secret[1:], string(raw), "marker", fmt.Sprintf("%d", raw[:8])[1:20], hex.EncodeToString(raw)} {
		if text := said.String(); strings.Contains(text, marker) {
			at := strings.Index(text, marker)
			t.Errorf("%q was said: …%s…", marker, text[max(0, at-200):min(len(text), at+100)])
		}
	}
}
