package id5

import (
	"bytes"
	"context"
	"net/http"

	"mapper/client/transport"
)

// call sends one request, as often as the transport finds right, and decodes the reply, which is read into buf, into said.
// A reply that is no success and not the service's JSON decodes to nothing.
func (c *Client) call(ctx context.Context, buf []byte, said *reply, users []User, which []int) (transport.Response, error) {
	r, err := c.transport.Do(ctx, &transport.Call{
		Op: op, URL: c.endpoint(), Header: c.header(),
		Build:  func(dst []byte) ([]byte, error) { return appendRequest(dst, users, which), nil },
		Accept: func(r transport.Response) error { return said.believe(r.Body) },
	}, buf)
	if err == nil && r.Status/100 != 2 {
		_ = said.parse(r.Body) // a text of somebody in between has its status to go by
	}
	return r, err
}

// Check finds out whether the service accepts partner and token, without making or joining anybody: it asks for no users,
// which is documented to be refused with a code of its own, by a service that has accepted the credentials.
//
// Errors are those of Map.
func (c *Client) Check(ctx context.Context) error {
	var said reply
	r, err := c.call(ctx, nil, &said, nil, nil)
	switch {
	case err != nil:
		return err
	case said.isAnswer(r.Status), said.refusesUsers(r.Status):
		return nil
	}
	return c.rejected(r, &said.Error)
}

// isAnswer says whether a reply answers its users. Some of the answers may be errors.
func (r *reply) isAnswer(status int) bool { return status/100 == 2 && !r.Error.Is }

// refusesUsers says whether a reply refuses a request because of its users. The documentation does not say with which
// status that comes, so what the reply says counts first.
func (r *reply) refusesUsers(status int) bool {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return false
	}
	if !r.Error.Is {
		return r.names()
	}
	switch string(r.Error.Code) {
	case codeNoToken, codeMayNot, codePartner, codeFormat:
		return false
	case codeUsers:
		return true
	}
	kind := string(r.Error.Type)
	return kind != typeAuth && (r.names() || kind == typeValidation)
}

// isCutOff says whether a refusal was too long to be read whole: it lists too many users. Fewer of them make it shorter.
func isCutOff(r transport.Response, said *reply) bool {
	return r.Status == http.StatusBadRequest && !said.HasUsers && !said.Error.Is && bytes.HasPrefix(r.Body, []byte("{"))
}
