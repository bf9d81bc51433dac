package uid2

import (
	"fmt"
	"net/url"
	"strings"
)

// Service is a network that speaks the protocol. They differ in their hosts and in nothing else.
type Service uint8

const (
	UID2 Service = iota
	EUID
)

// String returns the service's name as it stands in a table.
func (s Service) String() string {
	if s == EUID {
		return "euid"
	}
	return "uid2"
}

// ParseService is the inverse of String.
func ParseService(name string) (Service, error) {
	switch name {
	case "uid2":
		return UID2, nil
	case "euid":
		return EUID, nil
	}
	return 0, fmt.Errorf("%q is neither uid2 nor euid", name)
}

// Production returns the base URL of the service's production environment.
func (s Service) Production() string {
	if s == EUID {
		return "https://prod.euid.eu"
	}
	return "https://prod.uidapi.com"
}

// CleanBaseURL drops from a base URL what belongs to the paths of the calls: a trailing slash, /v2 or /v3, which
// some documentation prints. dropped is what was dropped, besides a lone slash.
func CleanBaseURL(base string) (clean, dropped string) {
	clean = strings.TrimRight(base, "/")
	for _, version := range []string{"/v2", "/v3"} {
		if rest, ok := strings.CutSuffix(clean, version); ok {
			return strings.TrimRight(rest, "/"), version
		}
	}
	return clean, ""
}

// Environment names the environment behind a base URL: the known hosts by name, others by their host without
// port. Raw UIDs of different environments differ for the same person.
func Environment(s Service, base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	switch host := strings.ToLower(u.Hostname()); {
	case host == "prod.uidapi.com", strings.HasSuffix(host, ".prod.uidapi.com"):
		return "uid2-prod"
	case host == "operator-integ.uidapi.com":
		return "uid2-integ"
	case host == "prod.euid.eu":
		return "euid-prod"
	case host == "integ.euid.eu":
		return "euid-integ"
	default:
		return host
	}
}
