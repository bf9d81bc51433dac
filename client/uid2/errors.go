package uid2

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mapper/client"
	"mapper/client/transport"
)

// tooLargeError is a reply 413.
type tooLargeError struct{}

func (*tooLargeError) Error() string { return "HTTP 413" }

// failing500Error is a batch that the operator keeps answering with 500.
type failing500Error struct{ at time.Time } // when the last of these replies came

func (*failing500Error) Error() string { return "HTTP 500" }

func (c *Client) refused(message, remedy string) error {
	return &client.Error{Fault: client.Refused, Op: c.opts.Service.String() + " credentials", Message: message, Remedy: remedy}
}

func (c *Client) broken(status int, message, remedy string) error {
	return &client.Error{Fault: client.Broken, Op: c.op, Status: status, Message: message, Remedy: remedy}
}

// errClock marks the error about the clock, which is worth a second try.
var errClock = errors.New("the operator's clock differs")

func isClock(err error) bool { return errors.Is(err, errClock) }

// statusError makes an error of a reply that is no success. What a status means is in the operator's source:
// there is no 403, and a 400 comes as {"status":"client_error","message":…} with sentences that begin as below.
func (c *Client) statusError(r *transport.Response) error {
	fault := &client.Error{Fault: client.Broken, Op: c.op, Status: r.Status, Message: fmt.Sprintf("HTTP %d", r.Status)}
	said := message(r.Body)
	switch {
	case r.Status == http.StatusUnauthorized:
		fault.Fault = client.Refused
		fault.Remedy = "the API key is unknown here, lacks the role MAPPER, or belongs to another environment than " + c.url.Host
	case r.Status == http.StatusForbidden, r.Status == http.StatusProxyAuthRequired:
		fault.Fault = client.Refused
		fault.Remedy = "something between here and the operator, a proxy or firewall, does not let requests through"
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		fault.Fault = client.Refused
		fault.Remedy = "the base URL is not that of an operator; it is a host alone, such as " + c.opts.Service.Production()
	case r.Status/100 == 3:
		fault.Remedy = "redirects are not followed, because they would carry the API key elsewhere; set the base URL to where the operator is"
	case strings.Contains(said, "Check encryption key"):
		fault.Fault = client.Refused
		fault.Message += ": the operator cannot decrypt the request"
		fault.Remedy = "the secret does not belong to this API key, or both belong to another environment than " + c.url.Host
	case strings.HasPrefix(said, "Invalid timestamp"), strings.Contains(said, "Request too old"):
		fault.Fault, fault.Err = client.Refused, errClock
		fault.Remedy = clockRemedy(r.Header.Get("Date"), c.now())
	case strings.HasPrefix(said, "Incorrect request format"):
		fault.Message += ": the operator does not understand the request"
		fault.Remedy = "this is a bug of this program; please report it"
	case said != "":
		fault.Message += ": " + said
	}
	return fault
}

func clockRemedy(date string, now time.Time) string {
	const remedy = "set this machine's clock by NTP"
	at, err := http.ParseTime(date)
	if err != nil {
		return remedy
	}
	skew := now.Sub(at).Round(time.Second)
	if skew < 0 {
		return fmt.Sprintf("this machine's clock is %.0f s behind the operator's; %s", -skew.Seconds(), remedy)
	}
	return fmt.Sprintf("this machine's clock is %.0f s ahead of the operator's; %s", skew.Seconds(), remedy)
}

// message returns what a reply in JSON says of itself, if it is one of the sentences that operators are known
// to say. Nothing else is repeated: what comes back may hold what was sent.
func message(body []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	for _, known := range []string{
		"Invalid body: ", "Invalid timestamp: ", "Invalid payload in body: ", "Incorrect request format",
		"Required Parameter Missing: ", "Invalid link_id", "Request too old", "Check encryption key",
	} {
		if strings.HasPrefix(said.Message, known) {
			line, _, _ := strings.Cut(said.Message, "\n")
			return line[:min(len(line), 200)]
		}
	}
	return ""
}
