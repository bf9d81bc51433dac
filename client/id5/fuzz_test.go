package id5

import (
	"testing"

	"mapper/client"
)

// FuzzReply takes any reply and looks whether each user is answered once or not at all, and by nothing that is not in it.
func FuzzReply(f *testing.F) {
	users, which := benchUsers(4)
	users[3].Hash, users[2].Country = users[0].Hash, [2]byte{}
	zeros := "0000000000000000000000000000000000000000000000000000000000000000"
	f.Add([]byte(`{"users":[{"uid":"a","partner_user_id":"0"},{"uid":"b","partner_user_id":"0"},{"uid":"","partner_user_id":"3"}]}`))
	f.Add([]byte(`{"users":[{"uid":"a","email_sha256":"` + zeros + `","country_alpha2":"FR"},{"error":{"code":"x"},"email_sha256":"` + zeros + `","country_alpha2":"FR"}]}`))
	f.Add([]byte(`{"users":[{"uid":"a","email_sha256":"02` + zeros[2:] + `","country_alpha2":"DE"},{"partner_user_id":"zzzzzz"},{"partner_user_id":"01"}],"error":{"type":"validation_error"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var said reply
		if said.parse(body) != nil {
			return
		}
		c := new(Client)
		var ans client.Answers
		ans.Reset(len(users))
		x := exchange{client: c, users: users, ans: &ans, open: []bool{true, true, true, true}}
		if x.take(said.Users, which) != nil {
			return
		}
		uids := map[string]bool{}
		for _, u := range said.Users {
			uids[string(u.UID)] = true
		}
		answered := 0
		for n := range users {
			item := ans.Items[n]
			if x.open[n] != (item.Status == client.Unknown && len(ans.Word(n)) == 0) {
				t.Errorf("user %d is open: %v, with the answer %+v", n, x.open[n], item)
			}
			if uid := string(ans.UID(n)); (item.Status == client.Mapped) != (uid != "") || uid != "" && !uids[uid] {
				t.Errorf("user %d has the uid %q and the status %d", n, uid, item.Status)
			}
			if !x.open[n] {
				answered++
			}
		}
		if left := len(x.unanswered(append([]int(nil), which...))); left != len(users)-answered {
			t.Errorf("%d users are left of which %d were answered", left, answered)
		}
	})
}
