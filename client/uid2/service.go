package uid2

import (
	"fmt"
	"net/url"
	"strings"
)

// Service is one of the two networks that speak this protocol. Their keys, people and raw UIDs have nothing to do with
// each other.
type Service uint8

// The networks.
const (
	UID2 Service = iota
	EUID
)

// String returns "uid2" or "euid".
func (s Service) String() string {
	if s == EUID {
		return "euid"
	}
	return "uid2"
}

// ParseService returns the service called "uid2" or "euid".
func ParseService(name string) (Service, error) {
	switch name {
	case "uid2":
		return UID2, nil
	case "euid":
		return EUID, nil
	}
	return UID2, fmt.Errorf("service %q is neither uid2 nor euid", name)
}

// Production returns the base URL of the service's production environment.
func (s Service) Production() string {
	if s == EUID {
		return "https://prod.euid.eu"
	}
	return "https://prod.uidapi.com"
}

// CleanBaseURL strips from a base URL what belongs to the path of a call: a slash at the end, /v2 and /v3. The
// documentation prints some base URLs with them. dropped is what was stripped.
func CleanBaseURL(base string) (clean, dropped string) {
	clean = strings.TrimSpace(base)
	given := clean
	for {
		shorter := strings.TrimRight(clean, "/")
		shorter = strings.TrimSuffix(strings.TrimSuffix(shorter, "/v2"), "/v3")
		if shorter == clean {
			return clean, given[len(clean):]
		}
		clean = shorter
	}
}

// Environment names the environment that a base URL belongs to: uid2-prod for prod.uidapi.com and every host below it,
// uid2-integ, euid-prod, euid-integ, and for a host it does not know, such as a private operator, the host itself
// without its port. Raw UIDs differ between environments and must never mix.
func Environment(s Service, baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	host := hostOf(u)
	if name := s.environment(host); name != "" {
		return name
	}
	return host
}

func hostOf(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }

// environment names the environment of one of the service's own hosts, or nothing.
func (s Service) environment(host string) string {
	switch {
	case s == UID2 && (host == "prod.uidapi.com" || strings.HasSuffix(host, ".prod.uidapi.com")):
		return "uid2-prod"
	case s == UID2 && host == "operator-integ.uidapi.com":
		return "uid2-integ"
	case s == EUID && host == "prod.euid.eu":
		return "euid-prod"
	case s == EUID && host == "integ.euid.eu":
		return "euid-integ"
	}
	return ""
}
