package transport

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// CheckURL refuses a URL over which credentials would travel in the clear: anything but https, or http to this
// machine. Do checks each call with it; clients check their configuration with it. The error shows no more of the
// URL than its scheme and host.
func CheckURL(u *url.URL) error {
	switch {
	case u.Hostname() == "":
		return errors.New("the base URL names no host; it looks like https://host")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("plain http to %s would show the credentials to the network; use https", u.Host)
	}
	return fmt.Errorf("the base URL has the scheme %q; use https", u.Scheme)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// redacted is an error of the network without what must not be shown. errors.Is sees through it; errors.As does
// not, for the error below could print the whole URL.
type redacted struct {
	text  string
	cause error
}

// Error returns the redacted text.
func (e *redacted) Error() string { return e.text }

// Is reports whether the error below matches target.
func (e *redacted) Is(target error) bool { return errors.Is(e.cause, target) }

// redact takes the query and the user of the call's URL and its Authorization out of an error's text.
func redact(err error, call *Call) error {
	secrets := []string{call.URL.RawQuery, call.URL.User.Username(), call.Header.Get("Authorization")}
	for _, values := range call.URL.Query() {
		secrets = append(secrets, values...)
	}
	if password, ok := call.URL.User.Password(); ok {
		secrets = append(secrets, password)
	}
	if _, token, ok := strings.Cut(call.Header.Get("Authorization"), " "); ok {
		secrets = append(secrets, token)
	}
	text := err.Error()
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[hidden]")
		}
	}
	return &redacted{text: text, cause: err}
}
