package id5

import (
	"fmt"
	"net/http"
	"strings"

	"mapper/client"
	"mapper/client/transport"
)

// op is what errors begin with.
const op = "id5 signals"

// refused is an error that the user can mend.
func refused(message, remedy string) error {
	return &client.Error{Fault: client.Refused, Op: op, Message: message, Remedy: remedy}
}

func broken(status int, message string) error {
	return &client.Error{Fault: client.Broken, Op: op, Status: status, Message: message,
		Remedy: "the endpoint does not behave as documented; please report it"}
}

// The codes and types of the service, and the word for an error that has neither.
const (
	codeNoToken      = "api_token_invalid"
	codeMayNot       = "api_token_not_authorized"
	codePartner      = "partner_id_invalid"
	codeFormat       = "request_format_invalid"
	codeUsers        = "user_objects_invalid"
	typeAuth         = "authentication_error"
	typeTooMany      = "rate_limit_error"
	typeValidation   = "validation_error"
	rejectedNoReason = "rejected"
)

// rejected is the error that a reply stands for which is neither an answer nor about its users.
func (c *Client) rejected(r transport.Response, said *serviceError) error {
	e := &client.Error{Op: op, Status: r.Status, Message: fmt.Sprintf("HTTP %d", r.Status)}
	code, kind := string(said.Code), string(said.Type)
	if said.Is {
		e.Message += ", " + c.word(said)
	}
	switch {
	case code == codePartner:
		e.Fault, e.Remedy = client.Refused, "ID5 does not know the partner number; look at ID5_PARTNER"
	case r.Status == http.StatusForbidden, code == codeMayNot:
		e.Fault, e.Remedy = client.Refused, "the token may not use Partner Signals for this partner number; ask ID5"
	case r.Status == http.StatusUnauthorized, code == codeNoToken, kind == typeAuth:
		e.Fault, e.Remedy = client.Refused, "the token is not valid at "+c.base.Host+"; look at ID5_TOKEN"
	case r.Status == http.StatusRequestEntityTooLarge:
		e.Remedy = "even one user is too large for what stands in front of the service"
	case r.Status == http.StatusRequestTimeout, r.Status == http.StatusTooEarly, r.Status/100 == 5:
		e.Fault, e.Remedy = client.Unreachable, "look at the service's status and run the same command again"
	case r.Status == http.StatusProxyAuthRequired:
		e.Fault, e.Remedy = client.Refused, "a proxy does not let the request through"
	case r.Status/100 == 2, r.Status == http.StatusBadRequest:
		e.Remedy = "the service does not understand our request; this is a bug of this program, please report it"
	default:
		e.Fault = client.Refused
		e.Remedy = fmt.Sprintf("the base URL is probably wrong: there is no Partner Signals endpoint at %s, and redirects are not followed", c.base.Host)
	}
	return e
}

// word is an error of the service in one word: its code, or its type. Its message quotes values and is never shown.
func (c *Client) word(said *serviceError) string {
	for _, part := range [][]byte{said.Code, said.Type} {
		if text := string(part); isCode(text) && !strings.Contains(text, c.opts.Token.Reveal()) {
			return text
		}
	}
	return rejectedNoReason
}

// isCode says whether a text can be a code. A hash or an email cannot.
func isCode(text string) bool {
	return text != "" && len(text) <= 40 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}
