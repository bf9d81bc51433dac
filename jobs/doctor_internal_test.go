package jobs

import (
	"errors"
	"testing"

	"mapper/client"
	"mapper/client/uid2"
)

// TestDoctorOptOut gives the identities that are always opted out another answer. The service's own hosts may not do
// that; others need not know them.
func TestDoctorOptOut(t *testing.T) {
	for _, c := range []struct {
		service uid2.Service
		baseURL string
		want    State
	}{
		{uid2.UID2, "https://prod.uidapi.com", StateFail},
		{uid2.UID2, "https://sg.prod.uidapi.com/v2", StateFail},
		{uid2.UID2, "https://operator-integ.uidapi.com", StateFail},
		{uid2.EUID, "https://integ.euid.eu", StateFail},
		{uid2.UID2, "https://operator.example.com", StateWarn},
		{uid2.UID2, "https://uid2-prod.example.com", StateWarn},
		{uid2.UID2, "http://127.0.0.1:8080", StateWarn},
	} {
		p := &patient{Doctor: &Doctor{Service: c.service, BaseURL: c.baseURL}}
		p.answers.Reset(len(testIdentities()))
		for i := range p.answers.Items {
			p.answers.Items[i].Status = client.Mapped
		}
		got := p.optedOut()
		if got.State != c.want || got.Remedy == "" {
			t.Errorf("%s: %+v, want %s", c.baseURL, got, c.want)
		}
		var broken *client.Error
		if c.want == StateFail && (!errors.As(got.err, &broken) || broken.Fault != client.Broken) {
			t.Errorf("%s: the error is %v", c.baseURL, got.err)
		}
	}
}
