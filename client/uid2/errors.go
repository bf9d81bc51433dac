package uid2

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"

	"mapper/client"
	"mapper/client/transport"
)

// refused is an error that the user can mend.
func (c *Client) refused(message, remedy string) error {
	return &client.Error{Fault: client.Refused, Op: c.op, Message: message, Remedy: remedy}
}

// rejected is the error that a reply stands for which is neither an answer nor worth another attempt.
func (c *Client) rejected(r transport.Response) error {
	e := &client.Error{Op: c.op, Status: r.Status, Message: fmt.Sprintf("HTTP %d", r.Status)}
	said := c.printable(sentence(r.Body))
	if said != "" {
		e.Message += fmt.Sprintf(", %q", said)
	}
	switch r.Status {
	case http.StatusBadRequest:
		e.Fault, e.Remedy = c.badRequest(r)
	case http.StatusUnauthorized:
		e.Fault = client.Refused
		e.Remedy = "the API key is unknown, or lacks the MAPPER role, or belongs to another environment than " + c.url.Host
	case http.StatusForbidden, http.StatusProxyAuthRequired:
		e.Fault = client.Refused
		e.Remedy = "something in front of the service does not let the request through: a proxy, or a list of allowed addresses"
	case http.StatusRequestEntityTooLarge:
		e.Remedy = "even one identity is too large for what stands in front of the service; this is not the operator's limit"
	case http.StatusRequestTimeout, http.StatusTooEarly:
		e.Fault, e.Remedy = client.Unreachable, "run the same command again"
	default:
		c.unexpected(e)
	}
	return e
}

// unexpected fills in the error for a status that the service's documentation does not have.
func (c *Client) unexpected(e *client.Error) {
	switch e.Status / 100 {
	case 3, 4:
		e.Fault = client.Refused
		e.Remedy = fmt.Sprintf("the base URL is probably wrong: there is no identity/map at %s, and redirects are not followed", c.url.Host)
	case 5:
		e.Fault, e.Remedy = client.Unreachable, "look at the service's status and run the same command again"
	}
}

// What the service says about a request, behind a heading such as "Invalid body: " and often before a link.
const (
	sayKey    = "Check encryption key"
	sayTooOld = "Request too old"
)

func (c *Client) badRequest(r transport.Response) (client.Fault, string) {
	switch say := sentence(r.Body); {
	case strings.HasPrefix(say, sayKey):
		return client.Refused, "the client secret does not belong to this API key or to the environment of " + c.url.Host
	case strings.HasPrefix(say, sayTooOld):
		return client.Refused, skew(r.Header)
	}
	return client.Broken, "the service does not understand our request; this is a bug of this program, please report it"
}

func isTooOld(r transport.Response) bool {
	return r.Status == http.StatusBadRequest && strings.HasPrefix(sentence(r.Body), sayTooOld)
}

// skew says how wrong the local clock is, by the Date of a reply that has just arrived.
func skew(h http.Header) string {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return "set the local clock: it is more than a minute off"
	}
	ahead := int(math.Round(time.Since(date).Seconds()))
	switch {
	case ahead >= 30:
		return fmt.Sprintf("set the local clock: it is %d s ahead", ahead)
	case ahead <= -30:
		return fmt.Sprintf("set the local clock: it is %d s behind", -ahead)
	}
	return "the local clock agrees with the service's, so something on the way holds requests up for more than a minute"
}

// sentence returns the message of an error reply without its heading, or nothing when it is not the service's JSON. HTML and
// other texts are of somebody in between.
func sentence(body []byte) string {
	var said struct{ Message string }
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	for _, heading := range []string{"Invalid body: ", "Invalid timestamp: "} {
		said.Message = strings.TrimPrefix(said.Message, heading)
	}
	return said.Message
}

// printable makes a text of the service fit to be shown: one line of at most 200 characters, and nothing in it that may be
// ours. A service that quotes its input quotes keys, hashes, emails or numbers: the words that are long, hold an @ or hold
// many digits.
func (c *Client) printable(text string) string {
	const hidden = "[...]"
	for _, secret := range []string{c.opts.APIKey.Reveal(), c.opts.ClientSecret.Reveal()} {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	for i, word := range words {
		digits := len(word) - len(strings.Map(notDigit, word))
		if len(word) > 24 || strings.Contains(word, "@") || digits > 5 {
			words[i] = hidden
		}
	}
	line := []rune(strings.Join(words, " "))
	return string(line[:min(len(line), 200)])
}

func notDigit(r rune) rune {
	if unicode.IsDigit(r) {
		return -1
	}
	return r
}
