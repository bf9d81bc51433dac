package jobs

import (
	"encoding/base64"
	"errors"
	"strings"

	"mapper/client"
	"mapper/client/uid2"
)

// checkBaseURL says why a base URL cannot be that of a service, or nothing. It leaves the credentials aside: those here
// are of nobody.
func checkBaseURL(service uid2.Service, baseURL string) error {
	nobody := client.NewSecret(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	_, err := uid2.New(uid2.Options{Service: service, BaseURL: baseURL, APIKey: nobody, ClientSecret: nobody})
	return baseURLError(service.String(), err)
}

// baseURLError says of what a client has against a base URL which setting it is about: nobody was asked, so it is a
// command that cannot be meant and no refusal.
func baseURLError(service string, err error) error {
	if err == nil {
		return nil
	}
	why := err.Error()
	var e *client.Error
	if errors.As(err, &e) {
		if why = e.Message; e.Remedy != "" {
			why += "; " + e.Remedy
		}
	}
	return settingf("base_url", "(or $%s_BASE_URL): %s", strings.ToUpper(service), why)
}
