package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestSandboxID5 asks the sandbox for three users under switches that show all together, and one by one for some.
func TestSandboxID5(t *testing.T) {
	ask := func(t *testing.T, o *operator, hashes ...string) (status int, users []map[string]any) {
		t.Helper()
		body := `{"users":[`
		for i, hash := range hashes {
			body += strings.Repeat(",", min(i, 1)) + `{"partner_user_id":"1","email_sha256":"` + hash + `"}`
		}
		r, err := http.Post(o.BaseURL+"/partners/v1/"+o.ID5Partner+"/signals?token="+url.QueryEscape(o.ID5Token), "application/json", strings.NewReader(body+"]}"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		var reply struct{ Users []map[string]any }
		if err := json.Unmarshal(text, &reply); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return r.StatusCode, reply.Users
	}
	a, b, c := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)

	o := startOperator(t, "--id5", "shuffle", "--id5", "omit=2", "--id5", "duplicate=3", "--id5", "no-numbers", "--id5", "status-200",
		"--id5", "changing", "--id5", "max-users=3", "--id5", "seed=x")
	uids := map[string]bool{}
	for i, want := range []int{3, 2, 4} {
		status, users := ask(t, o, a, b, c)
		if status != http.StatusOK || len(users) != want {
			t.Errorf("answer %d is %d with %d users, want %d", i+1, status, len(users), want)
		}
		for _, u := range users {
			uids[u["uid"].(string)] = true
			if u["partner_user_id"] != nil {
				t.Errorf("a user has a number: %v", u)
			}
		}
	}
	if len(uids) != 3+2+3 {
		t.Errorf("%d different uids, want one for each user of each answer", len(uids))
	}
	if status, users := ask(t, o, a, b, c, a); status != http.StatusOK || len(users) != 0 {
		t.Errorf("too many users are answered %d %v", status, users)
	}

	var uid [2]any
	for i := range uid {
		o := startOperator(t, "--id5", "seed=same", "--id5", "nameless")
		_, users := ask(t, o, a)
		if uid[i] = users[0]["uid"]; users[0]["partner_user_id"] != "1" {
			t.Errorf("the user is %v", users[0])
		}
		if status, users := ask(t, o, "short"); status != http.StatusBadRequest || len(users) != 0 {
			t.Errorf("a short hash is answered %d %v", status, users)
		}
	}
	if uid[0] != uid[1] {
		t.Errorf("two sandboxes of one seed have %v", uid)
	}
}

// TestSandboxFault looks at the faults that come with a time or a text, at both endpoints.
func TestSandboxFault(t *testing.T) {
	for fault, want := range map[string]struct {
		status       int
		header, body string
	}{
		"retry-after=1": {429, "1", ""},
		"html=1":        {502, "", "<html>"},
		"503=1":         {503, "", "Service Unavailable"},
	} {
		o := startOperator(t, "--fault", fault)
		for _, path := range []string{"/v3/identity/map", "/partners/v1/173/signals"} {
			r, err := http.Post(o.BaseURL+path, "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil || r.StatusCode != want.status || r.Header.Get("Retry-After") != want.header || !strings.HasPrefix(string(body), want.body) {
				t.Errorf("--fault %s: %s answers %d %q %q, %v", fault, path, r.StatusCode, r.Header.Get("Retry-After"), body, err)
			}
		}
	}
}

// TestSandboxUsage gives switches that are none.
func TestSandboxUsage(t *testing.T) {
	for _, c := range []struct{ flag, value, says string }{
		{"--id5", "shufle", "WHAT is one of changing, nameless, no-numbers, shuffle, status-200, duplicate=N, max-users=N, omit=N, seed=TEXT"},
		{"--id5", "shuffle=1", "WHAT is one of"},
		{"--id5", "seed", "WHAT is one of"},
		{"--id5", "", "WHAT is one of"},
		{"--id5", "omit", "write omit=N"},
		{"--id5", "omit=0", "write omit=N"},
		{"--id5", "max-users=many", "write max-users=N"},
		{"--fault", "slow=1", "slow-body"},
		{"--fault", "retry-after", "write WHAT=SHARE"},
	} {
		run := command(t, nil, "sandbox", "--listen", "127.0.0.1:0", c.flag, c.value)
		out, err := run.CombinedOutput()
		if got := run.ProcessState.ExitCode(); got != exitUsage || !strings.Contains(string(out), c.says) {
			t.Errorf("%s %q ends with %d, %v, and says %s; want %q", c.flag, c.value, got, err, out, c.says)
		}
	}
}
